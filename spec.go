package coca

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn"
	"github.com/seed-e0874532/coca/preprocess"
	"github.com/seed-e0874532/coca/tokenizer"
	"github.com/seed-e0874532/coca/weights"
)

// Spec is all of a model but its weights: the architecture, how images are
// prepared, and the tokenizer.
type Spec struct {
	name   string
	cfg    model.Config
	pre    preprocess.Config
	tok    *tokenizer.Tokenizer
	tokErr error // why there is none
	about  string
}

// LoadSpec is [Load] without the weights. The name of a built-in architecture
// is enough here.
func LoadSpec(ctx context.Context, name string, opts ...Option) (*Spec, error) {
	o := loadOptions(opts)
	if model.IsNamed(name) && o.pretrained == "" {
		return newSpec(source{name: name, arch: name}, nil)
	}
	src, err := locate(ctx, name, o)
	if err != nil {
		return nil, err
	}
	if src.config != nil || src.arch != "" {
		return newSpec(src, nil)
	}
	file, err := weights.Open(src.weights)
	if err != nil {
		return nil, err
	}
	tensors, err := newFileSource(file)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	s, err := newSpec(src, tensors)
	return s, errors.Join(err, file.Close())
}

// OpenSpec is [Open] without the weights.
func OpenSpec(fsys fs.FS, name string) (*Spec, error) {
	src, err := locateFS(fsys, name)
	if err != nil {
		return nil, err
	}
	return newSpec(src, nil)
}

// newSpec reads everything but the weights; tensors are only looked at if the
// architecture must be recognised.
func newSpec(src source, tensors nn.Source) (*Spec, error) {
	cfg, err := src.architecture(tensors)
	if err != nil {
		return nil, err
	}
	pre, err := src.preprocessing(cfg)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", src.name, err)
	}
	s := &Spec{name: src.name, cfg: cfg, pre: pre, about: src.about}
	s.tok, s.tokErr = src.tokenizer(cfg)
	return s, nil
}

// Name is the name under which the model was loaded.
func (s *Spec) Name() string { return s.name }

// Config is the model's architecture.
func (s *Spec) Config() model.Config { return s.cfg }

// About is what the model folder says about itself, "" if nothing.
func (s *Spec) About() string { return s.about }

// Tokenizer is the model's tokenizer; an error if it has none that can be used.
func (s *Spec) Tokenizer() (*tokenizer.Tokenizer, error) { return s.tok, s.tokErr }

// Preprocessing says how images are prepared.
func (s *Spec) Preprocessing() preprocess.Config { return s.pre }

// Preprocess makes an image into what the model sees: [3, H, W], normalised.
func (s *Spec) Preprocess(img *Image) ([]float32, error) { return s.pre.Apply(img) }
