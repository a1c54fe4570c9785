package kernel

// backwardAVX2 and backwardAVX512 check the sizes as slice expressions would
// and call the assembly.
var (
	backwardAVX2 = backwardOps{
		activationGrad: activationGradBy(activationGradAVX2),
		layerNormGrad:  layerNormGradBy(layerNormGradAVX2),
		moments:        momentsBy(momentsAVX2),
		columnSum:      columnSumBy(columnSumAVX2),
		columnDot:      columnDotBy(columnDotAVX2),
		columnNorm:     columnNormBy(columnNormAVX2),
		adamw:          adamwBy(adamwAVX2),
		sumSquares:     sumSquaresBy(sumSquaresAVX2),
		pairRows:       pairRowsBy(pairRowsAVX2),
		pairColumns:    pairColumnsGeneric, // wanted only where pairs are multiplied
		scoresGrad:     scoresGradBy(scoresGradAVX2),
		prefetch:       prefetchBy(prefetchTileAVX2),
		copyRows:       copyRowsBy(copyRowsAVX2),
	}
	backwardAVX512 = backwardOps{
		activationGrad: activationGradBy(activationGradAVX512),
		layerNormGrad:  layerNormGradBy(layerNormGradAVX512),
		moments:        momentsBy(momentsAVX512),
		columnSum:      columnSumBy(columnSumAVX512),
		columnDot:      columnDotBy(columnDotAVX512),
		columnNorm:     columnNormBy(columnNormAVX512),
		adamw:          adamwBy(adamwAVX512),
		sumSquares:     sumSquaresBy(sumSquaresAVX512),
		pairRows:       pairRowsBy(pairRowsAVX512),
		pairColumns:    pairColumnsGeneric, // wanted only where pairs are multiplied
		scoresGrad:     scoresGradBy(scoresGradAVX512),
		prefetch:       prefetchBy(prefetchTileAVX512),
		copyRows:       copyRowsBy(copyRowsAVX512),
	}
)

// backwardAVX512BF16 has the processor's own rounding.
func backwardAVX512BF16() backwardOps {
	o := backwardAVX512
	o.pairRows = pairRowsBy(pairRowsAVX512BF16)
	o.pairColumns = func(rows, n int, dst []float32, dstRow int, src []float32, srcRow int) {
		whole := n &^ 31
		if rows > 0 && whole > 0 {
			_, _ = dst[(whole/2-1)*dstRow+(rows+15)&^15-1], src[(rows-1)*srcRow+n-1]
			for i := 0; i < rows; i += 16 {
				pairColumnsAVX512BF16(min(16, rows-i), whole, &dst[i], dstRow, &src[i*srcRow], srcRow)
			}
		}
		if whole < n {
			pairColumnsGeneric(rows, n-whole, dst[whole/2*dstRow:], dstRow, src[whole:], srcRow)
		}
	}
	return o
}

func activationGradBy(f func(n int, dz, dy, z, scale *float32, act int)) func(dz, dy, z, scale []float32, act Activation) {
	return func(dz, dy, z, scale []float32, act Activation) {
		n := len(dy)
		if n == 0 {
			return
		}
		_ = dz[n-1]
		if act != None {
			_ = z[n-1]
		}
		if scale != nil {
			_ = scale[n-1]
		}
		f(n, &dz[0], &dy[0], first(z), first(scale), int(act))
	}
}

func layerNormGradBy(f func(n int, dx, x, gamma, dy *float32, mean, inverse float32)) func(dx, x, gamma, dy []float32, mean, inverse float64) {
	return func(dx, x, gamma, dy []float32, mean, inverse float64) {
		if n := len(x); n > 0 {
			_, _, _ = dx[n-1], gamma[n-1], dy[n-1]
			f(n, &dx[0], &x[0], &gamma[0], &dy[0], float32(mean), float32(inverse))
		}
	}
}

func momentsBy(f func(n int, x *float32) (mean, variance float64)) func(x []float32) (mean, variance float64) {
	return func(x []float32) (mean, variance float64) {
		if len(x) == 0 {
			return momentsGeneric(x)
		}
		return f(len(x), &x[0])
	}
}

// columnsFunc is the assembly of the sums down columns.
type columnsFunc func(rows, n int, dst, x, y *float32, row int, moments *float64)

func columnSumBy(f columnsFunc) func(rows int, dst, x []float32, row int) {
	return func(rows int, dst, x []float32, row int) {
		if n := len(dst); n == 0 || rows == 0 {
			clear(dst)
		} else {
			_ = x[(rows-1)*row+n-1]
			f(rows, n, &dst[0], &x[0], nil, row, nil)
		}
	}
}

func columnDotBy(f columnsFunc) func(rows int, dst, x, y []float32, row int) {
	return func(rows int, dst, x, y []float32, row int) {
		if n := len(dst); n == 0 || rows == 0 {
			clear(dst)
		} else {
			_, _ = x[(rows-1)*row+n-1], y[(rows-1)*row+n-1]
			f(rows, n, &dst[0], &x[0], &y[0], row, nil)
		}
	}
}

func columnNormBy(f columnsFunc) func(rows int, dst, x, y []float32, row int, moments []float64) {
	return func(rows int, dst, x, y []float32, row int, moments []float64) {
		if n := len(dst); n == 0 || rows == 0 {
			clear(dst)
		} else {
			_, _, _ = x[(rows-1)*row+n-1], y[(rows-1)*row+n-1], moments[2*rows-1]
			f(rows, n, &dst[0], &x[0], &y[0], row, &moments[0])
		}
	}
}

func adamwBy(f func(n int, p, g, m, v, c *float32)) func(p, g, m, v []float32, c *AdamWStep) {
	return func(p, g, m, v []float32, c *AdamWStep) {
		if n := len(p); n > 0 {
			_, _, _ = g[n-1], m[n-1], v[n-1]
			f(n, &p[0], &g[0], &m[0], &v[0], &c.Shrink)
		}
	}
}

func sumSquaresBy(f func(n int, x *float32) float64) func(x []float32) float64 {
	return func(x []float32) float64 {
		if len(x) == 0 {
			return 0
		}
		return f(len(x), &x[0])
	}
}

func pairRowsBy(f func(pairs, n int, dst *float32, dstRow int, src *float32, srcRow int)) func(pairs, n int, dst []float32, dstRow int, src []float32, srcRow int) {
	return func(pairs, n int, dst []float32, dstRow int, src []float32, srcRow int) {
		if pairs > 0 && n > 0 {
			_, _ = dst[(pairs-1)*dstRow+n-1], src[(2*pairs-1)*srcRow+n-1]
			f(pairs, n, &dst[0], dstRow, &src[0], srcRow)
		}
	}
}

func copyRowsBy(f func(rows, n int, dst *float32, dstRow int, src *float32, srcRow int)) func(rows, n int, dst []float32, dstRow int, src []float32, srcRow int) {
	return func(rows, n int, dst []float32, dstRow int, src []float32, srcRow int) {
		if rows > 0 && n > 0 {
			_, _ = dst[(rows-1)*dstRow+n-1], src[(rows-1)*srcRow+n-1]
			f(rows, n, &dst[0], dstRow, &src[0], srcRow)
		}
	}
}

func scoresGradBy(f func(n int, p, dp, inverse *float32, scale float32)) func(n int, p, dp []float32, inverse []float32, scale float32) {
	return func(n int, p, dp []float32, inverse []float32, scale float32) {
		if n > 0 {
			_, _, _ = p[n*panelWidth-1], dp[n*panelWidth-1], inverse[panelWidth-1]
			f(n, &p[0], &dp[0], &inverse[0], scale)
		}
	}
}

func prefetchBy(f func(rows int, dst *float32, dstRow int)) func(rows int, dst []float32, dstRow int) {
	return func(rows int, dst []float32, dstRow int) { f(rows, &dst[0], dstRow) }
}
