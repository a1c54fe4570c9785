// Command gen writes the amd64 assembly of package kernel. It runs by
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
	name := flag.String("isa", "", "instruction set: avx2 or avx512")
	flag.Parse()
	build.ConstraintExpr("amd64")
	switch *name {
	case "avx2":
		packKernel()
		kernels(isa{name: "AVX2", bytes: 32, tileRows: 6, tileVectors: 2, dotRows: 3})
	case "avx512":
		kernels(isa{name: "AVX512", bytes: 64, tileRows: 14, tileVectors: 2, dotRows: 6})
	default:
		log.Fatalf("unknown instruction set %q", *name)
	}
	build.Generate()
}

// kernels emits everything that exists for every vector width.
func kernels(v isa) {
	for rows := 1; rows <= v.tileRows; rows++ {
		tileKernel(v, rows)
	}
	epilogueKernel(v)
	for rows := 1; rows <= v.dotRows; rows++ {
		dotKernel(v, rows)
	}
	axpyKernel(v, 4)
	axpyKernel(v, 1)
	layerNormKernel(v)
	softmaxColumnsKernel(v)
	softmaxRowKernel(v)
	expKernel(v)
}
