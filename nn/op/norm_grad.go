package op

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// DiffWRT implements gorgonia.SDOp.
func (o *LayerNorm) DiffWRT(n int) []bool { return all(n) }

// SymDiff implements gorgonia.SDOp. With x̂ = (x − mean)/√(var + eps): dβ = Σ dy
// and dγ = Σ dy ⊙ x̂ over the rows; see [LayerNormGrad] for dx. The three are
// operators of their own: mean and variance are a small part of what each costs.
func (o *LayerNorm) SymDiff(in G.Nodes, _, grad *G.Node) (G.Nodes, error) {
	in = o.b.recall(in)
	b, x, gamma := o.b, in[0], in[1]
	var dx, dgamma *G.Node
	if b.usable("LayerNormGrad", x, gamma, grad) {
		dx = b.apply(&LayerNormGrad{b.core("LayerNormGrad", "", x.Dims(), x, gamma, grad), o.Eps}, x, gamma, grad)
		dgamma = b.apply(&LayerNormWeightGrad{b.core("LayerNormWeightGrad", "", 1, x, grad), o.Eps}, x, grad)
	}
	return o.done(dx, dgamma, b.columnSum(grad))
}

// LayerNormGrad is dx of a [LayerNorm]: with h = dy ⊙ γ and x̂ the normalised row,
//
//	dx = (h − mean(h) − x̂·mean(h ⊙ x̂)) / √(var + eps)
//
// Operands x [..., d], γ [d], dy [..., d]; result [..., d].
type LayerNormGrad struct {
	core
	Eps float32
}

// InferShape implements gorgonia.Op.
func (o *LayerNormGrad) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	if !s[2].Eq(s[0]) {
		return nil, &ShapeError{o.kind, "gradient", fmt.Sprint(s[0]), s[2]}
	}
	return s[0].Clone(), nil
}

// Do implements gorgonia.Op.
func (o *LayerNormGrad) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *LayerNormGrad) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	gamma, dy, d := Floats(in[1]), Floats(in[2]), last(in[0].Shape())
	normed, row := make([]float64, d), 0
	eachRow(y, in[0], func(dst, x []float32) {
		inverse := standardize(normed, x, float64(o.Eps))
		g := dy[row*d:][:d]
		row++
		mean, along := 0.0, 0.0
		for i, v := range g {
			h := float64(v) * float64(gamma[i])
			mean += h / float64(d)
			along += h * normed[i] / float64(d)
		}
		for i, v := range g {
			dst[i] = float32((float64(v)*float64(gamma[i]) - mean - normed[i]*along) * inverse)
		}
	})
	return y, nil
}

// Cost implements Operator.
func (o *LayerNormGrad) Cost(out tensor.Shape, in []tensor.Shape) Cost {
	return Cost{Flops: 14 * int64(volume(out)), Bytes: moved(out, in...)}
}

// standardize stores (x − mean)/√(var + eps) and returns 1/√(var + eps).
func standardize(dst []float64, x []float32, eps float64) (inverse float64) {
	n, mean, variance := float64(len(x)), 0.0, 0.0
	for _, v := range x {
		mean += float64(v) / n
	}
	for _, v := range x {
		variance += (float64(v) - mean) * (float64(v) - mean) / n
	}
	inverse = 1 / math.Sqrt(variance+eps)
	for i, v := range x {
		dst[i] = (float64(v) - mean) * inverse
	}
	return inverse
}

// LayerNormWeightGrad is dγ of a [LayerNorm]: Σ dy ⊙ x̂ over the rows of
// x [..., d] and dy [..., d], [d].
type LayerNormWeightGrad struct {
	core
	Eps float32
}

// InferShape implements gorgonia.Op.
func (o *LayerNormWeightGrad) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	if !s[1].Eq(s[0]) {
		return nil, &ShapeError{o.kind, "gradient", fmt.Sprint(s[0]), s[1]}
	}
	return tensor.Shape{last(s[0])}, nil
}

// Do implements gorgonia.Op.
func (o *LayerNormWeightGrad) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *LayerNormWeightGrad) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	x, dy, d := Floats(in[0]), Floats(in[1]), last(in[0].Shape())
	normed, sums := make([]float64, d), make([]float64, d)
	for at := 0; at < len(x); at += d {
		standardize(normed, x[at:][:d], float64(o.Eps))
		for i, v := range dy[at:][:d] {
			sums[i] += float64(v) * normed[i]
		}
	}
	return y, narrow(Floats(y), sums)
}

// Cost implements Operator.
func (o *LayerNormWeightGrad) Cost(out tensor.Shape, in []tensor.Shape) Cost {
	return Cost{Flops: 8 * int64(volume(in[0])), Bytes: moved(out, in...)}
}

// DiffWRT implements gorgonia.SDOp.
func (o *Normalize) DiffWRT(n int) []bool { return all(n) }

// SymDiff implements gorgonia.SDOp.
func (o *Normalize) SymDiff(in G.Nodes, _, grad *G.Node) (G.Nodes, error) {
	in = o.b.recall(in)
	b, x := o.b, in[0]
	if !b.usable("NormalizeGrad", x, grad) {
		return nil, b.err
	}
	return o.done(b.apply(&NormalizeGrad{b.core("NormalizeGrad", "", x.Dims(), x, grad)}, x, grad))
}

// NormalizeGrad is dx of a [Normalize]: with y = x/‖x‖, (dy − y·(y·dy))/‖x‖; a
// row shorter than 1e-12 is divided by a constant: dy/1e-12. Operands x and dy [..., d].
type NormalizeGrad struct{ core }

// InferShape implements gorgonia.Op.
func (o *NormalizeGrad) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	if !s[1].Eq(s[0]) {
		return nil, &ShapeError{o.kind, "gradient", fmt.Sprint(s[0]), s[1]}
	}
	return s[0].Clone(), nil
}

// Do implements gorgonia.Op.
func (o *NormalizeGrad) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *NormalizeGrad) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	o.Run(Floats(y), Floats(in[0]), Floats(in[1]), last(in[0].Shape()))
	return y, nil
}

// Run computes the operator on slices of rows of d floats.
func (o *NormalizeGrad) Run(dx, x, dy []float32, d int) {
	for ; len(x) >= d; dx, x, dy = dx[d:], x[d:], dy[d:] {
		squares := dot(x[:d], x)
		norm := math.Sqrt(squares)
		along := 0.0
		if norm < 1e-12 {
			norm = 1e-12
		} else {
			along = dot(x[:d], dy) / squares
		}
		for i, v := range dy[:d] {
			dx[i] = float32((float64(v) - float64(x[i])*along) / norm)
		}
	}
}

// Cost implements Operator.
func (o *NormalizeGrad) Cost(out tensor.Shape, in []tensor.Shape) Cost {
	return Cost{Flops: 8 * int64(volume(out)), Bytes: moved(out, in...)}
}
