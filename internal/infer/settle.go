package infer

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/nn/op"
)

// Weights in int8 are exact enough for most layers of most models, and not for
// all. Which ones must stay wider is measured, on the weights at hand, before the first image
// is encoded: see settle.

// Limits of what rounding may do to the features of the pictures of measure.
const (
	// most is the largest 1−cosine that is accepted. Other pictures may do worse: the
	// aim is 1e-3 for all.
	most = 4e-4
	// left is the share of int8's 1−cosine that a weight in bfloat16 keeps.
	left = 1.0 / 8
)

// speed is how many products a device does in the time of one in float32.
var speed = map[exec.Precision]float64{exec.FP32: 1, exec.BF16: 2, exec.Int8: 4}

// cached is the number of float32 weights that stay in a processor's cache from
// one token to the next, so that a narrower type would not be faster: 4 MB of them.
const cached = 1 << 20

// start makes choices that need no measurement. The patches' products are few, and
// pixels are all that a model sees: what is lost there is lost for good. Logits decide
// captions, nothing comes after them that could make up for rounding; their weight stays wide
// where that costs nothing.
func (r *Runtime) start() {
	cpu, ok := r.device.(*exec.CPU)
	if !ok || cpu.Precision() == exec.FP32 {
		return
	}
	cpu.Treat(r.Model.Vision.Patch.W.Name, exec.Treatment{Precision: exec.FP32})
	if w := r.Model.Decoder.Proj.W; w.Value != nil && w.Value.Shape().TotalSize() <= cached {
		cpu.Treat(w.Name, exec.Treatment{Precision: exec.FP32})
	}
}

// settle chooses how the weights of the visual tower are kept on a device that
// keeps them in int8: columns that take outliers out of activations, and a wider type for
// the weights, and for attention, that need it most for the time that it costs. It does so once, and not if all
// weights were prepared by the caller.
func (r *Runtime) settle(ctx context.Context) error {
	cpu, ok := r.device.(*exec.CPU)
	if !ok || r.settled || cpu.Precision() != exec.Int8 {
		return nil
	}
	p, err := r.imageProgram(1, keys)
	if err != nil {
		return err
	}
	t := &trial{ctx: ctx, program: p, cpu: cpu}
	for _, m := range cpu.Matrices() {
		if !m.Given() && m.Treatment.Precision == exec.Int8 {
			t.weights = append(t.weights, &candidate{Matrix: m})
		}
	}
	if len(t.weights) > 0 {
		size := r.Model.Config.Vision.ImageSize
		h, w := size.Height, size.Width
		t.pictures = [][]float32{noise(h, w, 1), waves(h, w), noise(h, w, 2)}
		if err := t.run(); err != nil {
			return err
		}
	}
	r.settled = true
	return nil
}

// trial measures what the precision of weights does to the features.
type trial struct {
	ctx      context.Context
	program  *imageProgram
	cpu      *exec.CPU
	weights  []*candidate
	pictures [][]float32
	want     [][]float32 // their features in float32
}

// candidate is a weight that may be kept in a wider type.
type candidate struct {
	*exec.Matrix
	loss      float64 // what it does to the features in int8, all others being exact
	precision exec.Precision
}

// after is what the weight does to the features in a precision.
func (c *candidate) after(p exec.Precision) float64 {
	switch p {
	case exec.Int8:
		return c.loss
	case exec.BF16:
		return c.loss * left
	}
	return 0
}

// time of the weight's products, in those of float32.
func (c *candidate) time(p exec.Precision) float64 { return float64(c.Products()) / speed[p] }

func (t *trial) run() error {
	const rows = 16
	for _, c := range t.weights {
		c.Reference(true)
		c.Observe(rows)
		c.precision = exec.Int8
	}
	t.cpu.TreatAttention(exec.FP32)
	defer t.each(func(c *candidate) { c.Reference(false); c.Observe(0) })
	for i := range t.pictures {
		f, err := t.features(i)
		if err != nil {
			return err
		}
		t.want = append(t.want, f)
	}
	for _, c := range t.weights {
		if columns := c.Smooth(); columns != nil {
			t.cpu.Treat(c.Name, exec.Treatment{Precision: exec.Int8, Columns: columns, Common: c.Treatment.Common})
		}
		c.Observe(0)
	}
	t.each(func(c *candidate) { c.Reference(false) })
	if good, err := t.narrow(); good || err != nil {
		return err
	}
	if err := t.probe(); err != nil {
		return err
	}
	for budget := most; budget > most/100; budget /= 2 {
		t.choose(budget)
		loss, err := t.loss(len(t.pictures))
		if err != nil {
			return err
		}
		if loss <= most {
			_, err := t.narrow()
			return err
		}
	}
	return nil
}

// narrow makes attention multiply in bfloat16 if the loss stays small.
func (t *trial) narrow() (good bool, err error) {
	t.cpu.TreatAttention(exec.BF16)
	loss, err := t.loss(len(t.pictures))
	if good = err == nil && loss <= most; !good {
		t.cpu.TreatAttention(exec.FP32)
	}
	return good, err
}

func (t *trial) each(f func(*candidate)) {
	for _, c := range t.weights {
		f(c)
	}
}

// features encodes picture i.
func (t *trial) features(i int) ([]float32, error) {
	copy(op.Floats(t.program.graph.Pixels.Value()), t.pictures[i])
	if err := t.program.Run(t.ctx); err != nil {
		return nil, err
	}
	return slices.Clone(t.program.Floats(t.program.graph.Features)), nil
}

// loss is the largest 1−cosine between features and those in float32 of the first n
// pictures.
func (t *trial) loss(n int) (worst float64, err error) {
	for i, want := range t.want[:n] {
		got, err := t.features(i)
		if err != nil {
			return 0, err
		}
		worst = max(worst, distance(got, want))
	}
	return worst, nil
}

// distance is 1−cosine, 2 if there is none.
func distance(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	if d := 1 - ab/math.Sqrt(aa*bb); !math.IsNaN(d) {
		return d
	}
	return 2
}

// probed is the number of pictures that tell which weights lose most; whether all that was
// chosen is good enough is asked of all pictures.
const probed = 2

// probe measures the loss of each weight in int8 while all others are exact.
// Blocks are measured first: the weights of those that together lose little share what
// their block loses.
func (t *trial) probe() error {
	groups := map[string][]*candidate{}
	var names []string
	for _, c := range t.weights {
		name := block(c.Name)
		if groups[name] == nil {
			names = append(names, name)
		}
		groups[name] = append(groups[name], c)
	}
	only := func(group []*candidate) (float64, error) {
		t.each(func(c *candidate) { c.Reference(true) })
		for _, c := range group {
			c.Reference(false)
		}
		return t.loss(probed)
	}
	losses := map[string]float64{}
	for _, name := range names {
		var err error
		if losses[name], err = only(groups[name]); err != nil {
			return err
		}
	}
	slices.SortStableFunc(names, func(a, b string) int {
		switch {
		case losses[a] < losses[b]:
			return -1
		case losses[a] > losses[b]:
			return 1
		}
		return 0
	})
	small := 0.0
	for _, name := range names {
		group := groups[name]
		small += losses[name]
		for _, c := range group {
			c.loss = losses[name] / float64(len(group))
			if small > most/4 && len(group) > 1 {
				var err error
				if c.loss, err = only([]*candidate{c}); err != nil {
					return err
				}
			}
		}
	}
	t.each(func(c *candidate) { c.Reference(false) })
	return nil
}

// block is the part of a weight's name that names its block; the whole name
// if it is in none.
func block(name string) string {
	const in = "resblocks."
	if i := strings.Index(name, in); i >= 0 {
		if j := strings.IndexByte(name[i+len(in):], '.'); j >= 0 {
			return name[:i+len(in)+j]
		}
	}
	return name
}

// choose widens weights until what they are expected to lose together, losses
// being small and independent, is within the budget: next the one that gains most for
// its time.
func (t *trial) choose(budget float64) {
	sum := 0.0
	for _, c := range t.weights {
		sum += c.after(c.precision)
	}
	for sum > budget {
		var best *candidate
		var wider exec.Precision
		most := 0.0
		for _, c := range t.weights {
			for _, p := range []exec.Precision{exec.BF16, exec.FP32} {
				if speed[p] >= speed[c.precision] {
					continue
				}
				gain := (c.after(c.precision) - c.after(p)) / (1 + c.time(p) - c.time(c.precision))
				if gain > most {
					best, wider, most = c, p, gain
				}
			}
		}
		if best == nil {
			return
		}
		sum += best.after(wider) - best.after(best.precision)
		best.precision = wider
		t.cpu.Treat(best.Name, exec.Treatment{Precision: wider})
	}
}

// noise is a picture that has everything in it: each value is drawn evenly
// from [-2, 2), by a linear congruential generator (Numerical Recipes').
func noise(height, width int, state uint32) []float32 {
	pixels := make([]float32, 3*height*width)
	for i := range pixels {
		state = state*1664525 + 1013904223
		pixels[i] = float32(int32(state)>>8) * (2.0 / (1 << 23))
	}
	return pixels
}

// waves is a picture as calm as photographs are: slow waves of each colour,
// and an edge.
func waves(height, width int) []float32 {
	pixels := make([]float32, 3*height*width)
	for c := range 3 {
		for y := range height {
			for x := range width {
				u, v := float64(x)/float64(width), float64(y)/float64(height)
				z := 1.5 * math.Sin(2*math.Pi*(u*float64(c+1)+v)) * math.Cos(math.Pi*v*float64(3-c))
				if u+v > 1.2 {
					z = -z
				}
				pixels[(c*height+y)*width+x] = float32(z)
			}
		}
	}
	return pixels
}
