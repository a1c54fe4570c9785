package weights

// Rounding returns what rounds a float32 to the nearest value that a type can
// hold, ties to even; types as wide as float32 leave it as it is.
func Rounding(t DType) func(float32) float32 {
	switch t {
	case F16:
		return func(v float32) float32 { return float32FromHalf(halfFromFloat32(v)) }
	case BF16:
		return func(v float32) float32 { return float32FromBF16(bf16FromFloat32(v)) }
	}
	return func(v float32) float32 { return v }
}
