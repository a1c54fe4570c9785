package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"
)

// eachISA runs f once for every instruction set of this machine.
func eachISA(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	for _, l := range availableLevels() {
		t.Run(l.String(), func(t *testing.T) {
			useLevel(t, l)
			f(t)
		})
	}
}

func useLevel(tb testing.TB, l level) {
	was, loops := active, inner
	active, inner = l, opsOf[l]
	tb.Cleanup(func() { active, inner = was, loops })
}

const guard = 64 // floats before and after a guarded slice

// guarded is a slice with bands of a known pattern around it.
type guarded struct {
	whole []float32
	from  int
	n     int
}

const guardBits = 0x7fc12345 // a NaN that no arithmetic makes

// newGuarded returns n floats filled with the guard pattern, misaligned by
// offset floats, between two bands.
func newGuarded(n, offset int) *guarded {
	g := &guarded{make([]float32, n+2*guard+offset), guard + offset, n}
	for i := range g.whole {
		g.whole[i] = math.Float32frombits(guardBits)
	}
	return g
}

// slice ends at its capacity, so that an append or a long slice would panic.
func (g *guarded) slice() []float32 { return g.whole[g.from : g.from+g.n : g.from+g.n] }

func (g *guarded) check(t *testing.T, what string) {
	t.Helper()
	for i, v := range g.whole {
		if (i < g.from || i >= g.from+g.n) && math.Float32bits(v) != guardBits {
			t.Fatalf("%s: wrote %v at %d, outside [0, %d)", what, v, i-g.from, g.n)
		}
	}
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// fill stores normally distributed numbers.
func fill(r *rand.Rand, s []float32) []float32 {
	for i := range s {
		s[i] = float32(r.NormFloat64())
	}
	return s
}

func normal(r *rand.Rand, n int) []float32 { return fill(r, make([]float32, n)) }

const unit = 0x1p-24 // the relative error of one float32 rounding

// near fails unless got is want to within tolerance; NaN and Inf must agree.
func near(t *testing.T, what string, i int, got float32, want, tolerance float64) {
	t.Helper()
	switch {
	case math.IsNaN(want):
		if got == got {
			t.Fatalf("%s[%d] = %v, want NaN", what, i, got)
		}
	case math.IsInf(float64(float32(want)), 0):
		if float64(got) != float64(float32(want)) {
			t.Fatalf("%s[%d] = %v, want %v", what, i, got, want)
		}
	case !(math.Abs(float64(got)-want) <= tolerance):
		t.Fatalf("%s[%d] = %v, want %v within %.2g (off by %.2g)", what, i, got, want, tolerance, math.Abs(float64(got)-want))
	}
}

func gelu64(x float64) float64 {
	if math.IsInf(x, -1) {
		return 0
	}
	return 0.5 * x * math.Erfc(-x/math.Sqrt2)
}

func quickGELU64(x float64) float64 {
	if math.IsInf(x, -1) {
		return 0
	}
	return x / (1 + math.Exp(-1.702*x))
}

func activate64(a Activation, x float64) float64 {
	switch a {
	case GELU:
		return gelu64(x)
	case QuickGELU:
		return quickGELU64(x)
	}
	return x
}

func shape(sizes ...int) string { return fmt.Sprint(sizes) }

// benchPool is the pool of the benchmarks; COCA_THREADS sets its size.
func benchPool(b *testing.B) *Pool {
	p := NewPool(benchThreads)
	b.Cleanup(p.Close)
	return p
}

var benchThreads, _ = strconv.Atoi(os.Getenv("COCA_THREADS"))

// now reads the clock of the benchmarks: with one thread its processor time, if
// the system tells it, which other programs do not add to.
var now = func() time.Duration { return time.Duration(time.Now().UnixNano()) }

// bestOf runs f b.N times and returns the seconds of the fastest run: on a
// machine that does other things too, the figure that can be repeated.
func bestOf(b *testing.B, f func()) float64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	f()
	best := math.Inf(1)
	for b.Loop() {
		start := now()
		f()
		best = min(best, (now() - start).Seconds())
	}
	return best
}
