package kernel

import (
	"math"
	"unsafe"
)

// bytesOf and halvesOf view words as what they hold. Every platform that Go's
// assembly or this package's panels are meant for is little-endian.
func bytesOf(words []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), 4*len(words))
}

func halvesOf(words []float32) []uint16 {
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(words))), 2*len(words))
}

func int32Of(words []float32) []int32 {
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(words))), len(words))
}

// wordsBF16 rounds a row to bfloat16, two values in a word; the last word is
// filled up with 0.
func wordsBF16(words, x []float32) {
	halves := halvesOf(words)
	inner.roundBF16(halves[:len(x)], x)
	clear(halves[len(x):])
}

// wordsInt8 quantises a row to bytes, four in a word, and returns the scale:
// x ≈ (byte-128)·scale. The scale is the largest magnitude over 127, so that 0
// stays 0. A row with NaN or an infinity gets the scale NaN, and so does
// everything that is computed from it.
func wordsInt8(words, x []float32) (scale float32) {
	bytes := bytesOf(words)
	clear(bytes[len(x):])
	top := math.Float32frombits(inner.largest(x))
	inverse := 127 / top
	switch {
	case top-top != 0: // NaN or infinite
		inner.quantize(bytes[:len(x)], x, 0)
		for i := range bytes[:len(x)] {
			bytes[i] = 128
		}
		return float32(math.NaN())
	case top < 0x1p-120: // the inverse would overflow; such rows are 0 for every purpose
		inverse = 0
		top = 0
	}
	inner.quantize(bytes[:len(x)], x, inverse)
	return top / 127
}

// largestGeneric returns the bits of the largest magnitude; NaN counts as larger
// than infinity.
func largestGeneric(x []float32) uint32 {
	var top uint32
	for _, v := range x {
		top = max(top, math.Float32bits(v)&0x7fffffff)
	}
	return top
}

func quantizeGeneric(dst []byte, x []float32, inverse float32) {
	for i, v := range x {
		dst[i] = byte(int(math.RoundToEven(float64(float32(v*inverse)))) + 128)
	}
}

// dequantizeGeneric replaces the integer c[i·cols+j] by the float
// (c[i·cols+j]-correction[j])·scale[j]·rowScale[i], j < cols; cols is a multiple of 32.
func dequantizeGeneric(cols int, c []float32, correction []int32, scale, rowScale []float32) {
	for i, s := range rowScale {
		row := c[i*cols:][:cols]
		for j, v := range row {
			sum := int32(math.Float32bits(v)) - correction[j]
			row[j] = float32(float32(float32(sum)*scale[j]) * s)
		}
	}
}

// tileBF16Generic multiplies float32 activations by pairs of bfloat16 weights.
func tileBF16Generic(rows, n int, a []float32, stride int, panel, c []float32) {
	for i := range rows {
		var sums [panelWidth]float32
		for k := range n {
			x, y := a[2*k*stride+i], a[(2*k+1)*stride+i]
			for j, word := range (*[panelWidth]float32)(panel[k*panelWidth:]) {
				pair := math.Float32bits(word)
				sums[j] += float32(x * math.Float32frombits(pair<<16))
				sums[j] += float32(y * math.Float32frombits(pair&0xffff0000))
			}
		}
		copy(c[i*panelWidth:][:panelWidth], sums[:])
	}
}

// tileInt8Generic multiplies unsigned bytes of a by signed bytes of the panel;
// the results are integers.
func tileInt8Generic(rows, n int, a []float32, stride int, panel, c []float32) {
	for i := range rows {
		var sums [panelWidth]int32
		for k := range n {
			x := math.Float32bits(a[k*stride+i])
			for j, word := range (*[panelWidth]float32)(panel[k*panelWidth:]) {
				w := math.Float32bits(word)
				for shift := 0; shift < 32; shift += 8 {
					sums[j] += int32(uint8(x>>shift)) * int32(int8(w>>shift))
				}
			}
		}
		copy(int32Of(c[i*panelWidth:][:panelWidth]), sums[:])
	}
}
