package train_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-e0874532/coca/internal/formula"
	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/nn/op"
	"github.com/seed-e0874532/coca/train"
	"github.com/seed-e0874532/coca/weights"
)

// gradientTolerance is the largest deviation from the reference in float64, in
// units of the RMS of the tensor's gradient. (An RMS, since some entries are
// zero in exact arithmetic: those of key biases.)
const gradientTolerance = 1e-4

// golden is a file of testdata/reference/gradients.py.
type golden struct {
	Model             string  `json:"model"`
	Images            []int   `json:"images"`
	IDs               [][]int `json:"ids"`
	ContrastiveWeight float64 `json:"contrastive_weight"`
	CaptionWeight     float64 `json:"caption_weight"`
	Contrastive       float64 `json:"contrastive_loss"`
	Caption           float64 `json:"caption_loss"`
	Gradients         map[string]*struct {
		Shape  []int   `json:"shape"`
		Stride int     `json:"stride"`
		RMS    float64 `json:"rms"`
		// PyTorch's own float32: its worst element, and on average.
		Torch    float64 `json:"float32_deviation_of_rms"`
		TorchRMS float64 `json:"float32_rms_deviation_of_rms"`

		Largest [][2]float64 `json:"largest"` // index and value
	} `json:"gradients"`
}

const folder = "../testdata/golden/gradients/"

// TestGradientsEqualPyTorch compares the gradient of every parameter of small
// models with that of OpenCLIP in float64.
func TestGradientsEqualPyTorch(t *testing.T) {
	files, err := filepath.Glob(folder + "*.json")
	if err != nil || len(files) < 10 {
		t.Fatalf("golden files: got %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) { compareGradients(t, file) })
	}
}

func compareGradients(t *testing.T, file string) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	if data, err = os.ReadFile(folder + g.Model); err != nil {
		t.Fatal(err)
	}
	cfg, err := model.ParseConfig(data)
	if err != nil {
		t.Fatal(err)
	}
	want, err := weights.Open(strings.TrimSuffix(file, ".json") + ".safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	step := run(t, cfg, g)
	if n := allocations(func() { _ = step.RunAll() }); n != 0 {
		t.Errorf("%v allocations a run, want 0", n)
	}

	contrastive, caption := step.Losses()
	near(t, "contrastive loss", float64(contrastive), g.Contrastive)
	near(t, "caption loss", float64(caption), g.Caption)
	worst, worstName := 0.0, ""
	for _, info := range model.Tensors(cfg) {
		tensor, known := g.Gradients[info.Name]
		got := step.Gradients[info.Name]
		switch {
		case !known:
			t.Errorf("%s: the reference has no such parameter", info.Name)
		case tensor == nil && got != nil:
			t.Errorf("%s: got a gradient, the reference has none", info.Name)
		case tensor != nil && got == nil:
			t.Errorf("%s: got no gradient", info.Name)
		}
		if tensor == nil || got == nil {
			continue
		}
		entry, err := want.Tensor(info.Name)
		if err != nil {
			t.Fatal(err)
		}
		samples, err := entry.Float32()
		if err != nil {
			t.Fatal(err)
		}
		if n := (len(got) + tensor.Stride - 1) / tensor.Stride; n != len(samples) {
			t.Errorf("%s: got %d samples of %d elements, want %d", info.Name, n, len(got), len(samples))
			continue
		}
		largest, squares := 0.0, 0.0
		for i, v := range samples {
			largest = math.Max(largest, math.Abs(float64(v)-float64(got[i*tensor.Stride])))
		}
		for _, v := range got {
			squares += float64(v) * float64(v)
		}
		if tensor.RMS == 0 {
			if largest != 0 || squares != 0 {
				t.Errorf("%s: want zeros", info.Name)
			}
			continue
		}
		if d := largest / tensor.RMS; !(d <= gradientTolerance) {
			t.Errorf("%s: deviates by %.2g of the RMS %.3g", info.Name, d, tensor.RMS)
		} else if d > worst {
			worst, worstName = d, info.Name
		}
		if rms := math.Sqrt(squares / float64(len(got))); math.Abs(rms-tensor.RMS) > gradientTolerance*tensor.RMS {
			t.Errorf("%s: RMS %v, want %v", info.Name, rms, tensor.RMS)
		}
	}
	t.Logf("worst deviation %.2g of the RMS, of %s", worst, worstName)
}

// run computes losses and gradients of the golden's pairs.
func run(t *testing.T, cfg model.Config, g golden) *train.Step {
	t.Helper()
	m, err := model.New(cfg, formula.Source(model.Tensors(cfg)))
	if err != nil {
		t.Fatal(err)
	}
	graph, err := m.TrainGraph(len(g.IDs), len(g.IDs[0]), model.LossWeights{Contrastive: g.ContrastiveWeight, Caption: g.CaptionWeight})
	if err != nil {
		t.Fatal(err)
	}
	dev, err := exec.NewCPUWith(exec.CPUOptions{Threads: 2, Training: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	step, err := train.NewStep(graph, dev, nil)
	if err != nil {
		t.Fatal(err)
	}
	size, pixels, ids := cfg.Vision.ImageSize, op.Floats(graph.Image.Pixels.Value()), op.Ints(graph.Text.IDs.Value())
	for i, image := range g.Images {
		n := 3 * size.Height * size.Width
		copy(pixels[i*n:][:n], formula.Image(image, size.Height, size.Width))
		for j, id := range g.IDs[i] {
			ids[i*len(g.IDs[i])+j] = int32(id)
		}
	}
	if err := step.RunAll(); err != nil {
		t.Fatal(err)
	}
	return step
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-5*math.Abs(want)) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// allocations is the least number of allocations a run needs over several
// tries: a worker's scratch memory grows when it first meets a large piece, and
// which worker meets it is up to the scheduler.
func allocations(f func()) float64 {
	least := testing.AllocsPerRun(2, f)
	for range 9 {
		least = min(least, testing.AllocsPerRun(2, f))
	}
	return least
}
