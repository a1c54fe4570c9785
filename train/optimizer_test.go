package train_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/seed-e0874532/coca/internal/kernel"
	"github.com/seed-e0874532/coca/nn"
	"github.com/seed-e0874532/coca/train"
)

// readGolden reads a file of testdata/reference/train_*.py.
func readGolden(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile("../testdata/golden/train/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

type adamwCase struct {
	Name                      string
	LR, Beta1, Beta2, Eps, WD float64
	Clip                      float64
	Groups                    [2][]string
	Without                   string
	Start                     map[string][]float32
	Steps                     []struct {
		Gradients, Params map[string][]float32
		Norm              float64
	}
	State map[string]struct {
		Step     float64
		ExpAvg   []float32 `json:"exp_avg"`
		ExpAvgSq []float32 `json:"exp_avg_sq"`
	}
}

// shapes are those of train_optimizers.py, in its order.
var shapes = []nn.Info{
	{Name: "logit_scale"}, {Name: "text.positional_embedding", Shape: []int{5, 6}}, {Name: "text.cls_emb", Shape: []int{6}},
	{Name: "text.text_projection", Shape: []int{6, 4}}, {Name: "text.ln_final.weight", Shape: []int{6}},
	{Name: "text.transformer.resblocks.0.attn.in_proj_weight", Shape: []int{18, 6}},
	{Name: "text.transformer.resblocks.0.attn.in_proj_bias", Shape: []int{18}}, {Name: "visual.conv1.weight", Shape: []int{4, 3, 2, 2}},
	{Name: "odd.ln.matrix", Shape: []int{3, 5}}, {Name: "odd.bn.matrix", Shape: []int{2, 2}},
}

func parameters(t *testing.T, tensors []nn.Info, start map[string][]float32) *train.Parameters {
	t.Helper()
	p, err := train.NewParameters(tensors)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range p.All {
		if copy(x.Value, start[x.Name]) != len(x.Value) {
			t.Fatalf("%s: golden has %d elements, want %d", x.Name, len(start[x.Name]), len(x.Value))
		}
	}
	return p
}

func TestAdamWEqualsPyTorch(t *testing.T) {
	var golden struct{ Cases []adamwCase }
	readGolden(t, "adamw.json", &golden)
	if len(golden.Cases) != 4 {
		t.Fatalf("got %d cases", len(golden.Cases))
	}
	pool := kernel.NewPool(2)
	defer pool.Close()
	for _, c := range golden.Cases {
		t.Run(c.Name, func(t *testing.T) {
			p := parameters(t, shapes, c.Start)
			for _, x := range p.All {
				if x.Name != c.Without {
					p.Memory(x.Name, len(x.Value))
				}
			}
			a, err := train.NewAdamW(p, train.AdamWConfig{Beta1: c.Beta1, Beta2: c.Beta2, Eps: c.Eps, WeightDecay: c.WD}, pool)
			if err != nil {
				t.Fatal(err)
			}
			plain, decayed := a.Groups()
			if !slices.Equal(plain, c.Groups[0]) || !slices.Equal(decayed, c.Groups[1]) {
				t.Fatalf("groups %v and %v, want %v", plain, decayed, c.Groups)
			}
			clip := train.NewClipper(p, pool)
			clamped := false
			for i, step := range c.Steps {
				for name, g := range step.Gradients {
					copy(p.Lookup(name).Gradient, g)
				}
				if c.Clip != 0 {
					if norm := clip.Clip(c.Clip); math.Abs(norm-step.Norm) > 3e-7*step.Norm {
						t.Errorf("step %d: norm %v, want %v", i, norm, step.Norm)
					}
				}
				a.Step(c.LR)
				scale := p.Lookup("logit_scale").Value
				before := scale[0]
				train.ClampLogitScale(scale)
				clamped = clamped || scale[0] != before
				for name, want := range step.Params {
					closeTo(t, fmt.Sprintf("step %d, %s", i, name), p.Lookup(name).Value, want, 2e-7)
				}
			}
			if c.Name == "clip" && !clamped {
				t.Error("the logit scale was never clamped")
			}
			for i, s := range a.State() {
				if want := append(plain, decayed...)[i]; s.Name != want {
					t.Errorf("state %d is of %s, want %s", i, s.Name, want)
				}
				want, ok := c.State[s.Name]
				if !ok {
					if s.Step != 0 || s.Name != c.Without {
						t.Errorf("%s: step %d, want no state", s.Name, s.Step)
					}
					continue
				}
				if float64(s.Step) != want.Step {
					t.Errorf("%s: step %d, want %v", s.Name, s.Step, want.Step)
				}
				tolerance := 2e-7
				if c.Clip != 0 {
					tolerance = 1e-6 // PyTorch sums the norm in float32, and differences of such gradients show it
				}
				closeTo(t, s.Name+" exp_avg", s.ExpAvg, want.ExpAvg, tolerance)
				closeTo(t, s.Name+" exp_avg_sq", s.ExpAvgSq, want.ExpAvgSq, tolerance)
			}
		})
	}
}

// closeTo compares, relative to each element and, where terms cancel, to a
// tenth of the tensor's largest.
func closeTo(t *testing.T, what string, got, want []float32, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d elements, want %d", what, len(got), len(want))
	}
	largest := 0.0
	for _, w := range want {
		largest = max(largest, math.Abs(float64(w)))
	}
	for i, w := range want {
		bound := tolerance * max(math.Abs(float64(w)), largest/10)
		if d := math.Abs(float64(got[i]) - float64(w)); !(d <= bound) {
			t.Errorf("%s[%d] = %v, want %v within %.1e, off by %.1e", what, i, got[i], w, bound, d)
			return
		}
	}
}

// TestAdamWResumes continues from an exported state, bit for bit.
func TestAdamWResumes(t *testing.T) {
	run := func(interrupted bool) []float32 {
		p := parameters(t, []nn.Info{{Name: "a", Shape: []int{3, 4}}, {Name: "b", Shape: []int{5}}},
			map[string][]float32{"a": make([]float32, 12), "b": {1, 2, 3, 4, 5}})
		p.Memory("a", 12)
		p.Memory("b", 5)
		a, _ := train.NewAdamW(p, train.DefaultAdamW("vit"), nil)
		for i := range 6 {
			for j := range p.Gradients {
				p.Gradients[j] = float32(math.Sin(float64(7*i + j)))
			}
			if interrupted && i == 3 {
				next, _ := train.NewAdamW(p, train.DefaultAdamW("vit"), nil)
				state := a.State()
				slices.Reverse(state)
				if err := next.SetState(state); err != nil {
					t.Fatal(err)
				}
				a = next
			}
			a.Step(1e-2)
		}
		return p.Values
	}
	if whole, parts := run(false), run(true); !slices.Equal(whole, parts) {
		t.Errorf("resumed: %v, want %v", parts, whole)
	}
}

func TestAdamWRefuses(t *testing.T) {
	p, _ := train.NewParameters([]nn.Info{{Name: "a", Shape: []int{2}}})
	var config *train.ConfigError
	for _, c := range []train.AdamWConfig{{Beta1: 1}, {Beta2: -1}, {Eps: math.NaN()}, {WeightDecay: math.Inf(1)}} {
		if _, err := train.NewAdamW(p, c, nil); !errors.As(err, &config) {
			t.Errorf("%+v: %v, want a ConfigError", c, err)
		}
	}
	a, _ := train.NewAdamW(p, train.DefaultAdamW("coca_base"), nil)
	two := make([]float32, 2)
	var parameter *train.ParameterError
	for _, s := range [][]train.Moments{
		{{Name: "b", ExpAvg: two, ExpAvgSq: two}}, {{Name: "a", ExpAvg: two}}, {{Name: "a", ExpAvgSq: two}},
		{{Name: "a", Step: -1, ExpAvg: two, ExpAvgSq: two}}, {{Name: "a", ExpAvg: two, ExpAvgSq: two}, {Name: "a", ExpAvg: two, ExpAvgSq: two}},
	} {
		if err := a.SetState(s); !errors.As(err, &parameter) {
			t.Errorf("%+v: %v, want a ParameterError", s, err)
		}
	}
	for _, tensors := range [][]nn.Info{{{Name: "a"}, {Name: "a"}}, {{Name: "a", Shape: []int{0}}}, {{Name: "a", Shape: []int{1 << 30, 1 << 30}}}} {
		if _, err := train.NewParameters(tensors); !errors.As(err, &parameter) {
			t.Errorf("%v: %v, want a ParameterError", tensors, err)
		}
	}
}

func TestOptimizerDoesNotAllocate(t *testing.T) {
	p, _ := train.NewParameters([]nn.Info{{Name: "a", Shape: []int{300, 300}}, {Name: "b", Shape: []int{9}}})
	for _, x := range p.All {
		p.Memory(x.Name, len(x.Value))
	}
	a, _ := train.NewAdamW(p, train.DefaultAdamW("vit"), nil)
	clip := train.NewClipper(p, nil)
	if n := testing.AllocsPerRun(5, func() { clip.Clip(1); a.Step(1e-3) }); n != 0 {
		t.Errorf("a step makes %v allocations", n)
	}
}

func TestDefaultAdamW(t *testing.T) {
	for name, want := range map[string]float64{"coca_ViT-B-32": 0.98, "local-dir:/x/VITal/y": 0.98, "coca_base": 0.999} {
		if c := train.DefaultAdamW(name); c.Beta2 != want || c.WeightDecay != 0.2 {
			t.Errorf("%s: %+v, want beta2 %v", name, c, want)
		}
	}
}

func ExampleAdamW() {
	p, _ := train.NewParameters([]nn.Info{{Name: "weight", Shape: []int{1, 2}}})
	copy(p.Values, []float32{1, -1})
	copy(p.Memory("weight", 2), []float32{0.5, -2}) // what a Step computes
	optimizer, _ := train.NewAdamW(p, train.DefaultAdamW("coca_ViT-B-32"), nil)
	optimizer.Step(0.1)
	fmt.Printf("%.4f\n", p.Lookup("weight").Value)
	// Output: [0.8800 -0.8800]
}

// BenchmarkAdamW reports the time of a step per element on one thread.
func BenchmarkAdamW(b *testing.B) {
	const n = 1 << 20
	p, err := train.NewParameters([]nn.Info{{Name: "a", Shape: []int{n / 1024, 1024}}})
	if err != nil {
		b.Fatal(err)
	}
	for i := range p.Memory("a", n) {
		p.Gradients[i] = float32(i%7) - 3
	}
	a, err := train.NewAdamW(p, train.DefaultAdamW("vit"), nil)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		a.Step(1e-3)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/element")
}
