package model_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn/op"
	"github.com/seed-e0874532/coca/weights"
)

// TestPatchDropoutEqualsPyTorch gives the patches that OpenCLIP kept to the graph and
// compares losses and gradients with OpenCLIP's in float64; once as they are, and once with
// all that changes how they are computed, cut texts too.
func TestPatchDropoutEqualsPyTorch(t *testing.T) {
	files, err := filepath.Glob("../testdata/golden/patch_dropout/*.json")
	if err != nil || len(files) < 5 {
		t.Fatalf("golden files: got %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) { comparePatchDropout(t, file) })
	}
}

func comparePatchDropout(t *testing.T, file string) {
	var golden struct {
		IDs          [][]int32
		PatchDropout float64 `json:"patch_dropout"`
		Kept         [][]int32
		Contrastive  float64 `json:"contrastive_loss"`
		Caption      float64 `json:"caption_loss"`
		Gradients    map[string]*struct {
			Stride int
			RMS    float64
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	samples, err := weights.Open(strings.TrimSuffix(file, ".json") + ".safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer samples.Close()
	s := newTrial(t, readConfig(t, strings.TrimSuffix(filepath.Base(file), ".json")), len(golden.IDs))
	s.ids = nil
	for _, row := range golden.IDs {
		s.ids = append(s.ids, row...)
	}
	targets := model.CountTargets(s.ids, len(golden.IDs[0]))
	length := s.model.TrainLength(s.ids)
	if length == len(golden.IDs[0]) {
		t.Fatalf("texts of %d ids cannot be cut", length)
	}
	rows, cols := s.model.Config.Vision.Grid()
	for _, more := range [][]model.TrainOption{nil, {model.RecomputeBlocks(), model.MaxTargets(targets + 3)}} {
		if more != nil {
			s.ids = nil
			for _, row := range golden.IDs {
				s.ids = append(s.ids, row[:length]...)
			}
		}
		r := s.compile(t, append(more, model.DropPatches(golden.PatchDropout))...)
		kept := op.Ints(r.graph.Image.Kept.Value())
		if n := len(golden.Kept[0]) + 1; n*len(golden.Kept) != len(kept) {
			t.Fatalf("%d tokens stay, want %d of each image", len(kept), n)
		}
		for i, patches := range golden.Kept {
			at := i * (len(patches) + 1)
			kept[at] = int32(i * (rows*cols + 1))
			for k, p := range patches {
				kept[at+1+k] = kept[at] + 1 + p
			}
		}
		if err := r.graph.Text.SetTargets(); err != nil {
			t.Fatal(err)
		}
		r.run(t)
		for i, want := range []float64{golden.Contrastive, golden.Caption} {
			if got := float64(r.losses[i]); !(math.Abs(got-want) <= 1e-5*want) {
				t.Errorf("loss %d: got %v, want %v", i, got, want)
			}
		}
		worst := 0.0
		for name, want := range golden.Gradients {
			got := r.gradients[name]
			if (want == nil) != (got == nil) {
				t.Errorf("%s: has a gradient: %v, in the reference: %v", name, got != nil, want != nil)
			}
			if want == nil || got == nil {
				continue
			}
			entry, err := samples.Tensor(name)
			if err != nil {
				t.Fatal(err)
			}
			values, err := entry.Float32()
			if err != nil {
				t.Fatal(err)
			}
			off := 0.0
			for i, v := range values {
				off = max(off, math.Abs(float64(v)-float64(got[i*want.Stride])))
			}
			if !(off <= 1e-4*want.RMS) {
				t.Errorf("%s: off by %.2g, RMS %.3g", name, off, want.RMS)
			} else if want.RMS > 0 {
				worst = max(worst, off/want.RMS)
			}
		}
		t.Logf("worst deviation %.2g of the RMS", worst)
	}
}

func TestPatchDropoutOfConfig(t *testing.T) {
	data, err := os.ReadFile("../testdata/golden/small/tiny_pool/open_clip_config.json")
	if err != nil {
		t.Fatal(err)
	}
	for value, valid := range map[string]bool{"0": true, "0.5": true, "1": false, "-0.25": false} {
		text := strings.Replace(string(data), `"vision_cfg": {`, `"vision_cfg": {"patch_dropout": `+value+`,`, 1)
		cfg, err := model.ParseConfig([]byte(text))
		var bad *model.ConfigError
		if (err == nil) != valid || !valid && !errors.As(err, &bad) {
			t.Errorf("patch_dropout %s: got %v", value, err)
		}
		if valid && value != "0" && cfg.Vision.PatchDropout != 0.5 {
			t.Errorf("patch_dropout %s: read as %v", value, cfg.Vision.PatchDropout)
		}
	}
}
