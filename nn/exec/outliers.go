package exec

import (
	"math"
	"slices"
	"sync"
)

// Common is the mean of a weight's rows over its outputs, if most of the weight
// is that, else nil. Such is a decoder's output matrix whose logits are log-probabilities:
// nearly all of each logit is the same for all tokens, and rounding it would drown the rest.
func Common(at func(o, k int) float32, out, in int) []float32 {
	const enough = 1024 // outputs that show it
	step := max(1, out/enough)
	var all, same float64
	for k := range in {
		var sum, squares float64
		n := 0
		for o := 0; o < out; o += step {
			v := float64(at(o, k))
			sum, squares, n = sum+v, squares+v*v, n+1
		}
		all, same = all+squares, same+sum*sum/float64(n)
	}
	if out < 16 || same < 0.5*all {
		return nil
	}
	common := make([]float32, in)
	for k := range in {
		var sum float64
		for o := range out {
			sum += float64(at(o, k))
		}
		common[k] = float32(sum / float64(out))
	}
	return common
}

// Observe makes the matrix keep some rows of its next inputs, at most n at a
// time and 2n in all; 0 ends it.
func (m *Matrix) Observe(n int) { m.samples, m.sample = n, nil }

// Reference makes products use the float32 values that the weight was made
// from, whatever its treatment.
func (m *Matrix) Reference(on bool) {
	m.reference = on
	m.told = sync.Once{} // the values are read again, and let go again
}

// Products is the number of multiplications in the last product.
func (m *Matrix) Products() int { return m.rows * m.key.in * m.key.out }

// keep stores rows of x, evenly spread.
func (m *Matrix) keep(x []float32, rows int) {
	in, n := m.key.in, min(m.samples, rows)
	if len(m.sample) >= 2*m.samples*in {
		return
	}
	for i := range n {
		m.sample = append(m.sample, x[i*rows/n*in:][:in]...)
	}
}

// outlier is how far above the median of all inputs the largest must be for
// columns to be looked for.
const outlier = 6

// stride is the distance of the outputs that estimates look at.
func (m *Matrix) stride() int { return max(1, m.key.out/128) }

// Smooth returns the columns that make int8 most exact for the inputs that were
// observed, nil if none help. They are what SmoothQuant divides by, largest input^α
// over largest weight^(1−α), relative to the median and rounded to powers of two; the best
// of four α by the noise that rounding would add to the observed products.
func (m *Matrix) Smooth() []float32 {
	in, out := m.key.in, m.key.out
	if len(m.sample) == 0 {
		return nil
	}
	inputs, weights := make([]float64, in), make([]float64, in)
	for i, v := range m.sample {
		inputs[i%in] = max(inputs[i%in], math.Abs(float64(v)))
	}
	x := median(inputs)
	if !(x > 0) || math.IsInf(x, 0) || slices.Max(inputs) < outlier*x {
		return nil
	}
	for k := range in {
		for o := 0; o < out; o += m.stride() {
			weights[k] = max(weights[k], math.Abs(float64(m.at(o, k))))
		}
	}
	w := median(weights)
	if !(w > 0) || math.IsInf(w, 0) {
		return nil
	}
	ones := make([]float32, in)
	for k := range ones {
		ones[k] = 1
	}
	var best []float32
	least := 0.7 * m.noise(ones) // less is not worth the division
	for _, alpha := range []float64{0.25, 0.5, 0.75, 1} {
		columns := make([]float32, in)
		for k := range columns {
			e := 0.0
			if inputs[k] > 0 && weights[k] > 0 {
				e = alpha*math.Log2(inputs[k]/x) - (1-alpha)*math.Log2(weights[k]/w)
			}
			columns[k] = float32(math.Ldexp(1, int(math.RoundToEven(min(20, max(-20, e))))))
		}
		if n := m.noise(columns); n < least {
			best, least = columns, n
		}
	}
	return best
}

// noise estimates the energy that rounding to int8 adds to the product of the
// observed rows. A value rounded to a multiple of s is off by s²/12 on average.
func (m *Matrix) noise(columns []float32) float64 {
	in, out := m.key.in, m.key.out
	var inputs, inputSteps float64 // Σ x², Σ over rows of the step squared
	for r := 0; r < len(m.sample); r += in {
		top := 0.0
		for k, v := range m.sample[r:][:in] {
			v := float64(v / columns[k])
			top, inputs = max(top, math.Abs(v)), inputs+v*v
		}
		inputSteps += top * top / (127 * 127)
	}
	var weights, weightSteps float64 // the same of the weights
	for o := 0; o < out; o += m.stride() {
		top := 0.0
		for k := range in {
			v := float64(m.at(o, k) * columns[k])
			top, weights = max(top, math.Abs(v)), weights+v*v
		}
		weightSteps += top * top / (127 * 127)
	}
	return (inputSteps*weights + inputs*weightSteps) / 12
}

func median(x []float64) float64 {
	sorted := slices.Clone(x)
	slices.Sort(sorted)
	return sorted[len(sorted)/2]
}
