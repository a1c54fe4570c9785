package main

import (
	"fmt"
	"strings"
)

// signature begins a function of parameters and at most one result. Integers and
// pointers are loaded into R0, R1, …, float32 values into every lane of V31, V30, ….
// It returns where the result lies.
func (w *neonWriter) signature(name, doc string, parameters []string, result string) string {
	var list []string
	at, size, register, vector := 0, 0, 0, 31
	var loads []string
	for _, p := range parameters {
		list = append(list, p)
		parameter, kind, _ := strings.Cut(p, " ")
		if size = 8; kind == "float32" {
			size = 4
		}
		at = (at + size - 1) &^ (size - 1)
		if kind == "float32" {
			loads = append(loads, fmt.Sprintf("FMOVS %s+%d(FP), F%d", parameter, at, vector), fmt.Sprintf("VDUP V%d.S[0], V%d.S4", vector, vector))
			vector--
		} else {
			loads = append(loads, fmt.Sprintf("MOVD %s+%d(FP), R%d", parameter, at, register))
			register++
		}
		at += size
	}
	frame, place := at, ""
	if result != "" {
		at = (at + 7) &^ 7
		place = fmt.Sprintf("ret+%d(FP)", at)
		frame, result = at+4, " "+result
	}
	declared := strings.Join(list, ", ")
	fmt.Fprintf(&w.stubs, "\n// %s %s\n//\n//go:noescape\nfunc %s(%s)%s\n", name, doc, name, declared, result)
	fmt.Fprintf(&w.text, "\n// func %s(%s)%s\nTEXT ·%s(SB), NOSPLIT, $0-%d\n", name, declared, result, name, frame)
	for _, l := range loads {
		w.f("%s", l)
	}
	return place
}

// each runs body for every step elements of the R0 that there are; R0 > 0 is a multiple of step.
func (w *neonWriter) each(label string, step int, body func()) {
	w.at(label)
	body()
	w.f("SUBS $%d, R0, R0", step)
	w.f("BNE %s", label)
}

func (w *neonWriter) fcmeq(d, n, m int) { w.word("FCMEQ", 0x4e20e400, d, n, m) }
func (w *neonWriter) umax(d, n, m int)  { w.word("UMAX", 0x6ea06400, d, n, m) }
func (w *neonWriter) scvtf(d, n int)    { w.word2("SCVTF", 0x4e21d800, d, n) }
func (w *neonWriter) fsqrt(d, n int)    { w.word2("FSQRT", 0x6ea1f800, d, n) }

// narrow writes an instruction between vectors of different lanes.
func (w *neonWriter) narrow(name string, encoding uint32, d, n int) {
	w.f("WORD $0x%08x // %s V%d, V%d", encoding|uint32(n<<5|d), name, d, n)
}

// fmaxv and umaxv leave the largest of the four lanes of n in lane 0 of d; faddv their sum in all.
func (w *neonWriter) fmaxv(d, n int) { w.narrow("FMAXV S, 4S", 0x6e30f800, d, n) }
func (w *neonWriter) umaxv(d, n int) { w.narrow("UMAXV S, 4S", 0x6eb0a800, d, n) }
func (w *neonWriter) faddv(d int) {
	w.faddp(d, d, d)
	w.faddp(d, d, d)
}

func (w *neonWriter) ld(address, r int)         { w.f("VLD1 (R%d), [V%d.S4]", address, r) }
func (w *neonWriter) ldNext(address, r int)     { w.f("VLD1.P 16(R%d), [V%d.S4]", address, r) }
func (w *neonWriter) stNext(r, address int)     { w.f("VST1.P [V%d.S4], 16(R%d)", r, address) }
func (w *neonWriter) copyRegister(from, to int) { w.f("MOVD R%d, R%d", from, to) }

// vectorKernels emits what works on slices.
func (w *neonWriter) vectorKernels() {
	w.transpose()
	w.layerNorm()
	w.softmax()
	w.conversions()
	w.int8Conversions()
	w.peak("peakNEON", func(sum, x, y int) { w.fmla(sum, x, y) })
	w.peak("peakDotBytesNEON", func(sum, x, y int) { w.sdotLane(sum, x, y, 0) })
}

// peak emits a loop of nothing but multiply-adds; see peakKernel.
func (w *neonWriter) peak(name string, add func(sum, x, y int)) {
	w.signature(name, fmt.Sprintf("does n > 0 rounds of %d independent multiply-adds.", peakSums), []string{"n int"}, "")
	for r := range peakSums + 2 {
		w.zero(r)
	}
	w.each("loop", 1, func() {
		for r := range peakSums {
			add(r, peakSums, peakSums+1)
		}
	})
	w.f("RET")
}

// transpose emits the transposition of up to four rows, four columns at a time.
func (w *neonWriter) transpose() {
	w.signature("transpose4NEON", "stores src[i·srcRow+k] in dst[k·dstRow+i] for k < n, n > 0 a multiple of 4, and i < rows,\n"+
		"// 0 < rows ≤ 4; dst[k·dstRow+i] for rows ≤ i < 4 becomes 0.",
		[]string{"rows int", "n int", "dst *float32", "dstRow int", "src *float32", "srcRow int"}, "")
	w.f("LSL $2, R3, R3")
	w.f("LSL $2, R5, R5")
	for i := range 4 {
		w.zero(i)
	}
	for i := 1; i < 4; i++ { // the rows: R4, R6, R7, R8
		w.f("ADD R5, R%d, R%d", []int{4, 6, 7}[i-1], 5+i)
	}
	w.at("loop")
	for i := range 4 {
		if i > 0 {
			w.f("CMP $%d, R0", i)
			w.f("BEQ loaded")
		}
		w.ldNext([]int{4, 6, 7, 8}[i], i)
	}
	w.at("loaded")
	for h := range 2 { // pairs of rows, then fours
		for k, z := range []string{"VZIP1", "VZIP2"} {
			w.f("%s V%d.S4, V%d.S4, V%d.S4", z, 2*h+1, 2*h, 4+2*h+k)
		}
	}
	for k := range 2 {
		for l, z := range []string{"VZIP1", "VZIP2"} {
			w.f("%s V%d.D2, V%d.D2, V%d.D2", z, 6+k, 4+k, 16+2*k+l)
		}
	}
	for k := range 4 {
		w.f("VST1 [V%d.S4], (R2)", 16+k)
		w.f("ADD R3, R2, R2")
	}
	w.f("SUBS $4, R1, R1")
	w.f("BNE loop")
	w.f("RET")
}

// layerNorm emits layer norm of one row; see layerNormKernel.
func (w *neonWriter) layerNorm() {
	w.signature("layerNormNEON", "stores (x-mean)/√(variance+eps)·gamma + beta in dst for n > 0 elements, n a multiple of 4; gamma and beta may be nil.",
		[]string{"n int", "dst *float32", "x *float32", "gamma *float32", "beta *float32", "eps float32"}, "")
	const y, mean, inverse, count, eps = 0, 1, 2, 3, 31
	w.f("VDUP R0, V%d.S4", count)
	w.scvtf(count, count)
	w.copyRegister(0, 9)
	total := func(label string, sum int, add func()) {
		w.copyRegister(2, 10)
		w.copyRegister(9, 0)
		w.zero(sum)
		w.each(label, 4, func() {
			w.ldNext(10, y)
			add()
		})
		w.faddv(sum)
		w.fdiv(sum, sum, count)
	}
	total("mean", mean, func() { w.fadd(mean, mean, y) })
	total("variance", inverse, func() {
		w.fsub(y, y, mean)
		w.fmla(inverse, y, y)
	})
	w.fadd(inverse, inverse, eps)
	w.fsqrt(inverse, inverse)
	w.load(4, 1)
	w.fdiv(inverse, 4, inverse)
	w.copyRegister(9, 0)
	w.each("store", 4, func() {
		w.ldNext(2, y)
		w.fsub(y, y, mean)
		w.fmul(y, y, inverse)
		w.f("CBZ R3, scaled")
		w.ldNext(3, 4)
		w.fmul(y, y, 4)
		w.at("scaled")
		w.f("CBZ R4, shifted")
		w.ldNext(4, 4)
		w.fadd(y, y, 4)
		w.at("shifted")
		w.stNext(y, 1)
	})
	w.f("RET")
}

// softmax emits the exponential of a slice, the steps of the softmax of a row,
// and the softmax of the columns of a panel.
func (w *neonWriter) softmax() {
	w.signature("expNEON", "stores e^x[i] in dst[i] for i < n; n > 0 is a multiple of 4.", []string{"n int", "dst *float32", "x *float32"}, "")
	w.each("loop", 4, func() {
		w.ldNext(2, 0)
		w.exp(0, 4)
		w.stNext(0, 1)
	})
	w.f("RET")

	place := w.signature("maxNEON", "returns the largest of n values; n > 0 is a multiple of 4.", []string{"n int", "x *float32"}, "float32")
	w.ld(1, 1)
	w.each("loop", 4, func() {
		w.ldNext(1, 0)
		w.fmax(1, 1, 0)
	})
	w.fmaxv(1, 1)
	w.f("FMOVS F1, %s", place)
	w.f("RET")

	place = w.signature("expSumNEON", "stores e^(scale·(x[i]-top)) in dst[i] for i < n and returns their sum; n > 0 is a multiple of 4.",
		[]string{"n int", "dst *float32", "x *float32", "top float32", "scale float32"}, "float32")
	w.zero(1)
	w.each("loop", 4, func() {
		w.ldNext(2, 0)
		w.fsub(0, 0, 31)
		w.fmul(0, 0, 30)
		w.exp(0, 4)
		w.fadd(1, 1, 0)
		w.stNext(0, 1)
	})
	w.faddv(1)
	w.f("FMOVS F1, %s", place)
	w.f("RET")

	w.signature("scaleNEON", "multiplies n values of x by factor; n > 0 is a multiple of 4.", []string{"n int", "x *float32", "factor float32"}, "")
	w.copyRegister(1, 2)
	w.each("loop", 4, func() {
		w.ldNext(1, 0)
		w.fmul(0, 0, 31)
		w.stNext(0, 2)
	})
	w.f("RET")

	w.signature("softmaxColumnsNEON", "replaces x[i·32+j], i < n, by e^(scale·(x[i·32+j]-max)), max over i, and stores 1/Σ over i in\n"+
		"// inverse[j], j < 32. n > 0.", []string{"n int", "x *float32", "scale float32", "inverse *float32"}, "")
	const y, top, sum, scale = 0, 1, 2, 31
	w.copyRegister(0, 9)
	w.f("MOVD $%d, R8", panelBytes/16)
	w.at("column")
	w.copyRegister(1, 10)
	w.copyRegister(9, 0)
	w.ld(1, top)
	w.zero(sum)
	w.each("max", 1, func() {
		w.ld(10, y)
		w.fmax(top, top, y)
		w.f("ADD $%d, R10, R10", panelBytes)
	})
	w.copyRegister(1, 10)
	w.copyRegister(9, 0)
	w.each("exp", 1, func() {
		w.ld(10, y)
		w.fsub(y, y, top)
		w.fmul(y, y, scale)
		w.exp(y, 4)
		w.fadd(sum, sum, y)
		w.f("VST1 [V%d.S4], (R10)", y)
		w.f("ADD $%d, R10, R10", panelBytes)
	})
	w.load(y, 1)
	w.fdiv(y, y, sum)
	w.stNext(y, 2)
	w.f("ADD $16, R1, R1")
	w.f("SUBS $1, R8, R8")
	w.f("BNE column")
	w.f("RET")
}

// conversions emits the conversions between float32 and the half-width types.
func (w *neonWriter) conversions() {
	for _, c := range []struct {
		name, what  string
		instruction string
		encoding    uint32
	}{
		{"widenBF16NEON", "bfloat16", "SHLL 4S, 4H", 0x2e613800},
		{"widenF16NEON", "half-precision", "FCVTL 4S, 4H", 0x0e217800},
	} {
		w.signature(c.name, fmt.Sprintf("widens n %s values; n > 0 is a multiple of 8.", c.what), []string{"n int", "dst *float32", "src *uint16"}, "")
		w.each("loop", 8, func() {
			w.f("VLD1.P 16(R2), [V0.H8]")
			w.narrow(c.instruction, c.encoding, 1, 0)
			w.narrow("(high) "+c.instruction, c.encoding|1<<30, 2, 0)
			w.stNext(1, 1)
			w.stNext(2, 1)
		})
		w.f("RET")
	}
	w.signature("roundBF16NEON", "rounds n values to bfloat16, ties to even; n > 0 is a multiple of 8.", []string{"n int", "dst *uint16", "src *float32"}, "")
	const one, half, quiet = 28, 29, 30
	w.loadBits(one, 1)
	w.loadBits(half, 0x7fff)
	w.loadBits(quiet, 0x400000)
	w.each("loop", 8, func() {
		for h := range 2 {
			const x, y, odd, nan = 0, 1, 2, 3
			w.ldNext(2, x)
			w.f("VUSHR $16, V%d.S4, V%d.S4", x, odd)
			w.f("VAND V%d.B16, V%d.B16, V%d.B16", one, odd, odd)
			w.f("VADD V%d.S4, V%d.S4, V%d.S4", half, x, y)
			w.f("VADD V%d.S4, V%d.S4, V%d.S4", odd, y, y)
			w.fcmeq(nan, x, x) // all ones where x is a number
			w.f("VORR V%d.B16, V%d.B16, V%d.B16", quiet, x, x)
			w.f("VBSL V%d.B16, V%d.B16, V%d.B16", x, y, nan)
			w.narrow([]string{"SHRN 4H, 4S, #16", "SHRN2 8H, 4S, #16"}[h], 0x0f108400|uint32(h)<<30, 4, nan)
		}
		w.f("VST1.P [V4.H8], 16(R1)")
	})
	w.f("RET")
}

// int8Conversions emits the parts of quantisation.
func (w *neonWriter) int8Conversions() {
	place := w.signature("largestNEON", "returns the bits of the largest magnitude of n values; NaN counts as larger than infinity. n > 0 is a multiple of 4.",
		[]string{"n int", "x *float32"}, "uint32")
	w.zero(1)
	w.each("loop", 4, func() {
		w.ldNext(1, 0)
		w.fabs(0, 0)
		w.umax(1, 1, 0)
	})
	w.umaxv(1, 1)
	w.f("FMOVS F1, %s", place)
	w.f("RET")

	w.signature("quantizeNEON", "stores the integer nearest to x[i]·inverse, plus 128, for n values; n > 0 is a multiple of 8.",
		[]string{"n int", "dst *uint8", "x *float32", "inverse float32"}, "")
	w.loadBits(30, 128)
	w.each("loop", 8, func() {
		for h := range 2 {
			w.ldNext(2, 0)
			w.fmul(0, 0, 31)
			w.fcvtns(0, 0)
			w.f("VADD V30.S4, V0.S4, V0.S4")
			w.narrow([]string{"XTN 4H, 4S", "XTN2 8H, 4S"}[h], 0x0e612800|uint32(h)<<30, 1, 0)
		}
		w.narrow("XTN 8B, 8H", 0x0e212800, 1, 1)
		w.f("VST1.P [V1.B8], 8(R1)")
	})
	w.f("RET")

	w.signature("dequantizeNEON", "replaces the integer c[i·32+j] by the float (c[i·32+j]-correction[j])·scale[j]·rowScale[i],\n"+
		"// i < rows, j < 32. rows > 0.", []string{"rows int", "c *float32", "correction *int32", "scale *float32", "rowScale *float32"}, "")
	w.each("row", 1, func() {
		w.f("VLD1R.P 4(R4), [V3.S4]")
		w.copyRegister(2, 9)
		w.copyRegister(3, 10)
		w.f("MOVD $%d, R8", panelBytes/16)
		w.at("column")
		w.ld(1, 0)
		w.ldNext(9, 1)
		w.ldNext(10, 2)
		w.f("VSUB V1.S4, V0.S4, V0.S4")
		w.scvtf(0, 0)
		w.fmul(0, 0, 2)
		w.fmul(0, 0, 3)
		w.stNext(0, 1)
		w.f("SUBS $1, R8, R8")
		w.f("BNE column")
	})
	w.f("RET")
}
