package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A columnTerm adds one row's part to the sums lo and hi of one vector of
// columns; x and y are loaded already.
type columnTerm struct {
	doc  string
	y    bool // a second matrix
	norm bool // and the moments of each row
}

var (
	plainTerm   = columnTerm{doc: "x[r·row+j]"}
	productTerm = columnTerm{doc: "x[r·row+j]·y[r·row+j]", y: true}
	normTerm    = columnTerm{doc: "y[r·row+j]·(x[r·row+j] − moments[2r])·moments[2r+1]", y: true, norm: true}
)

// columnSumKernel emits sums over the rows of a matrix. Four vectors of columns
// are summed at a time, so that every line of memory is read whole.
func columnSumKernel(v isa, name string, term columnTerm) {
	name += v.name
	TEXT(name, 4, "func(rows, n int, dst, x, y *float32, row int, moments *float64)")
	Doc(name+" stores in dst[j], j < n, the sum over r < rows of "+term.doc+",", "kept in float64. rows > 0.")
	Pragma("noescape")
	rows, n := Load(Param("rows"), GP64()), Load(Param("n"), GP64())
	dst, x := Load(Param("dst"), GP64()), Load(Param("x"), GP64())
	y, moments := reg.Register(nil), reg.Register(nil)
	if term.y {
		y = Load(Param("y"), GP64())
	}
	if term.norm {
		moments = Load(Param("moments"), GP64())
	}
	row := Load(Param("row"), GP64())
	SHLQ(Imm(2), row)
	last := v.newTail(n)
	r, px, py, pm := GP64(), GP64(), GP64(), GP64()
	const most = 4
	acc := v.regs(2 * most)
	a, lo, hi := v.reg(), v.reg(), v.reg()
	b, lo2, hi2 := v.reg(), v.reg(), v.reg()
	mean, inverse := v.reg(), v.reg()
	strip := func(label string, vectors int, t *tail) {
		for _, s := range acc[:2*vectors] {
			v.zero(s)
		}
		MOVQ(rows, r)
		MOVQ(x, px)
		if term.y {
			MOVQ(y, py)
		}
		if term.norm {
			MOVQ(moments, pm)
		}
		Label(label + "_row")
		if term.norm {
			VBROADCASTSD(Mem{Base: pm}, mean)
			VBROADCASTSD(Mem{Base: pm, Disp: 8}, inverse)
			ADDQ(Imm(16), pm)
		}
		for i := range vectors {
			v.load(Mem{Base: px, Disp: i * v.bytes}, a, t)
			v.wide(a, lo, hi)
			if !term.y {
				VADDPD(lo, acc[2*i], acc[2*i])
				VADDPD(hi, acc[2*i+1], acc[2*i+1])
				continue
			}
			if term.norm {
				VSUBPD(mean, lo, lo)
				VSUBPD(mean, hi, hi)
				VMULPD(inverse, lo, lo)
				VMULPD(inverse, hi, hi)
			}
			v.load(Mem{Base: py, Disp: i * v.bytes}, b, t)
			v.wide(b, lo2, hi2)
			VFMADD231PD(lo, lo2, acc[2*i])
			VFMADD231PD(hi, hi2, acc[2*i+1])
		}
		ADDQ(row, px)
		if term.y {
			ADDQ(row, py)
		}
		DECQ(r)
		JNZ(LabelRef(label + "_row"))
		for i := range vectors {
			v.store(v.joined(acc[2*i], acc[2*i+1]), Mem{Base: dst, Disp: i * v.bytes}, t)
		}
	}
	next := func(vectors int) {
		step := I32(int32(vectors * v.bytes))
		ADDQ(step, x)
		if term.y {
			ADDQ(step, y)
		}
		ADDQ(step, dst)
		SUBQ(I32(int32(vectors*v.lanes())), n)
	}
	for vectors := most; vectors > 0; vectors /= 2 {
		label := fmt.Sprint("strip", vectors)
		Label(label)
		CMPQ(n, I32(int32(vectors*v.lanes())))
		JLT(LabelRef(fmt.Sprint("strip", vectors/2)))
		strip(label, vectors, nil)
		next(vectors)
		JMP(LabelRef(label))
	}
	Label("strip0")
	TESTQ(n, n)
	JZ(LabelRef("done"))
	strip("part", 1, last)
	Label("done")
	VZEROUPPER()
	RET()
}

// joined rounds two vectors of float64 to one of float32.
func (v isa) joined(lo, hi reg.VecVirtual) reg.VecVirtual {
	if v.bytes == 64 {
		l, h := YMM(), YMM()
		VCVTPD2PS(lo, l)
		VCVTPD2PS(hi, h)
		r := ZMM()
		VINSERTF64X4(Imm(1), h, l.AsZ(), r)
		return r
	}
	l, h := XMM(), XMM()
	VCVTPD2PSY(lo, l)
	VCVTPD2PSY(hi, h)
	r := YMM()
	VINSERTF128(Imm(1), h, l.AsY(), r)
	return r
}

// sumSquaresKernel emits the sum of squares of a slice, in float64.
func sumSquaresKernel(v isa) {
	name := "sumSquares" + v.name
	TEXT(name, 4, "func(n int, x *float32) float64")
	Doc(name + " returns Σ x[i]² over i < n.")
	Pragma("noescape")
	n, x := Load(Param("n"), GP64()), Load(Param("x"), GP64())
	y, lo, hi := v.reg(), v.reg(), v.reg()
	acc := v.regs(2)
	for _, r := range acc {
		v.zero(r)
	}
	v.elements("sum", n, func(_ string, at reg.Register, t *tail) {
		v.load(Mem{Base: x, Index: at, Scale: 1}, y, t)
		v.wide(y, lo, hi)
		VFMADD231PD(lo, lo, acc[0])
		VFMADD231PD(hi, hi, acc[1])
	})
	Store(v.sumWide(acc).AsX(), ReturnIndex(0))
	VZEROUPPER()
	RET()
}
