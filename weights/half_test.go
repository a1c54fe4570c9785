package weights

import (
	"math"
	"math/rand/v2"
	"testing"
)

// halfValue computes a binary16 value from its definition, in float64.
func halfValue(h uint16) float64 {
	sign := 1.0
	if h&0x8000 != 0 {
		sign = -1
	}
	exp, frac := int(h>>10)&31, float64(h&0x3ff)
	switch {
	case exp == 31 && frac != 0:
		return math.NaN()
	case exp == 31:
		return sign * math.Inf(1)
	case exp == 0:
		return sign * math.Ldexp(frac, -24)
	}
	return sign * math.Ldexp(1024+frac, exp-25)
}

func sameFloat(a, b float64) bool {
	return a == b && math.Signbit(a) == math.Signbit(b) || math.IsNaN(a) && math.IsNaN(b)
}

func TestHalfAllValues(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		f := float32FromHalf(h)
		if !sameFloat(float64(f), halfValue(h)) {
			t.Fatalf("float32FromHalf(%#04x) = %v, want %v", h, f, halfValue(h))
		}
		if back := halfFromFloat32(f); back != h && !math.IsNaN(float64(f)) {
			t.Fatalf("halfFromFloat32(%v) = %#04x, want %#04x", f, back, h)
		}
	}
}

// nearest finds the rounding of f among all finite 16-bit values by distance, ties to the even
// bit pattern; from half a step above the largest value on, it is infinity.
func nearest(f float32, value func(uint16) float64, guess uint16, inf uint16) uint16 {
	best, bestDist := guess, math.Inf(1)
	for d := -2; d <= 2; d++ {
		c := uint16(int(guess) + d)
		v := value(c)
		if c == inf {
			v = 2*value(inf-1) - value(inf-2) // where the next value would be
		}
		if c > inf || math.IsNaN(v) {
			continue
		}
		dist := math.Abs(v - float64(f))
		if dist < bestDist || dist == bestDist && c&1 == 0 {
			best, bestDist = c, dist
		}
	}
	return best
}

func TestRoundingToNearestEven(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	bf := func(h uint16) float64 { return float64(math.Float32frombits(uint32(h) << 16)) }
	for range 200000 {
		f := math.Float32frombits(rnd.Uint32() & 0x7fffffff)
		if rnd.IntN(2) == 0 { // values of weights, and exact ties
			f = float32(math.Ldexp(float64(rnd.IntN(1<<13)), rnd.IntN(45)-38))
		}
		if f != f || math.IsInf(float64(f), 0) {
			continue
		}
		got := bf16FromFloat32(f)
		if want := nearest(f, bf, uint16(math.Float32bits(f)>>16), 0x7f80); got != want {
			t.Fatalf("bf16FromFloat32(%v) = %#04x, want %#04x", f, got, want)
		}
		if f < 65536 {
			got = halfFromFloat32(f)
			// Any start within two steps will do: truncate in float64.
			g := uint16(0)
			for b := uint16(1 << 14); b > 0; b >>= 1 {
				if g|b < 0x7c00 && halfValue(g|b) <= float64(f) {
					g |= b
				}
			}
			if want := nearest(f, halfValue, g, 0x7c00); got != want {
				t.Fatalf("halfFromFloat32(%v) = %#04x, want %#04x", f, got, want)
			}
		} else if got := halfFromFloat32(f); got != 0x7c00 {
			t.Fatalf("halfFromFloat32(%v) = %#04x, want infinity", f, got)
		}
		if neg := bf16FromFloat32(-f); neg != bf16FromFloat32(f)|0x8000 {
			t.Fatalf("bf16FromFloat32(%v) = %#04x", -f, neg)
		}
		if neg := halfFromFloat32(-f); neg != halfFromFloat32(f)|0x8000 {
			t.Fatalf("halfFromFloat32(%v) = %#04x", -f, neg)
		}
	}
}

func TestNaNStaysNaN(t *testing.T) {
	for _, bits := range []uint32{0x7f800001, 0x7fc00000, 0xff800001, 0x7f80ffff, 0x7fffffff} {
		f := math.Float32frombits(bits)
		if g := float32FromBF16(bf16FromFloat32(f)); g == g {
			t.Errorf("bfloat16 of NaN %#x is %v", bits, g)
		}
		if g := float32FromHalf(halfFromFloat32(f)); g == g {
			t.Errorf("binary16 of NaN %#x is %v", bits, g)
		}
	}
}

func TestRounding(t *testing.T) {
	for d, want := range map[DType]float32{F32: 1 + 1.0/4096, F64: 1 + 1.0/4096, F16: 1, BF16: 1} {
		if got := Rounding(d)(1 + 1.0/4096); got != want {
			t.Errorf("%s: %v, want %v", d, got, want)
		}
	}
	if got := Rounding(F16)(1 + 1.0/1024); got != 1+1.0/1024 {
		t.Errorf("F16 lost a value that it can hold: %v", got)
	}
}
