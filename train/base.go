package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/preprocess"
	"github.com/seed-e0874532/coca/tokenizer"
	"github.com/seed-e0874532/coca/train/data"
	"github.com/seed-e0874532/coca/weights"
)

// weightsName is the weights file of the model folders that training writes.
const weightsName = "open_clip_model.safetensors"

// maxSidecar bounds the bytes of a config or tokenizer file that is taken over.
const maxSidecar = 64 << 20

// tokenizerFiles are what a model folder may say about its tokenizer.
var tokenizerFiles = []string{
	"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt",
}

// Base is a model but for its weights: what training starts from and what its
// checkpoints carry on.
type Base struct {
	Name       string
	Config     model.Config
	Preprocess preprocess.Config
	Tokenizer  *tokenizer.Tokenizer

	// Weights is the path of the folder's weights, "" if it has none.
	Weights string

	config map[string]json.RawMessage // open_clip_config.json
	files  map[string][]byte          // of the tokenizer
}

// NamedBase is a built-in architecture, with CLIP's tokenizer and OpenCLIP's
// default preprocessing.
func NamedBase(name string) (*Base, error) {
	cfg, err := model.Named(name)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(cfg)
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	fields["custom_text"] = json.RawMessage("true") // by which OpenCLIP knows a CoCa
	if data, err = json.Marshal(map[string]any{"model_cfg": fields}); err != nil {
		return nil, err
	}
	return newBase(name, data, nil)
}

// OpenBase reads a model folder, which need not have weights, or an
// open_clip_config.json with the tokenizer files beside it.
func OpenBase(path string) (*Base, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	dir, config := path, filepath.Join(path, weights.ConfigName)
	if !info.IsDir() {
		dir, config = filepath.Dir(path), path
	}
	data, err := readSmall(config)
	if err != nil {
		return nil, err
	}
	b, err := newBase(path, data, os.DirFS(dir))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if !info.IsDir() {
		return b, nil
	}
	found, err := weights.OpenModelDir(dir)
	var none *weights.ModelDirError
	switch {
	case err == nil:
		b.Weights = found.Weights
	case !errors.As(err, &none): // a folder without weights will do
		return nil, err
	}
	return b, nil
}

func newBase(name string, config []byte, files fs.FS) (*Base, error) {
	b := &Base{Name: name, files: map[string][]byte{}}
	var err error
	if b.Config, err = model.ParseConfig(config); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(config, &b.config); err != nil {
		return nil, err
	}
	if _, wrapped := b.config["model_cfg"]; !wrapped {
		b.config = map[string]json.RawMessage{"model_cfg": config}
	}
	size := b.Config.Vision.ImageSize
	b.Preprocess = preprocess.DefaultConfig(size.Height)
	if p := b.config["preprocess_cfg"]; p != nil && string(p) != "null" {
		if b.Preprocess, err = preprocess.ParseConfig(p, size.Height); err != nil {
			return nil, err
		}
	}
	b.Preprocess.Height, b.Preprocess.Width = size.Height, size.Width
	if files != nil {
		for _, name := range tokenizerFiles {
			data, err := fs.ReadFile(files, name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if len(data) > maxSidecar {
				return nil, &ConfigError{name, fmt.Sprintf("at most %d bytes", maxSidecar), fmt.Sprint(len(data))}
			}
			b.files[name] = data
		}
	}
	b.Tokenizer, err = b.tokenizer(files)
	return b, err
}

// tokenizer is the folder's own if the config names one, else CLIP's.
func (b *Base) tokenizer(files fs.FS) (*tokenizer.Tokenizer, error) {
	text, t := b.Config.Text, tokenizer.CLIP()
	if text.HFTokenizerName != "" {
		if files == nil || len(b.files) == 0 {
			return nil, &ConfigError{"tokenizer", "tokenizer files beside the config, which names " + text.HFTokenizerName, "none"}
		}
		var err error
		if t, err = tokenizer.Load(files); err != nil {
			return nil, err
		}
	} else {
		clear(b.files) // not what the model reads with
	}
	if clean := text.TokenizerKwargs.Clean; clean != "" {
		mode, err := tokenizer.ParseClean(clean)
		if err != nil {
			return nil, err
		}
		t = t.WithClean(mode)
	}
	if t.VocabSize() > text.VocabSize {
		return nil, &ConfigError{"tokenizer", fmt.Sprintf("at most the %d ids of the model's vocabulary", text.VocabSize), fmt.Sprint(t.VocabSize())}
	}
	return t, nil
}

// SetImageSize makes the model see pictures of another size, as
// --force-image-size does; tables of positions are resized when they are loaded.
func (b *Base) SetImageSize(height, width int) error {
	size := model.Size{Height: height, Width: width}
	if err := b.set("vision_cfg", "image_size", size); err != nil {
		return err
	}
	b.Preprocess.Height, b.Preprocess.Width = height, width
	return b.Preprocess.Validate()
}

// SetContextLength makes the model read texts of another length, as
// --force-context-length does.
func (b *Base) SetContextLength(n int) error { return b.set("text_cfg", "context_length", n) }

// set changes a key of a part of model_cfg, in the file as in the parsed config.
func (b *Base) set(part, key string, value any) error {
	var cfg, inner map[string]json.RawMessage
	if err := json.Unmarshal(b.config["model_cfg"], &cfg); err != nil {
		return err
	}
	if err := json.Unmarshal(cfg[part], &inner); err != nil {
		return err
	}
	var err error
	if inner[key], err = json.Marshal(value); err != nil {
		return err
	}
	if cfg[part], err = json.Marshal(inner); err != nil {
		return err
	}
	data, err := json.Marshal(cfg)
	if err != nil {
		return err
	}
	parsed, err := model.ParseConfig(data)
	if err != nil {
		return err
	}
	b.Config, b.config["model_cfg"] = parsed, data
	return nil
}

// sidecars are the files of a model folder that are not weights, by name.
func (b *Base) sidecars() (map[string][]byte, error) {
	var err error
	if b.config["preprocess_cfg"], err = json.Marshal(b.Preprocess); err != nil {
		return nil, err
	}
	data, err := json.MarshalIndent(b.config, "", "  ")
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{weights.ConfigName: append(data, '\n')}
	for name, data := range b.files {
		files[name] = data
	}
	return files, nil
}

// sortedNames are the keys of files in a fixed order.
func sortedNames(files map[string][]byte) []string {
	var names []string
	for n := range files {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// readSmall reads a file of bounded size.
func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxSidecar {
		return nil, &ConfigError{path, fmt.Sprintf("a regular file of at most %d bytes", maxSidecar), fmt.Sprintf("%v, %d bytes", info.Mode().Type(), info.Size())}
	}
	return os.ReadFile(path)
}

// SetPreprocess changes how pictures are prepared, as --image-mean, --image-std,
// --image-interpolation and --image-resize-mode do.
func (b *Base) SetPreprocess(o data.Override) error {
	p, err := o.Apply(b.Preprocess)
	if err == nil {
		b.Preprocess = p
	}
	return err
}

// SetPatchDropout makes training leave out a share of the patches of each picture,
// as --force-patch-dropout does.
func (b *Base) SetPatchDropout(share float64) error {
	if !(share >= 0 && share < 1) {
		return &ConfigError{"force-patch-dropout", "0 to less than 1", fmt.Sprint(share)}
	}
	return b.set("vision_cfg", "patch_dropout", share)
}

// patchDropout is what the config says; inference does without.
func (b *Base) patchDropout() (float64, error) {
	var cfg struct {
		Vision struct {
			Dropout float64 `json:"patch_dropout"`
		} `json:"vision_cfg"`
	}
	if err := json.Unmarshal(b.config["model_cfg"], &cfg); err != nil {
		return 0, err
	}
	return cfg.Vision.Dropout, nil
}
