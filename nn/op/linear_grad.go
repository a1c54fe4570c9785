package op

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-e0874532/coca/internal/kernel"
)

// DiffWRT implements gorgonia.SDOp.
func (o *Linear) DiffWRT(n int) []bool { return all(n) }

// SymDiff implements gorgonia.SDOp. With z = x·Wᵀ + bias and y = act(z)·scale + residual:
//
//	g         = dy ⊙ scale ⊙ act′(z)
//	dx        = g·W
//	dW        = gᵀ·x, dbias = Σ g over the rows
//	dscale    = Σ dy ⊙ act(z) over the rows
//	dresidual = dy
//
// z is written as a Linear of its own. An executor that finds both can keep z and
// make act(z) from it: that costs the memory of z, where computing z again would
// cost a third of the map's backward pass.
func (o *Linear) SymDiff(in G.Nodes, _, grad *G.Node) (G.Nodes, error) {
	in = o.b.recall(in)
	x, w, rest := in[0], in[1], in[2:]
	take := func(given bool) (n *G.Node) {
		if given {
			n, rest = rest[0], rest[1:]
		}
		return n
	}
	bias, scale := take(o.Bias), take(o.Scale)
	b, g := o.b, grad
	if o.Act != kernel.None || o.Scale {
		var z *G.Node
		if o.Act != kernel.None {
			z = b.Linear(LinearArgs{X: x, W: w, Bias: bias, Order: o.Order})
		}
		g = b.activationGrad(o.Act, grad, z, scale)
	}
	gradients := []*G.Node{
		b.Linear(LinearArgs{X: g, W: w, Order: flipped(o.Order)}),
		b.linearWeightGrad(g, x, o.Order),
	}
	if o.Bias {
		gradients = append(gradients, b.columnSum(g))
	}
	if o.Scale {
		plain := b.Linear(LinearArgs{X: x, W: w, Bias: bias, Act: o.Act, Order: o.Order})
		gradients = append(gradients, b.columnSum(grad, plain))
	}
	if o.Residual {
		gradients = append(gradients, grad)
	}
	return o.done(gradients...)
}

// ActivationGrad is dz = dy ⊙ scale ⊙ act′(z), [..., d], for y = act(z)·scale.
// z is left out where there is no activation, scale [d] where there is none.
type ActivationGrad struct {
	core
	Act   kernel.Activation
	Scale bool
}

func (b *Builder) activationGrad(act kernel.Activation, dy, z, scale *G.Node) *G.Node {
	operands := []*G.Node{dy}
	if act != kernel.None {
		operands = append(operands, z)
	}
	if scale != nil {
		operands = append(operands, scale)
	}
	if !b.usable("ActivationGrad", operands...) {
		return nil
	}
	o := &ActivationGrad{b.core("ActivationGrad", act.String(), dy.Dims(), operands...), act, scale != nil}
	return b.apply(o, operands...)
}

// InferShape implements gorgonia.Op.
func (o *ActivationGrad) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	if o.Act != kernel.None && !s[1].Eq(s[0]) {
		return nil, &ShapeError{o.kind, "z", fmt.Sprint(s[0]), s[1]}
	}
	if v := s[len(s)-1]; o.Scale && (len(v) != 1 || v[0] != last(s[0])) {
		return nil, &ShapeError{o.kind, "scale", fmt.Sprintf("[%d]", last(s[0])), v}
	}
	return s[0].Clone(), nil
}

// Operands takes the operator's operands apart: z and scale are nil where left out.
func (o *ActivationGrad) Operands(in [][]float32) (dy, z, scale []float32) {
	dy = in[0]
	if o.Act != kernel.None {
		z = in[1]
	}
	if o.Scale {
		scale = in[len(in)-1]
	}
	return dy, z, scale
}

// Do implements gorgonia.Op.
func (o *ActivationGrad) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *ActivationGrad) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	dy, z, scale := o.Operands(slices(in))
	d, dst := last(in[0].Shape()), Floats(y)
	for i, v := range dy {
		g := float64(v)
		if z != nil {
			g *= slope(o.Act, float64(z[i]))
		}
		if scale != nil {
			g *= float64(scale[i%d])
		}
		dst[i] = float32(g)
	}
	return y, nil
}

// slope is the derivative of the activation: Φ(x) + x·φ(x) of the exact GELU,
// σ·(1 + 1.702x·(1−σ)) with σ = σ(1.702x) of QuickGELU.
func slope(a kernel.Activation, x float64) float64 {
	switch a {
	case kernel.GELU:
		return 0.5*math.Erfc(-x/math.Sqrt2) + x*math.Exp(-0.5*x*x)/math.Sqrt(2*math.Pi)
	case kernel.QuickGELU:
		s := 1 / (1 + math.Exp(-1.702*x))
		return s * (1 + 1.702*x*(1-s))
	}
	return 1
}

// Cost implements Operator. An activation's derivative counts twenty operations.
func (o *ActivationGrad) Cost(out tensor.Shape, in []tensor.Shape) Cost {
	return Cost{Flops: 20 * int64(volume(out)), Bytes: moved(out, in...)}
}

// LinearWeightGrad is the gradient of a [Linear]'s weight: gᵀ·x [out, in], or
// xᵀ·g [in, out] for InOut, of g [..., out] and x [..., in].
type LinearWeightGrad struct {
	core
	Order kernel.Order
}

func (b *Builder) linearWeightGrad(g, x *G.Node, order kernel.Order) *G.Node {
	if !b.usable("LinearWeightGrad", g, x) {
		return nil
	}
	return b.apply(&LinearWeightGrad{b.core("LinearWeightGrad", "", 2, g, x), order}, g, x)
}

// InferShape implements gorgonia.Op.
func (o *LinearWeightGrad) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	if rowsOf(s[0]) != rowsOf(s[1]) {
		return nil, &ShapeError{o.kind, "x", fmt.Sprintf("%d rows", rowsOf(s[0])), s[1]}
	}
	if o.Order == kernel.InOut {
		return tensor.Shape{last(s[1]), last(s[0])}, nil
	}
	return tensor.Shape{last(s[0]), last(s[1])}, nil
}

// Do implements gorgonia.Op.
func (o *LinearWeightGrad) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *LinearWeightGrad) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	left, right := in[0], in[1] // y = leftᵀ·right
	if o.Order == kernel.InOut {
		left, right = right, left
	}
	l, r, m, n := Floats(left), Floats(right), last(left.Shape()), last(right.Shape())
	sums := make([]float64, m*n)
	for row := range rowsOf(left.Shape()) {
		for i := range m {
			for j := range n {
				sums[i*n+j] += float64(l[row*m+i]) * float64(r[row*n+j])
			}
		}
	}
	return y, narrow(Floats(y), sums)
}

// Cost implements Operator.
func (o *LinearWeightGrad) Cost(out tensor.Shape, in []tensor.Shape) Cost {
	return Cost{Flops: 2 * int64(volume(out)) * int64(rowsOf(in[0])), Bytes: moved(out, in...)}
}

// slices are the backing slices of float32 values.
func slices(in []G.Value) (list [][]float32) {
	for _, v := range in {
		list = append(list, Floats(v))
	}
	return list
}
