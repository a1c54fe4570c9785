package kernel

import "math"

// AttentionGrad is the gradient of an [Attention] with respect to its queries,
// keys and values. The softmax is computed again. Dst of the Attention is not
// used, KVIndex must be nil.
type AttentionGrad struct {
	Attention
	DY         []float32 // [Batch, TQ, Heads·HeadDim]
	DQ, DK, DV []float32 // laid out as Q, K and V; shared queries get the sum over the items

	frame *frame
}

// Run computes DQ, DK and DV. It does not allocate once the pool has seen its sizes.
func (a *AttentionGrad) Run(p *Pool) {
	a.check()
	a.frame = p.frame()
	if a.shared() {
		p.Run(a.Heads, a)
	} else {
		p.Run(a.Batch*a.Heads, a)
	}
	f := a.frame
	a.frame = nil
	p.release(f)
}

// shared tells whether all items have the same queries.
func (a *AttentionGrad) shared() bool { return a.QBatch == 0 }

// Do computes one head of one item; of shared queries, one head of all items in order.
func (a *AttentionGrad) Do(worker, i int) {
	if !a.shared() {
		a.head(worker, i/a.Heads, i%a.Heads, false)
		return
	}
	for b := range a.Batch {
		a.head(worker, b, i, b > 0)
	}
}

func (a *AttentionGrad) head(worker, b, h int, add bool) {
	n, d := a.TQ*a.TK, a.HeadDim
	s := a.frame.scratch(worker, 2*n+multiplyScratch(max(a.TQ, a.TK, d)))
	p, ds, scratch := s[:n], s[n:2*n], s[2*n:]
	query, key, value := a.query(b, h, 0), a.key(b, h, 0), a.value(b, h, 0)
	dy := a.DY[b*a.TQ*a.Heads*d+h*d:]
	dyRow := a.Heads * d

	multiply(p, a.TK, a.TQ, a.TK, d, operand{query, a.QRow, false}, operand{key, a.KRow, true}, false, scratch)
	multiply(ds, a.TK, a.TQ, a.TK, d, operand{dy, dyRow, false}, operand{value, a.VRow, true}, false, scratch)
	a.scores(p, ds, b)

	dq, dk, dv := a.DQ[b*a.QBatch+h*d:], a.DK[b*a.KBatch+h*d:], a.DV[b*a.VBatch+h*d:]
	multiply(dv, a.VRow, a.TK, d, a.TQ, operand{p, a.TK, true}, operand{dy, dyRow, false}, false, scratch)
	multiply(dq, a.QRow, a.TQ, d, a.TK, operand{ds, a.TK, false}, operand{key, a.KRow, false}, add, scratch)
	multiply(dk, a.KRow, a.TK, d, a.TQ, operand{ds, a.TK, true}, operand{query, a.QRow, false}, false, scratch)
}

// scores turns scores into their softmax p, and the gradient of p into that of
// the scores: p ⊙ (dp − Σ p ⊙ dp)/√HeadDim.
func (a *AttentionGrad) scores(p, dp []float32, b int) {
	scale := float32(1 / math.Sqrt(float64(a.HeadDim)))
	for i := range a.TQ {
		w, g := p[i*a.TK:][:a.TK], dp[i*a.TK:][:a.TK]
		seen := a.visible(i)
		for j := range seen {
			if a.hides(b, j) {
				w[j] = float32(math.Inf(-1))
			}
		}
		inner.softmax(w[:seen], w[:seen], scale)
		clear(w[seen:])
		mean := float32(dot64(w, g))
		for j, v := range w {
			g[j] = float32(float32(v*(g[j]-mean)) * scale)
		}
	}
}
