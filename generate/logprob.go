package generate

import "math"

// isNumber reports whether a search can go on with x: -Inf marks a token that
// cannot come next, but NaN and +Inf have no place in an order or a sum.
func isNumber(x float32) bool { return x <= math.MaxFloat32 }

// LogSumExp returns log Σ exp(x) of row in float64, with the greatest element
// taken out first so that nothing overflows. It is NaN if row has a NaN or a
// +Inf, and -Inf if all elements are -Inf.
func LogSumExp(row []float32) float64 {
	top := float32(math.Inf(-1))
	for _, x := range row {
		if x > top {
			top = x
		}
	}
	if math.IsInf(float64(top), -1) {
		// Either truly so, or hidden by NaNs, which compare false.
		for _, x := range row {
			if x != x {
				return math.NaN()
			}
		}
		return math.Inf(-1)
	}
	if math.IsInf(float64(top), 1) {
		return math.NaN()
	}
	return float64(top) + math.Log(sumExp(row, float64(top), 1))
}

const (
	expShift = 7
	expSteps = 1 << expShift // table steps per power of two

	// ones is so large that its last binary place counts ones: adding it rounds.
	ones = 3 << 51

	// expLeast is where results cease to be normal numbers.
	expLeast = -708
)

// expTable has the bits of 2^(i/expSteps).
var expTable = func() (t [expSteps]uint64) {
	for i := range t {
		t[i] = math.Float64bits(math.Exp2(float64(i) / expSteps))
	}
	return t
}()

// expNeg returns exp(x) for expLeast <= x <= 0 with a relative error below 1e-13,
// and NaN for NaN. That is as good as needed, and short enough to be inlined: a row
// of CLIP's vocabulary takes 49,408 of them.
//
// x = k·ln2/128 + r with |r| <= ln2/256, so exp(x) = 2^(k/128)·exp(r): a table, an
// exponent and four terms of a series.
func expNeg(x float64) float64 {
	t := x*(expSteps/math.Ln2) + ones
	k := math.Float64bits(t)
	r := x - (t-ones)*(math.Ln2/expSteps)
	p := 1 + r + r*r*(1./2+r*(1./6)+r*r*(1./24))
	return p * math.Float64frombits(expTable[k%expSteps]+k>>expShift<<52)
}

// sumExp returns Σ exp((x-shift)*scale), where no x exceeds shift and scale is
// positive.
func sumExp(row []float32, shift, scale float64) (sum float64) {
	for _, x := range row {
		d := (float64(x) - shift) * scale
		if d < expLeast {
			continue
		}
		sum += expNeg(d)
	}
	return sum
}
