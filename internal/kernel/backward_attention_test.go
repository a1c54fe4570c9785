package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

type attentionGradCase struct {
	batch, heads, d, tq, tk int
	causal, hidden, shared  bool
}

var attentionGradCases = []attentionGradCase{
	{2, 3, 64, 65, 65, false, false, false},
	{1, 2, 64, 33, 65, false, false, true},
	{2, 2, 64, 17, 17, false, false, false},
	{2, 1, 20, 50, 50, true, true, false},
	{2, 2, 8, 32, 40, false, true, false},
	{1, 1, 7, 5, 9, true, false, false},
	{3, 1, 33, 1, 1, false, false, true},
	{1, 2, 16, 41, 70, false, false, false},
	{2, 1, 24, 72, 72, true, true, false},
}

func (c attentionGradCase) task(seed uint64) *AttentionGrad {
	r := newRand(seed)
	w := c.heads * c.d
	a := Attention{
		Batch: c.batch, Heads: c.heads, HeadDim: c.d, TQ: c.tq, TK: c.tk,
		Q: normal(r, c.batch*c.tq*w), QRow: w, QBatch: c.tq * w,
		K: normal(r, c.batch*c.tk*2*w), KRow: 2 * w, KBatch: c.tk * 2 * w, VRow: 2 * w, VBatch: c.tk * 2 * w,
		Causal: c.causal,
	}
	a.V = a.K[w:]
	if c.shared {
		a.QBatch, a.Q = 0, a.Q[:c.tq*w]
	}
	if c.hidden {
		a.Hidden = make([]bool, c.batch*c.tk)
		for i := range a.Hidden {
			a.Hidden[i] = i%c.tk > 0 && r.IntN(3) == 0
		}
	}
	return &AttentionGrad{Attention: a, DY: normal(r, c.batch*c.tq*w)}
}

// attentionGrad64 is the gradient in float64, laid out as the kernel's.
func attentionGrad64(t *AttentionGrad) (dq, dkv []float64) {
	w := t.Heads * t.HeadDim
	dq, dkv = make([]float64, len(t.Q)), make([]float64, len(t.K))
	dk, dv := dkv, dkv[w:]
	scale := 1 / math.Sqrt(float64(t.HeadDim))
	p, dp := make([]float64, t.TK), make([]float64, t.TK)
	for b := range t.Batch {
		for h := range t.Heads {
			for i := range t.TQ {
				at := b*t.QBatch + i*t.QRow + h*t.HeadDim
				kv := b*t.KBatch + h*t.HeadDim
				dy := t.DY[((b*t.TQ+i)*t.Heads+h)*t.HeadDim:][:t.HeadDim]
				top, sum := math.Inf(-1), 0.0
				for j := range t.TK {
					p[j] = math.Inf(-1)
					if j < t.visible(i) && !t.hides(b, j) {
						p[j] = dot64(t.Q[at:][:t.HeadDim], t.K[kv+j*t.KRow:]) * scale
					}
					dp[j] = dot64(dy, t.V[kv+j*t.VRow:])
					top = max(top, p[j])
				}
				mean := 0.0
				for j := range p {
					p[j] = math.Exp(p[j] - top)
					sum += p[j]
				}
				for j := range p {
					p[j] /= sum
					mean += p[j] * dp[j]
				}
				for j := range p {
					ds := p[j] * (dp[j] - mean) * scale
					for c := range t.HeadDim {
						dq[at+c] += ds * float64(t.K[kv+j*t.KRow+c])
						dk[kv+j*t.KRow+c] += ds * float64(t.Q[at+c])
						dv[kv+j*t.VRow+c] += p[j] * float64(dy[c])
					}
				}
			}
		}
	}
	return dq, dkv
}

func TestAttentionGrad(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	eachISA(t, func(t *testing.T) {
		for i, c := range attentionGradCases {
			for _, precision := range []Precision{F32, BF16} {
				task := c.task(uint64(i))
				task.Precision = precision
				w := c.heads * c.d
				dq, dkv := newGuarded(len(task.Q), 1), newGuarded(len(task.K), 2)
				task.DQ, task.DK, task.DV = dq.slice(), dkv.slice(), dkv.slice()[w:]
				task.Run(pool)
				dq.check(t, "dq")
				dkv.check(t, "dk and dv")
				q1, kv1 := slices.Clone(dq.slice()), slices.Clone(dkv.slice())
				task.Run(nil)
				if !slices.Equal(q1, dq.slice()) || !slices.Equal(kv1, dkv.slice()) {
					t.Fatalf("%v: one thread gives other bits than two", c)
				}
				wantQ, wantKV := attentionGrad64(task)
				// Scores of some units have errors of some roundings, and so have the
				// probabilities; sums are of TQ or TK terms.
				relative := 40 * unit * math.Sqrt(float64(c.tq+c.tk))
				if precision == BF16 && inner.bf16Pairs {
					relative = 0x1p-8 * 2
				}
				for _, x := range []struct {
					name string
					got  []float32
					want []float64
				}{{"dq", dq.slice(), wantQ}, {"dk, dv", dkv.slice(), wantKV}} {
					off, size, largest := 0.0, 0.0, 0.0
					for j, v := range x.got {
						d := math.Abs(float64(v) - x.want[j])
						off, size = off+d*d, size+x.want[j]*x.want[j]
						largest = max(largest, d)
					}
					n := float64(len(x.got))
					if !(math.Sqrt(off) <= relative*math.Sqrt(size)+1e-6*math.Sqrt(n)) || largest > 30*relative*math.Sqrt(size/n)+1e-5 {
						t.Errorf("%+v, %v: %s off by %.2e of its length, %.2e at most (RMS %.2e)", c, precision, x.name, math.Sqrt(off/size), largest, math.Sqrt(size/n))
					}
				}
			}
		}
	})
}

func TestAttentionGradDoesNotAllocate(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	for i, c := range attentionGradCases[:3] {
		task := c.task(uint64(i))
		task.DQ, task.DK = make([]float32, len(task.Q)), make([]float32, len(task.K))
		task.DV = task.DK[c.heads*c.d:]
		for range 4 { // both threads see the sizes
			task.Run(pool)
		}
		if n := testing.AllocsPerRun(20, func() { task.Run(pool) }); n != 0 {
			t.Errorf("%v: %v allocations, want 0", c, n)
		}
	}
}

func BenchmarkAttentionGrad(b *testing.B) {
	for _, c := range []attentionGradCase{
		{128, 3, 64, 65, 65, false, false, false}, {128, 3, 64, 33, 65, false, false, true}, {128, 3, 64, 17, 17, false, false, false},
		{128, 3, 64, 31, 31, true, true, false}, {16, 12, 64, 50, 50, false, false, false},
	} {
		for _, precision := range []Precision{F32, BF16} {
			b.Run(fmt.Sprintf("%dx%d/%v", c.tq, c.tk, precision), func(b *testing.B) {
				pool := benchPool(b)
				task := c.task(1)
				task.Precision = precision
				task.DQ, task.DK = make([]float32, len(task.Q)), make([]float32, len(task.K))
				task.DV = task.DK[c.heads*c.d:]
				best := bestOf(b, func() { task.Run(pool) })
				b.ReportMetric(10*float64(c.batch*c.heads*c.d*c.tq*c.tk)/best/1e9, "GFLOP/s")
			})
		}
	}
}
