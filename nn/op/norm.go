package op

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// LayerNorm is y = (x − mean)/√(var + eps)·γ + β over the last axis, with the
// biased variance. x [..., d], γ [d], β [d], y [..., d].
type LayerNorm struct {
	core
	Eps float32
}

// LayerNorm applies the operator [LayerNorm].
func (b *Builder) LayerNorm(x, gamma, beta *G.Node, eps float32) *G.Node {
	if !b.usable("LayerNorm", x, gamma, beta) {
		return nil
	}
	return b.apply(&LayerNorm{b.core("LayerNorm", "", x.Dims(), x, gamma, beta), eps}, x, gamma, beta)
}

// InferShape implements gorgonia.Op.
func (o *LayerNorm) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	d := last(s[0])
	for i, name := range []string{"weight", "bias"} {
		if v := s[i+1]; len(v) != 1 || v[0] != d {
			return nil, &ShapeError{"LayerNorm", name, fmt.Sprintf("[%d]", d), v}
		}
	}
	return s[0].Clone(), nil
}

// Do implements gorgonia.Op.
func (o *LayerNorm) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *LayerNorm) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	gamma, beta := Floats(in[1]), Floats(in[2])
	eachRow(y, in[0], func(dst, x []float32) {
		n, mean, variance := float64(len(x)), 0.0, 0.0
		for _, v := range x {
			mean += float64(v) / n
		}
		for _, v := range x {
			variance += (float64(v) - mean) * (float64(v) - mean) / n
		}
		for i, v := range x {
			dst[i] = float32((float64(v)-mean)/math.Sqrt(variance+float64(o.Eps))*float64(gamma[i]) + float64(beta[i]))
		}
	})
	return y, nil
}

// Cost implements Operator. Mean, variance, scale and shift are eight
// operations an element.
func (o *LayerNorm) Cost(out tensor.Shape, in []tensor.Shape) Cost {
	return Cost{Flops: 8 * int64(volume(out)), Bytes: moved(out, in...)}
}

// Normalize is y = x / max(‖x‖₂, 1e-12) over the last axis.
type Normalize struct{ core }

// Normalize applies the operator [Normalize].
func (b *Builder) Normalize(x *G.Node) *G.Node {
	if !b.usable("Normalize", x) {
		return nil
	}
	return b.apply(&Normalize{b.core("Normalize", "", x.Dims(), x)}, x)
}

// InferShape implements gorgonia.Op.
func (o *Normalize) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	return s[0].Clone(), nil
}

// Do implements gorgonia.Op.
func (o *Normalize) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *Normalize) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	eachRow(y, in[0], func(dst, x []float32) {
		sum := 0.0
		for _, v := range x {
			sum += float64(v) * float64(v)
		}
		norm := max(math.Sqrt(sum), 1e-12)
		for i, v := range x {
			dst[i] = float32(float64(v) / norm)
		}
	})
	return y, nil
}

// Cost implements Operator.
func (o *Normalize) Cost(out tensor.Shape, in []tensor.Shape) Cost {
	return Cost{Flops: 3 * int64(volume(out)), Bytes: moved(out, in...)}
}

// eachRow calls f with every row of the last axis of x and of the result.
func eachRow(y, x G.Value, f func(dst, x []float32)) {
	d, dst, src := last(x.Shape()), Floats(y), Floats(x)
	for i := 0; i < len(src); i += d {
		f(dst[i:][:d], src[i:][:d])
	}
}

// LogSumExp maps each row of x [R, V] to its greatest element and the sum of e^(x-greatest),
// [R, 2]: log Σ e^x is the first and the logarithm of the second.
type LogSumExp struct{ core }

// LogSumExp applies the operator [LogSumExp].
func (b *Builder) LogSumExp(x *G.Node) *G.Node {
	if !b.usable("LogSumExp", x) {
		return nil
	}
	return b.apply(&LogSumExp{b.core("LogSumExp", "", 2, x)}, x)
}

// InferShape implements gorgonia.Op.
func (o *LogSumExp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	if len(s[0]) != 2 {
		return nil, &ShapeError{o.kind, "x", "[R, V]", s[0]}
	}
	return tensor.Shape{s[0][0], 2}, nil
}

// Do implements gorgonia.Op.
func (o *LogSumExp) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *LogSumExp) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	dst, x, s := Floats(y), Floats(in[0]), in[0].Shape()
	for r := range s[0] {
		row := x[r*s[1]:][:s[1]]
		top, sum := row[0], 0.0
		for _, v := range row {
			top = max(top, v)
		}
		for _, v := range row {
			sum += math.Exp(float64(v) - float64(top))
		}
		dst[2*r], dst[2*r+1] = top, float32(sum)
	}
	return y, nil
}

// Cost implements Operator. An exponential counts ten operations.
func (o *LogSumExp) Cost(out tensor.Shape, in []tensor.Shape) Cost {
	return Cost{Flops: 12 * int64(in[0].TotalSize()), Bytes: moved(out, in[0])}
}
