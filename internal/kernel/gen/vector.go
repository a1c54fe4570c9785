package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// isa is a vector width and how a matrix tile is cut for it.
type isa struct {
	name        string // suffix of the functions
	bytes       int    // of one vector
	tileRows    int    // rows of the largest tile
	tileVectors int    // vectors in one row of a tile
	dotRows     int    // rows of the largest dot kernel
	fewRows     int    // rows up to which a product streams its panels from memory, in strips
	aheadLines  int    // cache lines of the next panel that other tiles ask for in four steps
}

func (v isa) lanes() int { return v.bytes / 4 }

// reg returns a new vector register.
func (v isa) reg() reg.VecVirtual {
	if v.bytes == 64 {
		return ZMM()
	}
	return YMM()
}

func (v isa) regs(n int) []reg.VecVirtual {
	r := make([]reg.VecVirtual, n)
	for i := range r {
		r[i] = v.reg()
	}
	return r
}

func (v isa) zero(r reg.VecVirtual) {
	if v.bytes == 64 {
		VPXORQ(r, r, r)
	} else {
		VXORPS(r, r, r)
	}
}

// and stores a AND b in r; a may be memory.
func (v isa) and(a Op, b, r reg.VecVirtual) {
	if v.bytes == 64 {
		VPANDQ(a, b, r)
	} else {
		VPAND(a, b, r)
	}
}

// tail is the mask of the last, incomplete vector of a row. AVX-512 keeps it in
// a mask register, AVX2 in a vector.
type tail struct {
	k reg.Register
	y reg.VecVirtual
}

// newTail makes the mask of the n mod lanes leading elements. n is not changed.
func (v isa) newTail(n reg.Register) *tail {
	rest := GP64()
	MOVQ(n, rest)
	ANDQ(Imm(uint64(v.lanes()-1)), rest)
	t := &tail{}
	if v.bytes == 64 {
		bits := GP64()
		MOVQ(U32(1), bits)
		SHLXQ(rest, bits, bits)
		DECQ(bits)
		t.k = K()
		KMOVW(bits.As32(), t.k)
		return t
	}
	table := GP64()
	LEAQ(maskTable(), table)
	NEGQ(rest)
	t.y = YMM()
	VMOVUPS(Mem{Base: table, Index: rest, Scale: 4, Disp: 32}, t.y)
	return t
}

// load reads a vector, or with a mask its leading elements and zeros.
func (v isa) load(m Mem, r reg.VecVirtual, t *tail) {
	switch {
	case t == nil:
		VMOVUPS(m, r)
	case v.bytes == 64:
		VMOVUPS_Z(m, t.k, r)
	default:
		VMASKMOVPS(m, t.y, r)
	}
}

func (v isa) store(r reg.VecVirtual, m Mem, t *tail) {
	switch {
	case t == nil:
		VMOVUPS(r, m)
	case v.bytes == 64:
		VMOVUPS(r, t.k, m)
	default:
		VMASKMOVPS(r, t.y, m)
	}
}

var (
	constants = map[string]Mem{}
	masks     *Mem
)

// maskTable is eight set words followed by eight clear ones.
func maskTable() Mem {
	if masks == nil {
		m := GLOBL("maskTable", 8|16)
		for i := range 8 {
			DATA(4*i, U32(math.MaxUint32))
		}
		for i := range 8 {
			DATA(4*(i+8), U32(0))
		}
		masks = &m
	}
	return *masks
}

// constant is memory that holds x in every lane.
func (v isa) constant(x float32) Mem { return v.constantBits(math.Float32bits(x)) }

func (v isa) constantBits(bits uint32) Mem {
	name := fmt.Sprintf("const%s_%08x", v.name, bits)
	if m, ok := constants[name]; ok {
		return m
	}
	m := GLOBL(name, 8|16)
	for i := range v.lanes() {
		DATA(4*i, U32(bits))
	}
	constants[name] = m
	return m
}

// table is memory that holds a table of one vector.
func (v isa) table(name string, values []float64) Mem {
	name += v.name
	if m, ok := constants[name]; ok {
		return m
	}
	m := GLOBL(name, 8|16)
	for i, x := range values {
		DATA(4*i, U32(math.Float32bits(float32(x))))
	}
	constants[name] = m
	return m
}
