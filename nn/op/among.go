package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Among puts the rows of a batch among those of all batches of an accumulated
// step: all [N, E], own [B, E], at [1] int32 → [N, E], which is all but for
// rows at·B to (at+1)·B, which are own. Only own has a gradient, as OpenCLIP's cached features have none.
type Among struct{ core }

// Among applies the operator [Among].
func (b *Builder) Among(all, own, at *G.Node) *G.Node {
	if !b.usable("Among", all, own, at) {
		return nil
	}
	return b.apply(&Among{b.core("Among", "", 2, all, own, at)}, all, own, at)
}

// InferShape implements gorgonia.Op.
func (o *Among) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	if len(s[0]) != 2 {
		return nil, &ShapeError{o.kind, "all", "[N, E]", s[0]}
	}
	if own := s[1]; len(own) != 2 || own[1] != s[0][1] || own[0] > s[0][0] {
		return nil, &ShapeError{o.kind, "own", fmt.Sprintf("[<=%d, %d]", s[0][0], s[0][1]), own}
	}
	return s[0].Clone(), nil
}

// Do implements gorgonia.Op.
func (o *Among) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *Among) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	return y, o.Run(Floats(y), Floats(in[0]), Floats(in[1]), Ints(in[2]))
}

// Run computes the operator on slices.
func (o *Among) Run(y, all, own []float32, at []int32) error {
	rows, err := among(y, len(own), at)
	if err != nil {
		return err
	}
	copy(y, all)
	copy(rows, own)
	return nil
}

// among are the n floats of y that belong to the batch with the number at[0].
func among(y []float32, n int, at []int32) ([]float32, error) {
	first := int(at[0]) * n
	if first < 0 || first+n > len(y) {
		return nil, fmt.Errorf("Among: batch: want 0 to %d, got %d", len(y)/n-1, at[0])
	}
	return y[first:][:n], nil
}

// Cost implements Operator.
func (o *Among) Cost(out tensor.Shape, in []tensor.Shape) Cost { return Cost{Bytes: moved(out, out)} }

// DiffWRT implements gorgonia.SDOp.
func (o *Among) DiffWRT(int) []bool { return []bool{false, true, false} }

// SymDiff implements gorgonia.SDOp.
func (o *Among) SymDiff(in G.Nodes, _, grad *G.Node) (G.Nodes, error) {
	b, at := o.b, in[2]
	if !b.usable("AmongGrad", grad, at) {
		return nil, b.err
	}
	rows := in[1].Shape()[0]
	return o.done(nil, b.apply(&AmongGrad{b.core("AmongGrad", fmt.Sprint(rows), 2, grad, at), rows}, grad, at), nil)
}

// AmongGrad is the gradient of an [Among]'s own rows: those of dy [N, E].
type AmongGrad struct {
	core
	Rows int // B
}

// InferShape implements gorgonia.Op.
func (o *AmongGrad) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	if len(s[0]) != 2 || s[0][0] < o.Rows {
		return nil, &ShapeError{o.kind, "gradient", fmt.Sprintf("[>=%d, E]", o.Rows), s[0]}
	}
	return tensor.Shape{o.Rows, s[0][1]}, nil
}

// Do implements gorgonia.Op.
func (o *AmongGrad) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *AmongGrad) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	return y, o.Run(Floats(y), Floats(in[0]), Ints(in[1]))
}

// Run computes the operator on slices.
func (o *AmongGrad) Run(y, dy []float32, at []int32) error {
	rows, err := among(dy, len(y), at)
	copy(y, rows)
	return err
}

// Cost implements Operator.
func (o *AmongGrad) Cost(out tensor.Shape, _ []tensor.Shape) Cost {
	return Cost{Bytes: moved(out, out)}
}
