package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// attention64 is the oracle: one head of one query in float64.
func (a *Attention) attention64(b, head, q int) (weights, out []float64) {
	weights, out = make([]float64, a.TK), make([]float64, a.HeadDim)
	at := head * a.HeadDim
	query := a.Q[b*a.QBatch+q*a.QRow+at:]
	top := math.Inf(-1)
	for j := range weights {
		if a.Causal && j > q || j > 0 && a.Hidden != nil && a.Hidden[b*a.TK+j] {
			weights[j] = math.Inf(-1)
			continue
		}
		key := a.K[b*a.KBatch+j*a.KRow+at:]
		for d := range a.HeadDim {
			weights[j] += float64(query[d]) * float64(key[d])
		}
		weights[j] /= math.Sqrt(float64(a.HeadDim))
		top = math.Max(top, weights[j])
	}
	var sum float64
	for j := range weights {
		weights[j] = math.Exp(weights[j] - top)
		sum += weights[j]
	}
	for j := range weights {
		weights[j] /= sum
		value := a.V[b*a.VBatch+j*a.VRow+at:]
		for d := range out {
			out[d] += weights[j] * float64(value[d])
		}
	}
	return weights, out
}

type attentionCase struct {
	batch, heads, headDim, tq, tk int
	causal, hidden, fused         bool
}

func (c attentionCase) String() string {
	s := fmt.Sprintf("b%d h%d d%d %dx%d", c.batch, c.heads, c.headDim, c.tq, c.tk)
	for _, flag := range []struct {
		set  bool
		name string
	}{{c.causal, " causal"}, {c.hidden, " hidden"}, {c.fused, " fused"}} {
		if flag.set {
			s += flag.name
		}
	}
	return s
}

func (c attentionCase) make(seed uint64) (*Attention, *guarded) {
	r := newRand(seed)
	d := c.heads * c.headDim
	dst := newGuarded(c.batch*c.tq*d, 1)
	a := &Attention{Batch: c.batch, Heads: c.heads, HeadDim: c.headDim, TQ: c.tq, TK: c.tk, Causal: c.causal, Dst: dst.slice()}
	if c.fused {
		qkv := normal(r, c.batch*c.tq*3*d)
		a.Q, a.K, a.V = qkv, qkv[d:], qkv[2*d:]
		a.QRow, a.KRow, a.VRow = 3*d, 3*d, 3*d
		a.QBatch, a.KBatch, a.VBatch = c.tq*3*d, c.tq*3*d, c.tq*3*d
	} else {
		a.Q, a.K, a.V = normal(r, c.batch*c.tq*d), normal(r, c.batch*c.tk*d), normal(r, c.batch*c.tk*d)
		a.QRow, a.KRow, a.VRow = d, d, d
		a.QBatch, a.KBatch, a.VBatch = c.tq*d, c.tk*d, c.tk*d
		if c.tq > 16 {
			a.QBatch = 0 // the pooler's queries
		}
	}
	if c.hidden {
		for range c.batch * c.tk {
			a.Hidden = append(a.Hidden, r.IntN(3) == 0)
		}
	}
	return a, dst
}

var attentionCases = []attentionCase{
	{1, 2, 64, 50, 50, false, false, true},
	{2, 3, 64, 77, 77, true, false, true},
	{2, 2, 64, 76, 76, true, true, true},
	{1, 1, 64, 257, 257, false, false, true},
	{1, 1, 80, 577, 577, false, false, true},
	{2, 2, 96, 40, 257, false, false, false},
	{1, 2, 32, 33, 65, true, false, false},
	{1, 1, 128, 9, 12, false, true, false},
	{7, 2, 64, 1, 256, false, false, false},
	{20, 1, 64, 1, 30, false, false, false},
	{4, 1, 64, 5, 255, false, false, false},
	{3, 2, 5, 7, 7, true, true, true},
	{2, 3, 13, 70, 70, true, false, true},
	{2, 2, 16, 37, 37, true, true, true},
	{2, 1, 1, 33, 3, false, false, false},
	{1, 1, 64, 1, 1, true, false, true},
	{1, 1, 16, 12, 2, false, false, false},
}

func TestAttention(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	type expected struct{ weights, out []float64 }
	var want []expected
	for i, c := range attentionCases {
		a, _ := c.make(uint64(i))
		e := expected{out: make([]float64, len(a.Dst))}
		for b := range c.batch {
			for head := range c.heads {
				for q := range c.tq {
					w, out := a.attention64(b, head, q)
					e.weights = append(e.weights, w...)
					copy(e.out[((b*c.tq+q)*c.heads+head)*c.headDim:], out)
				}
			}
		}
		want = append(want, e)
	}
	eachISA(t, func(t *testing.T) {
		for i, c := range attentionCases {
			a, dst := c.make(uint64(i))
			a.Run(pool)
			dst.check(t, c.String())
			for d, v := range dst.slice() {
				near(t, c.String(), d, v, want[i].out[d], attentionTolerance(c))
			}
			a, dst = c.make(uint64(i))
			a.Precision = BF16
			a.Run(pool)
			dst.check(t, c.String())
			for d, v := range dst.slice() {
				near(t, c.String()+" in bf16", d, v, want[i].out[d], pairsTolerance)
			}
			if c.tk > 300 {
				continue // Weights is the same plain code for all
			}
			weights := newGuarded(len(want[i].weights), 0)
			a.Weights(pool, weights.slice())
			weights.check(t, c.String())
			for j, v := range weights.slice() {
				near(t, c.String()+" weights", j, v, want[i].weights[j], 1e-6)
			}
		}
	})
}

// pairsTolerance: bfloat16 keeps 8 bits. A score, a mean of about N(0, 1) products of two
// rounded numbers, is off by 2^-8 at most few times over, and so, relatively, is a weight;
// weights and values are rounded as much again, and the result is a mean of values of at most 5.
const pairsTolerance = 8 * 0x1p-8

// attentionTolerance: scores of about N(0, 1) are off by (headDim+2)·unit of
// their terms' magnitude, the weights by as much relatively, and the sums over
// keys add their own rounding; operands are about 1, at most 5.
func attentionTolerance(c attentionCase) float64 {
	return 25 * unit * (math.Sqrt(float64(c.headDim)) + math.Sqrt(float64(c.tk)) + 4)
}

// The result of an item does not depend on the batch that it is in.
func TestAttentionBatchDoesNotMatter(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, c := range []attentionCase{
			{batch: 4, heads: 2, headDim: 64, tq: 50, tk: 50, fused: true},
			{batch: 6, heads: 2, headDim: 64, tq: 1, tk: 100},
		} {
			a, _ := c.make(1)
			a.Run(nil)
			all := append([]float32(nil), a.Dst...)
			for b := range c.batch {
				one := *a
				one.Batch, one.Q = 1, a.Q[b*a.QBatch:]
				one.K, one.V = a.K[b*a.KBatch:], a.V[b*a.VBatch:]
				size := c.tq * c.heads * c.headDim
				one.Dst = make([]float32, size)
				one.Run(nil)
				for i, v := range one.Dst {
					if v != all[b*size+i] {
						t.Fatalf("%v: item %d alone [%d] = %v, in the batch %v", c, b, i, v, all[b*size+i])
					}
				}
			}
		}
	})
}

// A sequence decoded step by step, over slots that beams hand around, gives what
// plain causal attention over each row's own history gives.
func TestCachedAttention(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	for _, size := range []struct{ rows, heads, headDim, length int }{{3, 2, 64, 20}, {1, 3, 96, 9}, {5, 1, 7, 13}, {6, 2, 32, 30}} {
		eachISA(t, func(t *testing.T) {
			r := newRand(7)
			d := size.heads * size.headDim
			slots := size.rows + 2
			c := CachedAttention{
				Rows: size.rows, Heads: size.heads, HeadDim: size.headDim, Slots: slots, Length: size.length,
				K: normal(r, slots*size.length*d), V: normal(r, slots*size.length*d), TableRow: size.length + 1,
			}
			c.Table = make([]int32, size.rows*c.TableRow)
			// history[row] are the row's own q, k, v so far, and which are hidden.
			type token struct {
				k, v   []float32
				hidden bool
			}
			history := make([][]token, size.rows)
			for pos := range size.length {
				c.Pos = slices.Repeat([]int32{int32(pos)}, size.rows)
				if pos > 0 { // every row goes on from a random one
					table, past := append([]int32(nil), c.Table...), append([][]token(nil), history...)
					for row := range size.rows {
						from := r.IntN(size.rows)
						copy(c.Table[row*c.TableRow:][:pos], table[from*c.TableRow:])
						history[row] = append([]token(nil), past[from]...)
					}
				}
				qkv := normal(r, size.rows*3*d)
				c.QKV = qkv
				for row := range size.rows {
					hidden := pos > 0 && r.IntN(4) == 0
					c.Table[row*c.TableRow+pos] = int32(row)
					if hidden {
						c.Table[row*c.TableRow+pos] = -1
					}
					at := row * 3 * d
					history[row] = append(history[row], token{qkv[at+d:][:d], qkv[at+2*d:][:d], hidden})
				}
				dst, weights := newGuarded(size.rows*d, 3), newGuarded(size.rows*size.heads*size.length, 0)
				c.Dst = dst.slice()
				c.Run(pool)
				dst.check(t, "dst")
				c.Weights(pool, weights.slice())
				weights.check(t, "weights")
				for row := range size.rows {
					a := Attention{Batch: 1, Heads: size.heads, HeadDim: size.headDim, TQ: 1, TK: pos + 1,
						Q: qkv[row*3*d:], KRow: d, VRow: d}
					for _, token := range history[row] {
						a.K, a.V = append(a.K, token.k...), append(a.V, token.v...)
						a.Hidden = append(a.Hidden, token.hidden)
					}
					for head := range size.heads {
						w, out := a.attention64(0, head, 0)
						for i, want := range out {
							near(t, shape(pos, row, head), i, dst.slice()[row*d+head*size.headDim+i], want, 1e-5)
						}
						got := weights.slice()[(row*size.heads+head)*size.length:][:size.length]
						for i, v := range got {
							want := 0.0
							if i < len(w) {
								want = w[i]
							}
							near(t, "weights "+shape(pos, row, head), i, v, want, 1e-6)
						}
					}
				}
			}
		})
	}
}

// Tokens that follow one another give the same bits in one call as in calls of their own:
// a row sees the keys of rows of its call.
func TestCachedAttentionOfTree(t *testing.T) {
	const heads, headDim, length, slots, first = 2, 32, 20, 3, 7
	const d = heads * headDim
	pool := NewPool(2)
	defer pool.Close()
	eachISA(t, func(t *testing.T) {
		r := newRand(11)
		k, v := normal(r, slots*length*d), normal(r, slots*length*d)
		var tables [][]int32 // of rows: positions first to first+3, a slot of each
		for _, path := range [][]int32{{2}, {2, 0}, {2, 1}, {2, 0, 0}, {2, 1, 1}, {2, 0, 2}, {2, 1, 1, 0}, {2, 0, 2, 1}} {
			tables = append(tables, append([]int32{0, 1, 2, -1, 1, 1, 0}, path...))
		}
		rows := len(tables)
		c := CachedAttention{Heads: heads, HeadDim: headDim, Slots: slots, Length: length, TableRow: length}
		run := func(k, v, qkv []float32, tables [][]int32) []float32 {
			c := c
			c.Rows, c.QKV, c.K, c.V, c.Dst = len(tables), qkv, k, v, make([]float32, len(tables)*d)
			for _, table := range tables {
				c.Pos = append(c.Pos, int32(len(table)-1))
				c.Table = append(append(c.Table, table...), make([]int32, length-len(table))...)
			}
			c.Run(pool)
			return c.Dst
		}
		qkv := normal(r, rows*3*d)
		got := run(slices.Clone(k), slices.Clone(v), qkv, tables)
		for row := range rows { // a row's ancestors are before it
			want := run(k, v, qkv[row*3*d:][:3*d], tables[row:row+1])
			if !slices.Equal(got[row*d:][:d], want) {
				t.Errorf("row %d differs from the same in a call of its own", row)
			}
		}
	})
}

func TestCachedAttentionAllHidden(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := newRand(8)
		c := CachedAttention{Rows: 1, Heads: 1, HeadDim: 8, Slots: 1, Length: 4, Pos: []int32{1}, QKV: normal(r, 24),
			K: normal(r, 32), V: normal(r, 32), Table: []int32{-1, -1}, TableRow: 2, Dst: normal(r, 8)}
		c.Run(nil)
		for i, v := range c.Dst {
			if v != 0 {
				t.Errorf("Dst[%d] = %v, want 0", i, v)
			}
		}
	})
}

func TestAttentionDoesNotAllocate(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	eachISA(t, func(t *testing.T) {
		for _, c := range []attentionCase{attentionCases[0], attentionCases[8]} {
			a, _ := c.make(1)
			a.Run(pool)
			a.Run(pool)
			if n := testing.AllocsPerRun(20, func() { a.Run(pool) }); n != 0 {
				t.Errorf("%v: %v allocations, want 0", c, n)
			}
		}
		r := newRand(9)
		c := CachedAttention{Rows: 1, Heads: 1, HeadDim: 8, Slots: 1, Length: 4, Pos: []int32{1}, QKV: normal(r, 24),
			K: normal(r, 32), V: normal(r, 32), Table: []int32{0, 0}, TableRow: 2, Dst: normal(r, 8)}
		c.Run(pool)
		if n := testing.AllocsPerRun(20, func() { c.Run(pool) }); n != 0 {
			t.Errorf("cached: %v allocations, want 0", n)
		}
	})
}

func BenchmarkAttention(b *testing.B) {
	pool := benchPool(b)
	for _, c := range []attentionCase{
		{1, 16, 64, 257, 257, false, false, true},
		{1, 12, 64, 50, 50, false, false, true},
		{32, 3, 64, 65, 65, false, false, true},
		{1, 12, 64, 77, 77, true, false, true},
		{1, 8, 96, 256, 257, false, false, false},
	} {
		b.Run(c.String(), func(b *testing.B) {
			a, _ := c.make(1)
			best := bestOf(b, func() { a.Run(pool) })
			b.ReportMetric(4*float64(c.batch*c.heads*c.headDim*c.tq*c.tk)/best/1e9, "GFLOP/s")
			b.ReportMetric(best*1e6, "best-µs")
		})
	}
}

func BenchmarkCachedAttention(b *testing.B) {
	pool := benchPool(b)
	r := newRand(1)
	const rows, length, d = 6, 77, 768
	c := CachedAttention{Rows: rows, Heads: 12, HeadDim: 64, Slots: rows, Length: length, Pos: slices.Repeat([]int32{40}, rows), QKV: normal(r, rows*3*d),
		K: normal(r, rows*length*d), V: normal(r, rows*length*d), TableRow: length, Dst: make([]float32, rows*d)}
	for row := range rows {
		for t := range length {
			c.Table = append(c.Table, int32((row+t/7)%rows))
		}
	}
	b.ReportMetric(bestOf(b, func() { c.Run(pool) })*1e6, "best-µs")
}
