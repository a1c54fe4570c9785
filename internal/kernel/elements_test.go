package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// sizes around every vector width, and some larger.
var lengths = []int{1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 100, 768, 1023}

func TestLayerNorm(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	eachISA(t, func(t *testing.T) {
		r := newRand(1)
		for i, width := range lengths {
			for _, rows := range []int{1, 3, 17} {
				for _, offset := range []float32{0, 100} { // a mean far from zero must not hurt
					x := fill(r, newGuarded(rows*width, i%4).slice())
					for j := range x {
						x[j] += offset
					}
					var gamma, beta []float32
					if i%3 > 0 {
						gamma = fill(r, newGuarded(width, 1).slice())
					}
					if i%3 > 1 {
						beta = fill(r, newGuarded(width, 3).slice())
					}
					const eps = 1e-5
					dst := newGuarded(rows*width, 1)
					what := fmt.Sprintf("rows %d width %d offset %v", rows, width, offset)
					LayerNorm(pool, dst.slice(), x, rows, width, gamma, beta, eps)
					dst.check(t, what)
					for r := range rows {
						row := x[r*width:][:width]
						mean, variance := moments(row)
						inv := 1 / math.Sqrt(variance+eps)
						for j, v := range row {
							y := (float64(v) - mean) * inv
							g, b := 1.0, 0.0
							if gamma != nil {
								g = float64(gamma[j])
							}
							if beta != nil {
								b = float64(beta[j])
							}
							// The mean is off by a few units of the values' size.
							slack := 8 * unit * (1 + math.Abs(float64(offset))) * math.Max(1, inv)
							near(t, what, r*width+j, dst.slice()[r*width+j], y*g+b,
								(slack*(1+math.Abs(y))+4*unit*math.Abs(y))*math.Abs(g)+4*unit*(math.Abs(y*g)+math.Abs(b)))
						}
					}
				}
			}
		}
	})
}

func moments(x []float32) (mean, variance float64) {
	for _, v := range x {
		mean += float64(v)
	}
	mean /= float64(len(x))
	for _, v := range x {
		variance += (float64(v) - mean) * (float64(v) - mean)
	}
	return mean, variance / float64(len(x))
}

func TestLayerNormInPlaceAndConstant(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		x := slices.Repeat([]float32{3}, 40)
		LayerNorm(nil, x, x, 1, 40, nil, nil, 1e-5)
		for i, v := range x {
			near(t, "constant row", i, v, 0, 0)
		}
		x[7] = float32(math.NaN())
		LayerNorm(nil, x, x, 1, 40, nil, nil, 1e-5)
		for i, v := range x {
			near(t, "NaN", i, v, math.NaN(), 0)
		}
	})
}

// GELU on a dense grid against float64 erfc: within 1e-7·|x| and a rounding.
func TestActivationsOnGrid(t *testing.T) {
	const n = 200001
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(-12 + 24*float64(i)/(n-1))
	}
	x = append(x, 0, float32(math.Copysign(0, -1)), 1e-40, -1e-40, 1e-20, -1e-20, 88, -88, 1e30, -1e30, 3e38, -3e38)
	expected := map[Activation][]float64{}
	for _, act := range []Activation{None, GELU, QuickGELU} {
		for _, v := range x {
			expected[act] = append(expected[act], activate64(act, float64(v)))
		}
	}
	eachISA(t, func(t *testing.T) {
		y := make([]float32, len(x))
		for _, act := range []Activation{None, GELU, QuickGELU} {
			Activate(nil, y, x, act)
			var worst float64
			for i, v := range x {
				want := expected[act][i]
				tolerance := 1e-7*math.Min(math.Abs(float64(v)), 10) + unit*math.Abs(want) + 1e-37
				if act == QuickGELU { // a rounding of the exponent is relative to the exponential
					tolerance = (8+2*math.Abs(float64(v)))*unit*math.Abs(want) + 1e-30
				}
				near(t, act.String(), i, y[i], want, tolerance)
				worst = math.Max(worst, math.Abs(float64(y[i])-want)/math.Max(math.Abs(float64(v)), 1e-30))
			}
			t.Logf("%v: worst error %.2g of |x|", act, worst)
		}
	})
}

func TestActivationsSpecialValues(t *testing.T) {
	inf := float32(math.Inf(1))
	eachISA(t, func(t *testing.T) {
		for _, act := range []Activation{GELU, QuickGELU} {
			x := slices.Repeat([]float32{inf, -inf, float32(math.NaN())}, 7)
			dst := newGuarded(len(x), 1)
			Activate(nil, dst.slice(), x, act)
			dst.check(t, act.String())
			for i, got := range dst.slice() {
				near(t, act.String(), i, got, []float64{math.Inf(1), 0, math.NaN()}[i%3], 1e-30)
			}
		}
	})
}

func TestActivateAndAddLong(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	eachISA(t, func(t *testing.T) {
		r := newRand(2)
		a, b := normal(r, 3*elementChunk+5), normal(r, 3*elementChunk+5)
		dst := newGuarded(len(a), 1)
		Activate(pool, dst.slice(), a, GELU)
		dst.check(t, "GELU")
		for i, got := range dst.slice() {
			near(t, "GELU", i, got, gelu64(float64(a[i])), 3e-7)
		}
		Add(pool, dst.slice(), a, b)
		dst.check(t, "Add")
		for i, got := range dst.slice() {
			near(t, "Add", i, got, float64(a[i]+b[i]), 0)
		}
	})
}

func TestExp(t *testing.T) {
	inf := float32(math.Inf(1))
	eachISA(t, func(t *testing.T) {
		x := []float32{0, 1, -1, inf, -inf, float32(math.NaN()), 88.72, 89, 1e30, -1e30, -87.3, -88, -103, -104, -200}
		for i := range 200000 {
			x = append(x, float32(-105+195*float64(i)/200000))
		}
		for _, n := range append([]int{len(x)}, lengths...) {
			dst := newGuarded(n, 1)
			Exp(dst.slice(), x[:n])
			dst.check(t, "exp")
			for i, got := range dst.slice() {
				want := math.Exp(float64(x[i]))
				near(t, "exp", i, got, want, 2.5e-7*want+0x1p-149)
			}
		}
	})
}

func TestSoftmax(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	inf := float32(math.Inf(-1))
	eachISA(t, func(t *testing.T) {
		r := newRand(3)
		for _, width := range lengths {
			const rows = 3
			x := fill(r, newGuarded(rows*width, 1).slice())
			for i := range x {
				x[i] *= 20
				if i%5 == 1 && width > 2 {
					x[i] = inf
				}
			}
			dst := newGuarded(rows*width, 2)
			Softmax(pool, dst.slice(), x, rows, width)
			dst.check(t, "softmax")
			for r := range rows {
				row := x[r*width:][:width]
				top, sum := float64(slices.Max(row)), 0.0
				for _, v := range row {
					sum += math.Exp(float64(v) - top)
				}
				for i, v := range row {
					want := math.Exp(float64(v)-top) / sum
					if math.IsInf(float64(v), -1) {
						want, v = 0, float32(top)
					}
					near(t, fmt.Sprint("softmax ", width), r*width+i, dst.slice()[r*width+i], want, (float64(20+width/8)+2*(top-float64(v)))*unit*want+1e-38)
				}
			}
		}
	})
}

func TestNormalize(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, width := range lengths {
			x := normal(newRand(4), 2*width)
			clear(x[width:])
			dst := newGuarded(2*width, 1)
			Normalize(nil, dst.slice(), x, 2, width)
			dst.check(t, "normalize")
			var squares float64
			for _, v := range x {
				squares += float64(v) * float64(v)
			}
			for i, got := range dst.slice() {
				want := float64(x[i]) / math.Sqrt(squares)
				near(t, "normalize", i, got, want, 4*unit*math.Abs(want))
			}
		}
	})
}

func TestPatches(t *testing.T) {
	const batch, channels, height, width, patch = 2, 3, 9, 11, 4
	x := make([]float32, batch*channels*height*width)
	for i := range x {
		x[i] = float32(i)
	}
	const gh, gw = height / patch, width / patch
	dst := newGuarded(batch*gh*gw*channels*patch*patch, 0)
	Patches(nil, dst.slice(), x, batch, channels, height, width, patch)
	dst.check(t, "patches")
	i := 0
	for b := range batch {
		for gy := range gh {
			for gx := range gw {
				for c := range channels {
					for ky := range patch {
						for kx := range patch {
							want := x[((b*channels+c)*height+gy*patch+ky)*width+gx*patch+kx]
							if got := dst.slice()[i]; got != want {
								t.Fatalf("[%d] = %v, want %v", i, got, want)
							}
							i++
						}
					}
				}
			}
		}
	}
}

func TestEmbed(t *testing.T) {
	const width, vocabulary = 5, 100
	table := normal(newRand(5), vocabulary*width)
	var ids []int32
	for i := range 75 {
		ids = append(ids, int32(i*37%vocabulary))
	}
	dst := newGuarded(len(ids)*width, 0)
	Embed(nil, dst.slice(), ids, table, width)
	dst.check(t, "embed")
	for i, id := range ids {
		if !slices.Equal(dst.slice()[i*width:][:width], table[int(id)*width:][:width]) {
			t.Errorf("row %d is not row %d of the table", i, id)
		}
	}
}

func TestTopK(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			n := rapid.IntRange(0, 400).Draw(t, "n")
			values := make([]float32, n)
			few := rapid.IntRange(1, 50).Draw(t, "distinct")
			r := newRand(rapid.Uint64().Draw(t, "seed"))
			for i := range values {
				values[i] = float32(r.IntN(few)) - 10
				switch r.IntN(40) {
				case 0:
					values[i] = float32(math.NaN())
				case 1:
					values[i] = float32(math.Inf(r.IntN(2)*2 - 1))
				}
			}
			k := rapid.IntRange(0, n).Draw(t, "k")
			idx := make([]int32, k)
			TopK(values, k, idx)
			want := make([]int32, n)
			for i := range want {
				want[i] = int32(i)
			}
			slices.SortStableFunc(want, func(a, b int32) int {
				x, y := values[a], values[b]
				switch {
				case x != x && y != y, x == y:
					return 0
				case x != x, x > y:
					return -1
				}
				return 1
			})
			if !slices.Equal(idx, want[:k]) {
				t.Fatalf("TopK(%v, %d) = %v, want %v", values, k, idx, want[:k])
			}
		})
	})
}

func TestConversions(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		all := make([]uint16, 1<<16)
		for i := range all {
			all[i] = uint16(i)
		}
		wide := newGuarded(len(all), 1)
		BF16ToF32(wide.slice(), all)
		wide.check(t, "BF16ToF32")
		for i, v := range wide.slice() {
			if math.Float32bits(v) != uint32(i)<<16 {
				t.Fatalf("BF16ToF32(%#04x) = %#08x", i, math.Float32bits(v))
			}
		}
		back := make([]uint16, len(all))
		F32ToBF16(back, wide.slice())
		for i, v := range back {
			want := uint16(i)
			if f := wide.slice()[i]; f != f {
				want |= 0x40
			}
			if v != want {
				t.Fatalf("F32ToBF16 of widened %#04x = %#04x, want %#04x", i, v, want)
			}
		}
		F16ToF32(wide.slice(), all)
		wide.check(t, "F16ToF32")
		for i, v := range wide.slice() {
			sign, exponent, fraction := 1-2*float64(i>>15), i>>10&31, float64(i&1023)
			want := sign * (1 + fraction/1024) * math.Exp2(float64(exponent-15))
			switch {
			case exponent == 0:
				want = sign * fraction * 0x1p-24
			case exponent == 31 && fraction == 0:
				want = math.Inf(int(sign))
			case exponent == 31:
				want = math.NaN()
			}
			near(t, "F16ToF32", i, v, want, 0)
		}
	})
}

// Rounding to bfloat16 is to nearest, ties to even: no other value is nearer.
func TestF32ToBF16Rounds(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := newRand(6)
		x := make([]float32, 100003)
		for i := range x {
			x[i] = math.Float32frombits(r.Uint32())
			if i%3 == 0 { // ties and their neighbours
				x[i] = math.Float32frombits(r.Uint32()&0xffff0000 | 0x8000 + uint32(r.IntN(3)-1))
			}
		}
		got, wide := make([]uint16, len(x)), make([]float32, len(x))
		F32ToBF16(got, x)
		BF16ToF32(wide, got)
		for i, v := range x {
			u := math.Float32bits(v)
			switch {
			case v != v:
				if wide[i] == wide[i] {
					t.Fatalf("NaN %#08x became %v", u, wide[i])
				}
				continue
			case math.IsInf(float64(v), 0):
				near(t, "bf16", i, wide[i], float64(v), 0)
				continue
			}
			// In units of the last place of bfloat16, counted in bits.
			down := int64(u & 0xffff)
			off := int64(got[i])<<16 - int64(u)
			if off < 0 {
				off = -off
			}
			if nearest := min(down, 0x10000-down); off != nearest {
				t.Fatalf("%#08x became %#04x, %d away, want %d", u, got[i], off, nearest)
			}
			if down == 0x8000 && got[i]&1 != 0 {
				t.Fatalf("tie %#08x became odd %#04x", u, got[i])
			}
		}
	})
}

func TestElementsDoNotAllocate(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	eachISA(t, func(t *testing.T) {
		x, y, idx := normal(newRand(1), 64*100), make([]float32, 64*100), make([]int32, 50)
		ids := []int32{3, 1, 2}
		narrow := make([]uint16, len(x))
		for name, f := range map[string]func(){
			"LayerNorm": func() { LayerNorm(pool, y, x, 64, 100, nil, nil, 1e-5) },
			"Normalize": func() { Normalize(pool, y, x, 64, 100) },
			"Softmax":   func() { Softmax(pool, y, x, 64, 100) },
			"Activate":  func() { Activate(pool, y, x, GELU) },
			"Add":       func() { Add(pool, y, x, x) },
			"Exp":       func() { Exp(y, x) },
			"Patches":   func() { Patches(pool, y, x, 1, 1, 80, 80, 8) },
			"Embed":     func() { Embed(pool, y, ids, x, 100) },
			"TopK":      func() { TopK(x, 50, idx) },
			"F32ToBF16": func() { F32ToBF16(narrow, x) },
			"BF16ToF32": func() { BF16ToF32(y, narrow) },
			"F16ToF32":  func() { F16ToF32(y, narrow) },
		} {
			f()
			if n := testing.AllocsPerRun(20, f); n != 0 {
				t.Errorf("%s: %v allocations, want 0", name, n)
			}
		}
	})
}

func BenchmarkElements(b *testing.B) {
	pool := benchPool(b)
	r := newRand(1)
	const rows, width = 257, 1024
	x, y, idx := normal(r, rows*width), make([]float32, rows*width), make([]int32, 50)
	logits := normal(r, 49408)
	for _, f := range []struct {
		name string
		f    func()
	}{
		{"LayerNorm257x1024", func() { LayerNorm(pool, y, x, rows, width, x, x, 1e-5) }},
		{"GELU257x1024", func() { Activate(pool, y, x, GELU) }},
		{"QuickGELU257x1024", func() { Activate(pool, y, x, QuickGELU) }},
		{"Softmax257x1024", func() { Softmax(pool, y, x, rows, width) }},
		{"Add257x1024", func() { Add(pool, y, x, x) }},
		{"TopK50of49408", func() { TopK(logits, 50, idx) }},
		{"TopK4of49408", func() { TopK(logits, 4, idx) }},
	} {
		b.Run(f.name, func(b *testing.B) { b.ReportMetric(bestOf(b, f.f)*1e6, "best-µs") })
	}
}

// BenchmarkPeak measures what the others are fractions of: multiply-adds in
// registers and the first-level cache, and reading memory that no cache holds.
func BenchmarkPeak(b *testing.B) {
	pool := benchPool(b)
	for i, precision := range []Precision{F32, BF16, Int8} {
		b.Run(precision.String(), func(b *testing.B) {
			const n, pieces = 64, 64
			steps := &peakTask{precision: precision, n: n}
			for range pool.Threads() {
				steps.a = append(steps.a, make([]float32, 2*16*n))
				steps.panel = append(steps.panel, make([]float32, panelWidth*n))
				steps.c = append(steps.c, make([]float32, panelWidth*16))
			}
			best := bestOf(b, func() { pool.Run(pieces, steps) })
			b.ReportMetric(2*float64(pieces*50*inner.tileRows*panelWidth*n)*float64(int(1)<<i)/best/1e9, "GFLOP/s")
		})
	}
	b.Run("read", func(b *testing.B) {
		memory := &readTask{make([]float32, 1<<26)}
		for i := range memory.x {
			memory.x[i] = 1
		}
		best := bestOf(b, func() { pool.Run(len(memory.x)>>18, memory) })
		b.ReportMetric(4*float64(len(memory.x))/best/1e9, "GB/s")
	})
}

type peakTask struct {
	precision   Precision
	n           int
	a, panel, c [][]float32
}

func (t *peakTask) Do(worker, _ int) {
	for range 50 {
		inner.tile[t.precision](inner.tileRows, t.n, t.a[worker], 16, t.panel[worker], t.c[worker])
	}
}

type readTask struct{ x []float32 }

func (t *readTask) Do(_, i int) { inner.largest(t.x[i<<18:][:1<<18]) }
