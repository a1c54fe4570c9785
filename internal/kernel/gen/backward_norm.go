package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

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
