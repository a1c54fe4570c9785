package train_test

import (
	"math"
	"os"
	"strings"
	"testing"

	"github.com/seed-e0874532/coca/internal/formula"
	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/nn/op"
	"github.com/seed-e0874532/coca/train"
)

type stepsCase struct {
	Name                       string
	Model                      string
	LR, Beta1, Beta2, Eps, WD  float64
	Warmup                     int
	Kind                       train.ScheduleKind
	Clip, Contrastive, Caption float64
	Images                     []int
	IDs                        [][]int
	Losses                     [][2]float64 // contrastive and caption, as CoCaLoss gives them
	Weights                    map[string]struct {
		Stride int
		Values []float64
	}
}

// TestStepsEqualOpenCLIP trains a small model for 20 steps and compares every
// loss, and the weights at the end, with OpenCLIP's.
func TestStepsEqualOpenCLIP(t *testing.T) {
	var golden struct{ Cases []stepsCase }
	readGolden(t, "steps.json", &golden)
	if len(golden.Cases) != 6 {
		t.Fatalf("got %d cases", len(golden.Cases))
	}
	for _, c := range golden.Cases {
		t.Run(c.Name, func(t *testing.T) { compareSteps(t, c) })
	}
}

func compareSteps(t *testing.T, c stepsCase) {
	data, err := os.ReadFile("../testdata/golden/train/" + c.Model)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := model.ParseConfig(data)
	if err != nil {
		t.Fatal(err)
	}
	src := formula.Source(model.Tensors(cfg))
	p, err := train.NewParameters(model.Tensors(cfg))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Load(src); err != nil {
		t.Fatal(err)
	}
	m, err := model.New(cfg, p.Source(src))
	if err != nil {
		t.Fatal(err)
	}
	graph, err := m.TrainGraph(len(c.IDs), len(c.IDs[0]), model.LossWeights{Contrastive: c.Contrastive, Caption: c.Caption})
	if err != nil {
		t.Fatal(err)
	}
	dev, err := exec.NewCPUWith(exec.CPUOptions{Threads: 1, Training: true})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	step, err := train.NewStep(graph, dev, p.Memory)
	if err != nil {
		t.Fatal(err)
	}
	size, pixels, ids := cfg.Vision.ImageSize, op.Floats(graph.Image.Pixels.Value()), op.Ints(graph.Text.IDs.Value())
	for i, image := range c.Images {
		n := 3 * size.Height * size.Width
		copy(pixels[i*n:][:n], formula.Image(image, size.Height, size.Width))
		for j, id := range c.IDs[i] {
			ids[i*len(c.IDs[i])+j] = int32(id)
		}
	}
	optimizer, err := train.NewAdamW(p, train.AdamWConfig{Beta1: c.Beta1, Beta2: c.Beta2, Eps: c.Eps, WeightDecay: c.WD}, dev.Pool())
	if err != nil {
		t.Fatal(err)
	}
	clip := train.NewClipper(p, dev.Pool())
	schedule := train.Schedule{Kind: c.Kind, LR: c.LR, Warmup: c.Warmup, Total: len(c.Losses), Cooldown: 10, Power: 1}

	worst := 0.0
	for i, want := range c.Losses {
		if err := step.RunAll(); err != nil {
			t.Fatal(err)
		}
		contrastive, caption := step.Losses()
		for j, got := range []float64{float64(contrastive), float64(caption)} {
			// Two pairs are soon told apart, and then a contrastive loss of 1e-4
			// is the logarithm of 1 and a rounding of float32.
			d := math.Abs(got-want[j]) - 1.2e-7
			if want[j] != 0 {
				d /= want[j]
			}
			worst = max(worst, d)
			if !(d <= 1e-4) {
				t.Errorf("step %d: loss %d is %v, want %v", i, j, got, want[j])
			}
		}
		if c.Clip != 0 {
			clip.Clip(c.Clip)
		}
		optimizer.Step(schedule.Rate(i))
		train.ClampLogitScale(p.Lookup("logit_scale").Value)
	}
	// Where a gradient is zero but for rounding, as of a key's bias, Adam
	// makes full steps of the rounding: such a weight may differ by as much as it went.
	steps, noise := 0.0, 0
	for i := range c.Losses {
		steps += schedule.Rate(i)
	}
	off, samples, where := 0.0, 0, ""
	for name, want := range c.Weights {
		x := p.Lookup(name)
		if x == nil {
			t.Errorf("%s: no such parameter", name)
			continue
		}
		for i, w := range want.Values {
			samples++
			d := math.Abs(float64(x.Value[i*want.Stride]) - w)
			if !(d <= 1e-3*steps) {
				noise++
				if !strings.HasSuffix(name, "in_proj_bias") || d > 2*steps {
					t.Errorf("%s[%d] is %v, want %v", name, i*want.Stride, x.Value[i*want.Stride], w)
				}
			} else if d > off {
				off, where = d, name
			}
		}
	}
	t.Logf("worst loss off by %.1e; weights off by %.1e of the way at most (%s); %d of %d more", worst, off/steps, where, noise, samples)
}
