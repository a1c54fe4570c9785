package kernel

import "math"

// backwardOps are the inner loops that only training needs. They are part of
// ops, and chosen with it.
type backwardOps struct {
	// activationGrad stores dy·scale·act′(z) in dz; scale may be nil, and z is not
	// read for None.
	activationGrad func(dz, dy, z, scale []float32, act Activation)

	// layerNormGrad stores the gradient of one row; see LayerNormGrad.
	layerNormGrad func(dx, x, gamma, dy []float32, mean, inverse float64)

	// moments returns the mean and the biased variance of a row.
	moments func(x []float32) (mean, variance float64)

	// columnSum, columnDot and columnNorm store in dst[j] the sums over the rows r
	// of x[r·row+j], of x·y, and of y·x̂, where x̂ is x less its row's mean, times the
	// inverse deviation of the row: moments[2r] and moments[2r+1].
	columnSum  func(rows int, dst, x []float32, row int)
	columnDot  func(rows int, dst, x, y []float32, row int)
	columnNorm func(rows int, dst, x, y []float32, row int, moments []float64)

	// adamw makes a step of AdamW.
	adamw func(p, g, m, v []float32, c *AdamWStep)

	// sumSquares returns Σ x².
	sumSquares func(x []float32) float64

	// pairRows stores in the word dst[k·dstRow+j], k < pairs, j < n, the bfloat16
	// values of src[2k·srcRow+j], in its low half, and src[(2k+1)·srcRow+j].
	pairRows func(pairs, n int, dst []float32, dstRow int, src []float32, srcRow int)

	// pairColumns stores in the word dst[k·dstRow+i], k < n/2, i < rows ≤ 32, the bfloat16
	// values of src[i·srcRow+2k] and src[i·srcRow+2k+1]; n is even. It may write zeros up
	// to the next multiple of 16 of i. Both round denormal numbers as they like.
	pairColumns func(rows, n int, dst []float32, dstRow int, src []float32, srcRow int)

	// scoresGrad multiplies p[i·32+j], i < n, j < 32, by inverse[j], and then replaces
	// dp by p·(dp − Σ p·dp)·scale, the sum over i.
	scoresGrad func(n int, p, dp []float32, inverse []float32, scale float32)

	// prefetch announces that the 32 floats at dst[i·dstRow], i < rows, are wanted soon.
	prefetch func(rows int, dst []float32, dstRow int)

	// copyRows stores src[k·srcRow+j] in dst[k·dstRow+j], k < rows, j < n.
	copyRows func(rows, n int, dst []float32, dstRow int, src []float32, srcRow int)
}

var backwardGeneric = backwardOps{
	activationGrad: activationGradGeneric,
	layerNormGrad:  layerNormGradGeneric,
	moments:        momentsGeneric,
	columnSum:      columnSumGeneric,
	columnDot:      columnDotGeneric,
	columnNorm:     columnNormGeneric,
	adamw:          adamwGeneric,
	sumSquares:     sumSquaresGeneric,
	pairRows:       pairRowsGeneric,
	pairColumns:    pairColumnsGeneric,
	scoresGrad:     scoresGradGeneric,
	prefetch:       func(int, []float32, int) {},
	copyRows:       copyRowsGeneric,
}

func activationGradGeneric(dz, dy, z, scale []float32, act Activation) {
	for i, g := range dy {
		g := float64(g)
		if act != None {
			g *= act.slope(float64(z[i]))
		}
		if scale != nil {
			g *= float64(scale[i])
		}
		dz[i] = float32(g)
	}
}

// slope is the derivative of the activation: Φ(x) + x·φ(x) of GELU,
// σ·(1 + 1.702x·(1−σ)) with σ = σ(1.702x) of QuickGELU.
func (a Activation) slope(x float64) float64 {
	switch a {
	case GELU:
		return 0.5*math.Erfc(-x/math.Sqrt2) + min(max(x, -40), 40)*math.Exp(-0.5*x*x)/math.Sqrt(2*math.Pi)
	case QuickGELU:
		x = min(max(x, -400), 400) // infinities have slopes too
		s := 1 / (1 + math.Exp(-1.702*x))
		return s * (1 + 1.702*x*(1-s))
	}
	return 1
}

func layerNormGradGeneric(dx, x, gamma, dy []float32, mean, inverse float64) {
	var h, along float64
	for j, v := range dy {
		g := float64(v) * float64(gamma[j])
		h += g
		along += float64(g * (float64(x[j]) - mean))
	}
	n := float64(len(x))
	h /= n
	along *= inverse * inverse / n
	for j, v := range dy {
		g := float64(v) * float64(gamma[j])
		dx[j] = float32((g - h - float64((float64(x[j])-mean)*along)) * inverse)
	}
}

func momentsGeneric(x []float32) (mean, variance float64) {
	n := float64(len(x))
	for _, v := range x {
		mean += float64(v)
	}
	mean /= n
	for _, v := range x {
		d := float64(v) - mean
		variance += float64(d * d)
	}
	return mean, variance / n
}

// columnStrip is how many columns the generic loops sum at a time, in float64.
const columnStrip = 64

func columnSums(dst []float32, rows int, add func(sums []float64, r, from int)) {
	var sums [columnStrip]float64
	for from := 0; from < len(dst); from += columnStrip {
		s := sums[:min(columnStrip, len(dst)-from)]
		clear(s)
		for r := range rows {
			add(s, r, from)
		}
		for j, v := range s {
			dst[from+j] = float32(v)
		}
	}
}

func columnSumGeneric(rows int, dst, x []float32, row int) {
	columnSums(dst, rows, func(sums []float64, r, from int) {
		for j, v := range x[r*row+from:][:len(sums)] {
			sums[j] += float64(v)
		}
	})
}

func columnDotGeneric(rows int, dst, x, y []float32, row int) {
	columnSums(dst, rows, func(sums []float64, r, from int) {
		x := x[r*row+from:]
		for j, v := range y[r*row+from:][:len(sums)] {
			sums[j] += float64(float64(v) * float64(x[j]))
		}
	})
}

func columnNormGeneric(rows int, dst, x, y []float32, row int, moments []float64) {
	columnSums(dst, rows, func(sums []float64, r, from int) {
		x, mean, inverse := x[r*row+from:], moments[2*r], moments[2*r+1]
		for j, v := range y[r*row+from:][:len(sums)] {
			sums[j] += float64(float64(v) * (float64(x[j]) - mean) * inverse)
		}
	})
}

func sumSquaresGeneric(x []float32) (sum float64) {
	for _, v := range x {
		sum += float64(float64(v) * float64(v))
	}
	return sum
}

func pairRowsGeneric(pairs, n int, dst []float32, dstRow int, src []float32, srcRow int) {
	for k := range pairs {
		low, high := src[2*k*srcRow:][:n], src[(2*k+1)*srcRow:][:n]
		for j := range n {
			dst[k*dstRow+j] = math.Float32frombits(uint32(roundBF16(low[j])) | uint32(roundBF16(high[j]))<<16)
		}
	}
}

func pairColumnsGeneric(rows, n int, dst []float32, dstRow int, src []float32, srcRow int) {
	for i := range rows {
		line := src[i*srcRow:][:n]
		for k := range n / 2 {
			dst[k*dstRow+i] = math.Float32frombits(uint32(roundBF16(line[2*k])) | uint32(roundBF16(line[2*k+1]))<<16)
		}
	}
}

func scoresGradGeneric(n int, p, dp []float32, inverse []float32, scale float32) {
	for j := range panelWidth {
		var sum float64
		for at := j; at < n*panelWidth; at += panelWidth {
			p[at] = float32(p[at] * inverse[j])
			sum += float64(p[at]) * float64(dp[at])
		}
		for at := j; at < n*panelWidth; at += panelWidth {
			dp[at] = float32(float32(p[at]*(dp[at]-float32(sum))) * scale)
		}
	}
}

func copyRowsGeneric(rows, n int, dst []float32, dstRow int, src []float32, srcRow int) {
	for k := range rows {
		copy(dst[k*dstRow:][:n], src[k*srcRow:])
	}
}
