package kernel

import (
	"fmt"
	"math"
	"testing"
)

// Every kernel gives the same bits for every number of threads, many more than
// there are processors included: pieces never share a sum.
func TestThreadsDoNotMatter(t *testing.T) {
	r := newRand(31)
	const rows, in, out = 19, 70, 161
	x, w, residual := normal(r, 4*rows*in), normal(r, out*in), normal(r, rows*out)
	const batch, heads, width, tokens = 2, 3, 16, 45
	qkv := normal(r, batch*tokens*3*heads*width)
	cases := map[string]func(p *Pool, dst []float32){
		"layer norm": func(p *Pool, dst []float32) { LayerNorm(p, dst, x, rows, in, x[:in], nil, 1e-5) },
		"activate":   func(p *Pool, dst []float32) { Activate(p, dst, x, GELU) },
		"softmax":    func(p *Pool, dst []float32) { Softmax(p, dst, x, rows, in) },
	}
	for _, precision := range []Precision{F32, BF16, Int8} {
		for _, n := range []int{1, 5, rows} {
			for _, order := range []Order{OutIn, InOut} {
				cases[fmt.Sprintf("linear %v, %d rows, order %d", precision, n, order)] = func(p *Pool, dst []float32) {
					m := NewMatrixPrecision(w, out, in, order, precision)
					m.Linear(p, dst, x, n, Epilogue{Act: QuickGELU, Residual: residual})
				}
			}
		}
	}
	for _, queries := range []int{1, tokens} {
		cases[fmt.Sprintf("attention, %d queries", queries)] = func(p *Pool, dst []float32) {
			const row = 3 * heads * width
			a := Attention{Batch: batch, Heads: heads, HeadDim: width, TQ: queries, TK: tokens,
				Q: qkv, K: qkv[heads*width:], V: qkv[2*heads*width:], QRow: row, KRow: row, VRow: row,
				QBatch: tokens * row, KBatch: tokens * row, VBatch: tokens * row, Causal: queries > 1, Dst: dst}
			a.Run(p)
		}
	}
	var pools []*Pool
	for threads := 2; threads <= 16; threads++ {
		pools = append(pools, NewPool(threads))
		defer pools[len(pools)-1].Close()
	}
	eachISA(t, func(t *testing.T) {
		want, got := make([]float32, 1<<13), make([]float32, 1<<13)
		for name, run := range cases {
			clear(want)
			run(nil, want)
			for _, p := range pools {
				clear(got)
				run(p, got)
				for i, v := range want {
					if math.Float32bits(got[i]) != math.Float32bits(v) {
						t.Fatalf("%s: with %d threads [%d] = %v, with one %v", name, p.Threads(), i, got[i], v)
					}
				}
			}
		}
	})
}
