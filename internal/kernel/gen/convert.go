package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// vectorLoop runs body for n/lanes vectors; n is consumed. at counts elements.
func vectorLoop(v isa, n reg.Register, body func(at reg.Register)) {
	at := GP64()
	XORQ(at, at)
	ANDQ(I32(int32(-v.lanes())), n)
	JMP(LabelRef("check"))
	Label("loop")
	body(at)
	ADDQ(Imm(uint64(v.lanes())), at)
	Label("check")
	CMPQ(at, n)
	JLT(LabelRef("loop"))
}

// convertKernels emits the conversions of whole vectors; what is left over is
// for the caller.
func convertKernels(v isa) {
	narrow := func() reg.VecVirtual { // half a vector
		if v.bytes == 64 {
			return YMM()
		}
		return XMM()
	}

	TEXT("widenBF16"+v.name, 4, "func(n int, dst *float32, src *uint16)")
	Doc("widenBF16" + v.name + " widens the whole vectors among n bfloat16 values.")
	Pragma("noescape")
	n, dst, src := Load(Param("n"), GP64()), Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	y := v.reg()
	vectorLoop(v, n, func(at reg.Register) {
		VPMOVZXWD(Mem{Base: src, Index: at, Scale: 2}, y)
		VPSLLD(Imm(16), y, y)
		VMOVUPS(y, Mem{Base: dst, Index: at, Scale: 4})
	})
	VZEROUPPER()
	RET()

	TEXT("widenF16"+v.name, 4, "func(n int, dst *float32, src *uint16)")
	Doc("widenF16" + v.name + " widens the whole vectors among n half-precision values.")
	Pragma("noescape")
	n, dst, src = Load(Param("n"), GP64()), Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	vectorLoop(v, n, func(at reg.Register) {
		VCVTPH2PS(Mem{Base: src, Index: at, Scale: 2}, y)
		VMOVUPS(y, Mem{Base: dst, Index: at, Scale: 4})
	})
	VZEROUPPER()
	RET()

	TEXT("roundBF16"+v.name, 4, "func(n int, dst *uint16, src *float32)")
	Doc("roundBF16" + v.name + " rounds the whole vectors among n values to bfloat16, ties to even.")
	Pragma("noescape")
	n, dst, src = Load(Param("n"), GP64()), Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	vectorLoop(v, n, func(at reg.Register) {
		x, odd, quiet := v.reg(), v.reg(), v.reg()
		VMOVUPS(Mem{Base: src, Index: at, Scale: 4}, x)
		VPSRLD(Imm(16), x, odd)
		v.or(v.constantBits(0x40), odd, quiet)
		v.and(v.constantBits(1), odd, odd)
		VPADDD(v.constantBits(0x7fff), odd, odd)
		VPADDD(x, odd, odd)
		VPSRLD(Imm(16), odd, odd)
		half := narrow()
		if v.bytes == 64 {
			nan := K()
			VCMPPS(Imm(3), x, x, nan)
			VPBLENDMD(quiet, odd, nan, odd)
			VPMOVDW(odd, half)
		} else {
			VCMPPS(Imm(3), x, x, x)
			VBLENDVPS(x, quiet, odd, odd)
			VPACKUSDW(odd, odd, odd)
			VPERMQ(Imm(8), odd, odd)
			half = odd
		}
		if v.bytes == 64 {
			VMOVUPS(half, Mem{Base: dst, Index: at, Scale: 2})
		} else {
			VMOVUPS(odd.AsX(), Mem{Base: dst, Index: at, Scale: 2})
		}
	})
	VZEROUPPER()
	RET()

	TEXT("largest"+v.name, 4, "func(n int, x *float32) uint32")
	Doc("largest"+v.name+" returns the bits of the largest magnitude among the whole vectors of n values;",
		"NaN counts as larger than infinity.")
	Pragma("noescape")
	n, src = Load(Param("n"), GP64()), Load(Param("x"), GP64())
	top := v.reg()
	v.zero(top)
	vectorLoop(v, n, func(at reg.Register) {
		v.and(Mem{Base: src, Index: at, Scale: 4}, v.load1(v.constantBits(0x7fffffff)), y)
		VPMAXUD(y, top, top)
	})
	top = v.across(top, VPMAXUD)
	result := GP32()
	VMOVD(top.AsX(), result)
	Store(result, ReturnIndex(0))
	VZEROUPPER()
	RET()

	TEXT("quantize"+v.name, 4, "func(n int, dst *uint8, x *float32, inverse float32)")
	Doc("quantize" + v.name + " stores the integer nearest to x[i]·inverse, plus 128, for the whole vectors of n values.")
	Pragma("noescape")
	n, dst, src = Load(Param("n"), GP64()), Load(Param("dst"), GP64()), Load(Param("x"), GP64())
	inverse := v.reg()
	p, _ := Param("inverse").Resolve()
	VBROADCASTSS(p.Addr, inverse)
	vectorLoop(v, n, func(at reg.Register) {
		VMULPS(Mem{Base: src, Index: at, Scale: 4}, inverse, y)
		VCVTPS2DQ(y, y)
		VPADDD(v.constantBits(128), y, y)
		to := Mem{Base: dst, Index: at, Scale: 1}
		if v.bytes == 64 {
			VPMOVDB(y, to)
			return
		}
		VPACKSSDW(y, y, y)
		VPERMQ(Imm(8), y, y)
		VPACKUSWB(y, y, y)
		VMOVQ(y.AsX(), to)
	})
	VZEROUPPER()
	RET()

	TEXT("dequantize"+v.name, 4, "func(rows, cols int, c *float32, correction *int32, scale *float32, rowScale *float32)")
	Doc("dequantize"+v.name+" replaces the integer c[i·cols+j] by the float (c[i·cols+j]-correction[j])·scale[j]·rowScale[i],",
		"i < rows, j < cols. rows > 0, and cols is a multiple of 32 above 0.")
	Pragma("noescape")
	rows, c := Load(Param("rows"), GP64()), Load(Param("c"), GP64())
	correction, scale := Load(Param("correction"), GP64()), Load(Param("scale"), GP64())
	rowScale := Load(Param("rowScale"), GP64())
	size := Load(Param("cols"), GP64())
	SHLQ(Imm(2), size)
	s, column := v.reg(), GP64()
	Label("row")
	VBROADCASTSS(Mem{Base: rowScale}, s)
	XORQ(column, column)
	Label("columns")
	for at := 0; at < panelBytes; at += v.bytes {
		in := func(base reg.Register) Mem { return Mem{Base: base, Index: column, Scale: 1, Disp: at} }
		VMOVUPS(in(c), y)
		VPSUBD(in(correction), y, y)
		VCVTDQ2PS(y, y)
		VMULPS(in(scale), y, y)
		VMULPS(s, y, y)
		VMOVUPS(y, in(c))
	}
	ADDQ(I32(panelBytes), column)
	CMPQ(column, size)
	JLT(LabelRef("columns"))
	ADDQ(size, c)
	ADDQ(Imm(4), rowScale)
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// or stores a OR b in r; a may be memory.
func (v isa) or(a Op, b, r reg.VecVirtual) {
	if v.bytes == 64 {
		VPORQ(a, b, r)
	} else {
		VPOR(a, b, r)
	}
}
