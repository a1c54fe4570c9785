package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// epilogueKernel emits what happens to sums before they are stored.
func epilogueKernel(v isa) {
	name := "epilogue" + v.name
	TEXT(name, 4, "func(rows, cols int, dst *float32, dstRow int, src *float32, srcRow int, bias, scale, residual *float32, residualRow int, act int)")
	Doc(name+" stores act(src + bias)·scale + residual in dst for rows·cols elements; row strides are in",
		"floats, and bias, scale or residual may be nil. act is an Activation.")
	Pragma("noescape")
	rows := Load(Param("rows"), GP64())
	cols := Load(Param("cols"), GP64())
	dst := Load(Param("dst"), GP64())
	dstRow := Load(Param("dstRow"), GP64())
	src := Load(Param("src"), GP64())
	srcRow := Load(Param("srcRow"), GP64())
	bias := Load(Param("bias"), GP64())
	scale := Load(Param("scale"), GP64())
	residual := Load(Param("residual"), GP64())
	residualRow := Load(Param("residualRow"), GP64())
	act := Load(Param("act"), GP64())
	for _, r := range []reg.Register{dstRow, srcRow, residualRow} {
		SHLQ(Imm(2), r)
	}
	last := v.newTail(cols)
	at := GP64() // byte offset in the row
	end := GP64()
	MOVQ(cols, end)
	ANDQ(I32(int32(-v.lanes())), end)
	SHLQ(Imm(2), end)
	ANDQ(Imm(uint64(v.lanes()-1)), cols) // elements in the last vector

	body := func(label string, f func(reg.VecVirtual), t *tail) {
		x := v.reg()
		v.load(Mem{Base: src, Index: at, Scale: 1}, x, t)
		optional := func(p reg.Register, what string, use func(m Mem)) {
			TESTQ(p, p)
			JZ(LabelRef(label + what))
			use(Mem{Base: p, Index: at, Scale: 1})
			Label(label + what)
		}
		y := v.reg()
		optional(bias, "_bias", func(m Mem) { v.load(m, y, t); VADDPS(y, x, x) })
		if f != nil {
			f(x)
		}
		optional(scale, "_scale", func(m Mem) { v.load(m, y, t); VMULPS(y, x, x) })
		optional(residual, "_residual", func(m Mem) { v.load(m, y, t); VADDPS(y, x, x) })
		v.store(x, Mem{Base: dst, Index: at, Scale: 1}, t)
	}
	variant := func(label string, f func(reg.VecVirtual)) {
		Label(label)
		XORQ(at, at)
		CMPQ(at, end)
		JGE(LabelRef(label + "_tail"))
		Label(label + "_full")
		body(label+"_f", f, nil)
		ADDQ(Imm(uint64(v.bytes)), at)
		CMPQ(at, end)
		JLT(LabelRef(label + "_full"))
		Label(label + "_tail")
		TESTQ(cols, cols)
		JZ(LabelRef(label + "_next"))
		body(label+"_t", f, last)
		Label(label + "_next")
		ADDQ(srcRow, src)
		ADDQ(dstRow, dst)
		TESTQ(residual, residual)
		JZ(LabelRef(label + "_norow"))
		ADDQ(residualRow, residual)
		Label(label + "_norow")
		DECQ(rows)
		JNZ(LabelRef(label))
		VZEROUPPER()
		RET()
	}
	CMPQ(act, Imm(1))
	JEQ(LabelRef("gelu"))
	JGT(LabelRef("quick"))
	variant("none", nil)
	variant("gelu", v.gelu)
	variant("quick", v.quickGELU)
}
