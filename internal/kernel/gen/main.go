// Command gen writes the assembly of package kernel. It runs by
// go generate in the package's folder, once for each instruction set:
//
//	go run -C gen . -isa avx512 -out ../avx512_amd64.s -stubs ../avx512_amd64.go -pkg kernel
//
// A generated function computes what its Go twin in package kernel computes;
// the comment of its stub says in one line what that is.
package main

import (
	"flag"
	"log"

	"github.com/mmcloughlin/avo/build"
)

func main() {
	name := flag.String("isa", "", "instruction set: avx2, avxvnni, avx512, avx512vnni, avx512bf16 or neon; avx2backward, avx512backward, avx512bf16backward: what training adds")
	flag.Parse()
	build.ConstraintExpr("amd64")
	avx2 := isa{name: "AVX2", bytes: 32, tileRows: 6, tileVectors: 2, dotRows: 3, fewRows: 4, aheadLines: 2}
	avx512 := isa{name: "AVX512", bytes: 64, tileRows: 14, tileVectors: 2, dotRows: 6, fewRows: 8, aheadLines: 2}
	out := flag.Lookup("out").Value.String()
	switch *name {
	case "neon":
		if err := writeNEON(out, flag.Lookup("stubs").Value.String()); err != nil {
			log.Fatal(err)
		}
		return
	case "avx2":
		packKernel()
		kernels(avx2)
		readKernel(avx2)
		for rows := 1; rows <= avx2.tileRows; rows++ {
			int8WideKernel(avx2, rows)
		}
	case "avx512":
		kernels(avx512)
	case "avx2backward":
		backwardKernels(avx2)
	case "avx512backward":
		backwardKernels(avx512)
	case "avx512bf16backward":
		avx512.name = "AVX512BF16"
		pairRowsKernel(avx512, true)
		pairColumnsKernel(avx512)
	case "avxvnni":
		avx2.name = "AVXVNNI"
		tiles(avx2, int8Tile)
		peakKernel(avx2, int8Tile)
	case "avx512vnni":
		avx512.name = "AVX512VNNI"
		tiles(avx512, int8Tile)
		peakKernel(avx512, int8Tile)
	case "avx512bf16":
		avx512.name = "AVX512BF16"
		tiles(avx512, bf16PairsTile)
		peakKernel(avx512, bf16PairsTile)
	default:
		log.Fatalf("unknown instruction set %q", *name)
	}
	build.Generate()
	if err := encodeStandIns(out); err != nil {
		log.Fatal(err)
	}
}

// tiles emits the strips and tiles of every number of rows.
func tiles(v isa, kind tileKind) {
	for rows := 1; rows <= v.tileRows; rows++ {
		if rows <= v.fewRows {
			stripKernel(v, kind, rows)
		} else {
			tileKernel(v, kind, rows)
		}
	}
}

// kernels emits everything that exists for every vector width.
func kernels(v isa) {
	tiles(v, float32Tile)
	tiles(v, bf16WideTile)
	epilogueKernel(v)
	for rows := 1; rows <= v.dotRows; rows++ {
		dotKernel(v, rows)
	}
	axpyKernel(v, 8)
	axpyKernel(v, 4)
	axpyKernel(v, 1)
	layerNormKernel(v)
	softmaxColumnsKernel(v)
	softmaxRowKernel(v)
	expKernel(v)
	sumExpKernels(v)
	convertKernels(v)
	peakKernel(v, float32Tile)
}
