package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// roundedBF16 is x rounded to bfloat16 and widened again.
func roundedBF16(x []float32) []float32 {
	halves, y := make([]uint16, len(x)), make([]float32, len(x))
	roundBF16Generic(halves, x)
	widenBF16Generic(y, halves)
	return y
}

type narrowCase struct{ rows, out, in int }

func narrowCases() (cases []narrowCase) {
	ins := []int{1, 2, 3, 4, 5, 7, 8, 15, 16, 31, 32, 33, 66, 130, 257}
	outs := []int{1, 16, 31, 32, 33, 70}
	for i, rows := range []int{1, 2, 5, 6, 7, 8, 13, 14, 15, 29} {
		for j, in := range ins {
			cases = append(cases, narrowCase{rows, outs[(i+j)%len(outs)], in})
		}
	}
	return cases
}

func TestLinearBF16(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	eachISA(t, func(t *testing.T) {
		r := newRand(1)
		for i, c := range narrowCases() {
			order := Order(i % 2)
			x := fill(r, newGuarded(c.rows*c.in, i%3).slice())
			w := normal(r, c.out*c.in)
			e := Epilogue{Bias: normal(r, c.out), Act: Activation(i % 3), Residual: normal(r, c.rows*c.out)}
			seen := x
			if inner.bf16Pairs {
				seen = roundedBF16(x)
			}
			want, tolerance := linear64(seen, roundedBF16(w), c.rows, c.out, c.in, order, e)
			stored := make([]uint16, len(w))
			roundBF16Generic(stored, w)
			for kind, m := range map[string]*Matrix{
				"rounded": NewMatrixPrecision(w, c.out, c.in, order, BF16),
				"stored":  NewMatrixBF16(stored, c.out, c.in, order),
			} {
				what := fmt.Sprint(kind, c, order)
				dst := newGuarded(c.rows*c.out, 1)
				m.Linear(pool, dst.slice(), x, c.rows, e)
				dst.check(t, what)
				for i, got := range dst.slice() {
					near(t, what, i, got, want[i], 2*tolerance[i])
				}
			}
		}
	})
}

func TestLinearInt8(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	r := newRand(2)
	for i, c := range narrowCases() {
		order := Order(i % 2)
		x, w := normal(r, c.rows*c.in), normal(r, c.out*c.in)
		if i%4 == 0 { // one large value sets the scale of its row
			x[r.IntN(len(x))] *= 100
		}
		var first []float32
		for _, l := range availableLevels() {
			useLevel(t, l)
			what := fmt.Sprint(l, c, order)
			dst := newGuarded(c.rows*c.out, 1)
			NewMatrixPrecision(w, c.out, c.in, order, Int8).Linear(pool, dst.slice(), x, c.rows, Epilogue{})
			dst.check(t, what)
			if first == nil {
				first = slices.Clone(dst.slice())
				checkInt8(t, what, first, x, w, c, order)
				continue
			}
			if !slices.Equal(dst.slice(), first) {
				t.Fatalf("%s: differs from the generic result", what)
			}
		}
	}
}

// checkInt8 compares with the float64 product. Rounding moves a weight or an
// activation by half a step of its scale at most.
func checkInt8(t *testing.T, what string, got, x, w []float32, c narrowCase, order Order) {
	t.Helper()
	weight := func(o, k int) float64 {
		if order == InOut {
			return float64(w[k*c.out+o])
		}
		return float64(w[o*c.in+k])
	}
	for r := range c.rows {
		sx := float64(math.Float32frombits(largestGeneric(x[r*c.in:][:c.in]))) / 127
		for o := range c.out {
			var sum, sizes, top float64
			for k := range c.in {
				top = math.Max(top, math.Abs(weight(o, k)))
			}
			sw := top / 127
			for k := range c.in {
				v := float64(x[r*c.in+k])
				sum += v * weight(o, k)
				sizes += math.Abs(v)*sw/2 + math.Abs(weight(o, k))*sx/2 + sx*sw/4
			}
			near(t, what, r*c.out+o, got[r*c.out+o], sum, sizes*1.001)
		}
	}
}

func TestInt8SpecialRows(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		const rows, in, out = 5, 40, 33
		x, w := normal(newRand(3), rows*in), normal(newRand(4), out*in)
		clear(x[in : 2*in])
		x[2*in+3] = float32(math.NaN())
		x[3*in+39] = float32(math.Inf(-1))
		for i := range in {
			x[4*in+i] = 1e-42
		}
		dst := make([]float32, rows*out)
		NewMatrixPrecision(w, out, in, OutIn, Int8).Linear(nil, dst, x, rows, Epilogue{})
		for i, v := range dst {
			switch r := i / out; {
			case (r == 1 || r == 4) && v != 0:
				t.Fatalf("row %d [%d] = %v, want 0", r, i%out, v)
			case (r == 2 || r == 3) && v == v:
				t.Fatalf("row %d [%d] = %v, want NaN", r, i%out, v)
			case r == 0 && v != v:
				t.Fatalf("row 0 [%d] = NaN", i%out)
			}
		}
	})
}

// Panels that were stored give the same results, whatever the instruction set
// that made them; wrong sizes are refused.
func TestPanelsAreKept(t *testing.T) {
	const rows, out, in = 20, 45, 37
	x, w := normal(newRand(5), rows*in), normal(newRand(6), out*in)
	for _, precision := range []Precision{F32, BF16, Int8} {
		generic := func() Panels {
			useLevel(t, levelGeneric)
			return *NewMatrixPrecision(w, out, in, OutIn, precision).Panels(nil)
		}()
		eachISA(t, func(t *testing.T) {
			m := NewMatrixPrecision(w, out, in, OutIn, precision)
			if p := m.Panels(nil); !slices.EqualFunc(p.Words, generic.Words, sameBits) ||
				!slices.Equal(p.Scale, generic.Scale) || !slices.Equal(p.Correction, generic.Correction) {
				t.Fatalf("%v: panels differ from those of the generic code", precision)
			}
			if !m.Packed() {
				t.Errorf("%v: not packed", precision)
			}
			again, err := NewMatrixPanels(generic)
			if err != nil {
				t.Fatal(err)
			}
			a, b := make([]float32, rows*out), make([]float32, rows*out)
			m.Linear(nil, a, x, rows, Epilogue{})
			again.Linear(nil, b, x, rows, Epilogue{})
			if !slices.Equal(a, b) {
				t.Errorf("%v: results of stored panels differ", precision)
			}
		})
		for name, change := range map[string]func(*Panels){
			"short words":   func(p *Panels) { p.Words = p.Words[1:] },
			"more inputs":   func(p *Panels) { p.In += 8 },
			"negative":      func(p *Panels) { p.Out = -1 },
			"precision":     func(p *Panels) { p.Precision = 9 },
			"short scale":   func(p *Panels) { p.Precision = Int8; p.Scale = nil },
			"more outputs":  func(p *Panels) { p.Out += 32 },
			"missing words": func(p *Panels) { p.Words = nil },
		} {
			p := generic
			change(&p)
			if _, err := NewMatrixPanels(p); err == nil {
				t.Errorf("%v: %s: no error", precision, name)
			}
		}
	}
}

func sameBits(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }

func TestNarrowDoesNotAllocate(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	eachISA(t, func(t *testing.T) {
		for _, precision := range []Precision{BF16, Int8} {
			for _, rows := range []int{1, 6, 50} {
				m := NewMatrixPrecision(normal(newRand(4), 64*97), 64, 97, OutIn, precision)
				x, dst := normal(newRand(5), rows*97), make([]float32, rows*64)
				m.Linear(pool, dst, x, rows, Epilogue{})
				m.Linear(pool, dst, x, rows, Epilogue{})
				if n := testing.AllocsPerRun(20, func() { m.Linear(pool, dst, x, rows, Epilogue{}) }); n != 0 {
					t.Errorf("%v, %d rows: %v allocations, want 0", precision, rows, n)
				}
			}
		}
	})
}

func BenchmarkLinearNarrow(b *testing.B) {
	pool := benchPool(b)
	for _, precision := range []Precision{BF16, Int8} {
		for _, s := range []struct{ rows, in, out int }{
			{257, 1024, 4096}, {257, 4096, 1024}, {50, 768, 3072}, {50, 3072, 768}, {1, 768, 49408}, {6, 768, 49408},
		} {
			b.Run(fmt.Sprintf("%v/%dx%dx%d", precision, s.rows, s.in, s.out), func(b *testing.B) {
				r := newRand(1)
				m := NewMatrixPrecision(normal(r, s.out*s.in), s.out, s.in, OutIn, precision)
				m.Pack(pool)
				x, dst := normal(r, s.rows*s.in), make([]float32, s.rows*s.out)
				best := bestOf(b, func() { m.Linear(pool, dst, x, s.rows, Epilogue{}) })
				b.ReportMetric(2*float64(s.rows*s.in*s.out)/best/1e9, "GFLOP/s")
				b.ReportMetric(4/float64(precision.perWord())*float64(s.in*s.out)/best/1e9, "GB/s")
			})
		}
	}
}
