package train

import (
	"fmt"
	"slices"

	"github.com/seed-e0874532/coca/nn"
)

// alignment is the number of floats (a cache line of 64 bytes) at whose
// multiples the tensors of a slab begin, so that no two threads write to one line.
const alignment = 16

// Parameter is a tensor that training changes. Its memory is part of the slabs
// of its [Parameters].
type Parameter struct {
	Name  string
	Shape []int // as OpenCLIP has it; empty for a scalar

	Value []float32

	// Gradient is nil for a tensor that the losses do not depend on. Such a
	// tensor stays as it is: it is not even decayed.
	Gradient []float32

	at int // first element in the slabs
}

// Parameters are the tensors to train, each a part of one slab of values and
// of one of gradients. A tensor that is to stay as it is has no place here.
type Parameters struct {
	All               []*Parameter // in the order given
	Values, Gradients []float32    // the slabs, with the same layout

	names map[string]*Parameter
}

// NewParameters allocates values and gradients, all zero, for tensors in
// OpenCLIP's state-dict order, such as those of model.CoCa.Tensors.
func NewParameters(tensors []nn.Info) (*Parameters, error) {
	p := &Parameters{names: map[string]*Parameter{}}
	total := 0
	for _, info := range tensors {
		n := 1
		for _, d := range info.Shape {
			if d < 1 || n > 1<<40/d {
				return nil, &ParameterError{info.Name, "shape", "positive sides and at most 2^40 elements", fmt.Sprint(info.Shape)}
			}
			n *= d
		}
		if p.names[info.Name] != nil {
			return nil, &ParameterError{info.Name, "name", "each name once", "twice"}
		}
		t := &Parameter{Name: info.Name, Shape: slices.Clone(info.Shape), at: total}
		p.All, p.names[info.Name] = append(p.All, t), t
		total += (n + alignment - 1) / alignment * alignment
	}
	p.Values, p.Gradients = make([]float32, total), make([]float32, total)
	for _, t := range p.All {
		n := product(t.Shape)
		t.Value = p.Values[t.at:][:n:n]
	}
	return p, nil
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// Lookup returns the parameter of that name, or nil.
func (p *Parameters) Lookup(name string) *Parameter { return p.names[name] }

// Memory is the function that [NewStep] asks for the memory of gradients: a
// parameter's is its part of the slab, and from then on the parameter has a
// gradient. A tensor that is not to be trained has none.
func (p *Parameters) Memory(name string, elements int) []float32 {
	t := p.names[name]
	if t == nil || len(t.Value) != elements {
		return nil
	}
	t.Gradient = p.Gradients[t.at:][:elements:elements]
	return t.Gradient
}

// ParameterError reports a tensor, or the optimizer's state of one, that does
// not fit the model.
type ParameterError struct {
	Name  string // of the tensor
	Thing string // what about it is wrong
	Want  string
	Found string
}

func (e *ParameterError) Error() string {
	return fmt.Sprintf("train: %s of tensor %q: want %s, found %s", e.Thing, e.Name, e.Want, e.Found)
}

// Load copies the values of all parameters from a source, whose tensors must
// have as many elements. An error is a [ParameterError] or the source's.
func (p *Parameters) Load(src nn.Source) error {
	for _, t := range p.All {
		values, err := src.Float32(t.Name)
		if err != nil {
			return err
		}
		if len(values) != len(t.Value) {
			return &ParameterError{t.Name, "values", fmt.Sprint(len(t.Value), " elements"), fmt.Sprint(len(values))}
		}
		copy(t.Value, values)
	}
	return nil
}

// Source is a source for model.New that gives the parameters in place, so that the
// model computes with what the optimizer writes, and all other tensors from base.
func (p *Parameters) Source(base nn.Source) nn.Source { return overlay{base, p} }

type overlay struct {
	nn.Source
	parameters *Parameters
}

func (o overlay) Shape(name string) ([]int, bool) {
	if t := o.parameters.names[name]; t != nil {
		return t.Shape, true
	}
	return o.Source.Shape(name)
}

func (o overlay) Float32(name string) ([]float32, error) {
	if t := o.parameters.names[name]; t != nil {
		return t.Value, nil
	}
	return o.Source.Float32(name)
}
