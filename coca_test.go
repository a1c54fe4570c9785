package coca_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-e0874532/coca"
	"github.com/seed-e0874532/coca/defaultmodel"
	"github.com/seed-e0874532/coca/generate"
	"github.com/seed-e0874532/coca/internal/formula"
	"github.com/seed-e0874532/coca/internal/golden"
	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/weights"
)

// ctx is the context of tests that do not cancel.
var ctx = context.Background()

func load(t testing.TB, name string, opts ...coca.Option) *coca.Model {
	t.Helper()
	m, err := coca.Load(ctx, name, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func picture(t testing.TB, path string) *coca.Image {
	t.Helper()
	img, err := coca.OpenImage(os.DirFS(filepath.Dir(path)), filepath.Base(path))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// pixels prepares an image of a golden file, which is a path relative to it or a formula.
func pixels(t testing.TB, m *coca.Model, name string) []float32 {
	t.Helper()
	var j int
	if _, err := fmt.Sscanf(name, "formula:%d", &j); err == nil {
		size := m.Config().Vision.ImageSize
		return formula.Image(j, size.Height, size.Width)
	}
	x, err := m.Preprocess(picture(t, filepath.Join("testdata/golden/captions", name)))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// TestTrainedCaptions replays the captions of the trained models, from picture
// files to text, by both releases of OpenCLIP.
func TestTrainedCaptions(t *testing.T) {
	total := 0
	for _, name := range []string{"plain", "plain.main", "shapes", "shapes.main"} {
		data, err := os.ReadFile("testdata/golden/captions/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var g struct {
			Model   string
			SOT     int32 `json:"sot"`
			EOS     int32 `json:"eos"`
			Triples []struct {
				Image      string
				Generation json.RawMessage
				PromptIDs  []int32 `json:"prompt_ids"`
				Prompt     string
				IDs        []int32
				Caption    string
				LogProb    float64
				Margin     float64
			}
		}
		if err := json.Unmarshal(data, &g); err != nil {
			t.Fatal(err)
		}
		if len(g.Triples) < 50 {
			t.Fatalf("%s: want at least 50 captions, got %d", name, len(g.Triples))
		}
		m := load(t, filepath.Join("testdata/golden/captions", g.Model))
		profile := generate.OpenCLIP33
		if strings.HasSuffix(name, ".main") {
			profile = generate.Main
		}
		for i, c := range g.Triples {
			o := m.Search(profile)
			d := generate.DefaultOptions(profile) // the golden files state all that differs from OpenCLIP's
			o.SeqLen, o.MinSeqLen = d.SeqLen, d.MinSeqLen
			if err := golden.Arguments(&o, c.Generation); err != nil {
				t.Fatal(err)
			}
			o.Prompt = c.PromptIDs
			got, err := m.CaptionPixels(ctx, [][]float32{pixels(t, m, c.Image)}, coca.WithSearch(o))
			if err != nil {
				t.Fatalf("%s: triple %d (%s): %v", name, i, c.Generation, err)
			}
			best := got[0][0]
			if !slices.Equal(best.IDs, c.IDs) {
				t.Errorf("%s: triple %d (%s %s): got %v, want %v (margin %g)", name, i, c.Image, c.Generation, best.IDs, c.IDs, c.Margin)
				continue
			}
			// With another id as end of text the caption still ends before <end_of_text>.
			if own := m.Search(profile).EOT; o.EOT == own && best.Text != c.Caption {
				t.Errorf("%s: triple %d: got %q, want %q", name, i, best.Text, c.Caption)
			}
			total++
		}
	}
	t.Logf("%d captions equal", total)
}

// TestScores compares caption scores, similarities and embeddings with OpenCLIP's.
func TestScores(t *testing.T) {
	for _, name := range []string{"plain", "shapes"} {
		data, err := os.ReadFile("testdata/golden/captions/" + name + ".scores.json")
		if err != nil {
			t.Fatal(err)
		}
		var g struct {
			Model  string
			Scores []struct {
				Image         string
				Text          string
				IDs           []int32
				TokenLogProbs []float64 `json:"token_logprobs"`
				LogProb       float64
				Similarity    float64
			}
			Embeddings []struct {
				Image     *string
				Text      *string
				Embedding []float64
			}
			Raw []struct {
				Image     *string
				Text      *string
				Embedding []float64
			} `json:"embeddings_not_normalised"`
		}
		if err := json.Unmarshal(data, &g); err != nil {
			t.Fatal(err)
		}
		if len(g.Scores) == 0 || len(g.Embeddings) == 0 || len(g.Raw) == 0 {
			t.Fatalf("%s: the golden file lacks scores or embeddings", name)
		}
		m := load(t, filepath.Join("testdata/golden/captions", g.Model))
		near := func(what string, got, want float64) {
			t.Helper()
			if !(math.Abs(got-want) <= 2e-4*(1+math.Abs(want))) {
				t.Errorf("%s: %s: got %v, want %v", name, what, got, want)
			}
		}
		for _, c := range g.Scores {
			img := picture(t, filepath.Join("testdata/golden/captions", c.Image))
			scores, err := m.Score(ctx, img, []string{c.Text})
			if err != nil {
				t.Fatal(err)
			}
			s := scores[0]
			if n := len(s.IDs); !slices.Equal(s.IDs, c.IDs[:n]) || len(s.TokenLogProbs) != len(c.TokenLogProbs) {
				t.Fatalf("%s: %q: got ids %v, want %v", name, c.Text, s.IDs, c.IDs)
			}
			near(c.Text+": log-probability", s.LogProb, c.LogProb)
			near(c.Text+": similarity", s.Similarity, c.Similarity)
			for i, p := range s.TokenLogProbs {
				near(fmt.Sprint(c.Text, ": token ", i), p, c.TokenLogProbs[i])
			}
		}
		for i, e := range append(g.Embeddings, g.Raw...) {
			var opts []coca.EncodeOption
			if i >= len(g.Embeddings) {
				opts = append(opts, coca.Unnormalized())
			}
			var got [][]float32
			if e.Image != nil {
				got, err = m.EncodePixels(ctx, [][]float32{pixels(t, m, *e.Image)}, opts...)
			} else {
				got, err = m.EncodeTexts(ctx, []string{*e.Text}, opts...)
			}
			if err != nil {
				t.Fatal(err)
			}
			for j, v := range got[0] {
				near(fmt.Sprint("embedding ", i, " value ", j), float64(v), e.Embedding[j])
			}
		}
	}
}

// TestBatchesAndConcurrentUse describes the same pictures alone, together and
// from several goroutines.
func TestBatchesAndConcurrentUse(t *testing.T) {
	m := load(t, "testdata/models/plain")
	paths, err := filepath.Glob("testdata/images/*.png")
	if err != nil || len(paths) < 5 {
		t.Fatalf("want pictures, got %d (%v)", len(paths), err)
	}
	var images []*coca.Image
	for _, p := range paths {
		images = append(images, picture(t, p))
	}
	together, err := m.Captions(ctx, images)
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for i, img := range images {
		wait.Go(func() {
			alone, err := m.Caption(ctx, img)
			if err != nil {
				t.Error(err)
				return
			}
			if !slices.Equal(alone.IDs, together[i][0].IDs) {
				t.Errorf("%s: alone %v, in a batch %v", paths[i], alone.IDs, together[i][0].IDs)
			}
		})
	}
	wait.Wait()
}

// TestStoredForms writes the weights in each form and expects the same model.
func TestStoredForms(t *testing.T) {
	img := picture(t, "testdata/images/two_red_circles.png")
	for _, p := range []coca.Precision{coca.FP32, coca.BF16, coca.Int8} {
		t.Run(p.String(), func(t *testing.T) {
			m := load(t, "testdata/models/plain", coca.WithPrecision(p))
			want, err := m.EncodeImages(ctx, []*coca.Image{img})
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "packed.safetensors")
			if err := m.WritePacked(ctx, path, nil); err != nil {
				t.Fatal(err)
			}
			packed := load(t, path, coca.WithArch("testdata/models/plain/open_clip_config.json"))
			got, err := packed.EncodeImages(ctx, []*coca.Image{img})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got[0], want[0]) {
				t.Error("the packed weights give another embedding")
			}
			other := coca.FP32
			if p == coca.FP32 {
				other = coca.BF16
			}
			var refused *coca.PackError
			_, err = coca.Load(ctx, path, coca.WithArch("testdata/models/plain/open_clip_config.json"), coca.WithPrecision(other))
			if !errors.As(err, &refused) {
				t.Errorf("another precision: got %v, want a PackError", err)
			}
		})
	}
}

// TestNarrowPrecisionsAgree bounds what bfloat16 and int8 change.
func TestNarrowPrecisionsAgree(t *testing.T) {
	img := picture(t, "testdata/images/two_red_circles.png")
	embed := func(p coca.Precision) []float32 {
		e, err := load(t, "testdata/models/plain", coca.WithPrecision(p)).EncodeImages(ctx, []*coca.Image{img})
		if err != nil {
			t.Fatal(err)
		}
		return e[0]
	}
	want := embed(coca.FP32)
	for _, p := range []coca.Precision{coca.BF16, coca.Int8} {
		cosine := 0.0
		for i, v := range embed(p) {
			cosine += float64(v) * float64(want[i])
		}
		if cosine < 0.999 {
			t.Errorf("%s: cosine %.5f to float32, want at least 0.999", p, cosine)
		}
	}
}

func TestDefaultModel(t *testing.T) {
	m, err := coca.Open(defaultmodel.FS, defaultmodel.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for name, want := range map[string]string{
		"cactus_above_light_bulb": "a cactus above a light bulb", "martial_arts_uniform": "a small martial arts uniform",
		"skull_and_two_cars": "a skull and two cars", "sponge_left_of_screwdriver": "a sponge to the left of a screwdriver",
		"sled_coral_headphones_dinosaur": "a sled, a coral branch, a pair of headphones and a dinosaur",
	} {
		c, err := m.Caption(ctx, picture(t, "testdata/scenes/"+name+".jpg"))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(c.Text, want) {
			t.Errorf("%s: got %q", name, c.Text)
		}
	}
	if !strings.Contains(m.About(), "It has never seen a photograph") {
		t.Error("the model does not say what it cannot do")
	}
}

func TestLoadRefuses(t *testing.T) {
	empty := t.TempDir()
	bare := t.TempDir()
	if err := os.WriteFile(filepath.Join(bare, "open_clip_config.json"), []byte(`{"model_cfg": {}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, want string }{
		{"", "a folder, a weights file"},
		{"no/such/model", "an existing folder or weights file"},
		{"coca_ViT-L-14", "weights for this architecture"},
		{empty, "no weights file"},
		{bare, "weights"},
		{"testdata/images/blue_star.png", "blue_star.png"},
		{"local-dir:" + empty, "no weights file"},
		{"testdata/models/plain/open_clip_model.safetensors", "--arch"},
	} {
		if _, err := coca.Load(ctx, c.name); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want an error that says %q", c.name, err, c.want)
		}
	}
	_, err := coca.Load(ctx, "testdata/models/plain/open_clip_model.safetensors", coca.WithArch("coca_ViT-B-32"))
	for _, part := range []string{"missing", "of wrong shape", "want [", "unexpected"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("weights of another model: got %v, want an error that says %q", err, part)
		}
	}
}

func TestCancelAndClose(t *testing.T) {
	m, err := coca.Load(ctx, "testdata/models/plain")
	if err != nil {
		t.Fatal(err)
	}
	img := picture(t, "testdata/images/two_red_circles.png")
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := m.Caption(cancelled, img); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Caption(ctx, img); err == nil {
		t.Error("a closed model describes images")
	}
}

// TestFromSource makes a model of weights without a file.
func TestFromSource(t *testing.T) {
	data, err := os.ReadFile("testdata/golden/small/context_76/open_clip_config.json")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := model.ParseConfig(data)
	if err != nil {
		t.Fatal(err)
	}
	m, err := coca.New(cfg, formula.Source(model.Tensors(cfg)))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, err := m.EncodePixels(ctx, [][]float32{formula.Image(0, cfg.Vision.ImageSize.Height, cfg.Vision.ImageSize.Width)}); err != nil {
		t.Error(err)
	}
	if _, err := m.EncodeTexts(ctx, []string{"a"}); err == nil {
		t.Error("a vocabulary of 50 with CLIP's tokenizer: want an error")
	}
}

func TestWordMaps(t *testing.T) {
	m := load(t, "testdata/models/shapes")
	x, err := m.Preprocess(picture(t, "testdata/images/two_red_circles.png"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := m.CaptionPixels(ctx, [][]float32{x})
	if err != nil {
		t.Fatal(err)
	}
	maps, err := m.WordMaps(ctx, x, c[0][0].IDs)
	if err != nil {
		t.Fatal(err)
	}
	if len(maps) != len(c[0][0].IDs)-1 {
		t.Fatalf("got %d maps for %d ids", len(maps), len(c[0][0].IDs))
	}
	for i, w := range maps {
		sum := 0.0
		for _, v := range w.Weights {
			sum += float64(v)
		}
		if !(sum > 0.05 && sum <= 1.0001) {
			t.Errorf("map %d: weights sum to %v, want a share of 1", i, sum)
		}
	}
}

func TestDecodeImageLimits(t *testing.T) {
	data, err := os.ReadFile("testdata/images/two_red_circles.png")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := coca.DecodeImageLimits(bytes.NewReader(data), coca.Limits{MaxPixels: 10}); err == nil {
		t.Error("want an error for an image beyond the limit")
	}
}

// TestShrinkingFile truncates a mapped weights file under a loaded model.
func TestShrinkingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := weights.Convert(ctx, "testdata/models/plain/open_clip_model.safetensors", path, weights.ConvertOptions{Precision: weights.F32}); err != nil {
		t.Fatal(err)
	}
	m, err := coca.Load(ctx, path, coca.WithArch("testdata/models/plain/open_clip_config.json"), coca.WithThreads(2))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := os.Truncate(path, 4096); err != nil {
		t.Fatal(err)
	}
	var fault *weights.FaultError
	img := picture(t, "testdata/images/two_red_circles.png")
	if _, err := m.EncodeImages(ctx, []*coca.Image{img}); !errors.As(err, &fault) {
		t.Errorf("got %v, want a FaultError", err)
	}
}
