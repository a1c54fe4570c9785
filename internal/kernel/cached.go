package kernel

import "math"

// CachedAttention is the self-attention of new tokens against caches of full length. The
// history of a row is an index table: beams that share a past share its keys and values, and
// following another beam changes the table, not the caches. Rows may be new tokens of one
// history, one after another: all keys are stored before any row looks at them.
type CachedAttention struct {
	Rows, Heads, HeadDim, Slots, Length int

	QKV []float32 // [Rows, 3·Heads·HeadDim], of the new tokens

	// K and V are the caches [Slots, Length, Heads·HeadDim]. The new key and
	// value of row r are first stored at slot Table[r, Pos[r]], position Pos[r].
	K, V []float32

	Pos []int32 // [Rows], below Length

	// Table[r·TableRow+t] is the slot that holds position t ≤ Pos[r] of row r, or
	// -1 for a hidden key. A new key that its own row hides is not stored.
	Table    []int32
	TableRow int

	Dst []float32 // [Rows, Heads·HeadDim]
}

// Run stores the new keys and values and computes Dst. A row that sees no key
// at all gives zeros.
func (c *CachedAttention) Run(p *Pool) {
	c.Dst = c.Dst[:c.Rows*c.Heads*c.HeadDim]
	c.run(p, nil)
}

// Weights stores the new keys and values, and the attention probabilities in
// dst [Rows, Heads, Length]. Dst is not used.
func (c *CachedAttention) Weights(p *Pool, dst []float32) {
	c.run(p, dst[:c.Rows*c.Heads*c.Length])
}

func (c *CachedAttention) run(p *Pool, weights []float32) {
	d := c.Heads * c.HeadDim
	c.QKV, c.K, c.V = c.QKV[:c.Rows*3*d], c.K[:c.Slots*c.Length*d], c.V[:c.Slots*c.Length*d]
	c.Pos = c.Pos[:c.Rows]
	for _, pos := range c.Pos {
		if pos < 0 || int(pos) >= min(c.Length, c.TableRow) {
			panic("kernel: CachedAttention beyond its caches")
		}
	}
	for row := range c.Rows {
		c.store(row)
	}
	f := p.frame()
	f.cached = cachedTask{c: *c, frame: f, weights: weights}
	p.Run(c.Rows*c.Heads, &f.cached)
	p.release(f)
}

// store puts the new key and value of a row in the caches.
func (c *CachedAttention) store(row int) {
	d, pos := c.Heads*c.HeadDim, int(c.Pos[row])
	slot := int(c.Table[row*c.TableRow+pos])
	if slot < 0 {
		return
	}
	qkv, at := c.QKV[row*3*d:][:3*d], (slot*c.Length+pos)*d
	copy(c.K[at:][:d], qkv[d:])
	copy(c.V[at:][:d], qkv[2*d:])
}

// history is the query of one head of a row, and where the keys are that it looks at.
func (c *CachedAttention) history(row, head int) (query []float32, table []int32) {
	query = c.QKV[row*3*c.Heads*c.HeadDim+head*c.HeadDim:][:c.HeadDim]
	return query, c.Table[row*c.TableRow:][:c.Pos[row]+1]
}

type cachedTask struct {
	c       CachedAttention
	frame   *frame
	weights []float32 // want these and not Dst
}

func (t *cachedTask) Do(worker, i int) {
	c := &t.c
	row, head := i/c.Heads, i%c.Heads
	n := int(c.Pos[row]) + 1
	if t.weights != nil {
		w := t.weights[i*c.Length:][:c.Length]
		clear(w[n:])
		c.rowGeneric(w[:n], row, head, false)
		return
	}
	s := t.frame.scratch(worker, n+panelWidth+dotOutputs*c.HeadDim)
	if active == levelGeneric {
		c.rowGeneric(s[:n], row, head, true)
		return
	}
	c.row(s[:n], s[n:], row, head)
}

// row computes one head of one row by the inner loops. w is scratch for the
// probabilities [Pos[row]+1], s for panelWidth + dotOutputs·HeadDim floats.
func (c *CachedAttention) row(w, s []float32, row, head int) {
	d, at := c.Heads*c.HeadDim, head*c.HeadDim
	query, table := c.history(row, head)
	scores, gathered := s[:panelWidth], s[panelWidth:][:dotOutputs*c.HeadDim]
	visible := false
	for t := 0; t < len(table); t += dotOutputs {
		n := min(dotOutputs, len(table)-t)
		slots := table[t:][:n]
		if n == dotOutputs && same(slots) && slots[0] >= 0 {
			inner.dot(1, c.HeadDim, query, 0, c.K[(int(slots[0])*c.Length+t)*d+at:], d, scores)
		} else {
			clear(gathered)
			for i, slot := range slots {
				if slot >= 0 {
					copy(gathered[i*c.HeadDim:][:c.HeadDim], c.K[(int(slot)*c.Length+t+i)*d+at:])
				}
			}
			inner.dot(1, c.HeadDim, query, 0, gathered, c.HeadDim, scores)
		}
		for i, slot := range slots {
			if slot >= 0 {
				w[t+i] = scores[i]
				visible = true
			} else {
				w[t+i] = float32(math.Inf(-1))
			}
		}
	}
	out := c.Dst[row*d+at:][:c.HeadDim]
	if !visible {
		clear(out)
		return
	}
	inner.softmax(w, w, float32(1/math.Sqrt(float64(c.HeadDim))))
	clear(out)
	for t := 0; t < len(table); {
		slot := table[t]
		run := 1 // positions that lie one after another
		for t+run < len(table) && table[t+run] == slot {
			run++
		}
		if slot >= 0 {
			inner.axpy(1, run, c.HeadDim, w[t:], run, c.V[(int(slot)*c.Length+t)*d+at:], d, out, c.HeadDim, true)
		}
		t += run
	}
}

func same(s []int32) bool {
	for _, v := range s[1:] {
		if v != s[0] {
			return false
		}
	}
	return true
}

// rowGeneric computes the probabilities w [Pos[row]+1] of one head of a row and, if
// wanted, that head of Dst.
func (c *CachedAttention) rowGeneric(w []float32, row, head int, values bool) {
	d, at := c.Heads*c.HeadDim, head*c.HeadDim
	query, table := c.history(row, head)
	scale := 1 / math.Sqrt(float64(c.HeadDim))
	visible := 0
	for t, slot := range table {
		if slot < 0 {
			w[t] = float32(math.Inf(-1))
			continue
		}
		visible++
		w[t] = float32(dot64(query, c.K[(int(slot)*c.Length+t)*d+at:][:c.HeadDim]) * scale)
	}
	if visible == 0 {
		clear(w)
	} else {
		softmaxGeneric(w, w, 1)
	}
	if !values {
		return
	}
	out := c.Dst[row*d+at:][:c.HeadDim]
	clear(out)
	for t, slot := range table {
		if slot < 0 {
			continue
		}
		for i, v := range c.V[(int(slot)*c.Length+t)*d+at:][:c.HeadDim] {
			out[i] += float32(w[t] * v)
		}
	}
}
