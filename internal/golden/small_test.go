package golden_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-e0874532/coca/internal/formula"
	"github.com/seed-e0874532/coca/internal/golden"
	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn/exec"
)

const goldens = "../../testdata/golden/"

// unsupported are configurations that OpenCLIP runs and we refuse, with the
// key that the refusal must name.
var unsupported = map[string]string{
	"plain_none": "vision_cfg.pool_type", // the image feature is no vector
	"pool_none":  "vision_cfg.pool_type",
	"kwargs":     "vision_cfg.act_kwargs",
	"oblong":     "vision_cfg.patch_size", // patches that are not square
}

// TestSmall compares every tap of the small formula-defined models, each of
// which turns some switches of the architecture, with OpenCLIP's values. The
// tolerances stand in the goldens: 1e-4 of the tap's RMS in float64.
func TestSmall(t *testing.T) {
	dirs, err := filepath.Glob(goldens + "small/*/golden.json")
	if err != nil || len(dirs) < 30 {
		t.Fatalf("want at least 30 golden directories, got %d (%v)", len(dirs), err)
	}
	dev, err := exec.NewCPU(2, exec.FP32)
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	for _, path := range dirs {
		dir := filepath.Dir(path)
		name := filepath.Base(dir)
		t.Run(name, func(t *testing.T) {
			g, err := golden.Load(dir)
			if err != nil {
				t.Fatal(err)
			}
			if g.Weights != "formula" {
				t.Skip("a trained model: tested with the front door")
			}
			data, err := os.ReadFile(filepath.Join(dir, g.Model))
			if err != nil {
				t.Fatal(err)
			}
			cfg, err := model.ParseConfig(data)
			if key, ok := unsupported[name]; ok {
				if err == nil || !strings.Contains(err.Error(), key) {
					t.Fatalf("want a refusal that names %s, got %v", key, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			m, err := model.New(cfg, formula.Source(model.Tensors(cfg)))
			if err != nil {
				t.Fatal(err)
			}
			list, err := g.Compare(context.Background(), m, dev, func(c golden.Case) (golden.Input, error) {
				return formulaInput(cfg, c)
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(list) < 10 {
				t.Errorf("want at least 10 taps, got %d", len(list))
			}
			for _, d := range list {
				if !d.OK() {
					t.Errorf("%s: largest deviation %.3g of %d values, want at most %.3g", d.Tap, d.Largest, d.Values, d.Tolerance)
				}
			}
		})
	}
}

func formulaInput(cfg model.Config, c golden.Case) (golden.Input, error) {
	number, ok := strings.CutPrefix(c.Image, "formula:")
	j, err := strconv.Atoi(number)
	if !ok || err != nil {
		return golden.Input{}, fmt.Errorf("image: want formula:N, got %q", c.Image)
	}
	size := cfg.Vision.ImageSize
	return golden.Input{Pixels: formula.Image(j, size.Height, size.Width), IDs: c.IDsIn}, nil
}
