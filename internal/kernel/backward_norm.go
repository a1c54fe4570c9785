package kernel

import "math"

// LayerNormGrad is the gradient of LayerNorm with respect to x [Rows, Width]:
// with h = DY·Gamma and x̂ the normalised row,
//
//	DX = (h − mean(h) − x̂·mean(h·x̂)) / √(variance + Eps)
type LayerNormGrad struct {
	Rows, Width      int
	DX, X, Gamma, DY []float32
	Eps              float32
}

// Run computes DX, which may be DY.
func (t *LayerNormGrad) Run(p *Pool) { p.Run((t.Rows+normChunk-1)/normChunk, t) }

// Do computes some rows.
func (t *LayerNormGrad) Do(_, i int) {
	n := float64(t.Width)
	gamma := t.Gamma[:t.Width]
	for r := i * normChunk; r < min(t.Rows, (i+1)*normChunk); r++ {
		x, dy, dx := t.X[r*t.Width:][:t.Width], t.DY[r*t.Width:][:t.Width], t.DX[r*t.Width:][:t.Width]
		mean, inverse := rowMean(x, t.Eps)
		var h, along float64
		for j, v := range dy {
			g := float64(v) * float64(gamma[j])
			h += g
			along += float64(g * (float64(x[j]) - mean))
		}
		h /= n
		along *= inverse * inverse / n
		for j, v := range dy {
			g := float64(v) * float64(gamma[j])
			dx[j] = float32((g - h - float64((float64(x[j])-mean)*along)) * inverse)
		}
	}
}

// rowMean returns the mean of x and 1/√(variance + eps).
func rowMean(x []float32, eps float32) (mean, inverse float64) {
	n := float64(len(x))
	// Four sums at a time: one would wait for each addition to end.
	var s0, s1, s2, s3 float64
	i := 0
	for ; i+4 <= len(x); i += 4 {
		s0, s1, s2, s3 = s0+float64(x[i]), s1+float64(x[i+1]), s2+float64(x[i+2]), s3+float64(x[i+3])
	}
	for ; i < len(x); i++ {
		s0 += float64(x[i])
	}
	mean = (s0 + s1 + s2 + s3) / n
	s0, s1, s2, s3 = 0, 0, 0, 0
	for i = 0; i+4 <= len(x); i += 4 {
		a, b, c, d := float64(x[i])-mean, float64(x[i+1])-mean, float64(x[i+2])-mean, float64(x[i+3])-mean
		s0, s1, s2, s3 = s0+float64(a*a), s1+float64(b*b), s2+float64(c*c), s3+float64(d*d)
	}
	for ; i < len(x); i++ {
		a := float64(x[i]) - mean
		s0 += float64(a * a)
	}
	return mean, 1 / math.Sqrt((s0+s1+s2+s3)/n+float64(eps))
}

// ColumnSum adds the rows of a matrix: Dst[j] is the sum over the rows r of
// X[r, j], times Y[r, j] if Y is not nil. With Norm, Y[r, j] is multiplied by the
// normalised X[r, j] instead, which is the gradient of a layer norm's weight.
// Sums are kept in float64, row after row, whatever the number of threads.
type ColumnSum struct {
	Rows, Width int
	Dst, X, Y   []float32 // [Width], [Rows, Width], [Rows, Width] or nil
	Norm        bool
	Eps         float32

	statistics []float64 // mean and inverse deviation of each row
}

// Run computes Dst.
func (t *ColumnSum) Run(p *Pool) {
	if t.Norm {
		if len(t.statistics) != 2*t.Rows {
			t.statistics = make([]float64, 2*t.Rows)
		}
		p.Run((t.Rows+normChunk-1)/normChunk, (*rowMoments)(t))
	}
	p.Run((t.Width+columnChunk-1)/columnChunk, t)
}

const columnChunk = 64 // columns in one piece of work

// Do computes some columns.
func (t *ColumnSum) Do(_, i int) {
	from := i * columnChunk
	to := min(from+columnChunk, t.Width)
	var sums [columnChunk]float64
	for r := range t.Rows {
		x := t.X[r*t.Width:][from:to]
		switch {
		case t.Norm:
			mean, inverse := t.statistics[2*r], t.statistics[2*r+1]
			for j, g := range t.Y[r*t.Width:][from:to] {
				sums[j] += float64(float64(g) * (float64(x[j]) - mean) * inverse)
			}
		case t.Y != nil:
			for j, g := range t.Y[r*t.Width:][from:to] {
				sums[j] += float64(float64(g) * float64(x[j]))
			}
		default:
			for j, v := range x {
				sums[j] += float64(v)
			}
		}
	}
	dst := t.Dst[from:to]
	for j := range dst {
		dst[j] = float32(sums[j])
	}
}

type rowMoments ColumnSum

func (t *rowMoments) Do(_, i int) {
	for r := i * normChunk; r < min(t.Rows, (i+1)*normChunk); r++ {
		t.statistics[2*r], t.statistics[2*r+1] = rowMean(t.X[r*t.Width:][:t.Width], t.Eps)
	}
}
