package op

import (
	"fmt"
	"math"
	"strings"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-e0874532/coca/internal/kernel"
)

// Linear is y = act(x·Wᵀ + bias)·scale + residual. Bias, scale (layer scale)
// and residual are optional.
//
//	x        [..., in]
//	w        [out, in] (OutIn, as torch stores a Linear) or [in, out] (InOut, a projection used as x @ w)
//	bias     [out]
//	scale    [out]
//	residual [..., out]
//	y        [..., out]
type Linear struct {
	core
	Act                   kernel.Activation
	Order                 kernel.Order
	Bias, Scale, Residual bool
}

// LinearArgs are the operands of [Builder.Linear]; nil leaves an optional one out.
type LinearArgs struct {
	X, W                  *G.Node
	Bias, Scale, Residual *G.Node
	Act                   kernel.Activation
	Order                 kernel.Order
}

// Linear applies the operator [Linear].
func (b *Builder) Linear(a LinearArgs) *G.Node {
	o := &Linear{Act: a.Act, Order: a.Order, Bias: a.Bias != nil, Scale: a.Scale != nil, Residual: a.Residual != nil}
	operands := []*G.Node{a.X, a.W}
	var attrs []string
	if a.Act != kernel.None {
		attrs = append(attrs, a.Act.String())
	}
	for _, extra := range []struct {
		name string
		node *G.Node
	}{{"bias", a.Bias}, {"scale", a.Scale}, {"residual", a.Residual}} {
		if extra.node != nil {
			operands, attrs = append(operands, extra.node), append(attrs, extra.name)
		}
	}
	if !b.usable("Linear", operands...) {
		return nil
	}
	o.core = b.core("Linear", strings.Join(attrs, " "), a.X.Dims(), operands...)
	return b.apply(o, operands...)
}

// Sizes are the numbers of inputs and outputs of a weight of the given shape.
func (o *Linear) Sizes(w tensor.Shape) (in, out int) {
	if o.Order == kernel.InOut {
		return w[0], w[1]
	}
	return w[1], w[0]
}

// InferShape implements gorgonia.Op.
func (o *Linear) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	x, w := s[0], s[1]
	if len(w) != 2 {
		return nil, &ShapeError{"Linear", "weight", "[out, in]", w}
	}
	in, out := o.Sizes(w)
	if last(x) != in {
		return nil, &ShapeError{"Linear", "input", fmt.Sprintf("[..., %d]", in), x}
	}
	y := with(x, out)
	bias, scale, residual := o.extras(s)
	for name, v := range map[string]tensor.Shape{"bias": bias, "scale": scale} {
		if v != nil && (len(v) != 1 || v[0] != out) {
			return nil, &ShapeError{"Linear", name, fmt.Sprintf("[%d]", out), v}
		}
	}
	if residual != nil && !residual.Eq(y) {
		return nil, &ShapeError{"Linear", "residual", fmt.Sprint(y), residual}
	}
	return y, nil
}

// extras are the shapes of the optional operands, nil where left out.
func (o *Linear) extras(s []tensor.Shape) (bias, scale, residual tensor.Shape) {
	rest := s[2:]
	take := func(given bool) (t tensor.Shape) {
		if given {
			t, rest = rest[0], rest[1:]
		}
		return t
	}
	return take(o.Bias), take(o.Scale), take(o.Residual)
}

// Epilogue are the optional operands as the kernel takes them, out of the
// operator's operands.
func (o *Linear) Epilogue(in [][]float32) kernel.Epilogue {
	e, rest := kernel.Epilogue{Act: o.Act}, in[2:]
	take := func(given bool) (v []float32) {
		if given {
			v, rest = rest[0], rest[1:]
		}
		return v
	}
	e.Bias, e.Scale, e.Residual = take(o.Bias), take(o.Scale), take(o.Residual)
	return e
}

// Do implements gorgonia.Op.
func (o *Linear) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *Linear) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	data := make([][]float32, len(in))
	for i, v := range in {
		data[i] = Floats(v)
	}
	nin, nout := o.Sizes(in[1].Shape())
	x, w, e, dst := data[0], data[1], o.Epilogue(data), Floats(y)
	for row := range rowsOf(in[0].Shape()) {
		for j := range nout {
			sum := 0.0
			for i := range nin {
				k := j*nin + i
				if o.Order == kernel.InOut {
					k = i*nout + j
				}
				sum += float64(x[row*nin+i]) * float64(w[k])
			}
			if e.Bias != nil {
				sum += float64(e.Bias[j])
			}
			sum = activate(o.Act, sum)
			if e.Scale != nil {
				sum *= float64(e.Scale[j])
			}
			if e.Residual != nil {
				sum += float64(e.Residual[row*nout+j])
			}
			dst[row*nout+j] = float32(sum)
		}
	}
	return y, nil
}

// activate is the activation function: the exact GELU x·Φ(x), or QuickGELU x·σ(1.702x).
func activate(a kernel.Activation, x float64) float64 {
	switch a {
	case kernel.GELU:
		return 0.5 * x * (1 + math.Erf(x/math.Sqrt2))
	case kernel.QuickGELU:
		return x / (1 + math.Exp(-1.702*x))
	}
	return x
}

// Cost implements Operator.
func (o *Linear) Cost(out tensor.Shape, in []tensor.Shape) Cost {
	return Cost{Flops: 2 * int64(volume(out)) * int64(last(in[0])), Bytes: moved(out, in...)}
}
