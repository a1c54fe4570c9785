package generate

import "math"

// isNumber reports whether a search can go on with x: -Inf marks a token that
// cannot come next, but NaN and +Inf have no place in an order or a sum.
func isNumber(x float32) bool { return x <= math.MaxFloat32 }

// logSumExp returns log Σ exp(x) of row in float64, with the greatest element
// taken out first so that nothing overflows. It is NaN if row has a NaN or a
// +Inf, and -Inf if all elements are -Inf.
func logSumExp(row []float32) float64 {
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

// sumExp returns Σ exp((x-shift)*scale), where no x exceeds shift and scale is
// positive.
func sumExp(row []float32, shift, scale float64) float64 {
	// Two sums, because one is a chain of additions that wait for each other.
	var a, b float64
	for len(row) >= 2 {
		a += expNeg((float64(row[0]) - shift) * scale)
		b += expNeg((float64(row[1]) - shift) * scale)
		row = row[2:]
	}
	if len(row) == 1 {
		a += expNeg((float64(row[0]) - shift) * scale)
	}
	return a + b
}

const (
	expShift = 5
	expSteps = 1 << expShift // table steps per power of two
)

// expTable[i] is 2^(i/expSteps).
var expTable = func() (t [expSteps]float64) {
	for i := range t {
		t[i] = math.Exp2(float64(i) / expSteps)
	}
	return t
}()

// expNeg returns exp(x) for x <= 0 with a relative error below 1e-13, which is
// as good as needed and some times faster than math.Exp: a row of CLIP's
// vocabulary takes 49,408 of them. NaN gives NaN, and results below the normal
// numbers give 0.
//
// x = k·ln2/32 + r with |r| <= ln2/64, so exp(x) = 2^(k/32)·exp(r): a table, an
// exponent and five terms of a series.
func expNeg(x float64) float64 {
	if x < -708 {
		return 0
	}
	k := int(float64(x*(expSteps/math.Ln2)) - 0.5) // rounds to nearest, as x <= 0
	r := x - float64(float64(k)*(math.Ln2/expSteps))
	p := 1 + float64(r*(1+float64(r*(1./2+float64(r*(1./6+float64(r*(1./24+float64(r*(1./120))))))))))
	scale := math.Float64frombits(math.Float64bits(expTable[k&(expSteps-1)]) + uint64(int64(k>>expShift))<<52)
	return p * scale
}
