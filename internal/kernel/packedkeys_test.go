package kernel

import (
	"fmt"
	"math"
	"testing"
)

type packedCase struct {
	heads, headDim, tokens int
	index                  []int32
}

var packedCases = []packedCase{
	{8, 64, 255, []int32{0, 0}},
	{2, 80, 577, []int32{0}},
	{3, 5, 7, []int32{2, 2, 2, 2, 2, 0, 1, 1, 1}},
	{1, 1, 1, []int32{0, 0, 0}},
	{2, 33, 40, []int32{1, 0, 0, 2, 2, 2, 1}},
	{1, 32, 32, []int32{0, 0, 0, 0, 0, 0, 0, 0, 0}},
	{2, 96, 31, []int32{0, 1}},
}

// oracle is one head of one row in float64.
func (c packedCase) oracle(q, kv []float32, row, head int) []float64 {
	d := c.heads * c.headDim
	at := int(c.index[row])*c.tokens*2*d + head*c.headDim
	weights, out := make([]float64, c.tokens), make([]float64, c.headDim)
	top := math.Inf(-1)
	for j := range weights {
		weights[j] = dot64(q[row*d+head*c.headDim:][:c.headDim], kv[at+j*2*d:]) / math.Sqrt(float64(c.headDim))
		top = max(top, weights[j])
	}
	sum := 0.0
	for j := range weights {
		weights[j] = math.Exp(weights[j] - top)
		sum += weights[j]
	}
	for j, w := range weights {
		for i := range out {
			out[i] += w / sum * float64(kv[at+j*2*d+d+i])
		}
	}
	return out
}

func TestPackedAttention(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	eachISA(t, func(t *testing.T) {
		for i, c := range packedCases {
			for _, precision := range []Precision{F32, BF16} {
				t.Run(fmt.Sprint(c.heads, " heads of ", c.headDim, ", ", c.tokens, " tokens, ", precision), func(t *testing.T) {
					c.test(t, newRandSlices(uint64(i), c), precision, pool)
				})
			}
		}
	})
}

// newRandSlices draws queries, and keys and values, of a case.
func newRandSlices(seed uint64, c packedCase) [2][]float32 {
	r, d, images := newRand(seed), c.heads*c.headDim, 0
	for _, i := range c.index {
		images = max(images, int(i)+1)
	}
	return [2][]float32{normal(r, len(c.index)*d), normal(r, images*c.tokens*2*d)}
}

func (c packedCase) test(t *testing.T, in [2][]float32, precision Precision, pool *Pool) {
	q, kv := in[0], in[1]
	k := PackedKeys{c.heads, c.headDim, c.tokens, precision}
	d := c.heads * c.headDim
	images := len(kv) / (c.tokens * 2 * d)
	packed, dst := newGuarded(images*k.Words(), 1), newGuarded(len(q), 1)
	k.Pack(pool, packed.slice(), kv, images)
	packed.check(t, "packed")
	a := PackedAttention{PackedKeys: k, Rows: len(c.index), Q: q, Packed: packed.slice(), Index: c.index, Dst: dst.slice()}
	a.Run(pool)
	dst.check(t, "attention")
	// In float32 the scores are off by the rounding of sums of headDim products of numbers
	// around 1, the results by that of sums of tokens.
	tolerance := 8 * unit * math.Sqrt(float64(c.headDim+c.tokens))
	if precision == BF16 {
		tolerance = pairsTolerance
	}
	for row := range c.index {
		for head := range c.heads {
			want := c.oracle(q, kv, row, head)
			for i, w := range want {
				near(t, fmt.Sprint("row ", row, " head ", head), i, dst.slice()[row*d+head*c.headDim+i], w, tolerance*max(1, math.Abs(w)))
			}
		}
	}
}

func BenchmarkPackedAttention(b *testing.B) {
	for _, precision := range []Precision{F32, BF16} {
		b.Run(fmt.Sprint(precision), func(b *testing.B) {
			pool := benchPool(b)
			c := packedCase{8, 64, 255, []int32{0, 0}}
			in := newRandSlices(1, c)
			k := PackedKeys{c.heads, c.headDim, c.tokens, precision}
			const layers = 24 // more than the caches hold
			packed := make([]float32, layers*k.Words())
			for l := range layers {
				k.Pack(pool, packed[l*k.Words():], in[1], 1)
			}
			a := PackedAttention{PackedKeys: k, Rows: 2, Q: in[0], Index: c.index, Dst: make([]float32, len(in[0]))}
			seconds := bestOf(b, func() {
				for l := range layers {
					a.Packed = packed[l*k.Words():]
					a.Run(pool)
				}
			})
			b.ReportMetric(seconds/layers*1e6, "µs/layer")
			b.ReportMetric(4*float64(k.Words())*layers/seconds/1e9, "GB/s")
		})
	}
}
