package main

import (
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
