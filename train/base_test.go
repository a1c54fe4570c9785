package train

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/train/data"
)

// TestNamedBase holds what a checkpoint of a built-in architecture says of itself to the architecture.
func TestNamedBase(t *testing.T) {
	for _, name := range []string{"coca_ViT-B-32", "coca_ViT-L-14", "coca_base"} {
		b, err := NamedBase(name)
		if err != nil {
			t.Fatal(err)
		}
		files, err := b.sidecars()
		if err != nil {
			t.Fatal(err)
		}
		if len(files) != 1 {
			t.Errorf("%s: files %v, want the config alone: CLIP's tokenizer is everybody's", name, sortedNames(files))
		}
		got, err := model.ParseConfig(files["open_clip_config.json"])
		if err != nil {
			t.Fatal(err)
		}
		want, err := model.Named(name)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v (%v)", name, got, want, err)
		}
		if !strings.Contains(string(files["open_clip_config.json"]), `"custom_text": true`) {
			t.Errorf("%s: OpenCLIP needs custom_text", name)
		}
	}
	if _, err := NamedBase("coca_ViT-X"); err == nil {
		t.Error("an unknown name is no error")
	}
}

// TestOpenBase opens a folder, its config alone and a folder without weights,
// changes what flags change and reads back what a checkpoint would hold.
func TestOpenBase(t *testing.T) {
	const plain = "../testdata/models/plain"
	dir := t.TempDir()
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json", "open_clip_config.json"} {
		raw, err := os.ReadFile(filepath.Join(plain, name))
		if err != nil {
			t.Fatal(err)
		}
		raw = []byte(strings.Replace(string(raw), `"vision_cfg": {`, `"vision_cfg": {"of_tomorrow": 1,`, 1))
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for path, weights := range map[string]bool{plain: true, dir: false, filepath.Join(dir, "open_clip_config.json"): false} {
		b, err := OpenBase(path)
		if err != nil {
			t.Fatal(err)
		}
		if (b.Weights != "") != weights {
			t.Errorf("%s: weights %q", path, b.Weights)
		}
		if ids := b.Tokenizer.Encode("a blue star"); len(ids) == 0 {
			t.Errorf("%s: no ids", path)
		}
	}
	b, err := OpenBase(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		b.SetImageSize(32, 40), b.SetContextLength(9), b.SetPreprocess(data.Override{Mean: []float64{0.5}, ResizeMode: "squash"}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	files, err := b.sidecars()
	if err != nil {
		t.Fatal(err)
	}
	next := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(next, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	again, err := OpenBase(next)
	if err != nil {
		t.Fatal(err)
	}
	if again.Config.Vision.ImageSize != (model.Size{Height: 32, Width: 40}) || again.Config.Text.ContextLength != 9 || again.Config.Decoder.ContextLength != 20 {
		t.Errorf("the config came back as %+v", again.Config)
	}
	if again.Preprocess != b.Preprocess || again.Preprocess.Height != 32 || again.Preprocess.Mean != [3]float64{0.5, 0.5, 0.5} {
		t.Errorf("the preprocessing came back as %+v", again.Preprocess)
	}
	var raw struct {
		Model struct {
			Vision map[string]any `json:"vision_cfg"`
		} `json:"model_cfg"`
	}
	if err := json.Unmarshal(files["open_clip_config.json"], &raw); err != nil || raw.Model.Vision["of_tomorrow"] != 1.0 {
		t.Errorf("a key that is not known here was lost: %v, %v", raw.Model.Vision, err)
	}
	if len(files) != 3 {
		t.Errorf("files %v", sortedNames(files))
	}
}

// TestCheckpointFolder kills a save at each of its steps, in effect, and looks
// whether a whole checkpoint can be found.
func TestCheckpointFolder(t *testing.T) {
	position := func(dir string, batches int) {
		t.Helper()
		raw, err := json.Marshal(Position{Batches: batches})
		if err == nil {
			err = os.MkdirAll(dir, 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, positionName), raw, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name  string
		given map[string]int // folders and how far they are
		want  string
		left  int
	}{
		{"nothing", nil, "", 0},
		{"one", map[string]int{"epoch_1": 4}, "epoch_1", 1},
		{"written, not yet renamed", map[string]int{".scrap-1": 9, "epoch_latest": 4}, "epoch_latest", 1},
		{"the old one moved away", map[string]int{".scrap-1": 9, "epoch_latest.previous": 4}, "epoch_latest", 1},
		{"the new one in place", map[string]int{"epoch_latest": 9, "epoch_latest.previous": 4}, "epoch_latest", 1},
		{"an epoch further on", map[string]int{"epoch_latest": 3, "epoch_2": 5}, "epoch_2", 2},
		{"a folder of somebody else", map[string]int{"epoch_1": 3, "mine": -1}, "epoch_1", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := checkpoints(t.TempDir())
			for name, batches := range c.given {
				if batches < 0 {
					if err := os.Mkdir(filepath.Join(string(folder), name), 0o755); err != nil {
						t.Fatal(err)
					}
					continue
				}
				position(filepath.Join(string(folder), name), batches)
			}
			if err := folder.clean(); err != nil {
				t.Fatal(err)
			}
			got, err := folder.latest()
			if err != nil || got != "" && filepath.Base(got) != c.want || got == "" && c.want != "" {
				t.Errorf("found %q, %v; want %q", got, err, c.want)
			}
			if entries, err := os.ReadDir(string(folder)); err != nil || len(entries) != c.left {
				t.Errorf("left: %v, %v", entries, err)
			}
			if err := folder.save("epoch_latest", func(dir string) error { position(dir, 50); return nil }); err != nil {
				t.Fatal(err)
			}
			if got, err := folder.latest(); err != nil || filepath.Base(got) != "epoch_latest" {
				t.Errorf("after saving, found %q, %v", got, err)
			}
		})
	}
	if got, err := checkpoints(filepath.Join(t.TempDir(), "none")).latest(); got != "" || err != nil {
		t.Errorf("no folder: %q, %v", got, err)
	}
	bad := checkpoints(t.TempDir())
	position(filepath.Join(string(bad), "epoch_1"), 1)
	if err := os.WriteFile(filepath.Join(string(bad), "epoch_1", positionName), []byte(`{"epoch": -4}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := bad.latest(); err == nil {
		t.Error("a position before the begin is no error")
	}
}
