package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-e0874532/coca/internal/kernel"
)

// Gradients differentiates a scalar with respect to inputs of the graph, by
// Gorgonia's reverse-mode differentiation. The result has one node for each
// input; it is nil where the scalar does not depend on the input.
func (b *Builder) Gradients(cost *G.Node, inputs ...*G.Node) G.Nodes {
	if !b.usable("Gradients", append([]*G.Node{cost}, inputs...)...) {
		return nil
	}
	// Gorgonia refuses an input that the scalar does not depend on.
	depends := b.dependencies(cost)
	var wanted G.Nodes
	for _, n := range inputs {
		if depends[n] {
			wanted = append(wanted, n)
		}
	}
	found, err := G.Grad(cost, wanted...)
	if b.err == nil && err != nil {
		b.Fail(fmt.Errorf("differentiate %s: %w", cost.Op(), err))
	}
	if b.err != nil {
		return nil
	}
	gradients := make(G.Nodes, len(inputs))
	for i, n := range inputs {
		if depends[n] {
			gradients[i], found = found[0], found[1:]
		}
	}
	return gradients
}

// dependencies are the nodes that a node depends on differentiably.
func (b *Builder) dependencies(n *G.Node) map[*G.Node]bool {
	found := map[*G.Node]bool{}
	var visit func(n *G.Node)
	visit = func(n *G.Node) {
		if found[n] {
			return
		}
		found[n] = true
		o, ok := n.Op().(G.SDOp)
		if !ok {
			return
		}
		children := childrenOf(n)
		for i, yes := range o.DiffWRT(len(children)) {
			if yes {
				visit(children[i])
			}
		}
	}
	visit(n)
	return found
}

// childrenOf are the operands of a node, in order.
func childrenOf(n *G.Node) (list []*G.Node) {
	for it := n.Graph().From(n.ID()); it.Next(); {
		list = append(list, it.Node().(*G.Node))
	}
	return list
}

// firstOnly says that an operator is differentiable in its first operand and
// constant in the others (ids, masks).
func firstOnly(n int) []bool {
	diff := make([]bool, n)
	diff[0] = true
	return diff
}

// all says that an operator is differentiable in all operands.
func all(n int) []bool {
	diff := make([]bool, n)
	for i := range diff {
		diff[i] = true
	}
	return diff
}

// done hands gradients to Gorgonia, which stops at the first error.
func (c *core) done(gradients ...*G.Node) (G.Nodes, error) {
	if err := c.b.Err(); err != nil {
		return nil, err
	}
	return gradients, nil
}

// Sum adds operands of one shape.
type Sum struct{ core }

// Sum applies the operator [Sum]; the sum of one operand is the operand.
func (b *Builder) Sum(x ...*G.Node) *G.Node {
	if !b.usable("Sum", x...) {
		return nil
	}
	if len(x) == 1 {
		return x[0]
	}
	return b.apply(&Sum{b.core("Sum", "", x[0].Dims(), x...)}, x...)
}

// InferShape implements gorgonia.Op.
func (o *Sum) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	for i, x := range s {
		if !x.Eq(s[0]) {
			return nil, &ShapeError{"Sum", fmt.Sprintf("operand %d", i), fmt.Sprint(s[0]), x}
		}
	}
	return s[0].Clone(), nil
}

// Do implements gorgonia.Op.
func (o *Sum) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *Sum) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	dst := make([]float64, len(Floats(in[0])))
	for _, x := range in {
		for i, v := range Floats(x) {
			dst[i] += float64(v)
		}
	}
	if o.out.rank == 0 {
		return setScalar(y, dst[0]), nil
	}
	return y, narrow(Floats(y), dst)
}

// DiffWRT implements gorgonia.SDOp.
func (o *Sum) DiffWRT(n int) []bool { return all(n) }

// SymDiff implements gorgonia.SDOp.
func (o *Sum) SymDiff(in G.Nodes, _, grad *G.Node) (G.Nodes, error) {
	gradients := make([]*G.Node, len(in))
	for i := range in {
		gradients[i] = grad
	}
	return o.done(gradients...)
}

// Cost implements Operator.
func (o *Sum) Cost(out tensor.Shape, in []tensor.Shape) Cost {
	return Cost{Flops: int64(volume(out)) * int64(len(in)-1), Bytes: moved(out, in...)}
}

// narrow rounds sums that were kept in float64.
func narrow(dst []float32, src []float64) error {
	for i, v := range src {
		dst[i] = float32(v)
	}
	return nil
}

// ColumnSum is the sum over all axes but the last: x [..., d] → [d]; with a
// second operand of the same shape, of the products. It is the gradient of what is added to or
// multiplied by all rows: a bias, a scale.
type ColumnSum struct{ core }

func (b *Builder) columnSum(x ...*G.Node) *G.Node {
	if !b.usable("ColumnSum", x...) {
		return nil
	}
	return b.apply(&ColumnSum{b.core("ColumnSum", "", 1, x...)}, x...)
}

// InferShape implements gorgonia.Op.
func (o *ColumnSum) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	if len(s) > 1 && !s[1].Eq(s[0]) {
		return nil, &ShapeError{"ColumnSum", "factor", fmt.Sprint(s[0]), s[1]}
	}
	return tensor.Shape{last(s[0])}, nil
}

// Do implements gorgonia.Op.
func (o *ColumnSum) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *ColumnSum) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	x, d := Floats(in[0]), last(in[0].Shape())
	sums := make([]float64, d)
	for i, v := range x {
		p := float64(v)
		if len(in) > 1 {
			p *= float64(Floats(in[1])[i])
		}
		sums[i%d] += p
	}
	return y, narrow(Floats(y), sums)
}

// Cost implements Operator.
func (o *ColumnSum) Cost(out tensor.Shape, in []tensor.Shape) Cost {
	return Cost{Flops: int64(len(in)) * int64(volume(in[0])), Bytes: moved(out, in...)}
}

// Part is a piece of a vector in a shape of its own. Operators have one
// result; an operator that computes several at once joins them in one vector,
// and Parts take it apart again. An executor need not copy anything for it.
type Part struct {
	core
	At    int // first element
	Shape tensor.Shape
}

func (b *Builder) part(x *G.Node, at int, shape tensor.Shape) *G.Node {
	if !b.usable("Part", x) {
		return nil
	}
	return b.apply(&Part{b.core("Part", fmt.Sprint(at), len(shape), x), at, shape.Clone()}, x)
}

// InferShape implements gorgonia.Op.
func (o *Part) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	if end := o.At + volume(o.Shape); len(s[0]) != 1 || s[0][0] < end {
		return nil, &ShapeError{"Part", "x", fmt.Sprintf("[>=%d]", end), s[0]}
	}
	return o.Shape.Clone(), nil
}

// Do implements gorgonia.Op.
func (o *Part) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *Part) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	copy(Floats(y), Floats(in[0])[o.At:])
	return y, nil
}

// Cost implements Operator.
func (o *Part) Cost(out tensor.Shape, in []tensor.Shape) Cost { return Cost{} }

// flipped is the order in which the transpose of a weight lies.
func flipped(o kernel.Order) kernel.Order {
	if o == kernel.OutIn {
		return kernel.InOut
	}
	return kernel.OutIn
}
