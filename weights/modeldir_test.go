package weights

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOpenModelDir(t *testing.T) {
	tests := []struct {
		name  string
		files []string
		want  string // chosen file; "!weights", "!config" or "!sharded" for the errors
	}{
		{"all names", []string{"model.pth", "pytorch_model.pth", "pytorch_model.bin", "model.safetensors", "open_clip_pytorch_model.pth", "open_clip_pytorch_model.bin", "open_clip_pytorch_model.safetensors", "open_clip_model.safetensors"}, "open_clip_model.safetensors"},
		{"second", []string{"model.safetensors", "open_clip_pytorch_model.safetensors"}, "open_clip_pytorch_model.safetensors"},
		{"bin before plain safetensors", []string{"model.safetensors", "open_clip_pytorch_model.bin"}, "open_clip_pytorch_model.bin"},
		{"pth before plain safetensors", []string{"model.safetensors", "open_clip_pytorch_model.pth"}, "open_clip_pytorch_model.pth"},
		{"plain", []string{"pytorch_model.bin", "model.safetensors"}, "model.safetensors"},
		{"bin", []string{"pytorch_model.pth", "pytorch_model.bin"}, "pytorch_model.bin"},
		{"named before others", []string{"a.safetensors", "model.pth"}, "model.pth"},
		{"others: safetensors first", []string{"a.bin", "a.pth", "z.safetensors", "b.safetensors"}, "b.safetensors"},
		{"others: by name", []string{"b.bin", "a.pth", "0.pt"}, "a.pth"},
		{"others: pt", []string{"epoch_1.pt"}, "epoch_1.pt"},
		{"none", []string{"README.md"}, "!weights"},
		{"folder of that name", []string{"model.safetensors/x"}, "!weights"},
		{"no config", []string{"model.safetensors", "-config"}, "!config"},
		{"index", []string{"model-00001-of-00002.safetensors", "model.safetensors.index.json"}, "!sharded"},
		{"shards", []string{"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"}, "!sharded"},
		{"index beside a whole file", []string{"pytorch_model.bin.index.json", "model.safetensors"}, "model.safetensors"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			config := true
			for _, name := range test.files {
				if name == "-config" {
					config = false
					continue
				}
				path := filepath.Join(dir, name)
				if err := errorsOf(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			if config {
				if err := os.WriteFile(filepath.Join(dir, ConfigName), []byte("{}"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			m, err := OpenModelDir(dir)
			var missing *ModelDirError
			var unsupported *UnsupportedError
			switch test.want {
			case "!weights", "!config":
				what := map[string]string{"!weights": "weights file", "!config": "configuration"}[test.want]
				if !errors.As(err, &missing) || missing.What != what || missing.Dir != dir || len(missing.Looked) == 0 {
					t.Errorf("error %v, want a ModelDirError about the %s", err, what)
				}
			case "!sharded":
				if !errors.As(err, &unsupported) || !strings.Contains(err.Error(), "sharded") {
					t.Errorf("error %v, want sharded weights to be unsupported", err)
				}
			default:
				if err != nil {
					t.Fatal(err)
				}
				if filepath.Base(m.Weights) != test.want || string(m.Config) != "{}" {
					t.Errorf("chose %s with config %q, want %s", m.Weights, m.Config, test.want)
				}
			}
		})
	}
	if _, err := OpenModelDir(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing folder: %v", err)
	}
	dir := t.TempDir()
	err := errorsOf(os.WriteFile(filepath.Join(dir, "model.bin"), nil, 0o644),
		os.WriteFile(filepath.Join(dir, ConfigName), make([]byte, maxConfig+1), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	var limit *LimitError
	if _, err := OpenModelDir(dir); !errors.As(err, &limit) {
		t.Errorf("oversized config: %v", err)
	}
}
