package kernel

// ops are the inner loops that differ between instruction sets. Everything
// above them, how work is cut, packed and shared out, is the same for all. Each
// level starts from the one below it and replaces what it does better; the
// lowest one is plain Go.
type ops struct {
	// tile stores in c[i·32+j], i < rows ≤ tileRows, j < 32, the sum over k < n
	// of a[k·stride+i]·panel[k·32+j].
	tile     func(rows, n int, a []float32, stride int, panel, c []float32)
	tileRows int

	// epilogue stores act(src + bias)·scale + residual in dst for rows·cols
	// elements of matrices whose rows are dstRow, srcRow and residualRow apart.
	epilogue func(rows, cols int, dst []float32, dstRow int, src []float32, srcRow int,
		bias, scale, residual []float32, residualRow int, act Activation)

	// transpose stores src[i·srcRow+k] in dst[k·dstRow+i] for i < rows, k < n.
	// It may write zeros up to the next multiple of 8 of i.
	transpose func(rows, n int, dst []float32, dstRow int, src []float32, srcRow int)
}

var genericOps = ops{
	tile: tileGeneric, tileRows: 8,
	epilogue:  epilogueGeneric,
	transpose: transposeGeneric,
}

// opsOf are the inner loops of every level that this platform has.
var opsOf = levelOps()

func tileGeneric(rows, n int, a []float32, stride int, panel, c []float32) {
	for i := range rows {
		var sums [panelWidth]float32
		for k := range n {
			x := a[k*stride+i]
			for j, w := range (*[panelWidth]float32)(panel[k*panelWidth:]) {
				sums[j] += float32(x * w)
			}
		}
		copy(c[i*panelWidth:][:panelWidth], sums[:])
	}
}

func epilogueGeneric(rows, cols int, dst []float32, dstRow int, src []float32, srcRow int,
	bias, scale, residual []float32, residualRow int, act Activation) {
	for r := range rows {
		out, sums := dst[r*dstRow:][:cols], src[r*srcRow:][:cols]
		for j, y := range sums {
			if bias != nil {
				y += bias[j]
			}
			y = act.apply(y)
			if scale != nil {
				y = float32(y * scale[j])
			}
			if residual != nil {
				y += residual[r*residualRow+j]
			}
			out[j] = y
		}
	}
}

func transposeGeneric(rows, n int, dst []float32, dstRow int, src []float32, srcRow int) {
	for i := range rows {
		for k, v := range src[i*srcRow:][:n] {
			dst[k*dstRow+i] = v
		}
	}
}
