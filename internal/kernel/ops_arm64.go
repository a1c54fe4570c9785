package kernel

// Every arm64 processor has NEON.
func availableLevels() []level { return []level{levelGeneric, levelNEON} }

func levelOps() map[level]*ops {
	o := genericOps
	o.tile[F32], o.tile[BF16], o.tileRows = tileNEON, tileWideNEON, 12
	o.epilogue, o.dot, o.axpy = epilogueByNEON, dotNEON, axpyNEON
	return map[level]*ops{levelGeneric: &genericOps, levelNEON: &o}
}

var (
	tileNEON = tilesOf([]asmTile{
		nil, tile1NEON, tile2NEON, tile3NEON, tile4NEON, tile5NEON, tile6NEON,
		tile7NEON, tile8NEON, tile9NEON, tile10NEON, tile11NEON, tile12NEON,
	}, 8, 1)
	tileWideNEON = tilesOf([]asmTile{
		nil, tileWide1NEON, tileWide2NEON, tileWide3NEON, tileWide4NEON, tileWide5NEON, tileWide6NEON,
		tileWide7NEON, tileWide8NEON, tileWide9NEON, tileWide10NEON, tileWide11NEON, tileWide12NEON,
	}, 8, 2)
	dotsNEON = [...]func(n int, x *float32, xRow int, w *float32, wRow int, c *float32){
		1: dot1NEON, dot2NEON, dot3NEON, dot4NEON,
	}
)

// epilogueByNEON leaves the last cols mod 4 columns to Go.
func epilogueByNEON(rows, cols int, dst []float32, dstRow int, src []float32, srcRow int,
	bias, scale, residual []float32, residualRow int, act Activation) {
	whole := cols &^ 3
	if rows == 0 || cols == 0 {
		return
	}
	checkEpilogue(rows, cols, dst, dstRow, src, srcRow, bias, scale, residual, residualRow)
	if whole > 0 {
		epilogueNEON(rows, whole, &dst[0], dstRow, &src[0], srcRow, first(bias), first(scale), first(residual), residualRow, int(act))
	}
	if whole < cols {
		rest := func(s []float32) []float32 {
			if s == nil {
				return nil
			}
			return s[whole:]
		}
		epilogueGeneric(rows, cols-whole, dst[whole:], dstRow, src[whole:], srcRow, rest(bias), rest(scale), rest(residual), residualRow, act)
	}
}

func dotNEON(rows, n int, x []float32, xRow int, w []float32, wRow int, c []float32) {
	whole := n &^ 3
	if rows == 0 || whole == 0 {
		dotGeneric(rows, n, x, xRow, w, wRow, c)
		return
	}
	_, _, _ = x[(rows-1)*xRow+n-1], w[(dotOutputs-1)*wRow+n-1], c[(rows-1)*panelWidth+dotOutputs-1]
	groups := (rows + 3) / 4
	for g := range groups {
		r0, r1 := g*rows/groups, (g+1)*rows/groups
		dotsNEON[r1-r0](whole, &x[r0*xRow], xRow, &w[0], wRow, &c[r0*panelWidth])
	}
	for i := range rows {
		for j := range dotOutputs {
			for k := whole; k < n; k++ {
				c[i*panelWidth+j] += float32(x[i*xRow+k] * w[j*wRow+k])
			}
		}
	}
}

// axpyNEON leaves to Go the last n mod 16 columns and inputs mod 4 inputs.
func axpyNEON(rows, inputs, n int, x []float32, xRow int, w []float32, wRow int, c []float32, cRow int, add bool) {
	whole := n &^ 15
	k := 0
	if rows > 0 && whole > 0 && inputs >= 4 {
		_, _, _ = x[(rows-1)*xRow+inputs-1], w[(inputs-1)*wRow+n-1], c[(rows-1)*cRow+n-1]
		keep := 0
		if add {
			keep = 1
		}
		for ; k+4 <= inputs; k += 4 {
			axpy4NEON(rows, whole, &x[k], xRow, &w[k*wRow], wRow, &c[0], cRow, keep)
			keep = 1
		}
		if whole < n {
			axpyGeneric(rows, k, n-whole, x, xRow, w[whole:], wRow, c[whole:], cRow, add)
		}
		add = true
	}
	if k < inputs || !add {
		axpyGeneric(rows, inputs-k, n, x[min(k, len(x)):], xRow, w[min(k*wRow, len(w)):], wRow, c, cRow, add)
	}
}
