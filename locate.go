package coca

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn"
	"github.com/seed-e0874532/coca/preprocess"
	"github.com/seed-e0874532/coca/tokenizer"
	"github.com/seed-e0874532/coca/weights"
	"github.com/seed-e0874532/coca/weights/hub"
)

// source is where the parts of a model are.
type source struct {
	name    string
	weights string
	config  []byte        // an open_clip_config.json; nil if the architecture is known otherwise
	cfg     *model.Config // the architecture, if it is known without a file
	arch    string        // a built-in architecture; "" to recognise it from the shapes
	files   fs.FS         // tokenizer files; nil if there are none
	about   string        // what the folder says about itself
}

// aboutName is a text in a model folder that `coca inspect` shows.
const aboutName = "README.md"

// maxSmallFile bounds configs and texts.
const maxSmallFile = 1 << 20

// A Puller brings a named model into a folder; see package weights/hub.
type Puller func(ctx context.Context, name string) (hub.Pulled, error)

// WithPuller replaces the download of models from the hub, for example to
// show its progress.
func WithPuller(p Puller) Option { return func(o *options) { o.pull = p } }

func pullFromHub(ctx context.Context, name string) (hub.Pulled, error) {
	cfg, err := hub.FromEnv()
	if err != nil {
		return hub.Pulled{}, err
	}
	c, err := hub.New(cfg)
	if err != nil {
		return hub.Pulled{}, err
	}
	return c.Pull(ctx, name)
}

// A NameError says that a model could not be found under a name.
type NameError struct {
	Name string
	Want string
}

func (e *NameError) Error() string { return fmt.Sprintf("model %q: want %s", e.Name, e.Want) }

// locate finds the parts of a named model.
func locate(ctx context.Context, name string, o options) (source, error) {
	if name == "" {
		return source{}, &NameError{name, "a folder, a weights file, a built-in architecture or hf-hub:ORG/REPO"}
	}
	if dir, ok := strings.CutPrefix(name, "local-dir:"); ok {
		return locateDir(name, dir)
	}
	if strings.HasPrefix(name, "hf-hub:") {
		return locateHub(ctx, name, name, o)
	}
	info, statErr := os.Stat(name)
	if model.IsNamed(name) && (statErr != nil || o.pretrained != "") {
		return locatePretrained(ctx, name, o)
	}
	switch {
	case statErr == nil && info.IsDir():
		return locateDir(name, name)
	case statErr == nil:
		return locateFile(name, o.arch)
	case isHubName(name):
		return locateHub(ctx, name, name, o)
	case !errors.Is(statErr, fs.ErrNotExist):
		return source{}, statErr
	}
	return source{}, &NameError{name, "an existing folder or weights file, one of " + strings.Join(model.Names(), ", ") +
		", or hf-hub:ORG/REPO"}
}

// isHubName reports whether the hub knows a name without a prefix.
func isHubName(name string) bool {
	for _, known := range hub.Names() {
		if strings.EqualFold(strings.ReplaceAll(known, "-", "_"), strings.ReplaceAll(name, "-", "_")) {
			return true
		}
	}
	return false
}

// locatePretrained finds the weights of a built-in architecture.
func locatePretrained(ctx context.Context, arch string, o options) (source, error) {
	if _, err := model.Named(arch); err != nil {
		return source{}, err // an architecture that is known and not supported
	}
	if o.pretrained == "" {
		return source{}, &NameError{arch, "weights for this architecture: a tag or a file (--pretrained)"}
	}
	if info, err := os.Stat(o.pretrained); err == nil {
		if info.IsDir() {
			return source{}, &NameError{o.pretrained, "a weights file or a tag, got a folder"}
		}
		return source{name: arch, weights: o.pretrained, arch: arch}, nil
	}
	if _, ok := hub.Pretrained(arch, o.pretrained); !ok {
		var tags []string
		for _, n := range hub.Names() {
			if strings.Contains(n, ":") {
				tags = append(tags, n)
			}
		}
		return source{}, &NameError{arch + ":" + o.pretrained, "an existing weights file or one of " + strings.Join(tags, ", ")}
	}
	return locateHub(ctx, arch+":"+o.pretrained, arch, o)
}

// locateHub pulls a model and finds its parts in the cache.
func locateHub(ctx context.Context, pull, name string, o options) (source, error) {
	p, err := o.pull(ctx, pull)
	if err != nil {
		return source{}, err
	}
	s := source{name: name, weights: p.Weights, arch: p.Arch, files: os.DirFS(p.Dir)}
	if p.Config != "" {
		if s.config, err = readSmall(p.Config); err != nil {
			return source{}, err
		}
	}
	return s, nil
}

// locateDir finds the parts in a model folder.
func locateDir(name, dir string) (source, error) {
	d, err := weights.OpenModelDir(dir)
	if err != nil {
		return source{}, err
	}
	s := source{name: name, weights: d.Weights, config: d.Config, files: os.DirFS(dir)}
	if about, err := readSmall(filepath.Join(dir, aboutName)); err == nil {
		s.about = string(about)
	}
	return s, nil
}

// locateFS finds the parts in a file system.
func locateFS(fsys fs.FS, name string) (source, error) {
	s := source{name: name, weights: "open_clip_model.safetensors", files: fsys}
	var err error
	if s.config, err = fs.ReadFile(fsys, weights.ConfigName); err != nil {
		return s, err
	}
	if about, err := fs.ReadFile(fsys, aboutName); err == nil {
		s.about = string(about)
	}
	return s, nil
}

// locateFile takes a bare weights file; the folder it is in may have a tokenizer.
func locateFile(path, arch string) (source, error) {
	s := source{name: path, weights: path, files: os.DirFS(filepath.Dir(path))}
	if arch == "" {
		return s, nil
	}
	if model.IsNamed(arch) {
		s.arch = arch
		return s, nil
	}
	var err error
	s.config, err = readSmall(arch)
	if errors.Is(err, fs.ErrNotExist) {
		return s, &NameError{arch, "the path of an open_clip_config.json or one of " + strings.Join(model.Names(), ", ") + " as architecture"}
	}
	return s, err
}

// readSmall reads a file of bounded size.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSmallFile+1))
	if err == nil && len(data) > maxSmallFile {
		err = fmt.Errorf("%s: want at most %d bytes, got more", path, maxSmallFile)
	}
	return data, err
}

// architecture is the config of the model: the folder's, the named one's, or
// the built-in one whose tensors have these shapes.
func (s source) architecture(tensors nn.Source) (model.Config, error) {
	if s.cfg != nil {
		return *s.cfg, s.cfg.Validate()
	}
	if s.config != nil {
		return model.ParseConfig(s.config)
	}
	if s.arch != "" {
		return model.Named(s.arch)
	}
	for _, name := range model.Names() {
		cfg, err := model.Named(name)
		if err == nil && fits(cfg, tensors) {
			return cfg, nil
		}
	}
	return model.Config{}, &NameError{s.weights, "tensors of one of " + strings.Join(model.Names(), ", ") +
		"; for another architecture name its config (--arch)"}
}

// fits reports whether a file has the tensors of an architecture. Tables of
// positions may have other lengths, since they are resized on load.
func fits(cfg model.Config, tensors nn.Source) bool {
	for _, t := range model.Tensors(cfg) {
		got, ok := tensors.Shape(t.Name)
		if !ok || len(got) != len(t.Shape) && len(t.Shape) > 0 {
			return false
		}
		for i, n := range t.Shape {
			if got[i] != n && !(i == 0 && strings.HasSuffix(t.Name, "positional_embedding")) {
				return false
			}
		}
	}
	return true
}

// preprocessing is the folder's preprocess_cfg, at the size of the model.
func (s source) preprocessing(cfg model.Config) (preprocess.Config, error) {
	size := cfg.Vision.ImageSize
	pre, err := parsePreprocessing(s.config, size.Height)
	pre.Height, pre.Width = size.Height, size.Width // whatever the file says, as in OpenCLIP
	return pre, err
}

// tokenizer is the model's own, if its config names one, else CLIP's.
func (s source) tokenizer(cfg model.Config) (*tokenizer.Tokenizer, error) {
	t := tokenizer.CLIP()
	if cfg.Text.HFTokenizerName != "" {
		if s.files == nil {
			return nil, &NameError{s.weights, "tokenizer files beside the weights (the config names " + cfg.Text.HFTokenizerName + ")"}
		}
		var err error
		if t, err = tokenizer.Load(s.files); err != nil {
			return nil, err
		}
	}
	if clean := cfg.Text.TokenizerKwargs.Clean; clean != "" {
		mode, err := tokenizer.ParseClean(clean)
		if err != nil {
			return nil, err
		}
		t = t.WithClean(mode)
	}
	if t.VocabSize() > cfg.Text.VocabSize {
		return nil, fmt.Errorf("tokenizer: want at most the %d ids of the model's vocabulary, got %d", cfg.Text.VocabSize, t.VocabSize())
	}
	return t, nil
}
