package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Gather takes rows by their numbers: x [..., d], rows [..] int32 → [.., d], the rows of
// x counted over all its axes but the last. The number −1 stands for a row of zeros.
type Gather struct{ core }

// Gather applies the operator [Gather].
func (b *Builder) Gather(x, rows *G.Node) *G.Node {
	if !b.usable("Gather", x, rows) {
		return nil
	}
	return b.apply(&Gather{b.core("Gather", "", rows.Dims()+1, x, rows)}, x, rows)
}

// InferShape implements gorgonia.Op.
func (o *Gather) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	if len(s[0]) < 2 {
		return nil, &ShapeError{o.kind, "x", "[..., d]", s[0]}
	}
	return append(s[1].Clone(), last(s[0])), nil
}

// Do implements gorgonia.Op.
func (o *Gather) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *Gather) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	return y, o.Run(Floats(y), Floats(in[0]), Ints(in[1]), last(in[0].Shape()))
}

// Run computes the operator on slices of rows of d floats.
func (o *Gather) Run(y, x []float32, rows []int32, d int) error {
	if err := checkRows(o.kind, rows, len(x)/d); err != nil {
		return err
	}
	for i, r := range rows {
		dst := y[i*d:][:d]
		if r < 0 {
			clear(dst)
			continue
		}
		copy(dst, x[int(r)*d:])
	}
	return nil
}

func checkRows(kind string, rows []int32, n int) error {
	for i, r := range rows {
		if r < -1 || int(r) >= n {
			return fmt.Errorf("%s: row %d: want -1 to %d, got %d", kind, i, n-1, r)
		}
	}
	return nil
}

// Cost implements Operator.
func (o *Gather) Cost(out tensor.Shape, _ []tensor.Shape) Cost { return Cost{Bytes: moved(out, out)} }

// DiffWRT implements gorgonia.SDOp.
func (o *Gather) DiffWRT(n int) []bool { return firstOnly(n) }

// SymDiff implements gorgonia.SDOp.
func (o *Gather) SymDiff(in G.Nodes, _, grad *G.Node) (G.Nodes, error) {
	b, rows := o.b, in[1]
	if !b.usable("GatherGrad", grad, rows) {
		return nil, b.err
	}
	shape := in[0].Shape()
	g := &GatherGrad{b.core("GatherGrad", fmt.Sprint(shape), len(shape), grad, rows), shape.Clone()}
	return o.done(b.apply(g, grad, rows), nil)
}

// GatherGrad adds each row of dy [.., d] to the row of the result, which has the given
// Shape [..., d], that its number names; rows that no number names are zeros.
type GatherGrad struct {
	core
	Shape tensor.Shape
}

// InferShape implements gorgonia.Op.
func (o *GatherGrad) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	if d := last(o.Shape); last(s[0]) != d || rowsOf(s[0]) != volume(s[1]) {
		return nil, &ShapeError{o.kind, "gradient", fmt.Sprintf("%d rows of %d", volume(s[1]), d), s[0]}
	}
	return o.Shape.Clone(), nil
}

// Do implements gorgonia.Op.
func (o *GatherGrad) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *GatherGrad) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	return y, o.Run(Floats(y), Floats(in[0]), Ints(in[1]))
}

// Run computes the operator on slices.
func (o *GatherGrad) Run(dx, dy []float32, rows []int32) error {
	d := last(o.Shape)
	if err := checkRows(o.kind, rows, len(dx)/d); err != nil {
		return err
	}
	clear(dx)
	for i, r := range rows {
		if r < 0 {
			continue
		}
		dst := dx[int(r)*d:][:d]
		for j, v := range dy[i*d:][:d] {
			dst[j] += v
		}
	}
	return nil
}

// Cost implements Operator.
func (o *GatherGrad) Cost(out tensor.Shape, in []tensor.Shape) Cost {
	return Cost{Flops: int64(volume(in[0])), Bytes: moved(out, in[0])}
}
