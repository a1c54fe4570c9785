package coca_test

import (
	"archive/zip"
	"errors"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-e0874532/coca"
	"github.com/seed-e0874532/coca/internal/formula"
	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/weights"
)

// trainedModels are the folders of models that were trained.
func trainedModels(t testing.TB) (folders []string) {
	t.Helper()
	paths, err := filepath.Glob("testdata/models/*/open_clip_config.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("want trained models, got %d (%v)", len(paths), err)
	}
	for _, p := range paths {
		folders = append(folders, filepath.Dir(p))
	}
	return folders
}

// heldOut are pictures that no model was trained on: those of the model's own
// name in testdata/golden/precision if there are any, else the drawings.
func heldOut(t testing.TB, folder string) (pictures []*coca.Image) {
	t.Helper()
	path := filepath.Join("testdata/golden/precision", filepath.Base(folder)+".zip")
	if _, err := os.Stat(path); err != nil {
		path = "testdata/golden/precision/drawings.zip"
	}
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		img, err := coca.DecodeImage(r)
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		pictures = append(pictures, img)
	}
	return pictures
}

// TestPrecisionOfTrainedModels holds what narrow precisions change in trained
// models: the features of every picture keep their direction, and nearly all
// captions stay the same.
func TestPrecisionOfTrainedModels(t *testing.T) {
	for _, folder := range trainedModels(t) {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			pictures := heldOut(t, folder)
			if len(pictures) < 300 {
				t.Fatalf("want at least 300 pictures, got %d", len(pictures))
			}
			wide := load(t, folder)
			want, err := wide.EncodeImages(ctx, pictures)
			if err != nil {
				t.Fatal(err)
			}
			captions, err := wide.Captions(ctx, pictures)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range []struct {
				precision coca.Precision
				equal     float64 // least share of captions
			}{{coca.BF16, 0.99}, {coca.Int8, 0.95}} {
				m := load(t, folder, coca.WithPrecision(c.precision))
				got, err := m.EncodeImages(ctx, pictures)
				if err != nil {
					t.Fatal(err)
				}
				least := 1.0
				for i := range want {
					least = min(least, cosine(want[i], got[i]))
				}
				list, err := m.Captions(ctx, pictures)
				if err != nil {
					t.Fatal(err)
				}
				equal := 0
				for i := range list {
					if slices.Equal(list[i][0].IDs, captions[i][0].IDs) {
						equal++
					} else {
						t.Logf("%v, picture %d: %q, in f32 %q", c.precision, i, list[i][0].Text, captions[i][0].Text)
					}
				}
				share := float64(equal) / float64(len(list))
				t.Logf("%v: least cosine of features %.6f; %d of %d captions equal (%.2f %%)", c.precision, least, equal, len(list), 100*share)
				if least < 0.999 {
					t.Errorf("%v: cosine of features: want at least 0.999, got %.6f", c.precision, least)
				}
				if share < c.equal {
					t.Errorf("%v: equal captions: want at least %g, got %.4f", c.precision, c.equal, share)
				}
			}
		})
	}
}

// cosine is the cosine of the angle between two vectors.
func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	return ab / math.Sqrt(aa*bb)
}

// TestPackedTreatments packs a model with outliers in int8, for which it
// divides columns and keeps some weights wider: the file must hold all of that.
func TestPackedTreatments(t *testing.T) {
	const config = "testdata/golden/small/pool_fused/open_clip_config.json"
	data, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := model.ParseConfig(data)
	if err != nil {
		t.Fatal(err)
	}
	list := model.Tensors(cfg)
	src := formula.Outliers{Source: formula.Source(list)}
	var items []weights.Item
	for _, info := range list {
		values, err := src.Float32(info.Name)
		if err != nil {
			t.Fatal(err)
		}
		item, err := weights.Float32Item(info.Name, info.Shape, values, weights.F32)
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, item)
	}
	folder := t.TempDir()
	wide := filepath.Join(folder, "wide.safetensors")
	if err := weights.WriteSafetensors(ctx, wide, items, weights.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	size := cfg.Vision.ImageSize
	pixels := [][]float32{formula.Image(0, size.Height, size.Width), formula.Image(1, size.Height, size.Width)}
	embed := func(path string, opts ...coca.Option) [][]float32 {
		t.Helper()
		list, err := load(t, path, append(opts, coca.WithArch(config))...).EncodePixels(ctx, pixels)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	m := load(t, wide, coca.WithArch(config), coca.WithPrecision(coca.Int8))
	packed := filepath.Join(folder, "packed.safetensors")
	if err := m.WritePacked(ctx, packed, nil); err != nil {
		t.Fatal(err)
	}
	want := embed(wide, coca.WithPrecision(coca.Int8))
	for i, got := range embed(packed) {
		if !slices.Equal(got, want[i]) {
			t.Errorf("image %d: the packed file gives other features", i)
		}
	}
	m.Runtime().Device().(*exec.CPU).TreatAttention(coca.FP32)
	exact := filepath.Join(folder, "exact.safetensors")
	if err := m.WritePacked(ctx, exact, nil); err != nil {
		t.Fatal(err)
	}
	if p := load(t, exact, coca.WithArch(config)).Runtime().Device().(*exec.CPU).Attention(); p != coca.FP32 {
		t.Errorf("attention of the packed file is in %v, want f32 as it was", p)
	}
	if c := cosine(want[0], embed(wide)[0]); c < 0.999 {
		t.Errorf("cosine of int8 to float32 %.6f, want at least 0.999", c)
	}

	f, err := weights.Open(packed)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	columns := ""
	for _, info := range f.Tensors() {
		if strings.HasSuffix(info.Name, "#columns") {
			columns = info.Name
		}
	}
	meta := f.Metadata()
	if meta["coca.panels"] != "2" || !strings.Contains(meta["coca.precisions"], "fp32") || columns == "" {
		t.Errorf("metadata %v, columns %q: want version 2, weights in fp32 and columns", meta, columns)
	}
	for name, change := range map[string]func(meta map[string]string, info *weights.Info){
		"a later version":       func(meta map[string]string, _ *weights.Info) { meta["coca.panels"] = "3" },
		"no precisions":         func(meta map[string]string, _ *weights.Info) { delete(meta, "coca.precisions") },
		"an unknown precision":  func(meta map[string]string, _ *weights.Info) { meta["coca.precisions"] = `{"visual.proj": "fp4"}` },
		"attention in int8":     func(meta map[string]string, _ *weights.Info) { meta["coca.attention"] = "int8" },
		"the wrong precision":   func(meta map[string]string, _ *weights.Info) { meta["coca.precisions"] = "{}" },
		"columns of other size": func(_ map[string]string, info *weights.Info) { info.Shape[0]-- },
	} {
		changed := filepath.Join(folder, "changed.safetensors")
		meta := maps.Clone(meta)
		var items []weights.Item
		for _, info := range f.Tensors() {
			tensor, err := f.Tensor(info.Name)
			if err != nil {
				t.Fatal(err)
			}
			data, err := tensor.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			info.Shape = slices.Clone(info.Shape)
			if info.Name == columns {
				change(meta, &info)
			} else {
				change(meta, &weights.Info{Shape: []int{0}})
			}
			n := info.DType.Size()
			for _, d := range info.Shape {
				n *= d
			}
			items = append(items, weights.Item{Info: info, Write: func(w io.Writer) error {
				_, err := w.Write(data[:n])
				return err
			}})
		}
		if err := weights.WriteSafetensors(ctx, changed, items, weights.WriteOptions{Metadata: meta}); err != nil {
			t.Fatal(err)
		}
		m, err := coca.Load(ctx, changed, coca.WithArch(config))
		if err == nil {
			_, err = m.EncodePixels(ctx, pixels)
			m.Close()
		}
		var refused *coca.PackError
		if !errors.As(err, &refused) {
			t.Errorf("%s: got %v, want a PackError", name, err)
		}
	}
}
