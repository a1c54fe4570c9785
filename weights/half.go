package weights

import "math"

// float32FromHalf widens an IEEE 754 binary16 value; every one is exact. A
// signalling NaN becomes the quiet NaN of the same payload, as hardware does it.
func float32FromHalf(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	if h&0x7c00 != 0x7c00 {
		// With the bits of exponent and fraction in the places of a float32, the value is too
		// small by the difference of the biases, 127 - 15, also where it is subnormal.
		v := math.Float32frombits(uint32(h&0x7fff)<<13) * 0x1p112
		return math.Float32frombits(sign | math.Float32bits(v))
	}
	frac := uint32(h & 0x3ff)
	if frac != 0 {
		return math.Float32frombits(sign | 0x7fc00000 | frac<<13)
	}
	return math.Float32frombits(sign | 0x7f800000)
}

// halfFromFloat32 rounds to IEEE 754 binary16, to nearest, ties to even.
func halfFromFloat32(f float32) uint16 {
	b := math.Float32bits(f)
	sign := uint16(b>>16) & 0x8000
	b &= 0x7fffffff
	switch {
	case b > 0x7f800000: // NaN: quiet, payload truncated
		return sign | 0x7e00 | uint16(b>>13)&0x3ff
	case b >= 0x477ff000: // 65520 and above round to infinity
		return sign | 0x7c00
	case b < 0x38800000: // below 2^-14: subnormal, in units of 2^-24
		// Adding 0.5 places the unit of 2^-24 at the last bit of the
		// significand, so that the addition itself rounds to nearest even.
		s := math.Float32frombits(b) + 0.5
		return sign | uint16(math.Float32bits(s)-0x3f000000)
	}
	b += 0xfff + (b>>13)&1 // round to nearest, ties to even
	return sign | uint16(b>>13-(112<<10))
}

// float32FromBF16 widens a bfloat16 value: the upper half of a float32.
func float32FromBF16(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// bf16FromFloat32 rounds to bfloat16, to nearest, ties to even.
func bf16FromFloat32(f float32) uint16 {
	b := math.Float32bits(f)
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16) | 0x40 // keep a NaN a NaN, and quiet
	}
	return uint16((b + 0x7fff + (b>>16)&1) >> 16)
}
