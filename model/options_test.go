package model_test

import (
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/seed-e0874532/coca/internal/formula"
	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/nn/op"
)

// trial is a model, a batch for it, and a device.
type trial struct {
	model *model.CoCa
	dev   *exec.CPU
	ids   []int32
	batch int
}

func readConfig(t *testing.T, name string) model.Config {
	t.Helper()
	data, err := os.ReadFile("../testdata/golden/small/" + name + "/open_clip_config.json")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := model.ParseConfig(data)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// newTrial prepares texts of different lengths.
func newTrial(t *testing.T, cfg model.Config, batch int) *trial {
	t.Helper()
	m, err := model.New(cfg, formula.Source(model.Tensors(cfg)))
	if err != nil {
		t.Fatal(err)
	}
	dev, err := exec.NewCPUWith(exec.CPUOptions{Threads: 1, Training: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	s := &trial{model: m, dev: dev, batch: batch}
	for i := range batch {
		row := make([]int32, cfg.Text.ContextLength)
		for j := range min(3+2*i, len(row)) {
			row[j] = int32(1 + (7*i+5*j)%(cfg.Text.VocabSize-1))
		}
		s.ids = append(s.ids, row...)
	}
	return s
}

// result is what one run of a training graph leaves.
type result struct {
	graph     *model.TrainGraph
	program   *exec.Program
	losses    [2]float32
	gradients map[string][]float32
}

// compile builds a graph and fills its inputs.
func (s *trial) compile(t *testing.T, options ...model.TrainOption) *result {
	t.Helper()
	length := len(s.ids) / s.batch
	g, err := s.model.TrainGraph(s.batch, length, model.DefaultLossWeights, options...)
	if err != nil {
		t.Fatal(err)
	}
	outputs := []*G.Node{g.Loss, g.Contrastive, g.Caption}
	for _, d := range g.Gradients() {
		outputs = append(outputs, d.Node)
	}
	p, err := exec.Compile(s.dev, outputs...)
	if err != nil {
		t.Fatal(err)
	}
	size := s.model.Config.Vision.ImageSize
	pixels := op.Floats(g.Image.Pixels.Value())
	for i := range s.batch {
		copy(pixels[i*len(pixels)/s.batch:], formula.Image(i, size.Height, size.Width))
	}
	copy(op.Ints(g.Text.IDs.Value()), s.ids)
	return &result{graph: g, program: p}
}

func (r *result) run(t *testing.T) *result {
	t.Helper()
	if err := r.program.RunAll(); err != nil {
		t.Fatal(err)
	}
	r.losses = [2]float32{r.program.Floats(r.graph.Contrastive)[0], r.program.Floats(r.graph.Caption)[0]}
	r.gradients = map[string][]float32{}
	for _, d := range r.graph.Gradients() {
		if r.gradients[d.Name] == nil {
			r.gradients[d.Name] = make([]float32, d.Elements)
		}
		copy(r.gradients[d.Name][d.At:], r.program.Floats(d.Node))
	}
	return r
}

// near compares two results; 0 wants the same bits. Deviations are in units of the
// RMS of a tensor's gradient.
func (r *result) near(t *testing.T, want *result, tolerance float64) {
	t.Helper()
	for i, got := range r.losses {
		if d := math.Abs(float64(got) - float64(want.losses[i])); !(d <= tolerance*math.Abs(float64(want.losses[i]))) {
			t.Errorf("loss %d: got %v, want %v", i, got, want.losses[i])
		}
	}
	if len(r.gradients) != len(want.gradients) || len(r.gradients) == 0 {
		t.Errorf("%d gradients, want %d", len(r.gradients), len(want.gradients))
	}
	for name, x := range want.gradients {
		y := r.gradients[name]
		if len(y) != len(x) {
			t.Errorf("%s: %d elements, want %d", name, len(y), len(x))
			continue
		}
		squares, off := 0.0, 0.0
		for i, v := range x {
			squares += float64(v) * float64(v)
			off = max(off, math.Abs(float64(v)-float64(y[i])))
		}
		if rms := math.Sqrt(squares / float64(len(x))); !(off <= tolerance*(rms+1e-4)) {
			t.Errorf("%s: off by %.2g, RMS %.3g", name, off, rms)
		}
	}
}

var optionModels = []string{"tiny_pool", "tiny_plain", "layer_scale", "quick_gelu", "no_cls", "odd_sizes", "pool_cascade"}

func TestRecomputeBlocks(t *testing.T) {
	for _, name := range optionModels {
		t.Run(name, func(t *testing.T) {
			s := newTrial(t, readConfig(t, name), 3)
			want, got := s.compile(t), s.compile(t, model.RecomputeBlocks())
			if a, b := got.program.Cost().Flops, want.program.Cost().Flops; a < b+b/8 {
				t.Errorf("%d operations, %d without: nothing is computed again", a, b)
			}
			got.run(t).near(t, want.run(t), 0)
		})
	}
}

// TestRecomputeFreesMemory measures by the plan what the activations of towers of twelve blocks
// take. A block keeps 16 rows of the width for each token: one of each norm, three of the projection,
// one of the attention, two of the residual stream and four before and after the activation. Recomputed,
// it keeps one, and one block at a time all 16 and their gradients.
func TestRecomputeFreesMemory(t *testing.T) {
	tower := func(deep string) model.Config {
		cfg := readConfig(t, "tiny_plain")
		cfg.Vision.Layers, cfg.Text.Layers, cfg.Decoder.Layers = 1, 1, 1
		switch deep {
		case "vision":
			cfg.Vision.Layers = 12
		case "text":
			cfg.Text.Layers = 12
		case "decoder":
			cfg.Decoder.Layers = 12
		case "all":
			cfg.Vision.Layers, cfg.Text.Layers, cfg.Decoder.Layers = 12, 12, 12
		}
		return cfg
	}
	bytes := func(deep string, options ...model.TrainOption) float64 {
		return float64(newTrial(t, tower(deep), 4).compile(t, options...).program.ArenaBytes())
	}
	for _, deep := range []string{"vision", "text", "decoder", "all"} {
		kept, again := bytes(deep), bytes(deep, model.RecomputeBlocks())
		t.Logf("%s: %.0f bytes, recomputed %.0f: a factor of %.1f", deep, kept, again, kept/again)
		if kept/again < 3 {
			t.Errorf("%s: memory falls by a factor of %.1f, want at least 3", deep, kept/again)
		}
	}
}

func TestMaxTargets(t *testing.T) {
	for _, name := range optionModels {
		t.Run(name, func(t *testing.T) {
			s := newTrial(t, readConfig(t, name), 3)
			want := s.compile(t)
			n := model.CountTargets(s.ids, s.model.Config.Text.ContextLength)
			for _, most := range []int{n, n + 5} {
				got := s.compile(t, model.MaxTargets(most))
				if shape := got.graph.Text.Logits.Shape(); shape[0] != 1 || shape[1] != most {
					t.Errorf("logits of shape %v, want %d rows", shape, most)
				}
				if err := got.graph.Text.SetTargets(); err != nil {
					t.Fatal(err)
				}
				got.run(t).near(t, want.run(t), 3e-5)
			}
			few := s.compile(t, model.MaxTargets(n-1))
			if err := few.graph.Text.SetTargets(); err == nil {
				t.Errorf("%d targets fit in %d rows", n, n-1)
			}
		})
	}
}

func TestLock(t *testing.T) {
	s := newTrial(t, readConfig(t, "tiny_pool"), 3)
	all := s.compile(t)
	all.run(t)
	for _, prefix := range []string{"visual.", "text.", "text_decoder."} {
		locked := func(name string) bool { return strings.HasPrefix(name, prefix) }
		got := s.compile(t, model.Lock(locked))
		if a, b := got.program.Cost().Flops, all.program.Cost().Flops; a >= b {
			t.Errorf("%s: %d operations, %d without: locked gradients are computed", prefix, a, b)
		}
		want := &result{losses: all.losses, gradients: map[string][]float32{}}
		for name, g := range all.gradients {
			if !locked(name) {
				want.gradients[name] = g
			}
		}
		got.run(t).near(t, want, 0)
	}
	_, err := s.model.TrainGraph(2, 4, model.DefaultLossWeights, model.Lock(func(string) bool { return true }))
	if err == nil {
		t.Error("a graph without anything to train: want an error")
	}
}

func TestWithoutGradients(t *testing.T) {
	s := newTrial(t, readConfig(t, "tiny_pool"), 3)
	want, got := s.compile(t).run(t), s.compile(t, model.WithoutGradients()).run(t)
	for i, loss := range got.losses {
		if math.Abs(float64(loss-want.losses[i])) > 1e-6*math.Abs(float64(want.losses[i])) {
			t.Errorf("loss %d: got %v, want %v", i, loss, want.losses[i])
		}
	}
	if n := len(got.gradients); n != 0 {
		t.Errorf("%d gradients", n)
	}
}

func TestDropPatchesDraws(t *testing.T) {
	s := newTrial(t, readConfig(t, "tiny_pool"), 3)
	rows, cols := s.model.Config.Vision.Grid()
	n := rows * cols
	for _, c := range []struct {
		share float64
		kept  int
	}{{0.5, n / 2}, {0.99, 1}, {1e-17, n}} {
		g, err := s.model.TrainGraph(3, 4, model.DefaultLossWeights, model.DropPatches(c.share))
		if err != nil {
			t.Fatal(err)
		}
		g.Image.DropPatches(rand.New(rand.NewPCG(1, 2)))
		if shape := g.Image.Kept.Shape(); shape[1] != c.kept+1 {
			t.Fatalf("share %v keeps %v tokens, want %d and the class token", c.share, shape, c.kept)
		}
		list := op.Ints(g.Image.Kept.Value())
		for i := range 3 {
			item := slices.Clone(list[i*(c.kept+1):][:c.kept+1])
			if first := int32(i * (n + 1)); item[0] != first {
				t.Errorf("image %d: the class token is %d, want %d", i, item[0], first)
			}
			slices.Sort(item)
			if len(slices.Compact(item)) != c.kept+1 || item[c.kept] > int32(i*(n+1)+n) {
				t.Errorf("image %d: kept %v", i, item)
			}
		}
	}
	// All patches in another order: attention does not see the order.
	all := s.compile(t, model.DropPatches(1e-17))
	all.graph.Image.DropPatches(rand.New(rand.NewPCG(3, 4)))
	all.run(t).near(t, s.compile(t).run(t), 3e-5)

	for _, share := range []float64{-0.1, 1, math.NaN()} {
		if _, err := s.model.TrainGraph(3, 4, model.DefaultLossWeights, model.DropPatches(share)); err == nil {
			t.Errorf("share %v: want an error", share)
		}
	}
}
