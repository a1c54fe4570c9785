package coca

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/seed-e0874532/coca/internal/infer"
	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn"
	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/preprocess"
	"github.com/seed-e0874532/coca/tokenizer"
	"github.com/seed-e0874532/coca/weights"
)

// Model is a loaded CoCa with its tokenizer and its preprocessing.
type Model struct {
	name   string
	cfg    model.Config
	pre    preprocess.Config
	tok    *tokenizer.Tokenizer
	tokErr error // why there is none
	run    *infer.Runtime
	file   *weights.File
	about  string
}

// Option changes how a model is loaded.
type Option func(*options)

type options struct {
	pretrained string
	arch       string
	threads    int
	device     exec.Device
	pull       Puller
}

// WithPretrained names the weights of a built-in architecture: a tag such as
// "mscoco_finetuned_laion2b_s13b_b90k", or a file.
func WithPretrained(tagOrFile string) Option { return func(o *options) { o.pretrained = tagOrFile } }

// WithArch says what a bare weights file holds: the name of a built-in
// architecture, or the path of an open_clip_config.json. Without it the
// architecture is recognised from the shapes.
func WithArch(nameOrConfig string) Option { return func(o *options) { o.arch = nameOrConfig } }

// WithThreads sets the number of threads; 0, the default, means one per processor.
func WithThreads(n int) Option { return func(o *options) { o.threads = n } }

// WithDevice runs the model on another device than the CPU. The model closes it.
func WithDevice(d exec.Device) Option { return func(o *options) { o.device = d } }

// Load loads a model. The name is, as in OpenCLIP,
//
//   - the name of a built-in architecture, with [WithPretrained];
//   - hf-hub:ORG/REPO, or local-dir:PATH;
//   - the path of a folder with open_clip_config.json and weights;
//   - the path of a weights file, see [WithArch].
//
// A model from the hub is downloaded into the hub's cache if it is not there.
func Load(ctx context.Context, name string, opts ...Option) (*Model, error) {
	o := options{pull: pullFromHub}
	for _, opt := range opts {
		opt(&o)
	}
	src, err := locate(ctx, name, o)
	if err != nil {
		return nil, err
	}
	return src.open(o)
}

// open reads what was located.
func (s source) open(o options) (*Model, error) {
	file, err := weights.Open(s.weights)
	if err != nil {
		return nil, err
	}
	tensors, err := newFileSource(file)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	m := &Model{name: s.name, file: file, about: s.about}
	err = file.Guard(func() error { return m.build(s, tensors, o) })
	if err != nil {
		if m.run != nil {
			err = errors.Join(err, m.run.Close())
		}
		return nil, errors.Join(err, file.Close())
	}
	return m, nil
}

// build makes the model of located weights.
func (m *Model) build(s source, tensors nn.Source, o options) error {
	var err error
	if m.cfg, err = s.architecture(tensors); err != nil {
		return err
	}
	core, err := model.New(m.cfg, tensors)
	if err != nil {
		return fmt.Errorf("%s: %w", s.weights, err)
	}
	m.pre, err = s.preprocessing(m.cfg)
	if err != nil {
		return err
	}
	m.tok, m.tokErr = s.tokenizer(m.cfg)
	dev := o.device
	if dev == nil {
		if dev, err = exec.NewCPU(o.threads); err != nil {
			return err
		}
	}
	m.run = infer.New(core, dev)
	return nil
}

// Open loads a model from a file system, such as an embedded one: a folder
// that holds open_clip_config.json, open_clip_model.safetensors and tokenizer
// files. The weights are read into memory.
func Open(fsys fs.FS, opts ...Option) (*Model, error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	config, err := fs.ReadFile(fsys, weights.ConfigName)
	if err != nil {
		return nil, err
	}
	data, err := fs.ReadFile(fsys, "open_clip_model.safetensors")
	if err != nil {
		return nil, err
	}
	file, err := weights.OpenBytes("open_clip_model.safetensors", data)
	if err != nil {
		return nil, err
	}
	tensors, err := newFileSource(file)
	if err != nil {
		return nil, err
	}
	m := &Model{file: file}
	if about, err := fs.ReadFile(fsys, aboutName); err == nil {
		m.about = string(about)
	}
	if err := m.build(source{config: config, files: fsys, weights: "open_clip_model.safetensors"}, tensors, o); err != nil {
		return nil, err
	}
	return m, nil
}

// Close gives back threads and memory. Calls that are running finish first.
func (m *Model) Close() error {
	return errors.Join(m.run.Close(), m.file.Close())
}
