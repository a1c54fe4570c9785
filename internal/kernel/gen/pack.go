package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// packKernel emits the transposition of up to eight rows, eight columns at a
// time: rows of activations or of an [out, in] weight become columns of a block
// whose rows are k.
func packKernel() {
	TEXT("transpose8AVX2", 4, "func(rows, n int, dst *float32, dstRow int, src *float32, srcRow int)")
	Doc("transpose8AVX2 stores src[i·srcRow+k] in dst[k·dstRow+i] for k < n, n a multiple of 8, and i < rows,",
		"0 < rows ≤ 8; dst[k·dstRow+i] for rows ≤ i < 8 becomes 0.")
	Pragma("noescape")
	rows := Load(Param("rows"), GP64())
	n := Load(Param("n"), GP64())
	dst := Load(Param("dst"), GP64())
	dstRow := Load(Param("dstRow"), GP64())
	src := Load(Param("src"), GP64())
	srcRow := Load(Param("srcRow"), GP64())
	SHLQ(Imm(2), dstRow)
	SHLQ(Imm(2), srcRow)
	src3, src4 := GP64(), GP64()
	LEAQ(Mem{Base: srcRow, Index: srcRow, Scale: 2}, src3)
	LEAQ(Mem{Base: src, Index: srcRow, Scale: 4}, src4)
	dst3 := GP64()
	LEAQ(Mem{Base: dstRow, Index: dstRow, Scale: 2}, dst3)
	row := func(base, base4, step, step3 reg.Register, i int) Mem {
		m := Mem{Base: base}
		if i >= 4 {
			m.Base = base4
		}
		switch i % 4 {
		case 1, 2:
			m.Index, m.Scale = step, uint8(i%4)
		case 3:
			m.Index, m.Scale = step3, 1
		}
		return m
	}
	in := make([]reg.VecVirtual, 8)
	for i := range in {
		in[i] = YMM()
		VXORPS(in[i], in[i], in[i])
	}
	SHRQ(Imm(3), n)
	JZ(LabelRef("done"))
	Label("loop")
	for i := range in {
		if i > 0 {
			CMPQ(rows, Imm(uint64(i)))
			JEQ(LabelRef("loaded"))
		}
		VMOVUPS(row(src, src4, srcRow, src3, i), in[i])
	}
	Label("loaded")
	dst4 := GP64()
	LEAQ(Mem{Base: dst, Index: dstRow, Scale: 4}, dst4)
	// Pairs of rows, then fours, then the two halves.
	var fours [2][4]reg.VecVirtual
	for h := range 2 {
		var pair [4]reg.VecVirtual
		for i := range pair {
			pair[i] = YMM()
		}
		VUNPCKLPS(in[4*h+1], in[4*h], pair[0])
		VUNPCKHPS(in[4*h+1], in[4*h], pair[1])
		VUNPCKLPS(in[4*h+3], in[4*h+2], pair[2])
		VUNPCKHPS(in[4*h+3], in[4*h+2], pair[3])
		for i := range 2 {
			lo, hi := YMM(), YMM()
			VUNPCKLPD(pair[i+2], pair[i], lo)
			VUNPCKHPD(pair[i+2], pair[i], hi)
			fours[h][2*i], fours[h][2*i+1] = lo, hi
		}
	}
	out := YMM()
	for k := range 4 {
		VPERM2F128(Imm(0x20), fours[1][k], fours[0][k], out)
		VMOVUPS(out, row(dst, dst4, dstRow, dst3, k))
		VPERM2F128(Imm(0x31), fours[1][k], fours[0][k], out)
		VMOVUPS(out, row(dst, dst4, dstRow, dst3, k+4))
	}
	ADDQ(Imm(32), src)
	ADDQ(Imm(32), src4)
	LEAQ(Mem{Base: dst, Index: dstRow, Scale: 8}, dst)
	DECQ(n)
	JNZ(LabelRef("loop"))
	Label("done")
	VZEROUPPER()
	RET()
}
