package coca

import (
	"fmt"

	"github.com/seed-e0874532/coca/internal/infer"
	"github.com/seed-e0874532/coca/internal/kernel"
	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn"
	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/nn/op"
	"github.com/seed-e0874532/coca/weights"
)

// Version is the semantic version of this module.
const Version = "0.1.0"

// Profiles are the releases of other software whose behaviour is reproduced.
const Profiles = "3.3 (open_clip 3.3.0, transformers 4.55.4), main (open_clip 4.2.0.dev0, transformers 5), Pillow 13.0.0"

// Tensors describes the weights as they are stored, nil if they did not come from a file.
func (m *Model) Tensors() []weights.Info {
	if m.file == nil {
		return nil
	}
	return m.file.Tensors()
}

// InstructionSet is the one that kernels use on this machine; an error if
// COCA_ISA asks for one that it lacks.
func InstructionSet() (string, error) { return kernel.ISA(), kernel.CheckISA() }

// Cost is what computations take at least.
type Cost = op.Cost

// Costs are the costs of a model's programs.
type Costs struct {
	Image Cost // encoding one image
	Text  Cost // encoding one text of full length
	Step  Cost // one token of one row, the caches being full

	// Caption is a caption of CaptionIDs ids by the default search, and
	// Recomputed the same as OpenCLIP 3.3.0 does it: six beams, each with its
	// own image, and no caches.
	Caption, Recomputed Cost
}

// CaptionIDs is the length of the caption that [Costs] counts.
const CaptionIDs = 15

// CostsOf counts operations and bytes of an architecture.
func CostsOf(cfg model.Config) (c Costs, err error) {
	core, err := model.New(cfg, zeros{model.Tensors(cfg)})
	if err != nil {
		return c, err
	}
	dev, err := exec.NewCPU(1, exec.FP32)
	if err != nil {
		return c, err
	}
	r := infer.New(core, dev)
	defer r.Close()
	if c.Image, c.Text, c.Step, err = r.Costs(); err != nil {
		return c, err
	}
	// The image once; one row in the first step, two in the others.
	steps := int64(min(CaptionIDs, cfg.MaxTokens()) - 1)
	c.Caption = c.Image.Plus(Cost{Flops: (2*steps - 1) * c.Step.Flops, Bytes: steps * c.Step.Bytes})
	c.Recomputed, err = r.Recomputed(int(steps)+1, 6)
	return c, err
}

// zeros hands out weights of zeros, of which no page is ever touched.
type zeros struct{ nn.List }

func (z zeros) Float32(name string) ([]float32, error) {
	shape, _ := z.Shape(name)
	return make([]float32, nn.Info{Shape: shape}.Elems()), nil
}

// Runtime gives access to the compiled programs, for the tools of this module.
func (m *Model) Runtime() *infer.Runtime { return m.run }

// Device names what the model runs on.
func (m *Model) Device() string { return m.run.Device().Name() }

// Parameters is the number of parameters.
func (m *Model) Parameters() (n int) {
	for _, t := range m.run.Model.Tensors() {
		n += t.Elems()
	}
	return n
}

// String names the model and its size.
func (m *Model) String() string {
	return fmt.Sprintf("%s: %d parameters on %s", m.name, m.Parameters(), m.Device())
}

// Graph builds the whole model's expression graph for one image and one text,
// on weights of zeros: to look at, not to run.
func (s *Spec) Graph() (*model.Graph, error) {
	core, err := model.New(s.cfg, zeros{model.Tensors(s.cfg)})
	if err != nil {
		return nil, err
	}
	length := s.cfg.Text.ContextLength
	return core.Graph(1, length, length-1)
}
