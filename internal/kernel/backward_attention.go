package kernel

import "math"

// AttentionGrad is the gradient of an [Attention] with respect to its queries,
// keys and values. The softmax is computed again. Dst of the Attention is not
// used.
//
// Queries are taken 32 at a time, as in the forward pass, and the scores lie as a
// panel with a key in each row:
//
//	s = K·panel(Q), p = softmax of each column
//	dp = V·panel(DY), ds = p ⊙ (dp − Σ p ⊙ dp)/√HeadDim
//	DQ = Kᵀ·ds, the panel of this product
//	DV = p·DY, DK = ds·Q over all queries, with p and ds as row blocks
//
// The last queries, if they are few, are rows instead.
type AttentionGrad struct {
	Attention
	DY         []float32 // [Batch, TQ, Heads·HeadDim]
	DQ, DK, DV []float32 // laid out as Q, K and V; shared queries get the sum over the items

	frame *frame
	each  []float32 // of shared queries, DQ of each item [Batch, TQ, Heads·HeadDim]
}

// Run computes DQ, DK and DV. It does not allocate once the pool has seen its sizes.
func (a *AttentionGrad) Run(p *Pool) {
	a.check()
	a.frame = p.frame()
	if a.shared() {
		a.each = a.frame.common(a.Batch * a.TQ * a.Heads * a.HeadDim)
	}
	p.Run(a.Batch*a.Heads, a)
	if a.shared() {
		p.Run(a.TQ, (*sharedQueries)(a))
	}
	f := a.frame
	a.frame, a.each = nil, nil
	p.release(f)
}

// shared tells whether all items have the same queries.
func (a *AttentionGrad) shared() bool { return a.QBatch == 0 }

// sharedQueries adds up the items' gradients of one query.
type sharedQueries AttentionGrad

func (t *sharedQueries) Do(_, q int) {
	d := t.Heads * t.HeadDim
	inner.columnSum(t.Batch, t.DQ[q*t.QRow:][:d], t.each[q*d:], t.TQ*d)
}

// headGrad is the work on one head of one item and its scratch.
type headGrad struct {
	*AttentionGrad
	b, h              int
	query, key, value []float32
	dy, dq            []float32
	dyRow, dqRow      int

	pairs   bool
	stride  int // of row blocks
	chunks  int // of 32 queries
	rest    int // queries after them
	inverse []float32
	sums    []float32
	p, ds   []float32 // [chunks, TK, 32]
	pr, dsr []float32 // [rest+1, TK]; the last row is 0
}

// Do computes one head of one item.
func (a *AttentionGrad) Do(worker, i int) {
	b, h := i/a.Heads, i%a.Heads
	t := headGrad{
		AttentionGrad: a, b: b, h: h, query: a.query(b, h, 0), key: a.key(b, h, 0), value: a.value(b, h, 0),
		dyRow: a.Heads * a.HeadDim, pairs: a.Precision == BF16 && inner.bf16Pairs,
		chunks: a.TQ / panelWidth, rest: a.TQ % panelWidth, stride: (inner.tileRows + 7) &^ 7,
	}
	if t.rest > fewQueries {
		t.chunks, t.rest = t.chunks+1, 0
	}
	t.dy = a.DY[(b*a.TQ*a.Heads+h)*a.HeadDim:]
	t.dq, t.dqRow = a.DQ[b*a.QBatch+h*a.HeadDim:], a.QRow
	if a.shared() {
		t.dq, t.dqRow = a.each[(b*a.TQ*a.Heads+h)*a.HeadDim:], t.dyRow
	}
	t.run(worker)
}

func (t *headGrad) run(worker int) {
	d, keys := packing{k: t.HeadDim, pairs: t.pairs}, packing{k: t.TK, pairs: t.pairs}
	keyBlocks, headBlocks := blocksOf(t.TK), blocksOf(t.HeadDim)
	across := packing{k: t.TQ, pairs: t.pairs} // the queries
	acrossPanels := (t.HeadDim + panelWidth - 1) / panelWidth
	blockSize, headSize := d.steps()*t.stride, keys.steps()*t.stride
	acrossSize := across.steps() * panelWidth

	sizes := [...]int{
		panelWidth, inner.tileRows * panelWidth, t.chunks * t.TK * panelWidth, t.chunks * t.TK * panelWidth, (t.rest + 1) * t.TK, (t.rest + 1) * t.TK,
		keyBlocks * blockSize, keyBlocks * blockSize, headBlocks * headSize, d.steps() * panelWidth, keys.steps() * panelWidth,
		max(t.HeadDim*panelWidth, t.rest*(panelWidth+t.HeadDim)), acrossPanels * acrossSize, (across.steps() + panelWidth) * t.stride,
	}
	total := 0
	for _, n := range sizes {
		total += n
	}
	s := t.frame.scratch(worker, total)
	next := 0
	cut := func() []float32 {
		n := sizes[next]
		part := s[:n:n]
		s, next = s[n:], next+1
		return part
	}
	t.inverse, t.sums, t.p, t.ds, t.pr, t.dsr = cut(), cut(), cut(), cut(), cut(), cut()
	keyWords, valueWords, keyColumns, panel, dsPanel, out, acrossPanel, words := cut(), cut(), cut(), cut(), cut(), cut(), cut(), cut()

	if t.chunks > 0 {
		for i := range keyBlocks {
			r0, rows := blockOf(i, keyBlocks, t.TK)
			d.packBlock(keyWords[i*blockSize:][:blockSize], t.stride, operand{t.key, t.KRow, false}, r0, rows)
			d.packBlock(valueWords[i*blockSize:][:blockSize], t.stride, operand{t.value, t.VRow, false}, r0, rows)
		}
		for i := range headBlocks {
			r0, rows := blockOf(i, headBlocks, t.HeadDim)
			keys.packBlock(keyColumns[i*headSize:][:headSize], t.stride, operand{t.key, t.KRow, true}, r0, rows)
		}
	}
	scale := float32(1 / math.Sqrt(float64(t.HeadDim)))
	for c := range t.chunks {
		q0 := c * panelWidth
		n := min(panelWidth, t.TQ-q0)
		p, ds := t.p[q0*t.TK:][:t.TK*panelWidth], t.ds[q0*t.TK:][:t.TK*panelWidth]
		seen := t.visible(q0 + n - 1)
		product := func(dst, words []float32) {
			for i := range keyBlocks {
				if r0, rows := blockOf(i, keyBlocks, t.TK); r0 < seen {
					d.multiply(rows, words[i*blockSize:], t.stride, panel, dst[r0*panelWidth:])
				}
			}
		}
		d.packPanel(panel, operand{t.query, t.QRow, true}, q0, n)
		product(p, keyWords)
		d.packPanel(panel, operand{t.dy, t.dyRow, true}, q0, n)
		product(ds, valueWords)
		t.hide(p[:seen*panelWidth], t.b, q0)
		inner.softmaxColumns(seen, p, scale, t.inverse)
		inner.scoresGrad(seen, p, ds, t.inverse, scale)
		clear(p[seen*panelWidth:])
		clear(ds[seen*panelWidth:])

		if t.pairs {
			keys.packPanel(dsPanel, operand{ds, panelWidth, false}, 0, panelWidth)
			ds = dsPanel
		}
		for i := range headBlocks {
			r0, rows := blockOf(i, headBlocks, t.HeadDim)
			keys.multiply(rows, keyColumns[i*headSize:], t.stride, ds, out[r0*panelWidth:])
		}
		if t.HeadDim%8 == 0 {
			inner.transpose(t.HeadDim, n, t.dq[q0*t.dqRow:], t.dqRow, out, panelWidth)
		} else {
			transposeGeneric(t.HeadDim, n, t.dq[q0*t.dqRow:], t.dqRow, out, panelWidth)
		}
	}
	if t.rest > 0 {
		t.rows(out, scale)
	}
	dk, dv := t.DK[t.b*t.KBatch+t.h*t.HeadDim:], t.DV[t.b*t.VBatch+t.h*t.HeadDim:]
	t.across(across, dv, t.VRow, t.p, t.pr, operand{t.dy, t.dyRow, false}, acrossPanel, words)
	t.across(across, dk, t.KRow, t.ds, t.dsr, operand{t.query, t.QRow, false}, acrossPanel, words)
}

// rows computes the last queries, which are few: pr, dsr and their part of DQ.
func (t *headGrad) rows(scratch []float32, scale float32) {
	q0 := t.TQ - t.rest
	query, dy := t.query[q0*t.QRow:], t.dy[q0*t.dyRow:]
	dots(scratch, t.pr, query, t.rest, t.QRow, t.key, t.TK, t.KRow, t.HeadDim)
	dots(scratch, t.dsr, dy, t.rest, t.dyRow, t.value, t.TK, t.VRow, t.HeadDim)
	clear(t.pr[t.rest*t.TK:])
	clear(t.dsr[t.rest*t.TK:])
	for i := range t.rest {
		w, g := t.pr[i*t.TK:][:t.TK], t.dsr[i*t.TK:][:t.TK]
		seen := t.visible(q0 + i)
		for j := range seen {
			if t.hides(t.b, j) {
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
	d := t.HeadDim
	inner.axpy(t.rest, t.TK, d, t.dsr, t.TK, t.key, t.KRow, scratch, d, false)
	for i := range t.rest {
		copy(t.dq[(q0+i)*t.dqRow:][:d], scratch[i*d:])
	}
}

// across stores in dst [TK, HeadDim] the product of scores, as chunks [TK, 32] and
// rows [rest, TK], with a matrix of all queries [TQ, HeadDim].
func (t *headGrad) across(q packing, dst []float32, dstRow int, chunks, rows []float32, with operand, panels, words []float32) {
	size := q.steps() * panelWidth
	for n0 := 0; n0 < t.HeadDim; n0 += panelWidth {
		q.packPanel(panels[n0/panelWidth*size:][:size], with, n0, min(panelWidth, t.HeadDim-n0))
	}
	blocks := blocksOf(t.TK)
	chunk := packing{k: panelWidth, pairs: t.pairs}
	rest := packing{k: t.rest, pairs: t.pairs}
	if t.pairs {
		rest.k = (t.rest + 1) &^ 1 // the row after the last is 0
	}
	for i := range blocks {
		r0, n := blockOf(i, blocks, t.TK)
		at := 0
		for c := range t.chunks {
			chunk.packBlock(words[at:], t.stride, operand{chunks[c*t.TK*panelWidth:], panelWidth, false}, r0, n)
			at += chunk.steps() * t.stride
		}
		if t.rest > 0 {
			rest.packBlock(words[at:], t.stride, operand{rows, t.TK, true}, r0, n)
		}
		for n0 := 0; n0 < t.HeadDim; n0 += panelWidth {
			q.multiply(n, words, t.stride, panels[n0/panelWidth*size:][:size], t.sums)
			inner.epilogue(n, min(panelWidth, t.HeadDim-n0), dst[r0*dstRow+n0:], dstRow, t.sums, panelWidth, nil, nil, nil, 0, None)
		}
	}
}

// blocksOf is the number of row blocks of n rows, blockOf their rows.
func blocksOf(n int) int { return (n + inner.tileRows - 1) / inner.tileRows }

func blockOf(i, blocks, n int) (r0, rows int) {
	r0 = i * n / blocks
	return r0, (i+1)*n/blocks - r0
}
