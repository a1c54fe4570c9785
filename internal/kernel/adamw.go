package kernel

import "math"

// AdamWStep are the constants of one step of AdamW for one tensor.
type AdamWStep struct {
	Shrink float32 // 1 − lr·decay
	First  float32 // 1 − β₁
	Keep   float32 // β₂
	Second float32 // 1 − β₂
	Root   float32 // √(1 − β₂ᵗ)
	Eps    float32
	Size   float32 // −lr/(1 − β₁ᵗ)
}

// AdamW changes the elements p with gradients g and moments m and v:
//
//	m ← m + First·(g − m)
//	v ← Keep·v + Second·g²
//	p ← p·Shrink + Size·m/(√v/Root + Eps)
//
// Each product, quotient, root and sum is rounded to float32, in the order of
// adamwGeneric, on every instruction set: the results are the same to the bit. It
// works on the caller's goroutine.
func AdamW(p, g, m, v []float32, c *AdamWStep) { inner.adamw(p, g, m, v, c) }

func adamwGeneric(p, g, m, v []float32, c *AdamWStep) {
	g, m, v = g[:len(p)], m[:len(p)], v[:len(p)]
	for i := range p {
		x := float32(p[i] * c.Shrink)
		mean := float32(m[i] + float32(c.First*float32(g[i]-m[i])))
		square := float32(float32(v[i]*c.Keep) + float32(float32(c.Second*g[i])*g[i]))
		// The root is rounded correctly: a float64 holds enough of its digits.
		root := float32(math.Sqrt(float64(square)))
		denominator := float32(float32(root/c.Root) + c.Eps)
		p[i] = x + float32(float32(c.Size*mean)/denominator)
		m[i], v[i] = mean, square
	}
}

// SumSquares returns Σ x², summed in float64 on the caller's goroutine.
func SumSquares(x []float32) float64 { return inner.sumSquares(x) }
