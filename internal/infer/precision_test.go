package infer_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/seed-e0874532/coca/internal/formula"
	"github.com/seed-e0874532/coca/internal/infer"
	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn"
	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/nn/op"
)

// features encodes formula images 0, 1, … n−1 on a device, which it closes.
func features(t testing.TB, cfg model.Config, src nn.Source, dev exec.Device, n int) [][]float32 {
	t.Helper()
	m, err := model.New(cfg, src)
	if err != nil {
		t.Fatal(err)
	}
	r := infer.New(m, dev)
	defer r.Close()
	var pixels [][]float32
	for i := range n {
		pixels = append(pixels, formula.Image(i, cfg.Vision.ImageSize.Height, cfg.Vision.ImageSize.Width))
	}
	images, err := r.EncodeImages(context.Background(), pixels, false)
	if err != nil {
		t.Fatal(err)
	}
	var list [][]float32
	for _, img := range images {
		list = append(list, img.Features)
	}
	return list
}

func cpu(t testing.TB, p exec.Precision) *exec.CPU {
	t.Helper()
	dev, err := exec.NewCPU(2, p)
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

// leastCosine is the smallest cosine between rows.
func leastCosine(a, b [][]float32) float64 {
	least := 1.0
	for i := range a {
		var ab, aa, bb float64
		for j := range a[i] {
			x, y := float64(a[i][j]), float64(b[i][j])
			ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
		}
		least = min(least, ab/math.Sqrt(aa*bb))
	}
	return least
}

// perTensor is a device that computes as the plainest int8 does: one scale for
// all activations of a map, one for all its weights. It is a simulation: values are rounded
// to what int8 can hold and multiplied in float32.
type perTensor struct{ *exec.CPU }

func (d perTensor) Bind(o G.Op, out exec.Operand, in []exec.Operand) (exec.Kernel, error) {
	if _, ok := o.(*op.Linear); !ok {
		return d.CPU.Bind(o, out, in)
	}
	x, w := in[0].Data.([]float32), in[1].Data.([]float32)
	rounded, weights := make([]float32, len(x)), make([]float32, len(w))
	roundInt8(weights, w)
	in = slices.Clone(in)
	in[0].Data, in[1].Data = rounded, weights
	run, err := d.CPU.Bind(o, out, in)
	return func() error {
		roundInt8(rounded, x)
		return run()
	}, err
}

// roundInt8 rounds to multiples of a 127th of the largest magnitude.
func roundInt8(dst, x []float32) {
	top := 0.0
	for _, v := range x {
		top = max(top, math.Abs(float64(v)))
	}
	for i, v := range x {
		dst[i] = float32(math.RoundToEven(float64(v)*127/top) * top / 127)
	}
}

// TestOutliers runs formula weights with outliers: OpenCLIP's features in
// float32, int8 as close to them as on other weights, and plain int8, with one scale for
// each tensor, far away.
func TestOutliers(t *testing.T) {
	data, err := os.ReadFile("../../testdata/golden/precision/outliers.json")
	if err != nil {
		t.Fatal(err)
	}
	var g struct {
		Config   json.RawMessage
		Residual [][]float64
		Features [][]float32
	}
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	cfg, err := model.ParseConfig(g.Config)
	if err != nil {
		t.Fatal(err)
	}
	for i, ratios := range g.Residual[:2] { // of the first two blocks; later ones add to all channels
		if slices.Min(ratios) < 50 {
			t.Errorf("stream %d: want two channels at 50 times the median, got %v", i, ratios)
		}
	}
	src := formula.Outliers{Source: formula.Source(model.Tensors(cfg))}
	n := len(g.Features)
	for i, f := range features(t, cfg, src, cpu(t, exec.FP32), n) {
		for j, v := range f {
			if math.Abs(float64(v-g.Features[i][j])) > 2e-5 {
				t.Fatalf("image %d [%d]: %v, OpenCLIP has %v", i, j, v, g.Features[i][j])
			}
		}
	}
	others := leastCosine(g.Features[:1], g.Features[1:2])
	plain := leastCosine(g.Features, features(t, cfg, src, perTensor{cpu(t, exec.FP32)}, n))
	ours := leastCosine(g.Features, features(t, cfg, src, cpu(t, exec.Int8), n))
	t.Logf("cosine to float32: int8 %.6f, int8 with a scale for each tensor %.6f; between two images %.4f", ours, plain, others)
	if ours < 0.999 {
		t.Errorf("int8: want a cosine of at least 0.999, got %.6f", ours)
	}
	if plain > 0.99 {
		t.Errorf("a scale for each tensor should fail on outliers; its cosine is %.6f", plain)
	}
}

// TestInt8OfFormulaWeights holds int8's features to those of float32, on the
// first blocks of the full-size models, and with COCA_FULL=1 on all of them.
func TestInt8OfFormulaWeights(t *testing.T) {
	for _, c := range []struct {
		name     string
		layers   int
		outliers bool
		full     bool
	}{
		{"coca_ViT-B-32", 3, false, false},
		{"coca_ViT-B-32", 12, false, true},
		{"coca_ViT-B-32", 12, true, true},
		{"coca_base", 0, false, true},
		{"coca_ViT-L-14", 24, false, true},
		{"coca_ViT-L-14", 24, true, true},
	} {
		name := c.name
		if c.outliers {
			name += "/outliers"
		}
		if !c.full {
			name += "/cut"
		}
		t.Run(name, func(t *testing.T) {
			if c.full && os.Getenv("COCA_FULL") == "" {
				t.Skip("set COCA_FULL=1 to run whole visual towers")
			}
			cfg, err := model.Named(c.name)
			if err != nil {
				t.Fatal(err)
			}
			if c.layers > 0 {
				cfg.Vision.Layers = model.Count(c.layers)
			}
			cfg.Text.Layers, cfg.Decoder.Layers = 1, 1 // they have no part in this
			cfg.Text.VocabSize, cfg.Decoder.VocabSize = 100, 100
			formulaWeights := formula.Source(model.Tensors(cfg))
			var src nn.Source = formulaWeights
			if c.outliers {
				src = formula.Outliers{Source: formulaWeights}
			}
			const n = 3
			want := features(t, cfg, src, cpu(t, exec.FP32), n)
			got := leastCosine(want, features(t, cfg, src, cpu(t, exec.Int8), n))
			bf16 := leastCosine(want, features(t, cfg, src, cpu(t, exec.BF16), n))
			t.Logf("cosine to float32: int8 %.6f, bf16 %.6f; between two images %.4f", got, bf16, leastCosine(want[:1], want[1:2]))
			if got < 0.999 {
				t.Errorf("int8: want a cosine of at least 0.999, got %.6f", got)
			}
		})
	}
}
