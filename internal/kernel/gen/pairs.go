package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

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
