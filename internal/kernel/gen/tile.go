package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// panelBytes is the size of one step of a panel, 32 words of 4 bytes, and the
// row stride of a tile of results.
const panelBytes = 4 * 32

// A tile asks for weights ahead of the processor's own prefetcher, which stops
// at every page. Few rows, a strip, stream panels from memory: they want steps further on
// in the second-level cache, whose queue is longer. Many rows come back to a panel
// again and again: meanwhile they want the panel after this one in the second-level
// cache, a share of it in each tile, so that reading memory and multiplying
// overlap, and those that use whole cache lines of a panel the next steps in the
// first-level cache. The figures, in steps, are the best of those tried on a Zen 4.
const (
	prefetchNear = 16
	prefetchFar  = 64
)

// tileSignature: words of 4 bytes pass as float32 whatever they hold.
const tileSignature = "func(n int, a *float32, stride int, b *float32, c *float32, ahead *float32)"

// A tileKind says what the words of activations and panels are and how a tile
// multiplies them.
type tileKind struct {
	name string // part of the function's name
	doc  string // what is added up
	// halves is the number of words of a that one word of the panel meets.
	halves int
	// weights loads the vectors of one step, as half h of a meets them.
	weights func(v isa, at func(j int) Mem, h int, w []reg.VecVirtual)
	// add does acc += x·w; x holds one word of a in every lane.
	add func(v isa, x, w, acc reg.VecVirtual)
}

var float32Tile = tileKind{
	doc:    "a[k·stride+i]·b[k·32+j]",
	halves: 1, weights: loadWeights,
	add: func(v isa, x, w, acc reg.VecVirtual) { VFMADD231PS(x, w, acc) },
}

// bf16PairsTile multiplies pairs of bfloat16 values.
var bf16PairsTile = tileKind{
	name:   "Pairs",
	doc:    "a[k·stride+i]·b[k·32+j], where a word is a pair of bfloat16 values and the product their dot product",
	halves: 1, weights: loadWeights,
	add: func(v isa, x, w, acc reg.VecVirtual) { vdpbf16ps(x, w, acc) },
}

// bf16WideTile multiplies float32 activations by pairs of bfloat16 weights.
var bf16WideTile = tileKind{
	name:   "Wide",
	doc:    "a[2k·stride+i]·b[k·32+j].low + a[(2k+1)·stride+i]·b[k·32+j].high, where a word of b is a pair of bfloat16 values",
	halves: 2,
	weights: func(v isa, at func(j int) Mem, h int, w []reg.VecVirtual) {
		for j := range w {
			VMOVUPS(at(j), w[j])
			if h == 0 {
				VPSLLD(Imm(16), w[j], w[j])
			} else {
				v.and(v.constantBits(0xffff0000), w[j], w[j])
			}
		}
	},
	add: func(v isa, x, w, acc reg.VecVirtual) { VFMADD231PS(x, w, acc) },
}

// int8Tile multiplies fours of unsigned and signed bytes exactly.
var int8Tile = tileKind{
	name:   "Bytes",
	doc:    "a[k·stride+i]·b[k·32+j], where a word of a is four unsigned bytes, one of b four signed bytes, and the product their dot product",
	halves: 1, weights: loadWeights,
	add: func(v isa, x, w, acc reg.VecVirtual) { VPDPBUSD(w, x, acc) },
}

func loadWeights(v isa, at func(j int) Mem, _ int, w []reg.VecVirtual) {
	for j := range w {
		VMOVUPS(at(j), w[j])
	}
}

// A product is the loop over k that tiles and strips share: sums of rows·vectors.
type product struct {
	v    isa
	kind tileKind
	rows int

	a, stride, stride3, b reg.Register // advanced by what was multiplied
	acc, w                []reg.VecVirtual
	x                     reg.VecVirtual
}

// newProduct loads the parameters; stride is in floats.
func newProduct(v isa, kind tileKind, rows int) *product {
	p := &product{v: v, kind: kind, rows: rows}
	p.a = Load(Param("a"), GP64())
	p.stride = Load(Param("stride"), GP64())
	p.b = Load(Param("b"), GP64())
	SHLQ(Imm(2), p.stride)
	p.stride3 = GP64()
	LEAQ(Mem{Base: p.stride, Index: p.stride, Scale: 2}, p.stride3)
	p.acc, p.w, p.x = v.regs(rows*v.tileVectors), v.regs(v.tileVectors), v.reg()
	return p
}

func (p *product) clear() {
	for _, r := range p.acc {
		p.v.zero(r)
	}
}

// unroll is the number of steps that use four rows of a.
func (p *product) unroll() int { return 4 / p.kind.halves }

// step multiplies step u from here; ask asks memory for a line of a later step.
func (p *product) step(u int, ask func(u, line int)) {
	for line := 0; line < p.v.bytes*p.v.tileVectors; line += 64 {
		ask(u, line)
	}
	for h := range p.kind.halves {
		p.kind.weights(p.v, func(j int) Mem { return Mem{Base: p.b, Disp: panelBytes*u + p.v.bytes*j} }, h, p.w)
		for i := range p.rows {
			at := strided(p.a, p.stride, p.stride3, u*p.kind.halves+h)
			at.Disp = 4 * i
			VBROADCASTSS(at, p.x)
			for j := range p.w {
				p.kind.add(p.v, p.x, p.w[j], p.acc[i*p.v.tileVectors+j])
			}
		}
	}
}

// loop multiplies n steps, which it counts down in a register of its own; after each
// unrolled round it does more.
func (p *product) loop(label string, n reg.Register, ask func(u, line int), more func()) {
	unroll := p.unroll()
	count := GP64()
	MOVQ(n, count)
	SHRQ(Imm(uint64(shift(unroll))), count)
	JZ(LabelRef(label + "tail"))
	Label(label + "loop")
	for u := range unroll {
		p.step(u, ask)
	}
	more()
	LEAQ(Mem{Base: p.a, Index: p.stride, Scale: 4}, p.a)
	ADDQ(I32(int32(unroll*panelBytes)), p.b)
	DECQ(count)
	JNZ(LabelRef(label + "loop"))
	Label(label + "tail")
	MOVQ(n, count)
	ANDQ(Imm(uint64(unroll-1)), count)
	JZ(LabelRef(label + "store"))
	Label(label + "single")
	p.step(0, ask)
	for range p.kind.halves {
		ADDQ(p.stride, p.a)
	}
	ADDQ(I32(panelBytes), p.b)
	DECQ(count)
	JNZ(LabelRef(label + "single"))
	Label(label + "store")
}

// tileKernel emits the product of a block of many rows and (a part of) a panel.
// Every result is one chain of additions in the order of k, so that it does not
// depend on the tile it is computed in.
func tileKernel(v isa, kind tileKind, rows int) {
	name := fmt.Sprintf("tile%s%d%s", kind.name, rows, v.name)
	TEXT(name, 4, tileSignature)
	Doc(fmt.Sprintf("%s stores in c[i·32+j], i < %d, j < %d, the sum over k < n of %s.",
		name, rows, v.lanes()*v.tileVectors, kind.doc),
		fmt.Sprintf("In every four steps it asks memory for %d bytes of what lies from ahead on.", 64*v.aheadLines))
	Pragma("noescape")
	n := Load(Param("n"), GP64())
	p := newProduct(v, kind, rows)
	c := Load(Param("c"), GP64())
	ahead := Load(Param("ahead"), GP64())
	p.clear()
	p.loop("", n, func(u, line int) {
		if v.bytes < 64 {
			PREFETCHT1(Mem{Base: p.b, Disp: panelBytes*(u+prefetchFar) + line})
		} else {
			PREFETCHT0(Mem{Base: p.b, Disp: panelBytes*(u+prefetchNear) + line})
		}
	}, func() {
		lines := max(1, v.aheadLines/kind.halves) // of as many steps as the loop has
		for l := range lines {
			PREFETCHT1(Mem{Base: ahead, Disp: 64 * l})
		}
		ADDQ(Imm(uint64(64*lines)), ahead)
	})
	storeTile(v, c, p.acc)
}

// stripSignature is that of a strip; words pass as float32, as in tileSignature.
const stripSignature = "func(panels, n int, a *float32, stride int, b *float32, c *float32, cRow int)"

// stripKernel emits the product of few rows and a strip of neighbouring panels,
// which it streams from memory: the sums of one panel are small work, and between two calls
// memory would rest. The sums are those of a tile.
func stripKernel(v isa, kind tileKind, rows int) {
	name := fmt.Sprintf("strip%s%d%s", kind.name, rows, v.name)
	TEXT(name, 4, stripSignature)
	Doc(fmt.Sprintf("%s stores in c[i·cRow+32p+j], i < %d, p < panels, j < 32, the sum over k < n of", name, rows),
		kind.doc+" for b = b[32n·p:]. n > 0.")
	Pragma("noescape")
	panels := Load(Param("panels"), GP64())
	n := Load(Param("n"), GP64())
	p := newProduct(v, kind, rows)
	c := Load(Param("c"), GP64())
	cRow := Load(Param("cRow"), GP64())
	SHLQ(Imm(2), cRow)
	back := GP64() // bytes of the rows of a
	MOVQ(n, back)
	IMULQ(p.stride, back)
	if kind.halves == 2 {
		SHLQ(Imm(1), back)
	}
	width := v.bytes * v.tileVectors
	size := GP64()
	MOVQ(n, size)
	SHLQ(Imm(uint64(shift(panelBytes))), size)
	to := GP64()
	Label("panel")
	for at := 0; at < panelBytes; at += width {
		label := fmt.Sprintf("at%d_", at)
		p.clear()
		p.loop(label, n, func(u, line int) {
			PREFETCHT1(Mem{Base: p.b, Disp: panelBytes*(u+prefetchFar) + line})
		}, func() {})
		SUBQ(back, p.a)
		MOVQ(c, to)
		for i := range rows {
			for j := range v.tileVectors {
				VMOVUPS(p.acc[i*v.tileVectors+j], Mem{Base: to, Disp: v.bytes * j})
			}
			if i+1 < rows {
				ADDQ(cRow, to)
			}
		}
		ADDQ(Imm(uint64(width)), c)
		if at+width < panelBytes { // the other columns of the same panel
			SUBQ(size, p.b)
			ADDQ(Imm(uint64(width)), p.b)
		} else if at > 0 {
			SUBQ(Imm(uint64(at)), p.b)
		}
	}
	DECQ(panels)
	JNZ(LabelRef("panel"))
	VZEROUPPER()
	RET()
}

// storeTile ends a tile.
func storeTile(v isa, c reg.Register, acc []reg.VecVirtual) {
	for i, r := range acc {
		row, column := i/v.tileVectors, i%v.tileVectors
		VMOVUPS(r, Mem{Base: c, Disp: panelBytes*row + v.bytes*column})
	}
	VZEROUPPER()
	RET()
}

// int8WideKernel emits int8Tile for processors without its instruction: bytes
// are widened to 16 bits, even and odd ones apart, and multiplied in pairs.
// VPMADDWD is exact for them; VPMADDUBSW, which takes bytes, saturates.
func int8WideKernel(v isa, rows int) {
	name := fmt.Sprintf("tileBytes%d%s", rows, v.name)
	TEXT(name, 4, tileSignature)
	Doc(fmt.Sprintf("%s stores in c[i·32+j], i < %d, j < %d, the sum over k < n of %s. n > 0.",
		name, rows, v.lanes()*v.tileVectors, int8Tile.doc))
	Pragma("noescape")
	n := Load(Param("n"), GP64())
	a := Load(Param("a"), GP64())
	stride := Load(Param("stride"), GP64())
	b := Load(Param("b"), GP64())
	c := Load(Param("c"), GP64())
	SHLQ(Imm(2), stride)
	acc := v.regs(rows * v.tileVectors)
	for _, r := range acc {
		v.zero(r)
	}
	even, odd, x, y := v.reg(), v.reg(), v.reg(), v.reg()
	Label("loop")
	for j := range v.tileVectors {
		VMOVUPS(Mem{Base: b, Disp: v.bytes * j}, odd)
		VPSLLW(Imm(8), odd, even)
		VPSRAW(Imm(8), even, even)
		VPSRAW(Imm(8), odd, odd)
		for i := range rows {
			sum := acc[i*v.tileVectors+j]
			VPBROADCASTD(Mem{Base: a, Disp: 4 * i}, x)
			VPSRLW(Imm(8), x, y)
			VPAND(v.constantBits(0x00ff00ff), x, x)
			VPMADDWD(even, x, x)
			VPADDD(x, sum, sum)
			VPMADDWD(odd, y, y)
			VPADDD(y, sum, sum)
		}
	}
	ADDQ(stride, a)
	ADDQ(I32(panelBytes), b)
	DECQ(n)
	JNZ(LabelRef("loop"))
	storeTile(v, c, acc)
}
