package train_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seed-e0874532/coca/internal/kernel"
	"github.com/seed-e0874532/coca/nn"
	"github.com/seed-e0874532/coca/train"
)

type muonCase struct {
	Shape            []int
	LR, WD, Momentum float64
	BFloat16         bool
	Start, Buffer    []float32
	Steps            []struct{ Gradient, Params []float32 }
}

// TestMuonEqualsPyTorch compares with torch.optim.Muon: closely in float64, and
// loosely as it runs, with its orthogonalisation in bfloat16.
func TestMuonEqualsPyTorch(t *testing.T) {
	var golden struct{ Cases []muonCase }
	readGolden(t, "muon.json", &golden)
	if len(golden.Cases) != 9 {
		t.Fatalf("got %d cases", len(golden.Cases))
	}
	pool := kernel.NewPool(2)
	defer pool.Close()
	for _, c := range golden.Cases {
		t.Run(fmt.Sprintf("%v,%v,%v", c.Shape, c.WD, c.BFloat16), func(t *testing.T) {
			const name = "mlp.c_fc.weight"
			precision := kernel.F32
			if c.BFloat16 {
				precision = kernel.BF16
			}
			p := parameters(t, []nn.Info{{Name: name, Shape: c.Shape}}, map[string][]float32{name: c.Start})
			p.Memory(name, len(c.Start))
			m, err := train.NewMuon(p, train.MuonConfig{Momentum: c.Momentum, WeightDecay: c.WD, Iterations: 5, Ratio: 1, Precision: precision}, train.DefaultAdamW(""), pool)
			if err != nil {
				t.Fatal(err)
			}
			tolerance := 2e-5 // of the way that a step goes
			if c.BFloat16 {
				tolerance = 0.06 // both round, each elsewhere
			}
			for i, step := range c.Steps {
				copy(p.Gradients, step.Gradient)
				before := slices.Clone(p.All[0].Value)
				m.Step(c.LR)
				way, off := 0.0, 0.0
				for j, v := range p.All[0].Value {
					way += math.Pow(float64(v-before[j]), 2)
					off += math.Pow(float64(v-step.Params[j]), 2)
				}
				// Values have a rounding of their own, of some 1e-7 of 1.
				if limit := tolerance*math.Sqrt(way)*float64(i+1) + 2e-7*math.Sqrt(float64(len(before)))*float64(i+1); way == 0 || math.Sqrt(off) > limit {
					t.Errorf("step %d: off by %.2e, want at most %.2e; went %.2e", i, math.Sqrt(off), limit, math.Sqrt(way))
				}
			}
			closeTo(t, "momentum", m.State().Momentum[0].Buffer, c.Buffer, 1e-6)
		})
	}
}

// TestMuonTakesFusedProjectionsApart: three matrices in one train as three.
func TestMuonTakesFusedProjectionsApart(t *testing.T) {
	const d = 8
	r := rand.New(rand.NewPCG(1, 2))
	fused := []nn.Info{{Name: "attn.in_proj_weight", Shape: []int{3 * d, d}}}
	single := []nn.Info{{Name: "q_proj_weight", Shape: []int{d, d}}, {Name: "k_proj_weight", Shape: []int{d, d}}, {Name: "v_proj_weight", Shape: []int{d, d}}}
	gradient := make([]float32, 3*d*d)
	for i := range gradient {
		gradient[i] = float32(r.NormFloat64())
	}
	train1 := func(tensors []nn.Info) []float32 {
		p, err := train.NewParameters(tensors)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range p.All {
			p.Memory(x.Name, len(x.Value))
		}
		copy(p.Gradients, gradient)
		m, err := train.NewMuon(p, train.DefaultMuon, train.DefaultAdamW(""), nil)
		if err != nil {
			t.Fatal(err)
		}
		m.Step(1e-3)
		return p.Values
	}
	got, want := train1(fused), train1(single)
	if !slices.Equal(got, want) || slices.Max(got) == 0 {
		t.Errorf("a fused projection becomes %v, three become %v", got[:4], want[:4])
	}
}

// TestMuonLeavesTheRestToAdamW and resumes bit for bit.
func TestMuonLeavesTheRestToAdamW(t *testing.T) {
	tensors := []nn.Info{{Name: "text.token_embedding.weight", Shape: []int{7, 4}}, {Name: "h.mlp.c_proj.weight", Shape: []int{4, 6}}, {Name: "h.bias", Shape: []int{4}}, {Name: "h.attn.out_proj.weight", Shape: []int{4, 4}}}
	run := func(interrupted bool) *train.Parameters {
		p, _ := train.NewParameters(tensors)
		for _, x := range p.All[:3] { // the last one has no gradient
			p.Memory(x.Name, len(x.Value))
		}
		for i := range p.Values {
			p.Values[i] = 1
		}
		m, err := train.NewMuon(p, train.DefaultMuon, train.DefaultAdamW("vit"), nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			for j := range p.Gradients {
				p.Gradients[j] = float32(math.Cos(float64(3*i + j)))
			}
			if interrupted && i == 2 {
				next, _ := train.NewMuon(p, train.DefaultMuon, train.DefaultAdamW("vit"), nil)
				if err := next.SetState(m.State()); err != nil {
					t.Fatal(err)
				}
				m = next
			}
			m.Step(1e-2)
		}
		if n := len(m.State().Momentum); n != 2 {
			t.Errorf("Muon has %d matrices, want 2", n)
		}
		return p
	}
	p := run(false)
	if !slices.Equal(p.Values, run(true).Values) {
		t.Error("a resumed run ends elsewhere")
	}
	for _, v := range p.Lookup("h.attn.out_proj.weight").Value {
		if v != 1 {
			t.Fatal("a matrix without gradient moved")
		}
	}
	adam, _ := train.NewParameters(tensors[:1])
	for i := range adam.Values {
		adam.Values[i] = 1
	}
	g := adam.Memory(tensors[0].Name, 28)
	a, _ := train.NewAdamW(adam, train.DefaultAdamW("vit"), nil)
	for i := range 4 {
		for j := range g {
			g[j] = float32(math.Cos(float64(3*i + j)))
		}
		a.Step(1e-2)
	}
	if !slices.Equal(adam.All[0].Value, p.All[0].Value) {
		t.Error("the embedding did not train as AdamW trains it")
	}
}

func TestMuonRefuses(t *testing.T) {
	p, _ := train.NewParameters([]nn.Info{{Name: "c_fc.weight", Shape: []int{2, 2}}})
	var config *train.ConfigError
	for _, c := range []train.MuonConfig{{Momentum: 1, Iterations: 5}, {Iterations: 0}, {Iterations: 5, WeightDecay: -1}, {Iterations: 5, Ratio: math.NaN()}} {
		if _, err := train.NewMuon(p, c, train.DefaultAdamW(""), nil); !errors.As(err, &config) {
			t.Errorf("%+v: %v, want a ConfigError", c, err)
		}
	}
	m, _ := train.NewMuon(p, train.DefaultMuon, train.DefaultAdamW(""), nil)
	var parameter *train.ParameterError
	for _, s := range []train.MuonState{{}, {Momentum: []train.Momentum{{Name: "x"}}}, {Momentum: []train.Momentum{{Name: "c_fc.weight"}}}} {
		if err := m.SetState(s); !errors.As(err, &parameter) {
			t.Errorf("%+v: %v, want a ParameterError", s, err)
		}
	}
}

func ExampleMuon() {
	p, _ := train.NewParameters([]nn.Info{{Name: "mlp.c_fc.weight", Shape: []int{2, 2}}})
	copy(p.Memory("mlp.c_fc.weight", 4), []float32{100, 0, 0, 1}) // what a Step computes
	optimizer, _ := train.NewMuon(p, train.DefaultMuon, train.DefaultAdamW("coca_ViT-B-32"), nil)
	optimizer.Step(0.5)                  // hidden matrices take twice that
	fmt.Printf("%.1f\n", p.All[0].Value) // both directions went equally far
	// Output: [-0.7 0.0 0.0 -0.7]
}
