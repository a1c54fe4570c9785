package train_test

import (
	"flag"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/seed-e0874532/coca/internal/formula"
	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn"
	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/nn/op"
	"github.com/seed-e0874532/coca/train"
)

// stepsCase is a run of open_clip_train.main.
type stepsCase struct {
	Name      string
	ModelName string `json:"model_name"` // decides on the defaults
	Model     string // path of the config
	Flags     []string
	Accum     int // batches a step
	Epochs    int
	Batches   []struct {
		Images []int
		IDs    [][]int
	}
	Steps []struct {
		Loss, Contrastive, Caption, LR, Scale float64 // as it logs them
	}
	Weights map[string]struct {
		Stride int
		Values []float64
	}
}

// choices are the flags of a case.
type choices struct {
	train.Options
	cooldown int // epochs
	accum    int
}

// parse reads flags as open_clip_train does, with its defaults for the name of a model.
func (c *stepsCase) parse(t *testing.T) choices {
	t.Helper()
	o := choices{Options: train.Defaults(c.ModelName)}
	f := flag.NewFlagSet(c.Name, flag.ContinueOnError)
	f.Float64Var(&o.LR, "lr", o.LR, "")
	f.Float64Var(&o.AdamW.WeightDecay, "wd", o.AdamW.WeightDecay, "")
	f.IntVar(&o.Warmup, "warmup", o.Warmup, "")
	f.StringVar((*string)(&o.Scheduler), "lr-scheduler", string(o.Scheduler), "")
	f.IntVar(&o.Epochs, "epochs", 1, "")
	f.IntVar(&o.cooldown, "epochs-cooldown", 0, "")
	f.Float64Var(&o.CooldownPower, "lr-cooldown-power", o.CooldownPower, "")
	f.Float64Var(&o.CooldownEnd, "lr-cooldown-end", o.CooldownEnd, "")
	f.Float64Var(&o.ClipNorm, "grad-clip-norm", 0, "")
	f.IntVar(&o.accum, "accum-freq", 1, "")
	f.Float64Var(&o.Losses.Contrastive, "coca-contrastive-loss-weight", o.Losses.Contrastive, "")
	f.Float64Var(&o.Losses.Caption, "coca-caption-loss-weight", o.Losses.Caption, "")
	if err := f.Parse(c.Flags); err != nil {
		t.Fatal(err)
	}
	return o
}

// TestStepsEqualOpenCLIP trains a small model for 20 steps and compares every
// loss, rate and scale, and the weights at the end, with those of open_clip_train.
func TestStepsEqualOpenCLIP(t *testing.T) {
	var golden struct{ Cases []stepsCase }
	readGolden(t, "steps.json", &golden)
	if len(golden.Cases) < 12 {
		t.Fatalf("got %d cases", len(golden.Cases))
	}
	for _, c := range golden.Cases {
		t.Run(c.Name, func(t *testing.T) {
			o := c.parse(t)
			r := newRunner(t, &c, o, nil)
			r.steps(t, 0, len(c.Steps))
			r.compareWeights(t)
		})
	}
}

// runner trains a case.
type runner struct {
	c         *stepsCase
	o         choices
	cfg       model.Config
	p         *train.Parameters
	step      *train.Step
	first     *exec.Program           // with accumulation: the pass that caches features
	graph     *model.AccumulatedGraph // of both passes
	optimizer *train.AdamW
	clip      *train.Clipper
	schedule  train.Schedule
	worst     float64
}

// newRunner prepares a case that starts from src, or from the formula's values.
func newRunner(t *testing.T, c *stepsCase, o choices, src nn.Source) *runner {
	t.Helper()
	data, err := os.ReadFile("../testdata/golden/train/" + c.Model)
	if err != nil {
		t.Fatal(err)
	}
	r := &runner{c: c, o: o}
	if r.cfg, err = model.ParseConfig(data); err != nil {
		t.Fatal(err)
	}
	if src == nil {
		src = formula.Source(model.Tensors(r.cfg))
	}
	if r.p, err = train.NewParameters(model.Tensors(r.cfg)); err != nil {
		t.Fatal(err)
	}
	if err := r.p.Load(src); err != nil {
		t.Fatal(err)
	}
	m, err := model.New(r.cfg, r.p.Source(src))
	if err != nil {
		t.Fatal(err)
	}
	dev, err := exec.NewCPUWith(exec.CPUOptions{Threads: 1, Training: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	if err := r.compile(m, dev); err != nil {
		t.Fatal(err)
	}
	if r.optimizer, err = train.NewAdamW(r.p, o.AdamW, nil); err != nil {
		t.Fatal(err)
	}
	r.clip = train.NewClipper(r.p, nil)
	perEpoch := len(c.Batches) / c.Accum
	r.schedule = train.Schedule{Kind: o.Scheduler, LR: o.LR, Warmup: o.Warmup, Total: perEpoch * o.Epochs,
		Cooldown: perEpoch * o.cooldown, Power: o.CooldownPower, EndLR: o.CooldownEnd}
	return r
}

// compile makes the programs of a step.
func (r *runner) compile(m *model.CoCa, dev exec.Device) error {
	pairs, length := len(r.c.Batches[0].IDs), len(r.c.Batches[0].IDs[0])
	if r.c.Accum == 1 {
		graph, err := m.TrainGraph(pairs, length, r.o.Losses)
		if err == nil {
			r.step, err = train.NewStep(graph, dev, r.p.Memory)
		}
		return err
	}
	var err error
	if r.graph, err = m.AccumulatedGraph(r.c.Accum, pairs, length, r.o.Losses); err != nil {
		return err
	}
	if r.first, err = exec.Compile(dev, r.graph.Image.Features, r.graph.Text.Features); err != nil {
		return err
	}
	r.step, err = train.NewStep(r.graph.TrainGraph, dev, nil)
	return err
}

// run computes the losses of step i, as they are logged, and the gradients.
func (r *runner) run(i int) (contrastive, caption float32, err error) {
	if r.c.Accum == 1 {
		r.feed(r.step.Graph, i)
		if err := r.step.RunAll(); err != nil {
			return 0, 0, err
		}
		contrastive, caption = r.step.Losses()
		return contrastive, caption, nil
	}
	// First the features of all batches.
	g, n := r.graph, r.c.Accum
	all := 0
	for j := range n {
		r.feed(g.TrainGraph, n*i+j)
		if err := r.first.RunAll(); err != nil {
			return 0, 0, err
		}
		for all, own := range map[*G.Node]*G.Node{g.Images: g.Image.Features, g.Texts: g.Text.Features} {
			values := r.first.Floats(own)
			copy(op.Floats(all.Value())[j*len(values):], values)
		}
		all += r.targets(n*i + j)
	}
	clear(r.p.Gradients)
	for j := range n {
		r.feed(g.TrainGraph, n*i+j)
		op.Ints(g.At.Value())[0] = int32(j)
		op.Floats(g.Others.Value())[0] = float32(all - r.targets(n*i+j))
		if err := r.step.RunAll(); err != nil {
			return 0, 0, err
		}
		whole, part := r.step.Losses()
		contrastive, caption = whole, caption+part
		for name, gradient := range r.step.Gradients {
			for k, v := range r.p.Memory(name, len(gradient)) {
				r.p.Lookup(name).Gradient[k] = v + gradient[k]
			}
		}
	}
	return contrastive, caption, nil
}

// targets counts the ids of a batch that the caption loss asks for.
func (r *runner) targets(batch int) int {
	n := 0
	for _, row := range r.c.Batches[batch%len(r.c.Batches)].IDs {
		for _, id := range row[1:] {
			if id != model.IgnoredID {
				n++
			}
		}
	}
	return n
}

// feed hands a batch to a graph.
func (r *runner) feed(g *model.TrainGraph, batch int) {
	size := r.cfg.Vision.ImageSize
	b := r.c.Batches[batch%len(r.c.Batches)]
	pixels, ids := op.Floats(g.Image.Pixels.Value()), op.Ints(g.Text.IDs.Value())
	n := 3 * size.Height * size.Width
	for i, image := range b.Images {
		copy(pixels[i*n:][:n], formula.Image(image, size.Height, size.Width))
		for j, id := range b.IDs[i] {
			ids[i*len(b.IDs[i])+j] = int32(id)
		}
	}
}

// steps trains from one step to another and compares what is logged.
func (r *runner) steps(t *testing.T, from, to int) {
	t.Helper()
	scale := r.p.Lookup("logit_scale").Value
	for i := from; i < to; i++ {
		want, rate := r.c.Steps[i], r.schedule.Rate(i)
		contrastive, caption, err := r.run(i)
		if err != nil {
			t.Fatal(err)
		}
		r.near(t, i, "lr", rate, want.LR, 1e-12)
		r.near(t, i, "scale", math.Exp(float64(scale[0])), want.Scale, 1e-5)
		r.loss(t, i, "contrastive loss", contrastive, want.Contrastive)
		r.loss(t, i, "caption loss", caption, want.Caption)
		r.loss(t, i, "loss", contrastive+caption, want.Loss)
		if r.o.ClipNorm != 0 {
			r.clip.Clip(r.o.ClipNorm)
		}
		r.optimizer.Step(rate)
		train.ClampLogitScale(scale)
	}
}

func (r *runner) near(t *testing.T, step int, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*math.Abs(want)) {
		t.Errorf("step %d: %s is %v, want %v", step, what, got, want)
	}
}

// loss compares a loss to within 1e-4 of its value.
func (r *runner) loss(t *testing.T, step int, what string, got float32, want float64) {
	t.Helper()
	if want != 0 {
		r.worst = max(r.worst, math.Abs(float64(got)-want)/want)
	}
	r.near(t, step, what, float64(got), want, 1e-4)
}

// compareWeights compares samples of the weights at the end.
//
// Where a gradient is zero but for rounding, as of a key's bias, Adam
// makes full steps of the rounding: such a weight may differ by as much as it went.
func (r *runner) compareWeights(t *testing.T) {
	t.Helper()
	way, noise := 0.0, 0
	for i := range r.c.Steps {
		way += r.schedule.Rate(i)
	}
	off, samples, where := 0.0, 0, ""
	for _, x := range r.p.All {
		want, ok := r.c.Weights[x.Name]
		if !ok {
			t.Errorf("%s: the reference has no such parameter", x.Name)
			continue
		}
		for i, w := range want.Values {
			samples++
			d := math.Abs(float64(x.Value[i*want.Stride]) - w)
			if !(d <= 1e-3*way) {
				noise++
				if !strings.HasSuffix(x.Name, "in_proj_bias") || d > 2*way {
					t.Errorf("%s[%d] is %v, want %v", x.Name, i*want.Stride, x.Value[i*want.Stride], w)
				}
			} else if d > off {
				off, where = d, x.Name
			}
		}
	}
	if n := len(r.c.Weights); n != len(r.p.All) {
		t.Errorf("%d parameters, want %d", len(r.p.All), n)
	}
	t.Logf("worst loss off by %.1e; weights off by %.1e of the way at most (%s); %d of %d more", r.worst, off/way, where, noise, samples)
}

// TestCasesCoverTheSettings holds the golden file to the settings that are claimed.
func TestCasesCoverTheSettings(t *testing.T) {
	var golden struct{ Cases []stepsCase }
	readGolden(t, "steps.json", &golden)
	var flags []string
	for _, c := range golden.Cases {
		flags = append(flags, c.Flags...)
		if len(c.Steps) < 20 {
			t.Errorf("%s: %d steps", c.Name, len(c.Steps))
		}
	}
	for _, f := range []string{"--wd", "--warmup", "const", "const-cooldown", "--grad-clip-norm", "--accum-freq", "--coca-contrastive-loss-weight", "--coca-caption-loss-weight", "--epochs"} {
		if !slices.Contains(flags, f) {
			t.Errorf("no case sets %s", f)
		}
	}
}
