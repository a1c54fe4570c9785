package op

import (
	"fmt"
	"math"
	"strings"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-e0874532/coca/internal/kernel"
)

// AttentionArgs are the operands of [Builder.Attention]. Queries, keys and
// values come fused in one tensor, as a self-attention's input projection
// makes them, or apart: Gorgonia's own slicing of a fused tensor is wrong
// (slices that differ by a multiple of 256 become one node).
//
//	QKV    [B, T, 3d]: self-attention
//	Q, KV  [B, TQ, d] and [B, TK, 2d]: cross-attention
//	Q, K, V  each its own
//
// Q of shape [TQ, d] is shared by all items of the batch.
type AttentionArgs struct {
	QKV         *G.Node
	Q, KV, K, V *G.Node
	Heads       int
	Causal      bool    // query i sees the keys j <= i
	Hidden      *G.Node // bool [B, TK]: keys that no query of the item sees; key 0 is never hidden
}

// Attention is softmax(q·kᵀ/√(d/H) + mask)·v for each of H heads; head h owns
// the channels h·d/H to (h+1)·d/H. The result has the shape [B, TQ, d].
type Attention struct {
	core
	form    []string // names of the leading operands
	Heads   int
	Causal  bool
	Hidden  bool
	weights bool // the result is the softmax [B, H, TQ, TK] instead
}

// Attention applies the operator [Attention].
func (b *Builder) Attention(a AttentionArgs) *G.Node { return b.attention(a, false) }

// AttentionWeights is the softmax of an [Attention], [B, H, TQ, TK]. It is computed again from the operands, for taps: a program that does not ask for
// it does not pay for it.
func (b *Builder) AttentionWeights(a AttentionArgs) *G.Node { return b.attention(a, true) }

func (b *Builder) attention(a AttentionArgs, weights bool) *G.Node {
	o := &Attention{Heads: a.Heads, Causal: a.Causal, Hidden: a.Hidden != nil, weights: weights}
	var operands []*G.Node
	switch {
	case a.QKV != nil:
		o.form, operands = []string{"qkv"}, []*G.Node{a.QKV}
	case a.KV != nil:
		o.form, operands = []string{"q", "kv"}, []*G.Node{a.Q, a.KV}
	default:
		o.form, operands = []string{"q", "k", "v"}, []*G.Node{a.Q, a.K, a.V}
	}
	attrs := []string{fmt.Sprintf("%d heads", a.Heads)}
	if a.Causal {
		attrs = append(attrs, "causal")
	}
	if a.Hidden != nil {
		operands, attrs = append(operands, a.Hidden), append(attrs, "padding mask")
	}
	kind, rank := "Attention", 3
	if weights {
		kind, rank = "AttentionWeights", 4
	}
	if !b.usable(kind, operands...) {
		return nil
	}
	o.core = b.core(kind, strings.Join(attrs, " "), rank, operands...)
	return b.apply(o, operands...)
}

// Weights reports whether the result is the softmax.
func (o *Attention) Weights() bool { return o.weights }

// InferShape implements gorgonia.Op.
func (o *Attention) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	a, err := o.sizes(s)
	if err != nil {
		return nil, err
	}
	if o.weights {
		return tensor.Shape{a.Batch, a.Heads, a.TQ, a.TK}, nil
	}
	return tensor.Shape{a.Batch, a.TQ, a.Heads * a.HeadDim}, nil
}

// sizes checks the operands' shapes and fills in the kernel's sizes and strides.
func (o *Attention) sizes(s []tensor.Shape) (a kernel.Attention, err error) {
	bad := func(operand, want string, got tensor.Shape) (kernel.Attention, error) {
		return a, &ShapeError{o.kind, operand, want, got}
	}
	q, kv, parts := s[0], s[len(o.form)-1], 1
	switch len(o.form) {
	case 1:
		parts = 3
	case 2:
		parts = 2
	}
	if len(kv) != 3 || last(kv)%parts != 0 {
		return bad(o.form[len(o.form)-1], fmt.Sprintf("[B, T, %d·d]", parts), kv)
	}
	d := last(kv) / parts
	if o.Heads <= 0 || d%o.Heads != 0 {
		return bad(o.form[0], fmt.Sprintf("a width that %d heads divide", o.Heads), q)
	}
	a = kernel.Attention{Batch: kv[0], Heads: o.Heads, HeadDim: d / o.Heads, TQ: 1, TK: kv[1], Causal: o.Causal}
	a.KRow, a.VRow = last(kv), last(kv)
	a.KBatch, a.VBatch = kv[1]*last(kv), kv[1]*last(kv)
	switch {
	case len(o.form) == 1:
		a.TQ, a.QRow, a.QBatch = a.TK, last(kv), a.KBatch
	case len(q) == 2 && last(q) == d:
		a.TQ, a.QRow = q[0], d
	case len(q) == 3 && q[0] == kv[0] && last(q) == d:
		a.TQ, a.QRow, a.QBatch = q[1], d, q[1]*d
	default:
		return bad("q", fmt.Sprintf("[%d, TQ, %d] or [TQ, %d]", kv[0], d, d), q)
	}
	if len(o.form) == 3 && !s[1].Eq(kv) {
		return bad("k", fmt.Sprint(kv), s[1])
	}
	if o.Hidden {
		if h := s[len(o.form)]; len(h) != 2 || h[0] != kv[0] || h[1] != kv[1] {
			return bad("hidden", fmt.Sprintf("[%d, %d]", kv[0], kv[1]), h)
		}
	}
	return a, nil
}

// Arguments binds the operands to the kernel. Each element of data is the
// backing slice of an operand; Dst is left to the caller.
func (o *Attention) Arguments(s []tensor.Shape, data []any) (kernel.Attention, error) {
	a, err := o.sizes(s)
	if err != nil {
		return a, err
	}
	d := a.Heads * a.HeadDim
	first := data[0].([]float32)
	switch len(o.form) {
	case 1:
		a.Q, a.K, a.V = first, first[d:], first[2*d:]
	case 2:
		kv := data[1].([]float32)
		a.Q, a.K, a.V = first, kv, kv[d:]
	case 3:
		a.Q, a.K, a.V = first, data[1].([]float32), data[2].([]float32)
	}
	if o.Hidden {
		a.Hidden = data[len(o.form)].([]bool)
	}
	return a, nil
}

// Do implements gorgonia.Op.
func (o *Attention) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *Attention) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	s, data := split(in)
	a, err := o.Arguments(s, data)
	if err != nil {
		return nil, err
	}
	dst, d := Floats(y), a.Heads*a.HeadDim
	p := make([]float64, a.TK)
	for b := range a.Batch {
		for h := range a.Heads {
			for i := range a.TQ {
				query := a.Q[b*a.QBatch+i*a.QRow+h*a.HeadDim:][:a.HeadDim]
				for j := range p {
					p[j] = math.Inf(-1)
					if a.Causal && j > i || a.Hidden != nil && a.Hidden[b*a.TK+j] {
						continue
					}
					p[j] = dot(query, a.K[b*a.KBatch+j*a.KRow+h*a.HeadDim:]) / math.Sqrt(float64(a.HeadDim))
				}
				softmax(p)
				if o.weights {
					for j, v := range p {
						dst[((b*a.Heads+h)*a.TQ+i)*a.TK+j] = float32(v)
					}
					continue
				}
				for c := range a.HeadDim {
					sum := 0.0
					for j, v := range p {
						sum += v * float64(a.V[b*a.VBatch+j*a.VRow+h*a.HeadDim+c])
					}
					dst[(b*a.TQ+i)*d+h*a.HeadDim+c] = float32(sum)
				}
			}
		}
	}
	return y, nil
}

// dot is the inner product of x with as many elements of y.
func dot(x, y []float32) (sum float64) {
	for i, v := range x {
		sum += float64(v) * float64(y[i])
	}
	return sum
}

// softmax replaces scores by their softmax; −∞ gives 0.
func softmax(p []float64) {
	largest, sum := math.Inf(-1), 0.0
	for _, v := range p {
		largest = max(largest, v)
	}
	for j, v := range p {
		p[j] = math.Exp(v - largest)
		sum += p[j]
	}
	for j := range p {
		p[j] /= sum
	}
}

// Cost implements Operator. The softmax counts five operations a weight.
// With a causal mask half of the products are never needed.
func (o *Attention) Cost(out tensor.Shape, in []tensor.Shape) Cost {
	a, err := o.sizes(in)
	if err != nil {
		return Cost{}
	}
	pairs := int64(a.Batch) * int64(a.Heads) * int64(a.TQ) * int64(a.TK)
	if a.Causal && a.TQ > 1 {
		pairs = pairs * int64(a.TQ+1) / int64(2*a.TQ)
	}
	return Cost{Flops: pairs * int64(4*a.HeadDim+5), Bytes: moved(out, in[:len(o.form)]...)}
}
