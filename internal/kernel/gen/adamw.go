package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

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
