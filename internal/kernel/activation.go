package kernel

import "math"

// Activation is the element-wise function at the end of a linear map.
type Activation uint8

const (
	None      Activation = iota
	GELU                 // x·Φ(x) with the exact normal distribution, ½x(1+erf(x/√2))
	QuickGELU            // x·σ(1.702x)
)

func (a Activation) String() string { return [...]string{"none", "gelu", "quickgelu"}[a] }

// Activate applies a to src and stores the result in dst, which may be src.
func Activate(p *Pool, dst, src []float32, a Activation) {
	activateGeneric(dst, src, a)
}

func activateGeneric(dst, src []float32, a Activation) {
	dst = dst[:len(src)]
	for i, x := range src {
		dst[i] = a.apply(x)
	}
}

// apply is the activation of one value.
func (a Activation) apply(x float32) float32 {
	switch a {
	case GELU:
		return geluGeneric(x)
	case QuickGELU:
		return quickGELUGeneric(x)
	}
	return x
}

// geluGeneric keeps its relative accuracy in the left tail by using erfc:
// 1+erf(t) = erfc(-t).
func geluGeneric(x float32) float32 {
	if math.IsInf(float64(x), -1) {
		return 0
	}
	return float32(0.5 * float64(x) * math.Erfc(-float64(x)/math.Sqrt2))
}

func quickGELUGeneric(x float32) float32 {
	if math.IsInf(float64(x), -1) {
		return 0
	}
	return float32(float64(x) / (1 + math.Exp(-1.702*float64(x))))
}

// Exp stores e^src in dst, which may be src.
func Exp(dst, src []float32) { expGeneric(dst, src) }

func expGeneric(dst, src []float32) {
	dst = dst[:len(src)]
	for i, x := range src {
		dst[i] = float32(math.Exp(float64(x)))
	}
}

// Add stores a+b in dst, which may be either of them.
func Add(dst, a, b []float32) { addGeneric(dst, a, b) }

func addGeneric(dst, a, b []float32) {
	dst, b = dst[:len(a)], b[:len(a)]
	for i, x := range a {
		dst[i] = x + b[i]
	}
}

// Softmax stores the softmax of each row of x [rows, width] in dst, which may be x.
func Softmax(p *Pool, dst, x []float32, rows, width int) {
	dst, x = dst[:rows*width], x[:rows*width]
	for r := range rows {
		softmaxGeneric(dst[r*width:][:width], x[r*width:][:width])
	}
}

// softmaxGeneric stores e^(x-max)/Σ e^(x-max) in dst, which may be x. A row
// that is -Inf throughout becomes NaN, as everywhere else.
func softmaxGeneric(dst, x []float32) {
	top := float32(math.Inf(-1))
	for _, v := range x {
		top = max(top, v)
	}
	var sum float64
	for i, v := range x {
		e := float32(math.Exp(float64(v) - float64(top)))
		dst[i] = e
		sum += float64(e)
	}
	for i := range x {
		dst[i] = float32(float64(dst[i]) / sum)
	}
}
