package golden_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/seed-e0874532/coca/internal/formula"
	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/nn/op"
	"github.com/seed-e0874532/coca/weights"
)

// fullTolerance is the largest deviation allowed at full size, in units of the
// tap's RMS in float64. Where PyTorch's own float32 run deviates by more (the
// last visual blocks and the pooler of B-32: sums over 3,072 products feed
// twelve layers that amplify their rounding), as much as PyTorch is allowed.
const fullTolerance = 1e-4

// fullGolden describes strided samples of every tap of a full-size model.
type fullGolden struct {
	Tensors string  `json:"tensors"`
	Image   string  `json:"image"`
	IDsIn   []int32 `json:"ids_in"`
	Taps    map[string]struct {
		Shape  []int   `json:"shape"`
		Stride int     `json:"stride"`
		Count  int     `json:"count"`
		Mean   float64 `json:"mean"`
		RMS    float64 `json:"rms"`
		Max    float64 `json:"max_abs"`
		Torch  float64 `json:"float32_deviation_of_rms"`
	} `json:"taps"`
}

// TestFullB32 compares every tap of coca_ViT-B-32 at full size, with
// formula-defined weights, with the reference in float64.
func TestFullB32(t *testing.T) { testFull(t, "coca_ViT-B-32") }

// TestFullL14 is the same for coca_ViT-L-14. It takes 5 GB, so it runs only
// if asked for.
func TestFullL14(t *testing.T) {
	if os.Getenv("COCA_FULL") == "" {
		t.Skip("set COCA_FULL=1 to run the test that takes 5 GB of memory")
	}
	testFull(t, "coca_ViT-L-14")
}

func testFull(t *testing.T, name string) {
	if testing.Short() {
		t.Skip("full size")
	}
	data, err := os.ReadFile(goldens + "full/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var g fullGolden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	file, err := weights.Open(goldens + "full/" + g.Tensors)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cfg, err := model.Named(name)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.New(cfg, formula.Source(model.Tensors(cfg)))
	if err != nil {
		t.Fatal(err)
	}
	dev, err := exec.NewCPU(2, exec.FP32)
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	graph, err := m.Graph(1, len(g.IDsIn), len(g.IDsIn)-1)
	if err != nil {
		t.Fatal(err)
	}
	var outputs []*G.Node
	taps := map[string]*G.Node{}
	for _, tap := range graph.Taps() {
		if _, ok := g.Taps[tap.Name]; ok {
			taps[tap.Name], outputs = tap.Node, append(outputs, tap.Node)
		}
	}
	program, err := exec.Compile(dev, outputs...)
	if err != nil {
		t.Fatal(err)
	}
	copy(op.Floats(graph.Image.Pixels.Value()), formula.Image(0, 224, 224))
	copy(op.Ints(graph.Text.IDs.Value()), g.IDsIn)
	if err := program.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	worst := 0.0
	for tap, want := range g.Taps {
		node := taps[tap]
		if node == nil {
			t.Errorf("no tap %s", tap)
			continue
		}
		stored, err := file.Tensor(tap)
		if err != nil {
			t.Fatal(err)
		}
		samples, err := stored.Float32()
		if err != nil {
			t.Fatal(err)
		}
		got := program.Floats(node)
		largest, square, peak, sum := 0.0, 0.0, 0.0, 0.0
		for i, w := range samples {
			largest = math.Max(largest, math.Abs(float64(got[i*want.Stride])-float64(w)))
		}
		for _, v := range got {
			sum += float64(v)
			square += float64(v) * float64(v)
			peak = math.Max(peak, math.Abs(float64(v)))
		}
		n := float64(len(got))
		for _, s := range []struct {
			what      string
			deviation float64
		}{
			{"sample", largest}, {"mean", math.Abs(sum/n - want.Mean)},
			{"RMS", math.Abs(math.Sqrt(square/n) - want.RMS)}, {"maximum", math.Abs(peak - want.Max)},
		} {
			if limit := max(fullTolerance, want.Torch); !(s.deviation <= limit*want.RMS) {
				t.Errorf("%s: %s deviates by %.3g of the RMS, want at most %g", tap, s.what, s.deviation/want.RMS, limit)
			}
		}
		if len(samples) != want.Count || want.Count < min(4096, len(got)) {
			t.Errorf("%s: want %d samples, at least 4096 or all, got %d", tap, want.Count, len(samples))
		}
		worst = math.Max(worst, largest/want.RMS)
	}
	t.Logf("%s: %d taps, largest deviation of a sample %.3g of its tap's RMS", name, len(g.Taps), worst)
}
