package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// oddSizes are lengths around those of the vectors.
var oddSizes = []int{1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 100, 192, 771}

func TestActivationGrad(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, act := range []Activation{None, GELU, QuickGELU} {
			for _, n := range oddSizes {
				for _, scaled := range []bool{false, true} {
					const rows = 3
					r := newRand(uint64(n))
					dy, z, dz := newGuarded(rows*n, 1), newGuarded(rows*n, 2), newGuarded(rows*n, 3)
					fill(r, dy.slice())
					for i := range fill(r, z.slice()) {
						z.slice()[i] *= 3
					}
					var scale []float32
					if scaled {
						scale = normal(r, n)
					}
					task := &ActivationGrad{Rows: rows, Width: n, Act: act, DZ: dz.slice(), DY: dy.slice(), Z: z.slice(), Scale: scale}
					if act == None {
						task.Z = nil
					}
					task.Run(nil)
					dz.check(t, "dz")
					for i, got := range dz.slice() {
						want := float64(dy.slice()[i]) * act.slope(float64(z.slice()[i]))
						limit := math.Abs(float64(dy.slice()[i])) * 1e-6
						if scaled {
							want *= float64(scale[i%n])
							limit *= math.Abs(float64(scale[i%n]))
						}
						near(t, fmt.Sprint(act, n, scaled), i, got, want, limit+unit*math.Abs(want)*4)
					}
				}
			}
		}
	})
}

func TestActivationGradSpecialValues(t *testing.T) {
	inf := float32(math.Inf(1))
	z := []float32{0, inf, -inf, float32(math.NaN()), 6, -6, 5.9999995, -5.9999995, 50, -50, 1e30, -1e30, 1e-40, -1e-40, 0.5, -0.5, 2, -2, 40}
	dy, dz := make([]float32, len(z)), make([]float32, len(z))
	for i := range dy {
		dy[i] = 1
	}
	eachISA(t, func(t *testing.T) {
		for _, act := range []Activation{GELU, QuickGELU} {
			(&ActivationGrad{Rows: 1, Width: len(z), Act: act, DZ: dz, DY: dy, Z: z}).Run(nil)
			for i, x := range z {
				near(t, act.String(), i, dz[i], act.slope(float64(x)), 1e-6)
			}
		}
	})
	// The formula itself against differences of the function in float64.
	for _, act := range []Activation{GELU, QuickGELU} {
		for x := -9.0; x < 9; x += 0.37 {
			const h = 1e-5
			want := (activate64(act, x+h) - activate64(act, x-h)) / (2 * h)
			if got := act.slope(x); math.Abs(got-want) > 1e-9 {
				t.Errorf("slope of %v at %v is %v, want %v", act, x, got, want)
			}
		}
	}
}

func TestLayerNormGrad(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, n := range oddSizes {
			const rows, eps = 3, 1e-5
			r := newRand(uint64(n))
			x, dy, dx := newGuarded(rows*n, 1), newGuarded(rows*n, 2), newGuarded(rows*n, 3)
			fill(r, dy.slice())
			for i := range fill(r, x.slice()) {
				x.slice()[i] += 5 // the mean must not be in the way
			}
			gamma := normal(r, n)
			(&LayerNormGrad{Rows: rows, Width: n, DX: dx.slice(), X: x.slice(), Gamma: gamma, DY: dy.slice(), Eps: eps}).Run(nil)
			dx.check(t, "dx")
			want := make([]float32, n)
			for i := range rows {
				row, g := x.slice()[i*n:][:n], dy.slice()[i*n:][:n]
				mean, variance := momentsGeneric(row)
				inverse := 1 / math.Sqrt(variance+eps)
				layerNormGradGeneric(want, row, gamma, g, mean, inverse)
				// A mean rounded to float32 moves x̂ by its rounding times inverse, and
				// the two sums are of as many as n terms in 8 or 16 lanes.
				size := 0.0
				for j, v := range g {
					size = max(size, math.Abs(float64(v*gamma[j])))
				}
				limit := size * inverse * (unit*16 + 3*unit*math.Abs(mean)*inverse) * (2 + math.Sqrt(float64(n))/8) * 4
				for j, v := range dx.slice()[i*n:][:n] {
					near(t, fmt.Sprint("dx ", n), i*n+j, v, float64(want[j]), limit)
				}
			}
		}
	})
}

func TestColumnSum(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, n := range oddSizes {
			for _, rows := range []int{1, 2, 13, 150} {
				r := newRand(uint64(n*1000 + rows))
				x, y, dst := newGuarded(rows*n, 1), newGuarded(rows*n, 2), newGuarded(n, 3)
				fill(r, x.slice())
				fill(r, y.slice())
				for kind := range 3 {
					task := &ColumnSum{Rows: rows, Width: n, Dst: dst.slice(), X: x.slice(), Eps: 1e-5}
					if kind > 0 {
						task.Y, task.Norm = y.slice(), kind == 2
					}
					task.Run(nil)
					dst.check(t, "dst")
					want, size := make([]float64, n), make([]float64, n)
					for i := range rows {
						mean, variance := momentsGeneric(x.slice()[i*n:][:n])
						for j := range n {
							v := float64(x.slice()[i*n+j])
							switch kind {
							case 1:
								v *= float64(y.slice()[i*n+j])
							case 2:
								v = (v - mean) / math.Sqrt(variance+1e-5) * float64(y.slice()[i*n+j])
							}
							want[j] += v
							size[j] += math.Abs(v)
						}
					}
					for j, v := range dst.slice() {
						near(t, fmt.Sprint("sum ", kind, n, rows), j, v, want[j], 2*unit*math.Abs(want[j])+1e-12*(1+size[j]))
					}
				}
			}
		}
	})
}

// TestAdamWIsTheSame holds every instruction set to the formula, bit for bit.
func TestAdamWIsTheSame(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, n := range oddSizes {
			r := newRand(uint64(n))
			var got, want [4]*guarded
			for i := range got {
				got[i], want[i] = newGuarded(n, i), newGuarded(n, i)
				fill(r, got[i].slice())
				if i == 3 {
					for j, v := range got[i].slice() {
						got[i].slice()[j] = v * v
					}
				}
				copy(want[i].slice(), got[i].slice())
			}
			c := AdamWStep{0.9999, 0.1, 0.98, 0.02, 0.3, 1e-6, -0.01}
			for range 5 {
				AdamW(got[0].slice(), got[1].slice(), got[2].slice(), got[3].slice(), &c)
				adamwGeneric(want[0].slice(), want[1].slice(), want[2].slice(), want[3].slice(), &c)
			}
			for i := range got {
				got[i].check(t, "operand")
				if !slices.EqualFunc(got[i].slice(), want[i].slice(), sameBits) {
					t.Fatalf("%d elements: operand %d differs from the formula", n, i)
				}
			}
		}
	})
}

func TestSumSquares(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, n := range oddSizes {
			x := normal(newRand(uint64(n)), n)
			want := sumSquaresGeneric(x)
			if got := SumSquares(x); !(math.Abs(got-want) <= 1e-13*want) {
				t.Errorf("sum of %d squares is %v, want %v", n, got, want)
			}
		}
		if got := SumSquares([]float32{1, float32(math.NaN())}); got == got {
			t.Errorf("with NaN: %v", got)
		}
	})
}

func TestPairRows(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, n := range oddSizes {
			const pairs = 5
			r := newRand(uint64(n))
			src, got := normal(r, 2*pairs*(n+2)), newGuarded(pairs*n, 1)
			src[0], src[n/2] = float32(math.NaN()), float32(math.Inf(-1))
			want := make([]float32, pairs*n)
			inner.pairRows(pairs, n, got.slice(), n, src, n+2)
			pairRowsGeneric(pairs, n, want, n, src, n+2)
			got.check(t, "pairs")
			if !slices.EqualFunc(got.slice(), want, sameBits) {
				t.Fatalf("%d columns: differs from the twin", n)
			}
		}
	})
}

// TestProduct compares products of every layout with sums in float64.
func TestProduct(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	eachISA(t, func(t *testing.T) {
		for i, size := range [][3]int{{1, 1, 1}, {3, 5, 7}, {13, 31, 2}, {14, 32, 64}, {15, 33, 65}, {40, 70, 1}, {70, 40, 129}, {200, 20, 31}, {20, 200, 30}, {17, 9, 2600}, {9, 40, 5003}} {
			m, n, k := size[0], size[1], size[2]
			for layout := range 4 {
				for _, precision := range []Precision{F32, BF16} {
					for plain := range 2 {
						r := newRand(uint64(i*8 + layout))
						dst := newGuarded(m*n, 1)
						p := &Product{M: m, N: n, K: k, A: normal(r, m*k+3)[3:], ARow: k, B: normal(r, k*n+1)[1:], BRow: n,
							ATrans: layout&1 > 0, BTrans: layout&2 > 0, Precision: precision, Dst: dst.slice()}
						if p.ATrans {
							p.ARow = m
						}
						if p.BTrans {
							p.BRow = k
						}
						if plain == 0 {
							p.Epilogue = Epilogue{Bias: normal(r, n), Act: GELU, Scale: normal(r, n), Residual: normal(r, m*n)}
						}
						p.Run(pool)
						dst.check(t, "dst")
						once := slices.Clone(dst.slice())
						p.Run(nil)
						if !slices.Equal(once, dst.slice()) {
							t.Fatalf("%v, layout %d, %v: one thread gives other bits than two", size, layout, precision)
						}
						checkProduct(t, p, precision == BF16 && inner.bf16Pairs)
					}
				}
			}
		}
	})
}

func TestPairColumns(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, n := range []int{2, 30, 32, 34, 64, 96, 130} {
			for _, rows := range []int{1, 2, 7, 8, 14, 16, 17, 31, 32} {
				r := newRand(uint64(n))
				src := normal(r, rows*(n+3))
				src[0], src[n/2] = float32(math.NaN()), float32(math.Inf(-1))
				got, want := newGuarded(n/2*32, 1), make([]float32, n/2*32)
				inner.pairColumns(rows, n, got.slice(), 32, src, n+3)
				pairColumnsGeneric(rows, n, want, 32, src, n+3)
				got.check(t, "pairs")
				for k := range n / 2 {
					if !slices.EqualFunc(got.slice()[k*32:][:rows], want[k*32:][:rows], sameBits) {
						t.Fatalf("%d rows of %d: row %d of pairs differs from the twin", rows, n, k)
					}
				}
			}
		}
	})
}

func checkProduct(t *testing.T, p *Product, rounded bool) {
	a, b := p.A, p.B
	if rounded {
		a, b = roundedBF16(a), roundedBF16(b)
	}
	for i := range p.M {
		for j := range p.N {
			sum, size := 0.0, 0.0
			for l := range p.K {
				x, y := i*p.ARow+l, l*p.BRow+j
				if p.ATrans {
					x = l*p.ARow + i
				}
				if p.BTrans {
					y = j*p.BRow + l
				}
				v := float64(a[x]) * float64(b[y])
				sum, size = sum+v, size+math.Abs(v)
			}
			// Errors of a chain of additions wander; one that always errs the same way is 8 times as bad.
			limit := unit * (size*(2+math.Sqrt(float64(p.K))) + 1e-6)
			if p.Bias != nil {
				sum += float64(p.Bias[j])
				limit = (limit+unit*math.Abs(sum))*1.2 + 2e-7*math.Abs(sum)
				sum = gelu64(sum) * float64(p.Scale[j])
				limit = limit*math.Abs(float64(p.Scale[j])) + 4*unit*math.Abs(sum)
				sum += float64(p.Residual[i*p.N+j])
				limit += unit * math.Abs(sum)
			}
			near(t, fmt.Sprint("product ", p.M, p.N, p.K, p.ATrans, p.BTrans, p.Precision), i*p.N+j, p.Dst[i*p.N+j], sum, limit)
		}
	}
}

func TestCopyRows(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, n := range oddSizes {
			src, got := normal(newRand(1), 5*(n+3)), newGuarded(5*n, 1)
			inner.copyRows(5, n, got.slice(), n, src, n+3)
			got.check(t, "copy")
			for k := range 5 {
				if !slices.Equal(got.slice()[k*n:][:n], src[k*(n+3):][:n]) {
					t.Fatalf("%d columns: row %d differs", n, k)
				}
			}
		}
	})
}

func TestProductDoesNotAllocate(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	x := normal(newRand(1), 200*200)
	for _, precision := range []Precision{F32, BF16} {
		p := &Product{M: 200, N: 100, K: 190, A: x, ARow: 190, B: x, BRow: 100, Precision: precision, Dst: make([]float32, 200*100)}
		p.Run(pool)
		if n := testing.AllocsPerRun(20, func() { p.Run(pool) }); n != 0 {
			t.Errorf("%v: %v allocations, want 0", precision, n)
		}
	}
}

// BenchmarkProduct times the products of a layer of a small tower: forward, the
// gradient of the activations and that of the weight.
func BenchmarkProduct(b *testing.B) {
	for _, c := range []struct {
		name    string
		m, n, k int
		at, bt  bool
	}{
		{"forward", 8320, 576, 192, false, true}, {"dx", 8320, 192, 576, false, false}, {"dw", 576, 192, 8320, true, false},
		{"up", 8320, 768, 192, false, true}, {"down", 8320, 192, 768, false, true}, {"ddown", 192, 768, 8320, true, false},
		{"short", 2176, 768, 192, false, true}, {"wide", 800, 3072, 768, false, true}, {"widedw", 3072, 768, 800, true, false}, {"square", 192, 192, 192, false, false},
	} {
		for _, precision := range []Precision{F32, BF16} {
			b.Run(c.name+"/"+precision.String(), func(b *testing.B) {
				pool := benchPool(b)
				p := &Product{M: c.m, N: c.n, K: c.k, A: normal(newRand(1), c.m*c.k), ARow: c.k, B: normal(newRand(2), c.k*c.n), BRow: c.n,
					ATrans: c.at, BTrans: c.bt, Precision: precision, Dst: make([]float32, c.m*c.n)}
				if c.at {
					p.ARow = c.m
				}
				if c.bt {
					p.BRow = c.k
				}
				best := bestOf(b, func() { p.Run(pool) })
				b.ReportMetric(2*float64(c.m)*float64(c.n)*float64(c.k)/best/1e9, "GFLOP/s")
			})
		}
	}
}
