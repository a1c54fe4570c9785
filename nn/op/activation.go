package op

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-e0874532/coca/internal/kernel"
)

// Activation is act(x), x [..., d]. Layers do not use it, since a [Linear]
// applies its own; an executor that has the map's result before the activation
// at hand computes the rest by it.
type Activation struct {
	core
	Act kernel.Activation
}

// NewActivation is the operator for operands of the given rank. It belongs to no graph.
func NewActivation(act kernel.Activation, rank int) *Activation {
	t := operandType{tensor.Float32, rank}
	return &Activation{core{kind: "Activation", attrs: act.String(), in: []operandType{t}, out: t}, act}
}

// InferShape implements gorgonia.Op.
func (o *Activation) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	return s[0].Clone(), nil
}

// Do implements gorgonia.Op.
func (o *Activation) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *Activation) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	dst := Floats(y)
	for i, v := range Floats(in[0]) {
		dst[i] = float32(activate(o.Act, float64(v)))
	}
	return y, nil
}

// Cost implements Operator. An activation counts ten operations.
func (o *Activation) Cost(out tensor.Shape, in []tensor.Shape) Cost {
	return Cost{Flops: 10 * int64(volume(out)), Bytes: moved(out, in...)}
}
