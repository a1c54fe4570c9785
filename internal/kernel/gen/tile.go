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
// at every page. Few rows stream panels from memory: they want steps further on
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

// tileKernel emits the product of a block of rows and (a part of) a panel.
// Every result is one chain of additions in the order of k, so that it does not
// depend on the tile it is computed in.
func tileKernel(v isa, kind tileKind, rows int) {
	name := fmt.Sprintf("tile%s%d%s", kind.name, rows, v.name)
	TEXT(name, 4, tileSignature)
	doc := []string{fmt.Sprintf("%s stores in c[i·32+j], i < %d, j < %d, the sum over k < n of %s.",
		name, rows, v.lanes()*v.tileVectors, kind.doc)}
	many := rows > v.fewRows
	if many {
		doc = append(doc, fmt.Sprintf("In every four steps it asks memory for %d bytes of what lies from ahead on.", 64*v.aheadLines))
	}
	Doc(doc...)
	Pragma("noescape")
	n := Load(Param("n"), GP64())
	a := Load(Param("a"), GP64())
	stride := Load(Param("stride"), GP64())
	b := Load(Param("b"), GP64())
	c := Load(Param("c"), GP64())
	var ahead reg.Register
	if many {
		ahead = Load(Param("ahead"), GP64())
	}
	SHLQ(Imm(2), stride)
	stride3 := GP64()
	LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, stride3)

	acc := v.regs(rows * v.tileVectors)
	for _, r := range acc {
		v.zero(r)
	}
	w, x := v.regs(v.tileVectors), v.reg()
	unroll := 4 / kind.halves // four rows of a
	step := func(u int) {
		for line := 0; line < v.bytes*v.tileVectors; line += 64 {
			if !many || v.bytes < 64 {
				PREFETCHT1(Mem{Base: b, Disp: panelBytes*(u+prefetchFar) + line})
			} else {
				PREFETCHT0(Mem{Base: b, Disp: panelBytes*(u+prefetchNear) + line})
			}
		}
		for h := range kind.halves {
			kind.weights(v, func(j int) Mem { return Mem{Base: b, Disp: panelBytes*u + v.bytes*j} }, h, w)
			for i := range rows {
				at := strided(a, stride, stride3, u*kind.halves+h)
				at.Disp = 4 * i
				VBROADCASTSS(at, x)
				for j := range w {
					kind.add(v, x, w[j], acc[i*v.tileVectors+j])
				}
			}
		}
	}
	blocks := GP64()
	MOVQ(n, blocks)
	SHRQ(Imm(uint64(shift(unroll))), blocks)
	JZ(LabelRef("tail"))
	Label("loop")
	for u := range unroll {
		step(u)
	}
	if many {
		lines := max(1, v.aheadLines/kind.halves) // of as many steps as the loop has
		for l := range lines {
			PREFETCHT1(Mem{Base: ahead, Disp: 64 * l})
		}
		ADDQ(Imm(uint64(64*lines)), ahead)
	}
	LEAQ(Mem{Base: a, Index: stride, Scale: 4}, a)
	ADDQ(I32(int32(unroll*panelBytes)), b)
	DECQ(blocks)
	JNZ(LabelRef("loop"))
	Label("tail")
	ANDQ(Imm(uint64(unroll-1)), n)
	JZ(LabelRef("store"))
	Label("single")
	step(0)
	for range kind.halves {
		ADDQ(stride, a)
	}
	ADDQ(I32(panelBytes), b)
	DECQ(n)
	JNZ(LabelRef("single"))
	Label("store")
	storeTile(v, c, acc)
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
