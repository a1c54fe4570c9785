package kernel

import "math"

// BF16ToF32 widens bfloat16 values; it is exact.
func BF16ToF32(dst []float32, src []uint16) { inner.widenBF16(dst[:len(src)], src) }

func widenBF16Generic(dst []float32, src []uint16) {
	for i, v := range src {
		dst[i] = math.Float32frombits(uint32(v) << 16)
	}
}

// F32ToBF16 rounds to bfloat16, to nearest with ties to even. NaN stays NaN,
// made quiet.
func F32ToBF16(dst []uint16, src []float32) { inner.roundBF16(dst[:len(src)], src) }

func roundBF16Generic(dst []uint16, src []float32) {
	for i, v := range src {
		dst[i] = roundBF16(v)
	}
}

func roundBF16(v float32) uint16 {
	u := math.Float32bits(v)
	if v != v {
		return uint16(u>>16) | 0x40
	}
	return uint16((u + 0x7fff + u>>16&1) >> 16)
}

// F16ToF32 widens IEEE half-precision values; it is exact.
func F16ToF32(dst []float32, src []uint16) { inner.widenF16(dst[:len(src)], src) }

func widenF16Generic(dst []float32, src []uint16) {
	for i, v := range src {
		dst[i] = widenF16(v)
	}
}

func widenF16(v uint16) float32 {
	sign := uint32(v>>15) << 31
	exponent, fraction := uint32(v>>10&31), uint32(v&1023)
	switch exponent {
	case 0: // zero or subnormal: fraction·2^-24
		f := float32(fraction) * 0x1p-24
		return math.Float32frombits(math.Float32bits(f) | sign)
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}
