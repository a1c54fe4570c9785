package train

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/nn/op"
)

// Step is a compiled training step: it computes the losses of a batch and the
// gradient of every tensor that they depend on. A run does not allocate.
type Step struct {
	*exec.Program
	Graph *model.TrainGraph

	// Gradients holds the gradient of each tensor, by the names of
	// [model.CoCa.Tensors], row-major as the tensor itself.
	Gradients map[string][]float32
}

// NewStep compiles a graph for a device. memory gives the memory of the gradient of a
// tensor, such as a part of a slab; a gradient that it gives none for is not computed, nor
// what only that would need. Without memory, each gradient has its own.
func NewStep(g *model.TrainGraph, dev exec.Device, memory func(name string, elements int) []float32) (*Step, error) {
	return newStep(g, dev, new(exec.Arena), memory)
}

func newStep(g *model.TrainGraph, dev exec.Device, arena *exec.Arena, memory func(name string, elements int) []float32) (*Step, error) {
	if memory == nil {
		memory = func(_ string, n int) []float32 { return make([]float32, n) }
	}
	s := &Step{Graph: g, Gradients: map[string][]float32{}}
	// The losses come first: the caption loss's gradient takes over the memory of the logits.
	outputs, into := []*G.Node{g.Loss}, map[*G.Node]*tensor.Dense{}
	for _, n := range []*G.Node{g.Contrastive, g.Caption} {
		if n != nil && n != g.Loss {
			outputs = append(outputs, n)
		}
	}
	for _, d := range g.Gradients() {
		if s.Gradients[d.Name] == nil {
			m := memory(d.Name, d.Elements)
			if m == nil {
				continue
			}
			s.Gradients[d.Name] = m
		}
		n := d.Node.Shape().TotalSize()
		into[d.Node] = op.TensorOf(s.Gradients[d.Name][d.At:][:n:n], d.Node.Shape()...)
		outputs = append(outputs, d.Node)
	}
	var err error
	s.Program, err = arena.CompileTo(dev, into, outputs...)
	return s, err
}

// Losses are the weighted losses of the last run; one of weight 0 is 0.
func (s *Step) Losses() (contrastive, caption float32) {
	if n := s.Graph.Contrastive; n != nil {
		contrastive = s.Floats(n)[0]
	}
	caption = s.Floats(s.Graph.Caption)[0]
	return contrastive, caption
}
