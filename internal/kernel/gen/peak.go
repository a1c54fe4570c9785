package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// peakSums is the number of independent sums of a peak kernel: more than the
// latency of a multiply-add times the units that execute it.
const peakSums = 14

// peakKernel emits a loop of nothing but the multiply-adds of a tile.
func peakKernel(v isa, kind tileKind) {
	name := "peak" + kind.name + v.name
	TEXT(name, 4, "func(n int)")
	Doc(fmt.Sprintf("%s does n > 0 rounds of %d independent multiply-adds.", name, peakSums))
	n := Load(Param("n"), GP64())
	sums, x, w := v.regs(peakSums), v.reg(), v.reg()
	for _, r := range append(sums, x, w) {
		v.zero(r)
	}
	Label("loop")
	for _, r := range sums {
		kind.add(v, x, w, r)
	}
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// readKernel emits a loop that reads memory and does nothing with it.
func readKernel(v isa) {
	const step, ahead = 256, 4096
	TEXT("read"+v.name, 4, "func(n int, p *float32)")
	Doc(fmt.Sprintf("read%s reads n bytes, a multiple of %d, and asks for what lies %d bytes further on.", v.name, step, ahead))
	Pragma("noescape")
	n, p := Load(Param("n"), GP64()), Load(Param("p"), GP64())
	r := v.regs(step / v.bytes)
	Label("loop")
	for at := 0; at < step; at += 64 {
		PREFETCHT1(Mem{Base: p, Disp: ahead + at})
	}
	for i := range r {
		VMOVUPS(Mem{Base: p, Disp: i * v.bytes}, r[i])
	}
	ADDQ(I32(step), p)
	SUBQ(I32(step), n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}
