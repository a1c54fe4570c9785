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

	// KVIndex, if not nil, makes item b read the keys and values of item
	// KVIndex[b]: the beams of one image share them.
	KVIndex []int32

	Causal bool   // query i sees key j only if j ≤ i
	Hidden []bool // [Batch·TK] or nil: keys that no query of the item sees; key 0 is never hidden

	Dst []float32 // [Batch, TQ, Heads·HeadDim], contiguous
}

// queryChunk is the number of queries in one piece of work.
const queryChunk = 64

// Run computes Dst.
func (a *Attention) Run(p *Pool) {
	a.Dst = a.Dst[:a.Batch*a.TQ*a.Heads*a.HeadDim]
	a.run(p, nil)
}

// Weights stores the attention probabilities in dst [Batch, Heads, TQ, TK],
// zero where a key is not visible. Dst and V are not used.
func (a *Attention) Weights(p *Pool, dst []float32) {
	a.run(p, dst[:a.Batch*a.Heads*a.TQ*a.TK])
}

func (a *Attention) run(p *Pool, weights []float32) {
	f := p.frame()
	f.attention = attentionTask{a: *a, frame: f, weights: weights, chunks: (a.TQ + queryChunk - 1) / queryChunk}
	p.Run(a.Batch*a.Heads*f.attention.chunks, &f.attention)
	p.release(f)
}

type attentionTask struct {
	a       Attention
	frame   *frame
	weights []float32 // want these and not Dst
	chunks  int
}

func (t *attentionTask) Do(worker, i int) {
	a := &t.a
	chunk, item := i%t.chunks, i/t.chunks
	head, b := item%a.Heads, item/a.Heads
	for q := chunk * queryChunk; q < min(a.TQ, (chunk+1)*queryChunk); q++ {
		if t.weights != nil {
			a.weightsGeneric(t.weights[(item*a.TQ+q)*a.TK:][:a.TK], b, head, q)
		} else {
			a.queryGeneric(t.frame.scratch(worker, a.TK+a.HeadDim), b, head, q)
		}
	}
}

// item is the item whose keys and values item b reads.
func (a *Attention) item(b int) int {
	if a.KVIndex != nil {
		return int(a.KVIndex[b])
	}
	return b
}

// visible is the number of keys that query q may look at, hidden ones included.
func (a *Attention) visible(q int) int {
	if a.Causal {
		return min(a.TK, q+1)
	}
	return a.TK
}

// weightsGeneric stores the probabilities of one query in w [TK].
func (a *Attention) weightsGeneric(w []float32, b, head, q int) {
	n := a.visible(q)
	query := a.Q[b*a.QBatch+q*a.QRow+head*a.HeadDim:][:a.HeadDim]
	scale := 1 / math.Sqrt(float64(a.HeadDim))
	for j := range n {
		if j > 0 && a.Hidden != nil && a.Hidden[b*a.TK+j] {
			w[j] = float32(math.Inf(-1))
			continue
		}
		key := a.K[a.item(b)*a.KBatch+j*a.KRow+head*a.HeadDim:][:a.HeadDim]
		w[j] = float32(dot64(query, key) * scale)
	}
	softmaxGeneric(w[:n], w[:n])
	clear(w[n:])
}

// queryGeneric computes one head of one row of Dst.
func (a *Attention) queryGeneric(scratch []float32, b, head, q int) {
	w := scratch[:a.TK]
	a.weightsGeneric(w, b, head, q)
	out := a.Dst[((b*a.TQ+q)*a.Heads+head)*a.HeadDim:][:a.HeadDim]
	clear(out)
	for j := range a.visible(q) {
		if j > 0 && a.Hidden != nil && a.Hidden[b*a.TK+j] {
			continue // not even 0·NaN of a hidden value may show
		}
		value := a.V[a.item(b)*a.VBatch+j*a.VRow+head*a.HeadDim:][:a.HeadDim]
		for d, v := range value {
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
