package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// layerNormKernel emits layer norm of one row: a pass for the mean, one for the
// variance around it, one for the result. The row is in the first-level cache
// after the first.
func layerNormKernel(v isa) {
	name := "layerNorm" + v.name
	TEXT(name, 4, "func(n int, dst, x, gamma, beta *float32, eps float32)")
	Doc(name + " stores (x-mean)/√(variance+eps)·gamma + beta in dst for n > 0 elements; gamma and beta may be nil.")
	Pragma("noescape")
	n := Load(Param("n"), GP64())
	dst := Load(Param("dst"), GP64())
	x := Load(Param("x"), GP64())
	gamma := Load(Param("gamma"), GP64())
	beta := Load(Param("beta"), GP64())
	last := v.newTail(n)
	count := v.broadcastInt(n)
	end, at := GP64(), GP64()
	MOVQ(n, end)
	ANDQ(I32(int32(-v.lanes())), end)
	SHLQ(Imm(2), end)
	ANDQ(Imm(uint64(v.lanes()-1)), n) // elements in the last vector
	const unroll = 4
	sums := v.regs(unroll)
	y := v.reg()

	// total adds up f of every vector, in unroll chains, over all lanes.
	total := func(label string, f func(m Mem, sum reg.VecVirtual, t *tail)) reg.VecVirtual {
		for _, s := range sums {
			v.zero(s)
		}
		XORQ(at, at)
		limit := GP64()
		LEAQ(Mem{Base: end, Disp: -v.bytes * (unroll - 1)}, limit)
		JMP(LabelRef(label + "_check"))
		Label(label + "_four")
		for u := range unroll {
			f(Mem{Base: x, Index: at, Scale: 1, Disp: u * v.bytes}, sums[u], nil)
		}
		ADDQ(I32(int32(unroll*v.bytes)), at)
		Label(label + "_check")
		CMPQ(at, limit)
		JLT(LabelRef(label + "_four"))
		JMP(LabelRef(label + "_check1"))
		Label(label + "_one")
		f(Mem{Base: x, Index: at, Scale: 1}, sums[0], nil)
		ADDQ(Imm(uint64(v.bytes)), at)
		Label(label + "_check1")
		CMPQ(at, end)
		JLT(LabelRef(label + "_one"))
		TESTQ(n, n)
		JZ(LabelRef(label + "_sum"))
		f(Mem{Base: x, Index: at, Scale: 1}, sums[1], last)
		Label(label + "_sum")
		VADDPS(sums[1], sums[0], sums[0])
		VADDPS(sums[3], sums[2], sums[2])
		VADDPS(sums[2], sums[0], sums[0])
		return v.sumAll(sums[0])
	}
	mean := v.reg()
	VDIVPS(count, total("mean", func(m Mem, sum reg.VecVirtual, t *tail) {
		v.load(m, y, t)
		VADDPS(y, sum, sum)
	}), mean)
	inv := v.reg()
	VDIVPS(count, total("variance", func(m Mem, sum reg.VecVirtual, t *tail) {
		v.load(m, y, t)
		VSUBPS(mean, y, y)
		v.mask(y, t)
		VFMADD231PS(y, y, sum)
	}), inv)
	eps := v.reg()
	e, _ := Param("eps").Resolve()
	VBROADCASTSS(e.Addr, eps)
	VADDPS(eps, inv, inv)
	VSQRTPS(inv, inv)
	one := v.load1(v.constant(1))
	VDIVPS(inv, one, inv)

	store := func(label string, t *tail) {
		v.load(Mem{Base: x, Index: at, Scale: 1}, y, t)
		VSUBPS(mean, y, y)
		VMULPS(inv, y, y)
		g := v.reg()
		TESTQ(gamma, gamma)
		JZ(LabelRef(label + "_gamma"))
		v.load(Mem{Base: gamma, Index: at, Scale: 1}, g, t)
		VMULPS(g, y, y)
		Label(label + "_gamma")
		TESTQ(beta, beta)
		JZ(LabelRef(label + "_beta"))
		v.load(Mem{Base: beta, Index: at, Scale: 1}, g, t)
		VADDPS(g, y, y)
		Label(label + "_beta")
		v.store(y, Mem{Base: dst, Index: at, Scale: 1}, t)
	}
	XORQ(at, at)
	JMP(LabelRef("check"))
	Label("full")
	store("full", nil)
	ADDQ(Imm(uint64(v.bytes)), at)
	Label("check")
	CMPQ(at, end)
	JLT(LabelRef("full"))
	TESTQ(n, n)
	JZ(LabelRef("done"))
	store("part", last)
	Label("done")
	VZEROUPPER()
	RET()
}

// mask clears the lanes of x that are not in t; a nil t keeps all.
func (v isa) mask(x reg.VecVirtual, t *tail) {
	switch {
	case t == nil:
	case v.bytes == 64:
		VMOVAPS_Z(x, t.k, x)
	default:
		VANDPS(t.y, x, x)
	}
}

// broadcastInt returns n as a float in every lane.
func (v isa) broadcastInt(n reg.Register) reg.VecVirtual {
	x, r := XMM(), v.reg()
	VXORPS(x, x, x)
	VCVTSI2SSQ(n, x, x)
	VBROADCASTSS(x, r)
	return r
}

// sumAll leaves the sum of the lanes of x in every lane.
func (v isa) sumAll(x reg.VecVirtual) reg.VecVirtual { return v.across(x, VADDPS) }

// maxAll leaves the largest lane of x in every lane.
func (v isa) maxAll(x reg.VecVirtual) reg.VecVirtual { return v.across(x, VMAXPS) }

// across combines all lanes of x by op and leaves the result in every lane.
func (v isa) across(x reg.VecVirtual, op func(...Op)) reg.VecVirtual {
	y := v.reg()
	if v.bytes == 64 {
		VSHUFF32X4(Imm(0x4e), x, x, y) // halves
		op(y, x, x)
		VSHUFF32X4(Imm(0xb1), x, x, y) // quarters
		op(y, x, x)
	} else {
		VPERM2F128(Imm(1), x, x, y)
		op(y, x, x)
	}
	VSHUFPS(Imm(0x4e), x, x, y)
	op(y, x, x)
	VSHUFPS(Imm(0xb1), x, x, y)
	op(y, x, x)
	return x
}
