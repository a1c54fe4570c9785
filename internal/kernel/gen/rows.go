package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// dotOutputs is the number of outputs of one call of a dot kernel.
const dotOutputs = 4

// dotKernel emits the product of a few rows and four rows of an [out, in]
// weight, read as it is stored.
func dotKernel(v isa, rows int) {
	name := fmt.Sprintf("dot%d%s", rows, v.name)
	TEXT(name, 4, "func(n int, x *float32, xRow int, w *float32, wRow int, c *float32)")
	Doc(fmt.Sprintf("%s stores in c[i·32+j] the sum over k < n of x[i·xRow+k]·w[j·wRow+k], i < %d, j < %d.", name, rows, dotOutputs))
	Pragma("noescape")
	n := Load(Param("n"), GP64())
	x := Load(Param("x"), GP64())
	xRow := Load(Param("xRow"), GP64())
	w := Load(Param("w"), GP64())
	wRow := Load(Param("wRow"), GP64())
	SHLQ(Imm(2), xRow)
	SHLQ(Imm(2), wRow)
	x3, w3 := GP64(), GP64()
	LEAQ(Mem{Base: xRow, Index: xRow, Scale: 2}, x3)
	LEAQ(Mem{Base: wRow, Index: wRow, Scale: 2}, w3)
	xNext := GP64() // rows 4 and 5
	LEAQ(Mem{Base: x, Index: xRow, Scale: 4}, xNext)
	// The four rows of the next call are four rows further on.
	ahead := GP64()
	LEAQ(Mem{Base: w, Index: wRow, Scale: 4}, ahead)

	acc := v.regs(rows * dotOutputs)
	for _, r := range acc {
		v.zero(r)
	}
	xs, ws := v.regs(rows), v.reg()
	input := func(i int) Mem {
		if i >= 4 {
			return strided(xNext, xRow, x3, i-4)
		}
		return strided(x, xRow, x3, i)
	}
	whole := GP64()
	MOVQ(n, whole)
	SHRQ(Imm(uint64(shift(v.lanes()))), whole)
	JZ(LabelRef("tail"))
	Label("loop")
	for i := range xs {
		VMOVUPS(input(i), xs[i])
	}
	for j := range dotOutputs {
		VMOVUPS(strided(w, wRow, w3, j), ws)
		PREFETCHT1(strided(ahead, wRow, w3, j))
		for i := range xs {
			VFMADD231PS(xs[i], ws, acc[i*dotOutputs+j])
		}
	}
	for _, p := range []reg.Register{x, xNext, w, ahead} {
		ADDQ(Imm(uint64(v.bytes)), p)
	}
	DECQ(whole)
	JNZ(LabelRef("loop"))
	Label("tail")
	ANDQ(Imm(uint64(v.lanes()-1)), n)
	JZ(LabelRef("reduce"))
	last := v.newTail(n)
	for i := range xs { // one row at a time: the mask takes a register
		v.load(input(i), xs[0], last)
		for j := range dotOutputs {
			v.load(strided(w, wRow, w3, j), ws, last)
			VFMADD231PS(xs[0], ws, acc[i*dotOutputs+j])
		}
	}
	Label("reduce")
	c := Load(Param("c"), GP64())
	for i := range rows {
		VMOVUPS(v.sum4(acc[i*dotOutputs:][:4]), Mem{Base: c, Disp: panelBytes * i})
	}
	VZEROUPPER()
	RET()
}

func shift(n int) (s int) {
	for 1<<s < n {
		s++
	}
	return s
}

// strided is row i < 4 of a matrix; step3 is three times its row stride in bytes.
func strided(base, step, step3 reg.Register, i int) Mem {
	m := Mem{Base: base}
	switch i {
	case 1, 2:
		m.Index, m.Scale = step, uint8(i)
	case 3:
		m.Index, m.Scale = step3, 1
	}
	return m
}

// sum4 returns the sums of the lanes of four vectors. They are spoilt.
func (v isa) sum4(in []reg.VecVirtual) reg.Register {
	var y [4]reg.VecVirtual
	for i, r := range in {
		if v.bytes == 32 {
			y[i] = r
			continue
		}
		h := YMM()
		VEXTRACTF64X4(Imm(1), r, h)
		VADDPS(r.AsY(), h, h)
		y[i] = h
	}
	// Interleave and add, twice: each lane of 128 bits becomes the four sums over it.
	add := func(a, b reg.VecVirtual, low, high func(...Op)) reg.VecVirtual {
		l := YMM()
		low(b, a, l)
		high(b, a, a)
		VADDPS(l, a, a)
		return a
	}
	singles := func(a, b reg.VecVirtual) reg.VecVirtual { return add(a, b, VUNPCKLPS, VUNPCKHPS) }
	s := add(singles(y[0], y[1]), singles(y[2], y[3]), VUNPCKLPD, VUNPCKHPD)
	h := XMM()
	if v.bytes == 64 {
		VEXTRACTF32X4(Imm(1), s, h)
	} else {
		VEXTRACTF128(Imm(1), s, h)
	}
	VADDPS(s.AsX(), h, h)
	return h
}

// axpyKernel emits the product of a few rows and some rows of an [in, out]
// weight, read as it is stored.
func axpyKernel(v isa, inputs int) {
	name := fmt.Sprintf("axpy%d%s", inputs, v.name)
	TEXT(name, 4, "func(rows, n int, x *float32, xRow int, w *float32, wRow int, c *float32, cRow int, add int)")
	Doc(fmt.Sprintf("%s stores in c[i·cRow+j] the sum over k < %d of x[i·xRow+k]·w[k·wRow+j], i < rows, j < n;", name, inputs),
		"if add is not 0, it adds it to what is there.")
	Pragma("noescape")
	rows := Load(Param("rows"), GP64())
	n := Load(Param("n"), GP64())
	xRow := Load(Param("xRow"), GP64())
	w := Load(Param("w"), GP64())
	wRow := Load(Param("wRow"), GP64())
	c := Load(Param("c"), GP64())
	cRow := Load(Param("cRow"), GP64())
	add := Load(Param("add"), GP64())
	SHLQ(Imm(2), xRow)
	SHLQ(Imm(2), wRow)
	SHLQ(Imm(2), cRow)
	w3, w4, ahead := GP64(), GP64(), GP64()
	LEAQ(Mem{Base: wRow, Index: wRow, Scale: 2}, w3)
	LEAQ(Mem{Base: w, Index: wRow, Scale: 4}, w4)
	LEAQ(Mem{Base: w, Index: wRow, Scale: 8}, ahead) // into the second-level cache; see tileKernel
	input := func(k int) Mem {
		if k < 4 {
			return strided(w, wRow, w3, k)
		}
		return strided(w4, wRow, w3, k-4)
	}
	last := v.newTail(n)
	whole := GP64()
	MOVQ(n, whole)
	SHRQ(Imm(uint64(shift(v.lanes()))), whole)
	ws := v.regs(inputs)
	y, b := v.reg(), v.reg()
	x, cc, r, far := GP64(), GP64(), GP64(), GP64()
	column := func(label string, t *tail) {
		for k := range ws {
			v.load(input(k), ws[k], t)
			if t != nil || inputs == 1 {
				continue
			}
			if k == 4 {
				LEAQ(Mem{Base: ahead, Index: wRow, Scale: 4}, far)
			}
			if k < 4 {
				PREFETCHT1(strided(ahead, wRow, w3, k))
			} else {
				PREFETCHT1(strided(far, wRow, w3, k-4))
			}
		}
		Load(Param("x"), x)
		MOVQ(c, cc)
		MOVQ(rows, r)
		Label(label + "_row")
		v.zero(y)
		TESTQ(add, add)
		JZ(LabelRef(label + "_sum"))
		v.load(Mem{Base: cc}, y, t)
		Label(label + "_sum")
		for k := range ws {
			at := Mem{Base: x, Disp: 4 * k}
			if v.bytes == 64 {
				VFMADD231PS_BCST(at, ws[k], y)
			} else {
				VBROADCASTSS(at, b)
				VFMADD231PS(b, ws[k], y)
			}
		}
		v.store(y, Mem{Base: cc}, t)
		ADDQ(xRow, x)
		ADDQ(cRow, cc)
		DECQ(r)
		JNZ(LabelRef(label + "_row"))
	}
	TESTQ(whole, whole)
	JZ(LabelRef("tail"))
	Label("loop")
	column("full", nil)
	ADDQ(Imm(uint64(v.bytes)), w)
	ADDQ(Imm(uint64(v.bytes)), w4)
	ADDQ(Imm(uint64(v.bytes)), ahead)
	ADDQ(Imm(uint64(v.bytes)), c)
	DECQ(whole)
	JNZ(LabelRef("loop"))
	Label("tail")
	ANDQ(Imm(uint64(v.lanes()-1)), n)
	JZ(LabelRef("done"))
	column("part", last)
	Label("done")
	VZEROUPPER()
	RET()
}
