package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// panelBytes is the size of one input's weights in a panel, and the row stride
// of a tile of results: 32 floats.
const panelBytes = 4 * 32

// tileKernel emits the product of a block of rows and (a part of) a panel.
// Every result is one chain of fused multiply-adds in the order of k, so that it
// does not depend on the tile it is computed in.
func tileKernel(v isa, rows int) {
	name := fmt.Sprintf("tile%d%s", rows, v.name)
	TEXT(name, 4, "func(n int, a *float32, stride int, b *float32, c *float32)")
	Doc(fmt.Sprintf("%s stores in c[i·32+j] the sum over k < n of a[k·stride+i]·b[k·32+j], i < %d, j < %d.",
		name, rows, v.lanes()*v.tileVectors))
	Pragma("noescape")
	n := Load(Param("n"), GP64())
	a := Load(Param("a"), GP64())
	stride := Load(Param("stride"), GP64())
	b := Load(Param("b"), GP64())
	c := Load(Param("c"), GP64())
	SHLQ(Imm(2), stride)
	stride3 := GP64()
	LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, stride3)

	acc := v.regs(rows * v.tileVectors)
	for _, r := range acc {
		v.zero(r)
	}
	w, x := v.regs(v.tileVectors), v.reg()
	step := func(u int) {
		for j := range w {
			VMOVUPS(Mem{Base: b, Disp: panelBytes*u + v.bytes*j}, w[j])
		}
		// Ahead of the processor's own prefetcher, which stops at every page.
		for line := 0; line < v.bytes*v.tileVectors; line += 64 {
			PREFETCHT0(Mem{Base: b, Disp: panelBytes*(u+prefetchSteps) + line})
		}
		for i := range rows {
			at := Mem{Base: a, Disp: 4 * i}
			switch u {
			case 1:
				at.Index, at.Scale = stride, 1
			case 2:
				at.Index, at.Scale = stride, 2
			case 3:
				at.Index, at.Scale = stride3, 1
			}
			VBROADCASTSS(at, x)
			for j := range w {
				VFMADD231PS(x, w[j], acc[i*v.tileVectors+j])
			}
		}
	}
	blocks := GP64()
	MOVQ(n, blocks)
	SHRQ(Imm(2), blocks)
	JZ(LabelRef("tail"))
	Label("loop")
	for u := range 4 {
		step(u)
	}
	LEAQ(Mem{Base: a, Index: stride, Scale: 4}, a)
	ADDQ(I32(4*panelBytes), b)
	DECQ(blocks)
	JNZ(LabelRef("loop"))
	Label("tail")
	ANDQ(Imm(3), n)
	JZ(LabelRef("store"))
	Label("single")
	step(0)
	ADDQ(stride, a)
	ADDQ(I32(panelBytes), b)
	DECQ(n)
	JNZ(LabelRef("single"))
	Label("store")
	for i := range rows {
		for j := range w {
			VMOVUPS(acc[i*v.tileVectors+j], Mem{Base: c, Disp: panelBytes*i + v.bytes*j})
		}
	}
	VZEROUPPER()
	RET()
}

// prefetchSteps is how many inputs ahead a tile asks for weights.
const prefetchSteps = 16
