package op

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-e0874532/coca/internal/kernel"
)

// DiffWRT implements gorgonia.SDOp: queries, keys and values, not the mask. The
// softmax as a result and an index have no gradient here: no loss uses them.
func (o *Attention) DiffWRT(n int) []bool {
	diff := make([]bool, n)
	for i := range o.form {
		diff[i] = !o.weights
	}
	return diff
}

// SymDiff implements gorgonia.SDOp.
func (o *Attention) SymDiff(in G.Nodes, _, grad *G.Node) (G.Nodes, error) {
	in = o.b.recall(in)
	b := o.b
	operands := append(append([]*G.Node{}, in...), grad)
	if !b.usable("AttentionGrad", operands...) {
		return nil, b.err
	}
	g := &AttentionGrad{of: o}
	rank := 1
	if len(o.form) == 1 {
		rank = 3
	}
	g.core = b.core("AttentionGrad", o.attrs, rank, operands...)
	joined := b.apply(g, operands...)
	gradients := make([]*G.Node, len(in))
	if len(o.form) == 1 {
		gradients[0] = joined
		return o.done(gradients...)
	}
	starts := g.starts(shapesOf(in[:len(o.form)]))
	for i, at := range starts[:len(o.form)] {
		gradients[i] = b.part(joined, at, in[i].Shape())
	}
	return o.done(gradients...)
}

func shapesOf(nodes []*G.Node) (s []tensor.Shape) {
	for _, n := range nodes {
		s = append(s, n.Shape())
	}
	return s
}

// AttentionGrad is the gradient of an [Attention]. Its operands are those of
// the attention and dy [B, TQ, d]. The softmax p is computed again: it would take
// TQ·TK floats a head to keep. Per item and head, with s the scaled scores,
//
//	dv = pᵀ·dy
//	dp = dy·vᵀ
//	ds = p ⊙ (dp − Σ p ⊙ dp over the keys)
//	dq = ds·k/√(d/H), dk = dsᵀ·q/√(d/H)
//
// For a fused operand the result is its gradient [B, T, 3d]. For operands apart, it
// is a vector that holds the gradient of each, which [Part] takes apart.
// The gradient of shared queries is the sum over the items.
type AttentionGrad struct {
	core
	of *Attention
}

// partAlign is the multiple of floats, a cache line, at which joined results start.
const partAlign = 16

// starts says where in the joined result the gradient of each operand starts;
// the end is added.
func (o *AttentionGrad) starts(s []tensor.Shape) (at []int) {
	n := 0
	for _, shape := range s {
		at = append(at, n)
		n += (volume(shape) + partAlign - 1) / partAlign * partAlign
	}
	return append(at, n)
}

// InferShape implements gorgonia.Op.
func (o *AttentionGrad) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	a, err := o.of.sizes(s[:len(s)-1])
	if err != nil {
		return nil, err
	}
	if want, got := (tensor.Shape{a.Batch, a.TQ, a.Heads * a.HeadDim}), s[len(s)-1]; !got.Eq(want) {
		return nil, &ShapeError{o.kind, "gradient", fmt.Sprint(want), got}
	}
	if len(o.of.form) == 1 {
		return s[0].Clone(), nil
	}
	at := o.starts(s[:len(o.of.form)])
	return tensor.Shape{at[len(at)-1]}, nil
}

// Arguments binds the operands to the kernel; result is the operator's result.
func (o *AttentionGrad) Arguments(s []tensor.Shape, data []any, result []float32) (kernel.AttentionGrad, error) {
	n := len(s) - 1
	a, err := o.of.Arguments(s[:n], data[:n])
	if err != nil {
		return kernel.AttentionGrad{}, err
	}
	g := kernel.AttentionGrad{Attention: a, DY: data[n].([]float32)}
	d, at := a.Heads*a.HeadDim, o.starts(s[:len(o.of.form)])
	switch len(o.of.form) {
	case 1:
		g.DQ, g.DK, g.DV = result, result[d:], result[2*d:]
	case 2:
		g.DQ, g.DK, g.DV = result, result[at[1]:], result[at[1]+d:]
	case 3:
		g.DQ, g.DK, g.DV = result, result[at[1]:], result[at[2]:]
	}
	return g, nil
}

// Do implements gorgonia.Op.
func (o *AttentionGrad) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *AttentionGrad) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	s, data := make([]tensor.Shape, len(in)), make([]any, len(in))
	for i, v := range in {
		s[i], data[i] = v.Shape(), v.Data()
	}
	result := Floats(y)
	g, err := o.Arguments(s, data, result)
	if err != nil {
		return nil, err
	}
	// The offsets of DQ, DK and DV in the result; sums are kept in float64.
	sums := make([]float64, len(result))
	dq, dk, dv := sums, sums[len(result)-len(g.DK):], sums[len(result)-len(g.DV):]
	p, dp, scale := make([]float64, g.TK), make([]float64, g.TK), 1/math.Sqrt(float64(g.HeadDim))
	for b := range g.Batch {
		for h := range g.Heads {
			for i := range g.TQ {
				q, k, v := b*g.QBatch+i*g.QRow+h*g.HeadDim, b*g.KBatch+h*g.HeadDim, b*g.VBatch+h*g.HeadDim
				query, dy := g.Q[q:][:g.HeadDim], g.DY[((b*g.TQ+i)*g.Heads+h)*g.HeadDim:][:g.HeadDim]
				for j := range p {
					p[j] = math.Inf(-1)
					if !(g.Causal && j > i || g.Hidden != nil && g.Hidden[b*g.TK+j]) {
						p[j] = dot(query, g.K[k+j*g.KRow:]) * scale
					}
				}
				softmax(p)
				mean := 0.0
				for j := range p {
					dp[j] = dot(dy, g.V[v+j*g.VRow:])
					mean += p[j] * dp[j]
				}
				for j := range p {
					ds := p[j] * (dp[j] - mean) * scale
					for c := range g.HeadDim {
						dq[q+c] += ds * float64(g.K[k+j*g.KRow+c])
						dk[k+j*g.KRow+c] += ds * float64(query[c])
						dv[v+j*g.VRow+c] += p[j] * float64(dy[c])
					}
				}
			}
		}
	}
	return y, narrow(result, sums)
}

// Cost implements Operator: five products where the attention has two.
func (o *AttentionGrad) Cost(out tensor.Shape, in []tensor.Shape) Cost {
	c := o.of.Cost(in[len(in)-1], in[:len(in)-1])
	return Cost{Flops: c.Flops * 5 / 2, Bytes: moved(out, in[:len(o.of.form)]...) + moved(in[len(in)-1])}
}
