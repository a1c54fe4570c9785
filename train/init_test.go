package train_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn"
	"github.com/seed-e0874532/coca/train"
)

// drawn is what the golden says of a tensor: its one value, all of its values, that
// OpenCLIP leaves it unset, or the moments of what many seeds gave.
type drawn struct {
	Value     *float64
	Values    []float32
	Unset     bool
	N         float64
	Mean, Std float64
	Min, Max  float64
	Kurtosis  float64
}

// TestInitEqualsOpenCLIP compares the start values of 13 architectures: those that
// are the same with every seed as numbers, the others by their moments over many
// seeds, within five times the error that so many draws have on both sides.
func TestInitEqualsOpenCLIP(t *testing.T) {
	var golden struct {
		Seeds int
		Cases []struct {
			Name    string
			Config  json.RawMessage
			Tensors map[string]drawn
		}
	}
	readGolden(t, "init.json", &golden)
	if len(golden.Cases) != 13 || golden.Seeds < 40 {
		t.Fatalf("%d cases of %d seeds", len(golden.Cases), golden.Seeds)
	}
	for _, c := range golden.Cases {
		cfg, err := model.ParseConfig(c.Config)
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		tensors := model.Tensors(cfg)
		if len(tensors) != len(c.Tensors) {
			t.Errorf("%s: %d tensors, want %d", c.Name, len(tensors), len(c.Tensors))
		}
		for _, info := range tensors {
			want, ok := c.Tensors[info.Name]
			if !ok {
				t.Errorf("%s: OpenCLIP has no %s", c.Name, info.Name)
				continue
			}
			if err := want.check(pooled(t, cfg, info, 10), info, cfg); err != nil {
				t.Errorf("%s: %s: %v", c.Name, info.Name, err)
			}
		}
	}
}

// pooled draws a tensor with several seeds.
func pooled(t *testing.T, cfg model.Config, info nn.Info, seeds int) (all [][]float32) {
	t.Helper()
	for seed := range seeds {
		v, err := train.Init(cfg, uint64(seed)).Float32(info.Name)
		if err != nil {
			t.Fatal(err)
		}
		if len(v) != info.Elems() {
			t.Fatalf("%s has %d values, want %d", info.Name, len(v), info.Elems())
		}
		all = append(all, v)
	}
	return all
}

func (d drawn) check(all [][]float32, info nn.Info, cfg model.Config) error {
	if d.Value != nil || d.Values != nil {
		for _, v := range all {
			for i, x := range v {
				want := float32(0)
				if d.Value != nil {
					want = float32(*d.Value)
				} else {
					want = d.Values[i]
				}
				if math.Abs(float64(x-want)) > 1e-7 || d.Value != nil && x != want {
					return fmt.Errorf("value %d is %v, want %v", i, x, want)
				}
			}
		}
		return nil
	}
	if info.Elems() > 1 && slices.Equal(all[0], all[1]) {
		return errors.New("the same with two seeds")
	}
	got := moments(slices.Concat(all...))
	if d.Unset {
		if info.Name != "text_decoder.text_projection" {
			return errors.New("OpenCLIP leaves it unset")
		}
		d = drawn{N: got.N, Std: 1 / math.Sqrt(float64(cfg.Decoder.Width)), Kurtosis: 3}
	}
	// The variances of a mean, a deviation and a kurtosis estimated from n values are
	// σ²/n, σ²·(κ−1)/4n and, for the laws here, at most 24/n; both sides are estimates.
	allowed := func(variance float64) float64 { return 5 * math.Sqrt(variance/d.N+variance/got.N) }
	for _, m := range []struct {
		name                string
		got, want, variance float64
	}{
		{"mean", got.Mean, d.Mean, d.Std * d.Std},
		{"deviation", got.Std, d.Std, d.Std * d.Std * (d.Kurtosis - 1) / 4},
		{"kurtosis", got.Kurtosis, d.Kurtosis, 24},
	} {
		if math.Abs(m.got-m.want) > allowed(m.variance) {
			return fmt.Errorf("%s %.6g, want %.6g ± %.2g", m.name, m.got, m.want, allowed(m.variance))
		}
	}
	if n := min(d.N, got.N); d.Kurtosis < 2.2 && n > 1000 { // evenly spread: both know the bounds within a few of n parts
		for _, b := range [][2]float64{{got.Min, d.Min}, {got.Max, d.Max}} {
			if math.Abs(b[0]-b[1]) > 20/n*d.Std*math.Sqrt(12) {
				return fmt.Errorf("bound %v, want %v", b[0], b[1])
			}
		}
	}
	return nil
}

func moments(v []float32) (d drawn) {
	d = drawn{N: float64(len(v)), Min: float64(slices.Min(v)), Max: float64(slices.Max(v))}
	for _, x := range v {
		d.Mean += float64(x) / d.N
	}
	var square, fourth float64
	for _, x := range v {
		s := (float64(x) - d.Mean) * (float64(x) - d.Mean)
		square, fourth = square+s/d.N, fourth+s*s/d.N
	}
	d.Std, d.Kurtosis = math.Sqrt(square), fourth/(square*square)
	return d
}

// TestInitDependsOnNameAndSeedOnly: not on the order, nor on other tensors, and no two
// tensors share their numbers.
func TestInitDependsOnNameAndSeedOnly(t *testing.T) {
	cfg, err := model.Named("coca_ViT-B-32")
	if err != nil {
		t.Fatal(err)
	}
	const name, other = "visual.attn_pool.attn.k_proj_weight", "visual.attn_pool.attn.v_proj_weight"
	read := func(s nn.Source, name string) []float32 {
		v, err := s.Float32(name)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	source := train.Init(cfg, 7)
	first := read(source, name)
	second := read(source, other)
	if slices.Equal(first, second) {
		t.Errorf("%s and %s are the same", name, other)
	}
	if !slices.Equal(read(source, name), first) {
		t.Error("asked again, it has other values")
	}
	small := cfg
	small.Text.Layers, small.Vision.Layers = 1, 1
	if !slices.Equal(read(train.Init(small, 7), name), first) {
		t.Error("fewer layers give other values")
	}
	if slices.Equal(read(train.Init(cfg, 8), name), first) {
		t.Error("another seed gives the same values")
	}
	var e *nn.WeightsError
	if _, err := source.Float32("visual.nothing"); !errors.As(err, &e) {
		t.Errorf("an unknown name: %v, want a WeightsError", err)
	}
}

func ExampleInit() {
	cfg, err := model.Named("coca_ViT-B-32")
	if err != nil {
		fmt.Println(err)
		return
	}
	scale, err := train.Init(cfg, 0).Float32("logit_scale")
	fmt.Println(scale, err)
	// Output: [2.65926] <nil>
}
