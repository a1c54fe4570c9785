package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// exp replaces x by e^x, within about one unit in the last place: e^x = 2^n·e^r
// with n the integer nearest to x/ln 2 and |r| ≤ ln2/2, e^r by its minimax
// polynomial of degree 6. NaN stays NaN.
func (v isa) exp(x reg.VecVirtual) {
	n, p := v.reg(), v.reg()
	// NaN survives min and max as their second source, the first operand here.
	VMINPS(x, v.load1(v.constant(89)), x)
	VMAXPS(x, v.load1(v.constant(-104)), x)
	VMULPS(v.constant(float32(math.Log2E)), x, n)
	if v.bytes == 64 {
		VRNDSCALEPS(Imm(8), n, n) // to nearest, no exceptions
	} else {
		VROUNDPS(Imm(8), n, n)
	}
	// x - n·ln2 in two steps: the high part of ln2 has few enough bits to be exact.
	VFNMADD231PS(v.constant(ln2High), n, x)
	VFNMADD231PS(v.constant(float32(math.Ln2-ln2High)), n, x)
	c := expPolynomial()
	VMOVUPS(v.constant(float32(c[6])), p)
	for i := 5; i >= 0; i-- {
		VFMADD213PS(v.constant(float32(c[i])), x, p)
	}
	if v.bytes == 64 {
		VSCALEFPS(n, p, x)
		return
	}
	// 2^n in two factors, so that neither overflows nor is lost below the
	// smallest normal number.
	half := v.reg()
	VCVTPS2DQ(n, n)
	VPSRAD(Imm(1), n, half)
	VPSUBD(half, n, n)
	for _, e := range []reg.VecVirtual{half, n} {
		VPADDD(v.constantBits(127), e, e)
		VPSLLD(Imm(23), e, e)
		VMULPS(e, p, p)
	}
	VMOVAPS(p, x)
}

// ln2High is ln 2 to so few bits that its product with n is exact.
const ln2High = 0x1.62e4p-1

// expPolynomial are the coefficients of e^r for |r| ≤ ln2/2 and a little more.
func expPolynomial() []float64 {
	return chebyshev(6, -math.Ln2/2*1.001, math.Ln2/2*1.001, math.Exp)
}

func (v isa) load1(m Mem) reg.VecVirtual {
	r := v.reg()
	VMOVUPS(m, r)
	return r
}

// quickGELU replaces x by x/(1+e^(-1.702x)). Below -50 the result is zero to
// any accuracy; clamping there keeps -Inf from turning into NaN.
func (v isa) quickGELU(x reg.VecVirtual) {
	e := v.reg()
	VMAXPS(x, v.load1(v.constant(-50)), x)
	VMULPS(v.constant(-1.702), x, e)
	v.exp(e)
	VADDPS(v.constant(1), e, e)
	VDIVPS(e, x, x)
}

const (
	geluEnd   = 6.0 // beyond it Φ(-|x|) < 1e-9 is taken as 0
	geluTable = "geluTable"
)

// gelu replaces x by x·Φ(x) = max(x,0) - |x|·Φ(-|x|). Φ(-t) on [0, 6) is a
// polynomial on each of as many equal intervals as a vector has lanes; the
// coefficients are picked from tables of one vector. Its error is below 1e-7·|x|.
func (v isa) gelu(x reg.VecVirtual) {
	t, p := v.normalTail(x)
	zero := v.reg()
	v.zero(zero)
	VMAXPS(x, zero, x)
	VFNMADD231PS(t, p, x)
}

// normalTail returns t = min(|x|, 6) and p = Φ(-t), 0 from 6 on. NaN stays NaN.
func (v isa) normalTail(x reg.VecVirtual) (t, p reg.VecVirtual) {
	degree := 5
	if v.lanes() == 8 {
		degree = 8
	}
	width := geluEnd / float64(v.lanes())
	coefficients := make([][]float64, degree+1)
	for i := range v.lanes() {
		mid := (float64(i) + 0.5) * width
		c := chebyshev(degree, -width/2, width/2,
			func(d float64) float64 { return 0.5 * math.Erfc((mid+d)/math.Sqrt2) })
		for k, x := range c {
			coefficients[k] = append(coefficients[k], x)
		}
	}
	t = v.reg()
	index, at := v.reg(), v.reg()
	p = v.reg()
	c := v.reg()
	v.and(v.constantBits(0x7fffffff), x, t)
	VMINPS(t, v.load1(v.constant(geluEnd)), t)
	// Just below lanes/6, so that nothing below 6 reaches the interval after the last.
	VMULPS(v.constant(float32(float64(v.lanes())/geluEnd*(1-0x1p-22))), t, index)
	VCVTTPS2DQ(index, index)
	VCVTDQ2PS(index, at)
	VFNMADD213PS(t, v.load1(v.constant(float32(width))), at) // distance from the interval's start
	VSUBPS(v.constant(float32(width/2)), at, at)
	name := func(k int) string { return geluTable + string(rune('0'+k)) }
	VPERMPS(v.table(name(degree), coefficients[degree]), index, p)
	for k := degree - 1; k >= 0; k-- {
		VPERMPS(v.table(name(k), coefficients[k]), index, c)
		VFMADD213PS(c, at, p)
	}
	// p = 0 where |x| ≥ 6; NaN compares unordered and is kept.
	if v.bytes == 64 {
		k := K()
		VCMPPS(Imm(9), v.constant(geluEnd), t, k) // not ≥
		VMOVAPS_Z(p, k, p)
	} else {
		m := v.reg()
		VCMPPS(Imm(9), v.constant(geluEnd), t, m)
		VANDPS(m, p, p)
	}
	return t, p
}

// chebyshev returns the coefficients, of rising power, of the polynomial that
// interpolates f at the Chebyshev nodes of [lo, hi]: within a small factor of the
// best one of its degree.
func chebyshev(degree int, lo, hi float64, f func(float64) float64) []float64 {
	n := degree + 1
	mid, half := (lo+hi)/2, (hi-lo)/2
	c := make([]float64, n) // coefficients of the Chebyshev polynomials
	for j := range n {
		for k := range n {
			angle := math.Pi * (float64(k) + 0.5) / float64(n)
			c[j] += 2 / float64(n) * f(mid+half*math.Cos(angle)) * math.Cos(float64(j)*angle)
		}
	}
	c[0] /= 2
	// To powers of u = (x-mid)/half, then of x; mid is 0 wherever this is used.
	if math.Abs(mid) > 1e-12 {
		panic("chebyshev: the interval must be symmetric")
	}
	powers := make([]float64, n)
	previous, current := make([]float64, n), make([]float64, n)
	previous[0] = 1
	if n > 1 {
		current[1] = 1
	}
	for j := range n {
		t := previous
		for i := range n {
			powers[i] += c[j] * t[i]
		}
		next := make([]float64, n)
		for i := range n {
			if i > 0 {
				next[i] = 2 * current[i-1]
			}
			next[i] -= previous[i]
		}
		previous, current = current, next
	}
	scale := 1.0
	for i := range powers {
		powers[i] *= scale
		scale /= half
	}
	return powers
}
