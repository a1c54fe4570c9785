package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// backwardKernels emits what only training needs.
func backwardKernels(v isa) {
	activationGradKernel(v)
	layerNormGradKernel(v)
	momentsKernel(v)
	columnSumKernel(v, "columnSum", plainTerm)
	columnSumKernel(v, "columnDot", productTerm)
	columnSumKernel(v, "columnNorm", normTerm)
	adamwKernel(v)
	sumSquaresKernel(v)
	pairRowsKernel(v, false)
	copyRowsKernel(v)
	scoresGradKernel(v)
	prefetchKernel(v)
}

// elements runs body for all n elements, whole vectors and then the masked
// rest. at is a byte offset in float32 operands. n is consumed.
func (v isa) elements(label string, n reg.Register, body func(label string, at reg.Register, t *tail)) {
	last := v.newTail(n)
	at, end := GP64(), GP64()
	MOVQ(n, end)
	ANDQ(I32(int32(-v.lanes())), end)
	SHLQ(Imm(2), end)
	ANDQ(Imm(uint64(v.lanes()-1)), n)
	XORQ(at, at)
	JMP(LabelRef(label + "_check"))
	Label(label + "_full")
	body(label+"_f", at, nil)
	ADDQ(Imm(uint64(v.bytes)), at)
	Label(label + "_check")
	CMPQ(at, end)
	JLT(LabelRef(label + "_full"))
	TESTQ(n, n)
	JZ(LabelRef(label + "_done"))
	body(label+"_t", at, last)
	Label(label + "_done")
}

// activationGradKernel emits the gradient of an activation.
func activationGradKernel(v isa) {
	name := "activationGrad" + v.name
	TEXT(name, 4, "func(n int, dz, dy, z, scale *float32, act int)")
	Doc(name+" stores dy[i]·scale[i]·act′(z[i]) in dz[i] for i < n; scale may be nil, and z is not read",
		"for None. act is an Activation.")
	Pragma("noescape")
	n := Load(Param("n"), GP64())
	dz, dy := Load(Param("dz"), GP64()), Load(Param("dy"), GP64())
	z, scale := Load(Param("z"), GP64()), Load(Param("scale"), GP64())
	act := Load(Param("act"), GP64())
	variant := func(label string, slope func(x reg.VecVirtual)) {
		Label(label)
		v.elements(label, n, func(label string, at reg.Register, t *tail) {
			g, x := v.reg(), v.reg()
			v.load(Mem{Base: dy, Index: at, Scale: 1}, g, t)
			if slope != nil {
				v.load(Mem{Base: z, Index: at, Scale: 1}, x, t)
				slope(x)
				VMULPS(x, g, g)
			}
			TESTQ(scale, scale)
			JZ(LabelRef(label + "_plain"))
			v.load(Mem{Base: scale, Index: at, Scale: 1}, x, t)
			VMULPS(x, g, g)
			Label(label + "_plain")
			v.store(g, Mem{Base: dz, Index: at, Scale: 1}, t)
		})
		VZEROUPPER()
		RET()
	}
	CMPQ(act, Imm(1))
	JEQ(LabelRef("gelu"))
	JGT(LabelRef("quick"))
	variant("none", nil)
	variant("gelu", v.geluSlope)
	variant("quick", v.quickGELUSlope)
}

// geluSlope replaces x by Φ(x) + x·φ(x).
func (v isa) geluSlope(x reg.VecVirtual) {
	t, p := v.normalTail(x)
	// |x|·φ(x), with the sign of x; 0 where Φ(−|x|) is, and for infinities.
	q := v.reg()
	VMULPS(v.constant(-0.5), t, q)
	VMULPS(t, q, q)
	v.exp(q)
	VMULPS(v.constant(float32(1/math.Sqrt(2*math.Pi))), t, t)
	VMULPS(t, q, q)
	sign, above := v.reg(), v.reg()
	v.and(v.constantBits(0x80000000), x, sign)
	v.or(sign, q, q)
	VSUBPS(p, v.load1(v.constant(1)), above) // Φ(|x|)
	if v.bytes == 64 {
		negative := K()
		VPMOVD2M(x, negative)
		VBLENDMPS(p, above, negative, above)
	} else {
		VBLENDVPS(x, p, above, above)
	}
	VADDPS(q, above, x)
}

// quickGELUSlope replaces x by σ·(1 + 1.702x·(1−σ)), σ = 1/(1+e^(−1.702x)). Beyond
// ±50 the result is 0 or 1 to any accuracy; clamping there keeps infinities from
// turning into NaN.
func (v isa) quickGELUSlope(x reg.VecVirtual) {
	e, s := v.reg(), v.reg()
	VMAXPS(x, v.load1(v.constant(-50)), x)
	VMINPS(x, v.load1(v.constant(50)), x)
	VMULPS(v.constant(-1.702), x, e)
	v.exp(e)
	one := v.load1(v.constant(1))
	VADDPS(one, e, e)
	VDIVPS(e, one, s)
	VSUBPS(s, one, e)
	VMULPS(v.constant(1.702), x, x)
	VFMADD213PS(one, e, x)
	VMULPS(s, x, x)
}

// layerNormGradKernel emits the gradient of layer norm for one row, in three
// passes: the mean, everything else that is summed, the result.
func layerNormGradKernel(v isa) {
	name := "layerNormGrad" + v.name
	TEXT(name, 4, "func(n int, dx, x, gamma, dy *float32, mean, inverse float32)")
	Doc(name+" stores (h − mean(h) − x̂·mean(h·x̂))·inverse in dx for n > 0 elements, with h = dy·gamma",
		"and x̂ = (x − mean)·inverse.")
	Pragma("noescape")
	dx, x := Load(Param("dx"), GP64()), Load(Param("x"), GP64())
	gamma, dy := Load(Param("gamma"), GP64()), Load(Param("dy"), GP64())
	mean, inverse := v.reg(), v.reg()
	m, _ := Param("mean").Resolve()
	VBROADCASTSS(m.Addr, mean)
	i, _ := Param("inverse").Resolve()
	VBROADCASTSS(i.Addr, inverse)
	n := Load(Param("n"), GP64())
	count := v.broadcastInt(n)
	sum, along := v.reg(), v.reg()
	v.zero(sum)
	v.zero(along)
	h, y := v.reg(), v.reg()
	read := func(at reg.Register, t *tail) {
		v.load(Mem{Base: dy, Index: at, Scale: 1}, h, t)
		v.load(Mem{Base: gamma, Index: at, Scale: 1}, y, t)
		VMULPS(y, h, h)
		v.load(Mem{Base: x, Index: at, Scale: 1}, y, t)
		VSUBPS(mean, y, y)
		VMULPS(inverse, y, y)
	}
	v.elements("sums", n, func(_ string, at reg.Register, t *tail) {
		read(at, t) // h is 0 in absent lanes
		VADDPS(h, sum, sum)
		VFMADD231PS(y, h, along)
	})
	sum, along = v.sumAll(sum), v.sumAll(along)
	VDIVPS(count, sum, sum)
	VDIVPS(count, along, along)
	Load(Param("n"), n)
	v.elements("store", n, func(_ string, at reg.Register, t *tail) {
		read(at, t)
		VSUBPS(sum, h, h)
		VFNMADD231PS(y, along, h)
		VMULPS(inverse, h, h)
		v.store(h, Mem{Base: dx, Index: at, Scale: 1}, t)
	})
	VZEROUPPER()
	RET()
}

// wide splits a vector of float32 into two of float64.
func (v isa) wide(x reg.VecVirtual, lo, hi reg.VecVirtual) {
	if v.bytes == 64 {
		half := YMM()
		VEXTRACTF64X4(Imm(1), x, half)
		VCVTPS2PD(x.AsY(), lo)
		VCVTPS2PD(half, hi)
		return
	}
	half := XMM()
	VEXTRACTF128(Imm(1), x, half)
	VCVTPS2PD(x.AsX(), lo)
	VCVTPS2PD(half, hi)
}

// sumWide returns the sum of the lanes of float64 vectors in the lowest lane.
func (v isa) sumWide(acc []reg.VecVirtual) reg.VecVirtual {
	for len(acc) > 1 {
		half := len(acc) / 2
		for i := range half {
			VADDPD(acc[i+half], acc[i], acc[i])
		}
		acc = acc[:half]
	}
	x, y := acc[0], v.reg()
	if v.bytes == 64 {
		VSHUFF64X2(Imm(0x4e), x, x, y)
		VADDPD(y, x, x)
		VSHUFF64X2(Imm(0xb1), x, x, y)
		VADDPD(y, x, x)
		VPERMILPD(Imm(0x55), x, y)
	} else {
		VPERM2F128(Imm(1), x, x, y)
		VADDPD(y, x, x)
		VPERMILPD(Imm(5), x, y)
	}
	VADDPD(y, x, x)
	return x
}

// momentsKernel emits the mean and the variance of one row, in float64.
func momentsKernel(v isa) {
	name := "moments" + v.name
	TEXT(name, 4, "func(n int, x *float32) (mean, variance float64)")
	Doc(name + " returns the mean and the biased variance of n > 0 elements.")
	Pragma("noescape")
	n, x := Load(Param("n"), GP64()), Load(Param("x"), GP64())
	one := XMM()
	VXORPS(one, one, one)
	count := XMM()
	VCVTSI2SDQ(n, one, count)
	y, lo, hi := v.reg(), v.reg(), v.reg()
	acc := v.regs(2)
	zero := func() {
		for _, r := range acc {
			v.zero(r)
		}
	}
	zero()
	v.elements("mean", n, func(_ string, at reg.Register, t *tail) {
		v.load(Mem{Base: x, Index: at, Scale: 1}, y, t)
		v.wide(y, lo, hi)
		VADDPD(lo, acc[0], acc[0])
		VADDPD(hi, acc[1], acc[1])
	})
	sum := v.sumWide(acc)
	mean1 := XMM()
	VDIVSD(count, sum.AsX(), mean1)
	Store(mean1, Return("mean"))
	mean := v.reg()
	VBROADCASTSD(mean1, mean)
	zero()
	Load(Param("n"), n)
	// Absent lanes would count as 0 − mean: they are cleared.
	v.elements("variance", n, func(_ string, at reg.Register, t *tail) {
		v.load(Mem{Base: x, Index: at, Scale: 1}, y, t)
		v.wide(y, lo, hi)
		VSUBPD(mean, lo, lo)
		VSUBPD(mean, hi, hi)
		v.maskWide(lo, hi, t)
		VFMADD231PD(lo, lo, acc[0])
		VFMADD231PD(hi, hi, acc[1])
	})
	sum = v.sumWide(acc)
	variance := XMM()
	VDIVSD(count, sum.AsX(), variance)
	Store(variance, Return("variance"))
	VZEROUPPER()
	RET()
}

// maskWide clears the lanes of a split vector that are not in t.
func (v isa) maskWide(lo, hi reg.VecVirtual, t *tail) {
	if t == nil {
		return
	}
	if v.bytes == 64 {
		k := K()
		KSHIFTRW(Imm(8), t.k, k)
		VMOVAPD_Z(lo, t.k, lo)
		VMOVAPD_Z(hi, k, hi)
		return
	}
	m, half := v.reg(), XMM()
	VPMOVSXDQ(t.y.AsX(), m)
	VANDPD(m, lo, lo)
	VEXTRACTF128(Imm(1), t.y, half)
	VPMOVSXDQ(half, m)
	VANDPD(m, hi, hi)
}

// A columnTerm adds one row's part to the sums lo and hi of one vector of
// columns; x and y are loaded already.
type columnTerm struct {
	doc  string
	y    bool // a second matrix
	norm bool // and the moments of each row
}

var (
	plainTerm   = columnTerm{doc: "x[r·row+j]"}
	productTerm = columnTerm{doc: "x[r·row+j]·y[r·row+j]", y: true}
	normTerm    = columnTerm{doc: "y[r·row+j]·(x[r·row+j] − moments[2r])·moments[2r+1]", y: true, norm: true}
)

// columnSumKernel emits sums over the rows of a matrix. Four vectors of columns
// are summed at a time, so that every line of memory is read whole.
func columnSumKernel(v isa, name string, term columnTerm) {
	name += v.name
	TEXT(name, 4, "func(rows, n int, dst, x, y *float32, row int, moments *float64)")
	Doc(name+" stores in dst[j], j < n, the sum over r < rows of "+term.doc+",", "kept in float64. rows > 0.")
	Pragma("noescape")
	rows, n := Load(Param("rows"), GP64()), Load(Param("n"), GP64())
	dst, x := Load(Param("dst"), GP64()), Load(Param("x"), GP64())
	y, moments := reg.Register(nil), reg.Register(nil)
	if term.y {
		y = Load(Param("y"), GP64())
	}
	if term.norm {
		moments = Load(Param("moments"), GP64())
	}
	row := Load(Param("row"), GP64())
	SHLQ(Imm(2), row)
	last := v.newTail(n)
	r, px, py, pm := GP64(), GP64(), GP64(), GP64()
	const most = 4
	acc := v.regs(2 * most)
	a, lo, hi := v.reg(), v.reg(), v.reg()
	b, lo2, hi2 := v.reg(), v.reg(), v.reg()
	mean, inverse := v.reg(), v.reg()
	strip := func(label string, vectors int, t *tail) {
		for _, s := range acc[:2*vectors] {
			v.zero(s)
		}
		MOVQ(rows, r)
		MOVQ(x, px)
		if term.y {
			MOVQ(y, py)
		}
		if term.norm {
			MOVQ(moments, pm)
		}
		Label(label + "_row")
		if term.norm {
			VBROADCASTSD(Mem{Base: pm}, mean)
			VBROADCASTSD(Mem{Base: pm, Disp: 8}, inverse)
			ADDQ(Imm(16), pm)
		}
		for i := range vectors {
			v.load(Mem{Base: px, Disp: i * v.bytes}, a, t)
			v.wide(a, lo, hi)
			if !term.y {
				VADDPD(lo, acc[2*i], acc[2*i])
				VADDPD(hi, acc[2*i+1], acc[2*i+1])
				continue
			}
			if term.norm {
				VSUBPD(mean, lo, lo)
				VSUBPD(mean, hi, hi)
				VMULPD(inverse, lo, lo)
				VMULPD(inverse, hi, hi)
			}
			v.load(Mem{Base: py, Disp: i * v.bytes}, b, t)
			v.wide(b, lo2, hi2)
			VFMADD231PD(lo, lo2, acc[2*i])
			VFMADD231PD(hi, hi2, acc[2*i+1])
		}
		ADDQ(row, px)
		if term.y {
			ADDQ(row, py)
		}
		DECQ(r)
		JNZ(LabelRef(label + "_row"))
		for i := range vectors {
			v.store(v.joined(acc[2*i], acc[2*i+1]), Mem{Base: dst, Disp: i * v.bytes}, t)
		}
	}
	next := func(vectors int) {
		step := I32(int32(vectors * v.bytes))
		ADDQ(step, x)
		if term.y {
			ADDQ(step, y)
		}
		ADDQ(step, dst)
		SUBQ(I32(int32(vectors*v.lanes())), n)
	}
	for vectors := most; vectors > 0; vectors /= 2 {
		label := fmt.Sprint("strip", vectors)
		Label(label)
		CMPQ(n, I32(int32(vectors*v.lanes())))
		JLT(LabelRef(fmt.Sprint("strip", vectors/2)))
		strip(label, vectors, nil)
		next(vectors)
		JMP(LabelRef(label))
	}
	Label("strip0")
	TESTQ(n, n)
	JZ(LabelRef("done"))
	strip("part", 1, last)
	Label("done")
	VZEROUPPER()
	RET()
}

// joined rounds two vectors of float64 to one of float32.
func (v isa) joined(lo, hi reg.VecVirtual) reg.VecVirtual {
	if v.bytes == 64 {
		l, h := YMM(), YMM()
		VCVTPD2PS(lo, l)
		VCVTPD2PS(hi, h)
		r := ZMM()
		VINSERTF64X4(Imm(1), h, l.AsZ(), r)
		return r
	}
	l, h := XMM(), XMM()
	VCVTPD2PSY(lo, l)
	VCVTPD2PSY(hi, h)
	r := YMM()
	VINSERTF128(Imm(1), h, l.AsY(), r)
	return r
}

// adamwKernel emits a step of AdamW. No product is fused with a sum: every
// result is rounded as PyTorch rounds it.
func adamwKernel(v isa) {
	name := "adamw" + v.name
	TEXT(name, 4, "func(n int, p, dp, m, v, c *float32)")
	Doc(name + " makes a step of AdamW on n elements; see adamwGeneric.")
	Pragma("noescape")
	n := Load(Param("n"), GP64())
	p, g := Load(Param("p"), GP64()), Load(Param("dp"), GP64())
	m, s := Load(Param("m"), GP64()), Load(Param("v"), GP64())
	c := Load(Param("c"), GP64())
	constants := v.regs(7) // in the order of AdamWStep
	for i, r := range constants {
		VBROADCASTSS(Mem{Base: c, Disp: 4 * i}, r)
	}
	shrink, first, keep, second, root, eps, size := constants[0], constants[1], constants[2], constants[3], constants[4], constants[5], constants[6]
	v.elements("step", n, func(_ string, at reg.Register, t *tail) {
		grad, mean, square, x := v.reg(), v.reg(), v.reg(), v.reg()
		v.load(Mem{Base: g, Index: at, Scale: 1}, grad, t)
		v.load(Mem{Base: m, Index: at, Scale: 1}, mean, t)
		v.load(Mem{Base: s, Index: at, Scale: 1}, square, t)
		VSUBPS(mean, grad, x)
		VMULPS(first, x, x)
		VADDPS(x, mean, mean)
		VMULPS(keep, square, square)
		VMULPS(second, grad, x)
		VMULPS(grad, x, x)
		VADDPS(x, square, square)
		v.store(mean, Mem{Base: m, Index: at, Scale: 1}, t)
		v.store(square, Mem{Base: s, Index: at, Scale: 1}, t)
		VSQRTPS(square, square)
		VDIVPS(root, square, square)
		VADDPS(eps, square, square)
		VMULPS(size, mean, mean)
		VDIVPS(square, mean, mean)
		v.load(Mem{Base: p, Index: at, Scale: 1}, x, t)
		VMULPS(shrink, x, x)
		VADDPS(mean, x, x)
		v.store(x, Mem{Base: p, Index: at, Scale: 1}, t)
	})
	VZEROUPPER()
	RET()
}

// sumSquaresKernel emits the sum of squares of a slice, in float64.
func sumSquaresKernel(v isa) {
	name := "sumSquares" + v.name
	TEXT(name, 4, "func(n int, x *float32) float64")
	Doc(name + " returns Σ x[i]² over i < n.")
	Pragma("noescape")
	n, x := Load(Param("n"), GP64()), Load(Param("x"), GP64())
	y, lo, hi := v.reg(), v.reg(), v.reg()
	acc := v.regs(2)
	for _, r := range acc {
		v.zero(r)
	}
	v.elements("sum", n, func(_ string, at reg.Register, t *tail) {
		v.load(Mem{Base: x, Index: at, Scale: 1}, y, t)
		v.wide(y, lo, hi)
		VFMADD231PD(lo, lo, acc[0])
		VFMADD231PD(hi, hi, acc[1])
	})
	Store(v.sumWide(acc).AsX(), ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// pairRowsKernel emits the packing of neighbouring rows as pairs of bfloat16
// values, for a product whose sums run down the rows. native takes the processor's own conversion.
func pairRowsKernel(v isa, native bool) {
	name := "pairRows" + v.name
	TEXT(name, 4, "func(pairs, n int, dst *float32, dstRow int, src *float32, srcRow int)")
	Doc(name+" stores in word dst[k·dstRow+j], k < pairs, j < n, the values src[2k·srcRow+j] (low) and",
		"src[(2k+1)·srcRow+j] (high), rounded to bfloat16, ties to even.")
	Pragma("noescape")
	pairs, n := Load(Param("pairs"), GP64()), Load(Param("n"), GP64())
	dst, dstRow := Load(Param("dst"), GP64()), Load(Param("dstRow"), GP64())
	src, srcRow := Load(Param("src"), GP64()), Load(Param("srcRow"), GP64())
	SHLQ(Imm(2), dstRow)
	SHLQ(Imm(2), srcRow)
	other, ahead := GP64(), GP64()
	MOVQ(srcRow, ahead)
	SHLQ(Imm(4), ahead)
	ADDQ(src, ahead) // rows far apart are not fetched by the processor on its own
	var pair func(low, high, dst reg.VecVirtual)
	if native {
		order := v.load1(interleave())
		pair = func(low, high, dst reg.VecVirtual) {
			vcvtne2ps2bf16(low, high, dst)
			VPERMW(dst, order, dst)
		}
	} else {
		pair = v.rounder()
	}
	v.rows(pairs, n, func() { LEAQ(Mem{Base: src, Index: srcRow, Scale: 1}, other) }, func(at reg.Register, t *tail) {
		low, high, out := v.reg(), v.reg(), v.reg()
		v.load(Mem{Base: src, Index: at, Scale: 1}, low, t)
		v.load(Mem{Base: other, Index: at, Scale: 1}, high, t)
		pair(low, high, out)
		v.store(out, Mem{Base: dst, Index: at, Scale: 1}, t)
	}, func() {
		for range 2 {
			PREFETCHT0(Mem{Base: ahead})
			PREFETCHT0(Mem{Base: ahead, Disp: 64})
			ADDQ(srcRow, ahead)
		}
		ADDQ(dstRow, dst)
		LEAQ(Mem{Base: src, Index: srcRow, Scale: 2}, src)
	})
}

// copyRowsKernel emits the packing of a block of columns.
func copyRowsKernel(v isa) {
	name := "copyRows" + v.name
	TEXT(name, 4, "func(rows, n int, dst *float32, dstRow int, src *float32, srcRow int)")
	Doc(name + " stores src[k·srcRow+j] in dst[k·dstRow+j] for k < rows, j < n.")
	Pragma("noescape")
	rows, n := Load(Param("rows"), GP64()), Load(Param("n"), GP64())
	dst, dstRow := Load(Param("dst"), GP64()), Load(Param("dstRow"), GP64())
	src, srcRow := Load(Param("src"), GP64()), Load(Param("srcRow"), GP64())
	SHLQ(Imm(2), dstRow)
	SHLQ(Imm(2), srcRow)
	v.rows(rows, n, func() {}, func(at reg.Register, t *tail) {
		x := v.reg()
		v.load(Mem{Base: src, Index: at, Scale: 1}, x, t)
		v.store(x, Mem{Base: dst, Index: at, Scale: 1}, t)
	}, func() {
		ADDQ(dstRow, dst)
		ADDQ(srcRow, src)
	})
}

// rows emits a function's loop over count > 0 rows of n elements: before and after
// surround each row, whose vectors body takes; at is the byte offset in the row.
func (v isa) rows(count, n reg.Register, before func(), body func(at reg.Register, t *tail), after func()) {
	last := v.newTail(n)
	at, end := GP64(), GP64()
	MOVQ(n, end)
	ANDQ(I32(int32(-v.lanes())), end)
	SHLQ(Imm(2), end)
	ANDQ(Imm(uint64(v.lanes()-1)), n)
	Label("row")
	before()
	XORQ(at, at)
	JMP(LabelRef("check"))
	Label("full")
	body(at, nil)
	ADDQ(Imm(uint64(v.bytes)), at)
	Label("check")
	CMPQ(at, end)
	JLT(LabelRef("full"))
	TESTQ(n, n)
	JZ(LabelRef("next"))
	body(at, last)
	Label("next")
	after()
	DECQ(count)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// rounder returns what rounds two vectors to bfloat16, ties to even, and pairs them lane by
// lane. They are spoilt.
func (v isa) rounder() func(low, high, dst reg.VecVirtual) {
	one, bias, quietBit := v.load1(v.constantBits(1)), v.load1(v.constantBits(0x7fff)), v.load1(v.constantBits(0x00400000))
	upper := v.load1(v.constantBits(0xffff0000))
	// round leaves the rounded value in the upper half of each lane; the lower is spoilt.
	round := func(x reg.VecVirtual) {
		odd, quiet := v.reg(), v.reg()
		VPSRLD(Imm(16), x, odd)
		v.and(one, odd, odd)
		VPADDD(bias, odd, odd)
		v.or(quietBit, x, quiet)
		VPADDD(x, odd, odd)
		if v.bytes == 64 {
			nan := K()
			VCMPPS(Imm(3), x, x, nan)
			VPBLENDMD(quiet, odd, nan, x)
		} else {
			VCMPPS(Imm(3), x, x, x)
			VBLENDVPS(x, quiet, odd, x)
		}
	}
	return func(low, high, dst reg.VecVirtual) {
		round(low)
		round(high)
		VPSRLD(Imm(16), low, low)
		v.and(upper, high, high)
		v.or(low, high, dst)
	}
}

// interleave is the order of words that pairs the halves of a vector: 0, 16, 1, 17, …
func interleave() Mem {
	m := GLOBL("interleave", 8|16)
	for i := range 16 {
		DATA(4*i, U32(uint32(i)|uint32(16+i)<<16))
	}
	return m
}

// pairColumnsKernel emits the packing of up to 16 rows as pairs of bfloat16
// values: rows become columns of words, 16 words of each at a time.
func pairColumnsKernel(v isa) {
	name := "pairColumns" + v.name
	TEXT(name, 4, "func(rows, n int, dst *float32, dstRow int, src *float32, srcRow int)")
	Doc(name+" stores in word dst[k·dstRow+i], k < n/2, i < rows, the values src[i·srcRow+2k] (low) and",
		"src[i·srcRow+2k+1] (high), rounded to bfloat16, ties to even; words of rows ≤ i < 16 become 0.",
		"0 < rows ≤ 16; n is a multiple of 32.")
	Pragma("noescape")
	rows, n := Load(Param("rows"), GP64()), Load(Param("n"), GP64())
	dst, dstRow := Load(Param("dst"), GP64()), Load(Param("dstRow"), GP64())
	src, srcRow := Load(Param("src"), GP64()), Load(Param("srcRow"), GP64())
	SHLQ(Imm(2), dstRow)
	SHLQ(Imm(2), srcRow)
	p, dstRow3 := GP64(), GP64()
	LEAQ(Mem{Base: dstRow, Index: dstRow, Scale: 2}, dstRow3)
	in, zero := v.regs(16), v.reg()
	v.zero(zero)
	SHRQ(Imm(5), n)
	JZ(LabelRef("done"))
	Label("loop")
	for _, r := range in {
		VMOVAPS(zero, r)
	}
	MOVQ(src, p)
	high := v.reg()
	for i, r := range in {
		if i > 0 {
			CMPQ(rows, Imm(uint64(i)))
			JEQ(LabelRef("loaded"))
		}
		VMOVUPS(Mem{Base: p}, r)
		VMOVUPS(Mem{Base: p, Disp: 64}, high)
		vcvtne2ps2bf16(r, high, r)
		ADDQ(srcRow, p)
	}
	Label("loaded")
	// Pairs of rows, then fours: lane l of fours[4g+c] is word 4l+c of rows 4g to 4g+3.
	var fours [16]reg.VecVirtual
	for g := 0; g < 16; g += 4 {
		low0, high0, low1, high1 := v.reg(), v.reg(), v.reg(), v.reg()
		VUNPCKLPS(in[g+1], in[g], low0)
		VUNPCKHPS(in[g+1], in[g], high0)
		VUNPCKLPS(in[g+3], in[g+2], low1)
		VUNPCKHPS(in[g+3], in[g+2], high1)
		for c, pair := range [][2]reg.VecVirtual{{low0, low1}, {high0, high1}} {
			l, h := v.reg(), v.reg()
			VUNPCKLPD(pair[1], pair[0], l)
			VUNPCKHPD(pair[1], pair[0], h)
			fours[g+2*c], fours[g+2*c+1] = l, h
		}
	}
	// Then the lanes: even ones (0 and 2) and odd ones of two fours, and again.
	const even, odd = 0x88, 0xdd
	var out [16]reg.VecVirtual
	for c := range 4 {
		for i, lanes := range []uint64{even, odd} {
			a, b := v.reg(), v.reg()
			VSHUFF32X4(Imm(lanes), fours[4+c], fours[c], a)
			VSHUFF32X4(Imm(lanes), fours[12+c], fours[8+c], b)
			for j, lanes := range []uint64{even, odd} {
				out[4*i+8*j+c] = v.reg()
				VSHUFF32X4(Imm(lanes), b, a, out[4*i+8*j+c])
			}
		}
	}
	for k := 0; k < 16; k += 4 {
		for i := range 4 {
			VMOVUPS(out[k+i], strided(dst, dstRow, dstRow3, i))
		}
		LEAQ(Mem{Base: dst, Index: dstRow, Scale: 4}, dst)
	}
	ADDQ(I32(128), src)
	DECQ(n)
	JNZ(LabelRef("loop"))
	Label("done")
	VZEROUPPER()
	RET()
}

// scoresGradKernel emits the gradient of a softmax whose scores lie as a panel,
// with a query in each of 32 columns; see softmaxColumnsKernel.
func scoresGradKernel(v isa) {
	name := "scoresGrad" + v.name
	TEXT(name, 4, "func(n int, p, dp, inverse *float32, scale float32)")
	Doc(name+" multiplies p[i·32+j], i < n, j < 32, by inverse[j], and then replaces dp by p·(dp − Σ p·dp)·scale, the sum",
		"over i. n > 0.")
	Pragma("noescape")
	n, p, dp := Load(Param("n"), GP64()), Load(Param("p"), GP64()), Load(Param("dp"), GP64())
	inverse := Load(Param("inverse"), GP64())
	scale := v.reg()
	s, _ := Param("scale").Resolve()
	VBROADCASTSS(s.Addr, scale)
	lines := panelBytes / v.bytes
	inv, sums, x, y := v.regs(lines), v.regs(lines), v.reg(), v.reg()
	for l := range lines {
		VMOVUPS(Mem{Base: inverse, Disp: l * v.bytes}, inv[l])
		v.zero(sums[l])
	}
	at, end := GP64(), GP64()
	MOVQ(n, end)
	SHLQ(Imm(7), end)
	XORQ(at, at)
	Label("sum")
	for l := range lines {
		m := Mem{Base: p, Index: at, Scale: 1, Disp: l * v.bytes}
		VMULPS(m, inv[l], x)
		VMOVUPS(x, m)
		VFMADD231PS(Mem{Base: dp, Index: at, Scale: 1, Disp: l * v.bytes}, x, sums[l])
	}
	ADDQ(I32(panelBytes), at)
	CMPQ(at, end)
	JLT(LabelRef("sum"))
	XORQ(at, at)
	Label("store")
	for l := range lines {
		m := Mem{Base: dp, Index: at, Scale: 1, Disp: l * v.bytes}
		VMOVUPS(m, y)
		VSUBPS(sums[l], y, y)
		VMULPS(Mem{Base: p, Index: at, Scale: 1, Disp: l * v.bytes}, y, y)
		VMULPS(scale, y, y)
		VMOVUPS(y, m)
	}
	ADDQ(I32(panelBytes), at)
	CMPQ(at, end)
	JLT(LabelRef("store"))
	VZEROUPPER()
	RET()
}

// prefetchKernel emits the announcement of a tile's results: while the tile is
// computed, the processor fetches the memory that they go to.
func prefetchKernel(v isa) {
	name := "prefetchTile" + v.name
	TEXT(name, 4, "func(rows int, dst *float32, dstRow int)")
	Doc(name + " fetches the 128 bytes at dst[i·dstRow], i < rows, into the cache. rows > 0.")
	Pragma("noescape")
	rows, dst, row := Load(Param("rows"), GP64()), Load(Param("dst"), GP64()), Load(Param("dstRow"), GP64())
	SHLQ(Imm(2), row)
	Label("row")
	PREFETCHT0(Mem{Base: dst})
	PREFETCHT0(Mem{Base: dst, Disp: 64})
	ADDQ(row, dst)
	DECQ(rows)
	JNZ(LabelRef("row"))
	RET()
}
