package kernel

import "math"

// LogSumExp stores in dst[2r] the greatest element of row r of x [rows, width], and in
// dst[2r+1] the sum of e^(x-greatest) over it: log Σ e^x is the first and the logarithm of
// the second. A row with NaN or +Inf, or of -Inf alone, has the sum NaN.
func LogSumExp(p *Pool, dst, x []float32, rows, width int) {
	f := p.frame()
	f.logSumExp = logSumExpTask{dst[:2*rows], x[:rows*width], width}
	p.Run(rows, &f.logSumExp)
	p.release(f)
}

type logSumExpTask struct {
	dst, x []float32
	width  int
}

// sumExpMost is how many exponentials are added up in float32, by several chains; the
// sums are added up in float64.
const sumExpMost = 1024

func (t *logSumExpTask) Do(_, r int) {
	row := t.x[r*t.width:][:t.width]
	top, sum := inner.largestOf(row), 0.0
	for i := 0; i < len(row); i += sumExpMost {
		sum += float64(inner.sumExp(row[i:min(i+sumExpMost, len(row))], top))
	}
	if top-top != 0 { // the exponentials of ±Inf less itself may be clamped
		sum = math.NaN()
	}
	t.dst[2*r], t.dst[2*r+1] = top, float32(sum)
}

func largestOfGeneric(x []float32) float32 {
	top := float32(math.Inf(-1))
	for _, v := range x {
		if v > top {
			top = v
		}
	}
	return top
}

func sumExpGeneric(x []float32, top float32) float32 {
	sum := 0.0
	for _, v := range x {
		sum += math.Exp(float64(v) - float64(top))
	}
	return float32(sum)
}

// sumExpBy makes the two of assembly for multiples of n elements.
func sumExpBy(n int, largestOf func(n int, x *float32) float32, sumExp func(n int, x *float32, top float32) float32) (
	func(x []float32) float32, func(x []float32, top float32) float32) {
	return func(x []float32) float32 {
			whole := len(x) / n * n
			top := largestOfGeneric(x[whole:])
			if whole > 0 {
				top = max(top, largestOf(whole, &x[0]))
			}
			return top
		}, func(x []float32, top float32) float32 {
			whole := len(x) / n * n
			sum := sumExpGeneric(x[whole:], top)
			if whole > 0 {
				sum += sumExp(whole, &x[0], top)
			}
			return sum
		}
}
