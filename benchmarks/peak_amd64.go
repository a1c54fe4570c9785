package main

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

//go:noescape
func fmaAVX512(n int)

//go:noescape
func fmaAVX2(n int)

//go:noescape
func dotBytesAVX512(n int)

//go:noescape
func dotPairsAVX512(n int)

//go:noescape
func readAVX2(p *byte, n int)

// peakLoops are loops of nothing but the multiply-add of each precision, and
// the operations of one round: 14 sums of 16 (8) lanes, 2 operations a product.
func peakLoops() []peakLoop {
	var list []peakLoop
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		list = append(list, peakLoop{"avx2", fmaAVX2, 14 * 8 * 2})
	}
	if cpu.X86.HasAVX512F {
		list = append(list, peakLoop{"f32", fmaAVX512, 14 * 16 * 2})
	}
	if cpu.X86.HasAVX512BF16 {
		list = append(list, peakLoop{"bf16", dotPairsAVX512, 14 * 32 * 2})
	}
	if cpu.X86.HasAVX512VNNI {
		list = append(list, peakLoop{"int8", dotBytesAVX512, 14 * 64 * 2})
	}
	return list
}

func read(data []float32) {
	if !cpu.X86.HasAVX2 {
		readPlain(data)
		return
	}
	n := len(data) * 4 &^ 255
	readAVX2((*byte)(unsafe.Pointer(&data[0])), n)
}
