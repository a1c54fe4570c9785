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
