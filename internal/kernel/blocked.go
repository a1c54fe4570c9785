package kernel

import "math"

// attentionTask computes Attention by blocks. Queries are taken 32 at a time and
// laid out as a panel, so that the scores come out with a key in each row and a
// query in each column:
//
//	scores[TK, 32] = K·panel(Q)     tiles of a few keys
//	weights        = softmax of each column, not yet divided by its sum
//	out[HeadDim, 32] = Vᵀ·weights   the scores are the panel of this product
//
// The softmax needs no sums across lanes, and both products are the tile of the
// matrix product, in float32 or of pairs of bfloat16 values. Where queries are few, they are rows instead; see rows.
type attentionTask struct {
	a     Attention
	frame *frame

	groups int // parts that the queries of one item are cut into
	chunks int // of 32 queries, in all groups
	rest   int // queries after the chunks, too few for a panel of their own
}

// fewQueries is the number of queries up to which a panel would be mostly empty.
const fewQueries = 8

// plan cuts the queries into groups: as many as keep the threads busy, and of few items
// one for each thread, so that it stays with its rows. Each group lays out the keys anew.
func (t *attentionTask) plan(threads int) {
	t.groups = 1
	if active == levelGeneric || t.a.TQ <= fewQueries {
		return
	}
	t.chunks, t.rest = t.a.TQ/panelWidth, t.a.TQ%panelWidth
	if t.rest > fewQueries {
		t.chunks, t.rest = t.chunks+1, 0
	}
	pieces := max(1, t.a.Batch*t.a.Heads)
	t.groups = (4*threads + pieces - 1) / pieces
	if t.a.Batch < threads {
		t.groups = max(t.groups, threads)
	}
	t.groups = max(1, min(t.groups, t.chunks))
	if threads == 1 {
		t.groups = 1
	}
}

func (t *attentionTask) Do(worker, i int) {
	a := &t.a
	head, i := i%a.Heads, i/a.Heads
	b, group := i/t.groups, i%t.groups
	switch {
	case active == levelGeneric:
		for q := range a.TQ {
			a.queryGeneric(t.frame.scratch(worker, a.TK), b, head, q)
		}
	case t.chunks == 0:
		t.rows(worker, b, head, 0)
	default:
		t.blocks(worker, b, head, group*t.chunks/t.groups, (group+1)*t.chunks/t.groups)
		if t.rest > 0 && group+1 == t.groups {
			t.rows(worker, b, head, a.TQ-t.rest)
		}
	}
}

// blocks computes chunks [c0, c1) of the queries of one item and head.
func (t *attentionTask) blocks(worker, b, head, c0, c1 int) {
	a := &t.a
	d := a.HeadDim
	keys := a.visible(min(a.TQ, c1*panelWidth) - 1) // that any of the queries sees
	lay := a.layout(keys)
	step := inner.tileRows
	blocks := (keys + step - 1) / step
	// The scratch is cut into keys, values, queries, scores and results.
	s := t.frame.scratch(worker, blocks*lay.inputs*lay.stride+lay.keys*d+(lay.inputs+lay.keys*lay.perWord+d+1)*panelWidth)
	cut := func(n int) []float32 {
		part := s[:n:n]
		s = s[n:]
		return part
	}
	packed, values := cut(blocks*lay.inputs*lay.stride), cut(lay.keys*d)
	queries, scores, out, inverse := cut(lay.inputs*panelWidth), cut(lay.keys*lay.perWord*panelWidth), cut(d*panelWidth), cut(panelWidth)

	for k := range blocks {
		j := k * step
		lay.columns(min(step, keys-j), d, packed[k*lay.inputs*lay.stride:], lay.stride, a.key(b, head, j), a.KRow)
	}
	if lay.perWord > 1 {
		pairTokens(values, d, d, a.value(b, head, 0), a.VRow, keys, out)
	} else {
		for j := range keys { // rows of a fused tensor lie badly in the cache
			copy(values[j*d:][:d], a.value(b, head, j))
		}
	}
	scale := float32(1 / math.Sqrt(float64(d)))
	for c := c0; c < c1; c++ {
		q0 := c * panelWidth
		n := min(panelWidth, a.TQ-q0)
		seen := a.visible(q0 + n - 1)
		if n < panelWidth {
			clear(queries)
		}
		lay.columns(n, d, queries, panelWidth, a.query(b, head, q0), a.QRow)
		for k := 0; k*step < seen; k++ {
			j := k * step
			lay.tile(min(step, seen-j), lay.inputs, packed[k*lay.inputs*lay.stride:], lay.stride, queries, scores[j*panelWidth:])
		}
		a.hide(scores[:seen*panelWidth], b, q0)
		inner.softmaxColumns(seen, scores, scale, inverse)
		steps := seen
		if lay.perWord > 1 {
			clear(scores[seen*panelWidth:])
			steps = lay.keys
			inner.pairRows(steps, panelWidth, scores, panelWidth, scores, panelWidth) // a row is read before its place is taken
		}
		tiles := (d + step - 1) / step
		for k := range tiles {
			from, to := k*d/tiles, (k+1)*d/tiles
			lay.tile(to-from, steps, values[from:], d, scores, out[from*panelWidth:])
		}
		inner.epilogue(d, panelWidth, out, panelWidth, out, panelWidth, nil, inverse, nil, 0, None)
		if d%8 == 0 {
			inner.transpose(d, n, a.out(b, head, q0), a.Heads*d, out, panelWidth)
		} else {
			transposeGeneric(d, n, a.out(b, head, q0), a.Heads*d, out, panelWidth)
		}
	}
}

// blockLayout is how the operands of the products of blocks lie: as floats, or, for
// processors that multiply them, as pairs of bfloat16 values in words.
type blockLayout struct {
	perWord int
	inputs  int // words of a key or query
	keys    int // words of a channel of all values
	stride  int // of the words of a block of keys
	tile    tileFunc
	columns func(rows, n int, dst []float32, dstRow int, src []float32, srcRow int) // rows become columns of words
}

// layout is that of a number of keys. Pairs take weights of keys that a causal query does not
// see for zeros, which they are not if a value is infinite; such attentions keep to floats.
func (a *Attention) layout(keys int) blockLayout {
	if a.Precision == BF16 && inner.bf16Pairs && !a.Causal && a.HeadDim%2 == 0 {
		return blockLayout{2, a.HeadDim / 2, (keys + 1) / 2, 16, inner.tile[BF16], inner.pairColumns}
	}
	return blockLayout{1, a.HeadDim, keys, (inner.tileRows + 7) &^ 7, inner.tile[F32], inner.transpose}
}

// pairTokens stores n channels of the values of all tokens, [tokens, n] with rows valuesRow
// apart, in words of two neighbouring tokens, [⌈tokens/2⌉, n]. The last of an odd number meets
// zeros; lines is scratch of two rows.
func pairTokens(words []float32, wordsRow, n int, values []float32, valuesRow, tokens int, lines []float32) {
	inner.pairRows(tokens/2, n, words, wordsRow, values, valuesRow)
	if tokens%2 > 0 {
		copy(lines[:n], values[(tokens-1)*valuesRow:])
		clear(lines[n : 2*n])
		inner.pairRows(1, n, words[tokens/2*wordsRow:], wordsRow, lines, n)
	}
}

// hide sets the scores of keys that a query does not see to -Inf. The scores are
// those of queries q0, q0+1, ….
func (a *Attention) hide(scores []float32, b, q0 int) {
	inf := float32(math.Inf(-1))
	for j := 1; j*panelWidth < len(scores); j++ {
		row := scores[j*panelWidth:][:panelWidth]
		switch {
		case a.hides(b, j):
		case a.Causal && j > q0:
			row = row[:min(panelWidth, j-q0)]
		default:
			continue
		}
		for i := range row {
			row[i] = inf
		}
	}
}

// rows computes one head of the queries q0, q0+1, … of an item, which are few.
func (t *attentionTask) rows(worker, b, head, q0 int) {
	a := &t.a
	n := a.TQ - q0
	s := t.frame.scratch(worker, n*(panelWidth+a.TK+a.HeadDim))
	scores, weights, out := s[:n*panelWidth], s[n*panelWidth:][:n*a.TK], s[n*(panelWidth+a.TK):]
	scale := float32(1 / math.Sqrt(float64(a.HeadDim)))
	dots(scores, weights, a.query(b, head, q0), n, a.QRow, a.key(b, head, 0), a.TK, a.KRow, a.HeadDim)
	for i := range n {
		row := weights[i*a.TK:][:a.TK]
		seen := a.visible(q0 + i)
		for j := range seen {
			if a.hides(b, j) {
				row[j] = float32(math.Inf(-1))
			}
		}
		inner.softmax(row[:seen], row[:seen], scale)
		clear(row[seen:])
	}
	inner.axpy(n, a.TK, a.HeadDim, weights, a.TK, a.value(b, head, 0), a.VRow, out, a.HeadDim, false)
	for i := range n {
		copy(a.out(b, head, q0+i)[:a.HeadDim], out[i*a.HeadDim:])
	}
}

// dots stores in weights[n, keys] the products of n queries and all keys.
// scores is scratch of n·panelWidth floats.
func dots(scores, weights, queries []float32, n, queryRow int, keys []float32, count, keyRow, d int) {
	for j := 0; j < count; {
		if count-j < dotOutputs {
			for i := range n {
				weights[i*count+j] = float32(dot64(queries[i*queryRow:][:d], keys[j*keyRow:]))
			}
			j++
			continue
		}
		inner.dot(n, d, queries, queryRow, keys[j*keyRow:], keyRow, scores)
		for i := range n {
			copy(weights[i*count+j:][:dotOutputs], scores[i*panelWidth:])
		}
		j += dotOutputs
	}
}
