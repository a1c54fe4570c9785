package kernel

import (
	"fmt"
	"math"
	"testing"
)

// linear64 is the oracle: the product and its epilogue in float64, and for each
// element the bound of the float32 error: one rounding for each term of the sum
// relative to the sum of magnitudes, then a few for the epilogue. The activations
// have a slope below 1.2.
func linear64(x, w []float32, rows, out, in int, order Order, e Epilogue) (want, tolerance []float64) {
	for r := range rows {
		for o := range out {
			var sum, size float64
			for k := range in {
				weight := w[o*in:]
				at := k
				if order == InOut {
					weight, at = w, k*out+o
				}
				term := float64(x[r*in+k]) * float64(weight[at])
				sum += term
				size += math.Abs(term)
			}
			if e.Bias != nil {
				sum += float64(e.Bias[o])
				size += math.Abs(float64(e.Bias[o]))
			}
			bound := float64(in+2) * unit * size
			y := activate64(e.Act, sum)
			bound = 1.2*bound + 4*unit*math.Abs(sum) + 4*unit*math.Abs(y)
			if e.Scale != nil {
				s := float64(e.Scale[o])
				y *= s
				bound = bound*math.Abs(s) + 2*unit*math.Abs(y)
			}
			if e.Residual != nil {
				y += float64(e.Residual[r*out+o])
				bound += 2 * unit * (math.Abs(y) + math.Abs(float64(e.Residual[r*out+o])))
			}
			want, tolerance = append(want, y), append(tolerance, bound+1e-40)
		}
	}
	return want, tolerance
}

func TestLinear(t *testing.T) {
	rowsList := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 14, 15, 16, 17, 29, 50}
	outs := []int{1, 5, 16, 31, 32, 33, 65, 100}
	ins := []int{1, 3, 4, 7, 8, 15, 16, 17, 50, 129}
	pool := NewPool(2)
	defer pool.Close()
	eachISA(t, func(t *testing.T) {
		r := newRand(1)
		for i, rows := range rowsList {
			for j, out := range outs {
				in := ins[(i+j)%len(ins)]
				for _, order := range []Order{OutIn, InOut} {
					for _, packed := range []bool{false, true} {
						e := Epilogue{Act: Activation((i + j) % 3)}
						if (i+j)%2 == 0 {
							e.Bias = fill(r, newGuarded(out, 1).slice())
						}
						if j%2 == 0 {
							e.Scale = normal(r, out)
						}
						if i%2 == 0 {
							e.Residual = normal(r, rows*out)
						}
						x := fill(r, newGuarded(rows*in, 1+i%3).slice())
						w := fill(r, newGuarded(out*in, 1+j%5).slice())
						m := NewMatrix(w, out, in, order)
						if packed {
							m.Prepare(smallRows + 1)
						}
						what := fmt.Sprintf("rows %d out %d in %d order %d packed %v act %v", rows, out, in, order, packed, e.Act)
						want, tolerance := linear64(x, w, rows, out, in, order, e)
						dst := newGuarded(rows*out, j%4)
						if e.Residual != nil && j%3 == 0 { // in place
							copy(dst.slice(), e.Residual)
							e.Residual = dst.slice()
						}
						m.Linear(pool, dst.slice(), x, rows, e)
						dst.check(t, what)
						for i, got := range dst.slice() {
							near(t, what, i, got, want[i], tolerance[i])
						}
					}
				}
			}
		}
	})
}

// A row gives the same result however many others it is computed with, as long
// as the weight is packed.
func TestLinearRowsDoNotMatter(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := newRand(2)
		const rows, out, in = 37, 70, 90
		x, w := normal(r, rows*in), normal(r, out*in)
		m := NewMatrix(w, out, in, OutIn)
		m.Prepare(rows)
		all := make([]float32, rows*out)
		e := Epilogue{Act: GELU}
		m.Linear(nil, all, x, rows, e)
		for n := 1; n < rows; n++ {
			some := make([]float32, n*out)
			m.Linear(nil, some, x, n, e)
			for i, v := range some {
				if v != all[i] {
					t.Fatalf("%d of %d rows: [%d] = %v, want %v", n, rows, i, v, all[i])
				}
			}
		}
	})
}

func TestLinearSpecialValues(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	const out, in = 40, 9
	for _, test := range []struct {
		name string
		v    float32
		want func(w float32) float64
	}{
		{"NaN", nan, func(float32) float64 { return math.NaN() }},
		{"+Inf", inf, func(w float32) float64 { return math.Inf(int(math.Copysign(1, float64(w)))) }},
		{"-Inf", -inf, func(w float32) float64 { return math.Inf(-int(math.Copysign(1, float64(w)))) }},
		{"denormal", 1e-40, func(w float32) float64 { return 1e-40 * float64(w) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			eachISA(t, func(t *testing.T) {
				for _, rows := range []int{1, 3, 16, 20} {
					for _, order := range []Order{OutIn, InOut} {
						w := normal(newRand(3), out*in)
						x := make([]float32, rows*in)
						x[(rows-1)*in+4] = test.v
						dst := make([]float32, rows*out)
						NewMatrix(w, out, in, order).Linear(nil, dst, x, rows, Epilogue{})
						for i, got := range dst {
							weight := w[i%out*in+4]
							if order == InOut {
								weight = w[4*out+i%out]
							}
							want := 0.0
							if i/out == rows-1 {
								want = test.want(weight)
							}
							near(t, shape(rows, out, in, int(order)), i, got, want, 1e-44)
						}
					}
				}
			})
		})
	}
}

func TestLinearDoesNotAllocate(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	eachISA(t, func(t *testing.T) {
		for _, p := range []*Pool{nil, pool} {
			for _, rows := range []int{1, 6, 50} {
				for _, order := range []Order{OutIn, InOut} {
					m := NewMatrix(normal(newRand(4), 64*96), 64, 96, order)
					x, dst := normal(newRand(5), rows*96), make([]float32, rows*64)
					m.Linear(p, dst, x, rows, Epilogue{})
					if n := testing.AllocsPerRun(20, func() { m.Linear(p, dst, x, rows, Epilogue{}) }); n != 0 {
						t.Errorf("%d threads, %d rows: %v allocations, want 0", p.Threads(), rows, n)
					}
				}
			}
		}
	})
}

// BenchmarkLinear measures the products of ViT-L-14 and B-32: many rows for the
// towers, few for the decoder.
func BenchmarkLinear(b *testing.B) {
	pool := benchPool(b)
	for _, s := range []struct {
		rows, in, out int
		order         Order
		act           Activation
		packed        bool
	}{
		{257, 1024, 3072, OutIn, None, true},
		{257, 1024, 4096, OutIn, GELU, true},
		{257, 4096, 1024, OutIn, None, true},
		{257, 1024, 1024, OutIn, None, true},
		{50, 768, 2304, OutIn, None, true},
		{50, 768, 3072, OutIn, GELU, true},
		{50, 3072, 768, OutIn, None, true},
		{50, 768, 768, OutIn, None, true},
		{1, 768, 3072, OutIn, GELU, true},
		{1, 768, 49408, InOut, None, false},
		{2, 768, 49408, InOut, None, false},
		{6, 768, 49408, InOut, None, false},
		{16, 768, 49408, InOut, None, false},
		{1, 768, 49408, OutIn, None, false},
		{2, 768, 49408, OutIn, None, false},
		{6, 768, 49408, OutIn, None, false},
		{16, 768, 49408, OutIn, None, false},
		{1, 768, 49408, OutIn, None, true},
		{6, 768, 49408, OutIn, None, true},
		{16, 768, 49408, OutIn, None, true},
	} {
		b.Run(fmt.Sprintf("%dx%dx%d/order%d/packed=%v", s.rows, s.in, s.out, s.order, s.packed), func(b *testing.B) {
			r := newRand(1)
			m := NewMatrix(normal(r, s.out*s.in), s.out, s.in, s.order)
			if s.packed {
				m.Pack(pool)
			}
			x, dst := normal(r, s.rows*s.in), make([]float32, s.rows*s.out)
			bias := normal(r, s.out)
			best := bestOf(b, func() { m.Linear(pool, dst, x, s.rows, Epilogue{Bias: bias, Act: s.act}) })
			b.ReportMetric(2*float64(s.rows*s.in*s.out)/best/1e9, "GFLOP/s")
			b.ReportMetric(4*float64(s.in*s.out)/best/1e9, "GB/s")
		})
	}
}
