package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// DiffWRT implements gorgonia.SDOp: nobody asks for the gradient of pixels.
func (o *Patches) DiffWRT(n int) []bool { return make([]bool, n) }

// SymDiff implements gorgonia.SDOp.
func (o *Patches) SymDiff(in G.Nodes, _, _ *G.Node) (G.Nodes, error) {
	return o.done(make([]*G.Node, len(in))...)
}

// DiffWRT implements gorgonia.SDOp.
func (o *Embed) DiffWRT(int) []bool { return []bool{false, true} }

// SymDiff implements gorgonia.SDOp.
func (o *Embed) SymDiff(in G.Nodes, _, grad *G.Node) (G.Nodes, error) {
	b, ids := o.b, in[0]
	if !b.usable("EmbedGrad", ids, grad) {
		return nil, b.err
	}
	rows := in[1].Shape()[0]
	return o.done(nil, b.apply(&EmbedGrad{b.core("EmbedGrad", fmt.Sprint(rows), 2, ids, grad), rows}, ids, grad))
}

// EmbedGrad adds each row of dy [..., d] to the row of the table's gradient
// [V, d] that its id names, in the order of the ids.
type EmbedGrad struct {
	core
	Rows int // V
}

// InferShape implements gorgonia.Op.
func (o *EmbedGrad) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	if volume(s[0]) != rowsOf(s[1]) {
		return nil, &ShapeError{o.kind, "gradient", fmt.Sprintf("%d rows", volume(s[0])), s[1]}
	}
	return tensor.Shape{o.Rows, last(s[1])}, nil
}

// Do implements gorgonia.Op.
func (o *EmbedGrad) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *EmbedGrad) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	ids, dy, d := Ints(in[0]), Floats(in[1]), last(in[1].Shape())
	if err := (&Embed{}).Check(ids, o.Rows); err != nil {
		return nil, err
	}
	sums := make([]float64, o.Rows*d)
	for i, id := range ids {
		for c := range d {
			sums[int(id)*d+c] += float64(dy[i*d+c])
		}
	}
	return y, narrow(Floats(y), sums)
}

// Cost implements Operator.
func (o *EmbedGrad) Cost(out tensor.Shape, in []tensor.Shape) Cost {
	return Cost{Flops: int64(volume(in[1])), Bytes: moved(out, in[1])}
}

// DiffWRT implements gorgonia.SDOp.
func (o *Positions) DiffWRT(n int) []bool { return all(n) }

// SymDiff implements gorgonia.SDOp: dx is the gradient's rows of the tokens;
// the gradients of table and class token are its sums over the batch.
func (o *Positions) SymDiff(in G.Nodes, _, grad *G.Node) (G.Nodes, error) {
	b, tokens := o.b, in[0].Shape()[1]
	first, class := 0, tokens
	if o.Place == First {
		first, class = 1, 0
	}
	gradients := []*G.Node{b.Rows(grad, first, first+tokens), b.batchSum(grad, 0, grad.Shape()[1], o.Place == End, in[1].Shape())}
	if o.Place != Nowhere {
		gradients = append(gradients, b.batchSum(grad, class, class+1, false, in[2].Shape()))
	}
	return o.done(gradients...)
}

// BatchSum is the sum over the batch of the rows Lo to Hi of x [B, T, d], in the
// given shape: [P, d] of which the rows beyond Hi − Lo are 0, or [d] for one row.
// With End, the last of the rows goes to the shape's last row.
type BatchSum struct {
	core
	Lo, Hi int
	End    bool
	Shape  tensor.Shape
}

func (b *Builder) batchSum(x *G.Node, lo, hi int, end bool, shape tensor.Shape) *G.Node {
	if !b.usable("BatchSum", x) {
		return nil
	}
	attrs := fmt.Sprintf("%d:%d of %v", lo, hi, shape)
	if end {
		attrs += ", last at the end"
	}
	o := &BatchSum{b.core("BatchSum", attrs, len(shape), x), lo, hi, end, shape.Clone()}
	return b.apply(o, x)
}

// InferShape implements gorgonia.Op.
func (o *BatchSum) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	if x := s[0]; len(x) != 3 || x[1] < o.Hi || last(x) != last(o.Shape) || (o.Hi-o.Lo)*last(x) > volume(o.Shape) {
		return nil, &ShapeError{o.kind, "x", fmt.Sprintf("[B, >=%d, %d]", o.Hi, last(o.Shape)), x}
	}
	return o.Shape.Clone(), nil
}

// Do implements gorgonia.Op.
func (o *BatchSum) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *BatchSum) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	o.Run(Floats(y), Floats(in[0]), in[0].Shape())
	return y, nil
}

// Run computes the operator on slices; x has the given shape.
func (o *BatchSum) Run(y, x []float32, shape tensor.Shape) {
	n, d, item := (o.Hi-o.Lo)*shape[2], shape[2], shape[1]*shape[2]
	for i := range n {
		sum := 0.0
		for at := o.Lo*d + i; at < len(x); at += item {
			sum += float64(x[at])
		}
		y[i] = float32(sum)
	}
	if o.End && n < len(y) {
		copy(y[len(y)-d:], y[n-d:n])
		n -= d
		clear(y[n : len(y)-d])
		return
	}
	clear(y[n:])
}

// Cost implements Operator.
func (o *BatchSum) Cost(out tensor.Shape, in []tensor.Shape) Cost {
	n := int64(in[0][0]) * int64(o.Hi-o.Lo) * int64(last(in[0]))
	return Cost{Flops: n, Bytes: 4*n + moved(out)}
}
