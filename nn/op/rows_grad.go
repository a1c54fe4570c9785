package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// DiffWRT implements gorgonia.SDOp.
func (o *Rows) DiffWRT(n int) []bool { return all(n) }

// SymDiff implements gorgonia.SDOp.
func (o *Rows) SymDiff(in G.Nodes, _, grad *G.Node) (G.Nodes, error) {
	b, tokens := o.b, in[0].Shape()[1]
	if !b.usable("RowsGrad", grad) {
		return nil, b.err
	}
	return o.done(b.apply(&RowsGrad{b.core("RowsGrad", o.attrs, 3, grad), o.Lo, tokens}, grad))
}

// RowsGrad puts rows back where [Rows] took them, zeros elsewhere:
// dy [B, T', d] → [B, Tokens, d], from row Lo on.
type RowsGrad struct {
	core
	Lo, Tokens int
}

// InferShape implements gorgonia.Op.
func (o *RowsGrad) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	if g := s[0]; len(g) != 3 || o.Lo+g[1] > o.Tokens {
		return nil, &ShapeError{o.kind, "gradient", fmt.Sprintf("[B, <=%d, d]", o.Tokens-o.Lo), g}
	}
	return tensor.Shape{s[0][0], o.Tokens, s[0][2]}, nil
}

// Do implements gorgonia.Op.
func (o *RowsGrad) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *RowsGrad) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	o.Run(Floats(y), Floats(in[0]), in[0].Shape())
	return y, nil
}

// Run computes the operator on slices; dy has the given shape.
func (o *RowsGrad) Run(dx, dy []float32, shape tensor.Shape) {
	n, from, item := shape[1]*shape[2], o.Lo*shape[2], o.Tokens*shape[2]
	for ; len(dy) > 0; dx, dy = dx[item:], dy[n:] {
		clear(dx[:from])
		copy(dx[from:], dy[:n])
		clear(dx[from+n : item])
	}
}

// Cost implements Operator.
func (o *RowsGrad) Cost(out tensor.Shape, in []tensor.Shape) Cost {
	return Cost{Bytes: moved(out, in...)}
}

// DiffWRT implements gorgonia.SDOp.
func (o *Pool) DiffWRT(n int) []bool { return firstOnly(n) }

// SymDiff implements gorgonia.SDOp.
func (o *Pool) SymDiff(in G.Nodes, _, grad *G.Node) (G.Nodes, error) {
	b, tokens := o.b, in[0].Shape()[1]
	operands := append([]*G.Node{grad}, in[1:]...)
	if !b.usable("PoolGrad", operands...) {
		return nil, b.err
	}
	g := &PoolGrad{b.core("PoolGrad", o.attrs, 3, operands...), o, tokens}
	return o.done(append([]*G.Node{b.apply(g, operands...)}, make([]*G.Node, len(in)-1)...)...)
}

// PoolGrad gives the gradient of a [Pool] back to the rows that it read:
// dy [B, d] (and ids [B, L]) → [B, Tokens, d].
type PoolGrad struct {
	core
	of     *Pool
	Tokens int
}

// InferShape implements gorgonia.Op.
func (o *PoolGrad) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	if len(s[0]) != 2 {
		return nil, &ShapeError{o.kind, "gradient", "[B, d]", s[0]}
	}
	return tensor.Shape{s[0][0], o.Tokens, s[0][1]}, nil
}

// Do implements gorgonia.Op.
func (o *PoolGrad) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *PoolGrad) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	var ids []int32
	if len(in) > 1 {
		ids = Ints(in[1])
	}
	o.Run(Floats(y), Floats(in[0]), ids, in[0].Shape())
	return y, nil
}

// Run computes the operator on slices; dy has the given shape.
func (o *PoolGrad) Run(dx, dy []float32, ids []int32, shape tensor.Shape) {
	batch, d := shape[0], shape[1]
	clear(dx)
	for item := range batch {
		rows, g := dx[item*o.Tokens*d:][:o.Tokens*d], dy[item*d:][:d]
		if o.of.How == Mean {
			scale := 1 / float64(o.Tokens-o.of.From)
			for at := o.of.From * d; at < len(rows); at += d {
				for i, v := range g {
					rows[at+i] = float32(float64(v) * scale)
				}
			}
			continue
		}
		row := o.of.Row
		if o.of.How != Pick {
			n := len(ids) / batch
			row = o.of.find(ids[item*n:][:n])
		}
		copy(rows[row*d:], g)
	}
}

// Cost implements Operator.
func (o *PoolGrad) Cost(out tensor.Shape, in []tensor.Shape) Cost {
	return Cost{Bytes: moved(out, in[0])}
}

// DiffWRT implements gorgonia.SDOp: ids have no gradient.
func (o *PaddingMask) DiffWRT(n int) []bool { return make([]bool, n) }

// SymDiff implements gorgonia.SDOp.
func (o *PaddingMask) SymDiff(in G.Nodes, _, _ *G.Node) (G.Nodes, error) {
	return o.done(make([]*G.Node, len(in))...)
}
