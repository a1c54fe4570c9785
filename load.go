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
	"github.com/seed-e0874532/coca/weights"
)

// Model is a loaded CoCa with its tokenizer and its preprocessing.
type Model struct {
	*Spec
	run       *infer.Runtime
	file      *weights.File
	tensors   *fileSource // nil without a file
	precision Precision
}

// Option changes how a model is loaded.
type Option func(*options)

type options struct {
	pretrained string
	arch       string
	threads    int
	precision  *Precision // nil: as the file is stored if it is packed, else float32
	device     exec.Device
	pull       Puller
}

func loadOptions(opts []Option) options {
	o := options{pull: pullFromHub}
	for _, opt := range opts {
		opt(&o)
	}
	return o
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

// Precision is the type in which a device keeps the weights of linear maps.
type Precision = exec.Precision

// Precisions. Everything but the weights of linear maps stays float32.
const (
	FP32 = exec.FP32
	BF16 = exec.BF16
	Int8 = exec.Int8
)

// ParsePrecision reads fp32, bf16 or int8.
func ParsePrecision(name string) (Precision, error) { return exec.ParsePrecision(name) }

// WithPrecision keeps the weights of linear maps in a narrower type; the
// default is float32.
func WithPrecision(p Precision) Option { return func(o *options) { o.precision = &p } }

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
// Weights stay in the mapped file as far as possible: do not change it while
// the model is open.
func Load(ctx context.Context, name string, opts ...Option) (*Model, error) {
	o := loadOptions(opts)
	src, err := locate(ctx, name, o)
	if err != nil {
		return nil, err
	}
	file, err := weights.Open(src.weights)
	if err != nil {
		return nil, err
	}
	return open(src, file, o)
}

// Open loads a model folder from a file system, such as an embedded one:
// open_clip_config.json, open_clip_model.safetensors and tokenizer files.
func Open(fsys fs.FS, name string, opts ...Option) (*Model, error) {
	src, err := locateFS(fsys, name)
	if err != nil {
		return nil, err
	}
	data, err := fs.ReadFile(fsys, src.weights)
	if err != nil {
		return nil, err
	}
	file, err := weights.OpenBytes(src.weights, data)
	if err != nil {
		return nil, err
	}
	return open(src, file, loadOptions(opts))
}

// open makes a model of an open file, which it closes if it fails.
func open(src source, file *weights.File, o options) (*Model, error) {
	m := &Model{file: file}
	err := file.Guard(func() error {
		var err error
		if m.tensors, err = newFileSource(file); err != nil {
			return err
		}
		return m.build(src, m.tensors, o)
	})
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return m, nil
}

// New makes a model of weights that come from elsewhere than a file. Its
// tokenizer is CLIP's and its preprocessing OpenCLIP's default.
func New(cfg model.Config, weights nn.Source, opts ...Option) (*Model, error) {
	m := &Model{}
	return m, m.build(source{name: "model", weights: "weights", cfg: &cfg}, weights, loadOptions(opts))
}

func (m *Model) build(src source, tensors nn.Source, o options) (err error) {
	if m.Spec, err = newSpec(src, tensors); err != nil {
		return err
	}
	dev, err := m.device(o)
	if err != nil {
		return err
	}
	core, err := model.New(m.cfg, tensors)
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", src.weights, err), dev.Close())
	}
	m.run = infer.New(core, dev)
	return nil
}

// device is the wanted one, or a CPU that uses weights as they are stored
// where it can.
func (m *Model) device(o options) (exec.Device, error) {
	if o.device != nil {
		if m.tensors != nil && m.tensors.pack != nil {
			return nil, &PackError{m.tensors.path, "device", "the CPU that the weights were packed for", o.device.Name()}
		}
		return o.device, nil
	}
	cpu := exec.CPUOptions{Threads: o.threads}
	var attention *Precision // nil: the usual one
	if o.precision != nil {
		m.precision = *o.precision
	}
	if t := m.tensors; t != nil {
		if t.pack != nil {
			if o.precision != nil && *o.precision != t.pack.precision {
				return nil, &PackError{t.path, "precision", precisionName(*o.precision), precisionName(t.pack.precision)}
			}
			m.precision, attention = t.pack.precision, t.pack.attention
		}
		t.precision = m.precision
		t.standIn()
		cpu.Prepared, cpu.Packed = t.prepared, t.released
	}
	cpu.Precision = m.precision
	d, err := exec.NewCPUWith(cpu)
	if err == nil && attention != nil {
		d.TreatAttention(*attention)
	}
	return d, err
}

// Close gives back threads and memory. Calls that are running finish first;
// later ones fail.
func (m *Model) Close() error {
	err := m.run.Close()
	if m.file != nil {
		err = errors.Join(err, m.file.Close())
	}
	return err
}

// guard runs f, which reads the weights, such that a file that shrinks
// meanwhile is an error and not a crash.
func (m *Model) guard(f func() error) error {
	if m.file == nil {
		return f()
	}
	return m.file.Guard(f)
}
