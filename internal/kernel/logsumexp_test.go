package kernel

import (
	"fmt"
	"math"
	"testing"
)

func TestLogSumExp(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	inf := float32(math.Inf(1))
	eachISA(t, func(t *testing.T) {
		for _, width := range []int{1, 3, 31, 64, 65, 1000, 5000} {
			r := newRand(uint64(width))
			x := normal(r, 3*width)
			for i := range x[width:] { // far from 0, and far apart
				x[width+i] = 40*x[width+i] - 200
			}
			x[r.IntN(width)] = -inf
			if width > 1 {
				x[width+r.IntN(width)] = -inf
			}
			dst := newGuarded(6, 1)
			LogSumExp(pool, dst.slice(), x, 3, width)
			dst.check(t, "log-sum-exp")
			for row := range 3 {
				line := x[row*width:][:width]
				top := math.Inf(-1)
				for _, v := range line {
					top = max(top, float64(v))
				}
				if math.IsInf(top, -1) {
					top = math.NaN()
				}
				want := 0.0
				for _, v := range line {
					want += math.Exp(float64(v) - top)
				}
				got := dst.slice()[2*row:]
				if top == top {
					near(t, fmt.Sprint(width, " numbers, greatest"), row, got[0], top, 0)
				}
				// An exponential is off by 2 units, a chain of 16 to 64 sums by as many.
				near(t, fmt.Sprint(width, " numbers, sum"), row, got[1], want, 32*unit*want)
			}
		}
		for _, bad := range []float32{inf, float32(math.NaN())} {
			for _, at := range []int{0, 17, 99} {
				x := normal(newRand(1), 100)
				x[at] = bad
				var dst [2]float32
				LogSumExp(nil, dst[:], x, 1, len(x))
				if dst[1] == dst[1] {
					t.Errorf("with %v at %d: sum %v, want NaN", bad, at, dst[1])
				}
			}
		}
	})
}

func BenchmarkLogSumExp(b *testing.B) {
	pool := benchPool(b)
	x, dst := normal(newRand(1), 2*49408), make([]float32, 4)
	b.ReportMetric(bestOf(b, func() { LogSumExp(pool, dst, x, 2, 49408) })*1e6, "best-µs")
}
