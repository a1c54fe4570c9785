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
	n := t.Width
	for r := i * normChunk; r < min(t.Rows, (i+1)*normChunk); r++ {
		x := t.X[r*n:][:n]
		mean, inverse := rowMean(x, t.Eps)
		inner.layerNormGrad(t.DX[r*n:][:n], x, t.Gamma[:n], t.DY[r*n:][:n], mean, inverse)
	}
}

// rowMean returns the mean of x and 1/√(variance + eps).
func rowMean(x []float32, eps float32) (mean, inverse float64) {
	mean, variance := inner.moments(x)
	return mean, 1 / math.Sqrt(variance+float64(eps))
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
	chunk := t.chunk()
	p.Run((t.Width+chunk-1)/chunk, t)
}

const columnChunk = 64 // columns in one piece of work

// chunk is the number of columns in one piece of work.
func (t *ColumnSum) chunk() int {
	if t.Width < 8*columnChunk {
		return columnChunk / 2 // for an even share
	}
	return columnChunk
}

// Do computes some columns.
func (t *ColumnSum) Do(_, i int) {
	from := i * t.chunk()
	dst := t.Dst[from:min(from+t.chunk(), t.Width)]
	if t.Rows == 0 {
		clear(dst)
		return
	}
	switch x := t.X[from:]; {
	case t.Norm:
		inner.columnNorm(t.Rows, dst, x, t.Y[from:], t.Width, t.statistics)
	case t.Y != nil:
		inner.columnDot(t.Rows, dst, x, t.Y[from:], t.Width)
	default:
		inner.columnSum(t.Rows, dst, x, t.Width)
	}
}

type rowMoments ColumnSum

func (t *rowMoments) Do(_, i int) {
	for r := i * normChunk; r < min(t.Rows, (i+1)*normChunk); r++ {
		t.statistics[2*r], t.statistics[2*r+1] = rowMean(t.X[r*t.Width:][:t.Width], t.Eps)
	}
}
