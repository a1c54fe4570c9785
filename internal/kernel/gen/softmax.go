package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// softmaxColumnsKernel emits the softmax of attention scores that lie as a
// panel: a key in each row, a query in each of 32 columns. No lane depends on
// another. The division is left to whoever uses the weights.
func softmaxColumnsKernel(v isa) {
	name := "softmaxColumns" + v.name
	TEXT(name, 4, "func(n int, x *float32, scale float32, inverse *float32)")
	Doc(name+" replaces x[i·32+j], i < n, by e^(scale·(x[i·32+j]-max)), max over i, and stores 1/Σ over i in",
		"inverse[j], j < 32. n > 0.")
	Pragma("noescape")
	n := Load(Param("n"), GP64())
	x := Load(Param("x"), GP64())
	inverse := Load(Param("inverse"), GP64())
	scale := v.reg()
	s, _ := Param("scale").Resolve()
	VBROADCASTSS(s.Addr, scale)
	lines := 2 // vectors at a time
	passes := panelBytes / (v.bytes * lines)
	pass := GP64()
	MOVQ(U32(uint32(passes)), pass)
	p, i := GP64(), GP64()
	top, sum := v.regs(lines), v.regs(lines)
	ys := v.regs(lines)

	Label("pass")
	MOVQ(x, p)
	MOVQ(n, i)
	for l := range lines {
		VMOVUPS(Mem{Base: p, Disp: l * v.bytes}, top[l])
		v.zero(sum[l])
	}
	Label("max")
	for l := range lines {
		VMAXPS(Mem{Base: p, Disp: l * v.bytes}, top[l], top[l])
	}
	ADDQ(I32(panelBytes), p)
	DECQ(i)
	JNZ(LabelRef("max"))
	MOVQ(x, p)
	MOVQ(n, i)
	Label("exp")
	for l := range lines {
		VMOVUPS(Mem{Base: p, Disp: l * v.bytes}, ys[l])
		VSUBPS(top[l], ys[l], ys[l])
		VMULPS(scale, ys[l], ys[l])
	}
	for l := range lines {
		v.exp(ys[l])
		VADDPS(ys[l], sum[l], sum[l])
		VMOVUPS(ys[l], Mem{Base: p, Disp: l * v.bytes})
	}
	ADDQ(I32(panelBytes), p)
	DECQ(i)
	JNZ(LabelRef("exp"))
	for l := range lines {
		one := v.load1(v.constant(1))
		VDIVPS(sum[l], one, one)
		VMOVUPS(one, Mem{Base: inverse, Disp: l * v.bytes})
	}
	ADDQ(I32(int32(lines*v.bytes)), x)
	ADDQ(I32(int32(lines*v.bytes)), inverse)
	DECQ(pass)
	JNZ(LabelRef("pass"))
	VZEROUPPER()
	RET()
}

// softmaxRowKernel emits the softmax of one row.
func softmaxRowKernel(v isa) {
	name := "softmaxRow" + v.name
	TEXT(name, 4, "func(n int, dst, x *float32, scale float32)")
	Doc(name + " stores e^(scale·(x[i]-max)) / Σ e^(scale·(x-max)) in dst[i] for i < n. n > 0.")
	Pragma("noescape")
	n := Load(Param("n"), GP64())
	dst := Load(Param("dst"), GP64())
	x := Load(Param("x"), GP64())
	scale := v.reg()
	s, _ := Param("scale").Resolve()
	VBROADCASTSS(s.Addr, scale)
	last := v.newTail(n)
	end, at := GP64(), GP64()
	MOVQ(n, end)
	ANDQ(I32(int32(-v.lanes())), end)
	SHLQ(Imm(2), end)
	ANDQ(Imm(uint64(v.lanes()-1)), n)
	top, sum, y := v.reg(), v.reg(), v.reg()
	VBROADCASTSS(Mem{Base: x}, top)
	v.zero(sum)
	each := func(label string, f func(t *tail)) {
		XORQ(at, at)
		JMP(LabelRef(label + "_check"))
		Label(label + "_full")
		f(nil)
		ADDQ(Imm(uint64(v.bytes)), at)
		Label(label + "_check")
		CMPQ(at, end)
		JLT(LabelRef(label + "_full"))
		TESTQ(n, n)
		JZ(LabelRef(label + "_done"))
		f(last)
		Label(label + "_done")
	}
	each("max", func(t *tail) {
		v.load(Mem{Base: x, Index: at, Scale: 1}, y, t)
		if t != nil { // absent lanes must not win
			v.blend(y, top, t)
		}
		VMAXPS(y, top, top)
	})
	top = v.maxAll(top)
	each("exp", func(t *tail) {
		v.load(Mem{Base: x, Index: at, Scale: 1}, y, t)
		VSUBPS(top, y, y)
		VMULPS(scale, y, y)
		v.exp(y)
		v.mask(y, t)
		VADDPS(y, sum, sum)
		v.store(y, Mem{Base: dst, Index: at, Scale: 1}, t)
	})
	inv := v.load1(v.constant(1))
	VDIVPS(v.sumAll(sum), inv, inv)
	each("scale", func(t *tail) {
		v.load(Mem{Base: dst, Index: at, Scale: 1}, y, t)
		VMULPS(inv, y, y)
		v.store(y, Mem{Base: dst, Index: at, Scale: 1}, t)
	})
	VZEROUPPER()
	RET()
}

// sumExpKernels emit the parts of a log-sum-exp: the greatest element, and the sum of
// exponentials of what is left of each element without it.
func sumExpKernels(v isa) {
	const vectors = 4 // at a time; the sums of a lane are that many chains
	whole := func() (n, x reg.Register) {
		n, x = Load(Param("n"), GP64()), Load(Param("x"), GP64())
		SHRQ(Imm(uint64(shift(vectors*v.lanes()))), n)
		return n, x
	}
	next := func(n, x reg.Register) {
		ADDQ(I32(int32(vectors*v.bytes)), x)
		DECQ(n)
		JNZ(LabelRef("loop"))
	}
	result := func(r reg.VecVirtual) {
		Store(r.AsX(), ReturnIndex(0))
		VZEROUPPER()
		RET()
	}

	TEXT("largestOf"+v.name, 4, "func(n int, x *float32) float32")
	Doc("largestOf"+v.name+" returns the greatest of x[i], i < n; any number if one is NaN.",
		fmt.Sprintf("n is a multiple of %d above 0.", vectors*v.lanes()))
	Pragma("noescape")
	n, x := whole()
	top := v.regs(vectors)
	for _, r := range top {
		VMOVUPS(Mem{Base: x}, r)
	}
	Label("loop")
	for i, r := range top {
		VMAXPS(Mem{Base: x, Disp: i * v.bytes}, r, r)
	}
	next(n, x)
	for _, r := range top[1:] {
		VMAXPS(r, top[0], top[0])
	}
	result(v.maxAll(top[0]))

	TEXT("sumExp"+v.name, 4, "func(n int, x *float32, top float32) float32")
	Doc("sumExp"+v.name+" returns Σ e^(x[i]-top), i < n.",
		fmt.Sprintf("n is a multiple of %d above 0.", vectors*v.lanes()))
	Pragma("noescape")
	n, x = whole()
	least := v.reg()
	p, _ := Param("top").Resolve()
	VBROADCASTSS(p.Addr, least)
	sums, ys := v.regs(vectors), v.regs(vectors)
	for _, r := range sums {
		v.zero(r)
	}
	Label("loop")
	for i, y := range ys {
		VMOVUPS(Mem{Base: x, Disp: i * v.bytes}, y)
		VSUBPS(least, y, y)
		v.exp(y)
		VADDPS(y, sums[i], sums[i])
	}
	next(n, x)
	for _, r := range sums[1:] {
		VADDPS(r, sums[0], sums[0])
	}
	result(v.sumAll(sums[0]))
}

// blend replaces the lanes of x that are not in t by those of other.
func (v isa) blend(x, other reg.VecVirtual, t *tail) {
	if v.bytes == 64 {
		VBLENDMPS(x, other, t.k, x)
	} else {
		VBLENDVPS(t.y, x, other, x)
	}
}

// expKernel emits e^x of a slice.
func expKernel(v isa) {
	name := "exp" + v.name
	TEXT(name, 4, "func(n int, dst, x *float32)")
	Doc(name + " stores e^x[i] in dst[i] for i < n.")
	Pragma("noescape")
	n := Load(Param("n"), GP64())
	dst := Load(Param("dst"), GP64())
	x := Load(Param("x"), GP64())
	last := v.newTail(n)
	end, at := GP64(), GP64()
	MOVQ(n, end)
	ANDQ(I32(int32(-v.lanes())), end)
	SHLQ(Imm(2), end)
	ANDQ(Imm(uint64(v.lanes()-1)), n)
	y := v.reg()
	body := func(t *tail) {
		v.load(Mem{Base: x, Index: at, Scale: 1}, y, t)
		v.exp(y)
		v.store(y, Mem{Base: dst, Index: at, Scale: 1}, t)
	}
	XORQ(at, at)
	JMP(LabelRef("check"))
	Label("full")
	body(nil)
	ADDQ(Imm(uint64(v.bytes)), at)
	Label("check")
	CMPQ(at, end)
	JLT(LabelRef("full"))
	TESTQ(n, n)
	JZ(LabelRef("done"))
	body(last)
	Label("done")
	VZEROUPPER()
	RET()
}
