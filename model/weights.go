package model

import (
	"math"

	"github.com/seed-e0874532/coca/nn"
)

// Checkpoints made for another image size or context length hold other tables
// of positions. OpenCLIP resizes them on load; so do we, to the same values.

// resizeGrid adapts a table for a square grid of patches [1+n², W] to a grid of
// rows·cols patches: the row of the class token is kept, the rest resized as a
// picture, bicubic and with antialiasing.
func resizeGrid(rows, cols int) nn.Adapter {
	return func(t nn.Found) ([]float32, bool) {
		if len(t.Shape) != 2 || t.Shape[1] != t.Want[1] || t.Shape[0] < 2 {
			return nil, false
		}
		width, cells := t.Shape[1], t.Shape[0]-1
		side := int(math.Sqrt(float64(cells)))
		if side*side != cells {
			return nil, false
		}
		// Torch resizes the last axis first: across, then down.
		grid := resizeAxis(t.Data[width:], side, side, width, cols, bicubicAntialias, t.Round) // [side, side, W] → [side, cols, W]
		grid = resizeAxis(grid, 1, side, cols*width, rows, bicubicAntialias, t.Round)          // → [rows, cols, W]
		return append(append(make([]float32, 0, (1+rows*cols)*width), t.Data[:width]...), grid...), true
	}
}

// resizePositions adapts a table of text positions [n, T] to another number of
// rows by linear interpolation over all of them, the class token's row included
// as in OpenCLIP.
func resizePositions(rows int) nn.Adapter {
	return func(t nn.Found) ([]float32, bool) {
		if len(t.Shape) != 2 || t.Shape[1] != t.Want[1] || t.Shape[0] < 1 {
			return nil, false
		}
		return resizeAxis(t.Data, 1, t.Shape[0], t.Shape[1], rows, linear, t.Round), true
	}
}

// taps are the weights of one output: of the inputs from lo on.
type taps struct {
	lo      int
	weights []float32
}

// resizeAxis resizes the middle axis of x [outer, from, inner] to to. Each value
// is rounded as the file's type would round it.
func resizeAxis(x []float32, outer, from, inner, to int, kernel func(from, to, o int) taps, round func(float32) float32) []float32 {
	y := make([]float32, outer*to*inner)
	for o := range to {
		t := kernel(from, to, o)
		for b := range outer {
			dst := y[(b*to+o)*inner:][:inner]
			for i := range dst {
				var sum float32
				for j, w := range t.weights {
					sum += w * x[(b*from+t.lo+j)*inner+i]
				}
				dst[i] = round(sum)
			}
		}
	}
	return y
}

// bicubicAntialias are the weights of a cubic of a = −½ that widens when the
// axis shrinks, normalised.
func bicubicAntialias(from, to, o int) taps {
	scale := float64(from) / float64(to)
	stretch := math.Max(scale, 1)
	center, support := (float64(o)+0.5)*scale, 2*stretch
	lo := max(0, int(center-support+0.5))
	hi := min(from, int(center+support+0.5))
	weights, sum := make([]float64, hi-lo), 0.0
	for j := range weights {
		weights[j] = cubic((float64(lo+j) - center + 0.5) / stretch)
		sum += weights[j]
	}
	t := taps{lo, make([]float32, len(weights))}
	for j, w := range weights {
		t.weights[j] = float32(w / sum)
	}
	return t
}

func cubic(x float64) float64 {
	const a = -0.5
	x = math.Abs(x)
	switch {
	case x < 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return (((x-5)*x+8)*x - 4) * a
	}
	return 0
}

// linear are the weights of linear interpolation between pixel centres,
// clamped at the ends (align_corners off).
func linear(from, to, o int) taps {
	at := float32(from)/float32(to)*(float32(o)+0.5) - 0.5
	at = max(at, 0)
	lo := int(at)
	if lo >= from-1 {
		return taps{from - 1, []float32{1}}
	}
	f := at - float32(lo)
	return taps{lo, []float32{1 - f, f}}
}
