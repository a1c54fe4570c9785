package kernel

import "math"

// Attention is softmax(q·kᵀ/√HeadDim + mask)·v for each item of a batch and
// each head. A head is HeadDim neighbouring floats of a row. Row and batch
// strides are in floats, so that the three operands may be parts of one fused
// tensor: for qkv [Batch, T, 3d], Q = qkv, K = qkv[d:], V = qkv[2d:],
// rows of 3d and batches of T·3d.
type Attention struct {
	Batch, Heads, HeadDim, TQ, TK int

	Q, K, V                []float32
	QRow, KRow, VRow       int
	QBatch, KBatch, VBatch int // QBatch 0: every item has the same queries

	Causal bool   // query i sees key j only if j ≤ i
	Hidden []bool // [Batch·TK] or nil: keys that no query of the item sees; key 0 is never hidden

	Dst []float32 // [Batch, TQ, Heads·HeadDim], contiguous

	// Precision is that of products of many queries. With BF16, where the processor
	// multiplies pairs, queries, keys, values and weights are rounded to bfloat16, unless the
	// attention is causal. Sums and the softmax are float32.
	Precision Precision
}

// Run computes Dst.
func (a *Attention) Run(p *Pool) {
	a.Dst = a.Dst[:a.Batch*a.TQ*a.Heads*a.HeadDim]
	a.check()
	f := p.frame()
	t := &f.attention
	*t = attentionTask{a: *a, frame: f}
	t.plan(p.Threads())
	p.inRows(a.Batch*t.groups*a.Heads, t)
	p.release(f)
}

// Weights stores the attention probabilities in dst [Batch, Heads, TQ, TK],
// zero where a key is not visible. Dst and V are not used.
func (a *Attention) Weights(p *Pool, dst []float32) {
	f := p.frame()
	f.weights = weightsTask{*a, dst[:a.Batch*a.Heads*a.TQ*a.TK]}
	p.Run(a.Batch*a.Heads, &f.weights)
	p.release(f)
}

type weightsTask struct {
	a   Attention
	dst []float32
}

func (t *weightsTask) Do(_, i int) {
	a := &t.a
	for q := range a.TQ {
		a.weightsGeneric(t.dst[(i*a.TQ+q)*a.TK:][:a.TK], i/a.Heads, i%a.Heads, q)
	}
}

// check panics if the operands are shorter than the sizes say, here and not in
// the middle of the work.
func (a *Attention) check() {
	d := a.Heads * a.HeadDim
	if a.Batch == 0 || a.TQ == 0 || d == 0 {
		return
	}
	if a.TK < 1 {
		panic("kernel: Attention without keys")
	}
	if a.Hidden != nil {
		_ = a.Hidden[a.Batch*a.TK-1]
	}
	_ = a.Q[(a.Batch-1)*a.QBatch+(a.TQ-1)*a.QRow+d-1]
	_ = a.K[(a.Batch-1)*a.KBatch+(a.TK-1)*a.KRow+d-1]
	_ = a.V[(a.Batch-1)*a.VBatch+(a.TK-1)*a.VRow+d-1]
}

// visible is the number of keys that query q may look at, hidden ones included.
func (a *Attention) visible(q int) int {
	if a.Causal {
		return min(a.TK, q+1)
	}
	return a.TK
}

// hides tells whether key j is hidden from the queries of item b.
func (a *Attention) hides(b, j int) bool {
	return j > 0 && a.Hidden != nil && a.Hidden[b*a.TK+j]
}

func (a *Attention) query(b, head, q int) []float32 {
	return a.Q[b*a.QBatch+q*a.QRow+head*a.HeadDim:]
}

func (a *Attention) key(b, head, j int) []float32 {
	return a.K[b*a.KBatch+j*a.KRow+head*a.HeadDim:]
}

func (a *Attention) value(b, head, j int) []float32 {
	return a.V[b*a.VBatch+j*a.VRow+head*a.HeadDim:]
}

func (a *Attention) out(b, head, q int) []float32 {
	return a.Dst[((b*a.TQ+q)*a.Heads+head)*a.HeadDim:]
}

// weightsGeneric stores the probabilities of one query in w [TK].
func (a *Attention) weightsGeneric(w []float32, b, head, q int) {
	n := a.visible(q)
	query := a.query(b, head, q)[:a.HeadDim]
	scale := 1 / math.Sqrt(float64(a.HeadDim))
	for j := range n {
		w[j] = float32(dot64(query, a.key(b, head, j)) * scale)
		if a.hides(b, j) {
			w[j] = float32(math.Inf(-1))
		}
	}
	softmaxGeneric(w[:n], w[:n], 1)
	clear(w[n:])
}

// queryGeneric computes one head of one row of Dst; w is scratch of TK floats.
func (a *Attention) queryGeneric(w []float32, b, head, q int) {
	a.weightsGeneric(w, b, head, q)
	out := a.out(b, head, q)[:a.HeadDim]
	clear(out)
	for j := range a.visible(q) {
		for d, v := range a.value(b, head, j)[:a.HeadDim] {
			out[d] += float32(w[j] * v)
		}
	}
}

func dot64(x, y []float32) float64 {
	y = y[:len(x)]
	var sum float64
	for i, v := range x {
		sum += float64(v) * float64(y[i])
	}
	return sum
}
