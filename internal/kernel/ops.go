package kernel

// ops are the inner loops that differ between instruction sets. Everything
// above them, how work is cut, packed and shared out, is the same for all. Each
// level starts from the one below it and replaces what it does better; the
// lowest one is plain Go.
type ops struct {
	// tile stores in c[i·32+j], i < rows ≤ tileRows, j < 32, the sum over k < n
	// of the products of the words a[k·stride+i] and panel[k·32+j], for each
	// Precision. Int8 gives integers. For BF16 a word of a is a pair of bfloat16
	// values if bf16Pairs; if not, the pair is the float32 values a[2k·stride+i]
	// and a[(2k+1)·stride+i].
	tile      [3]tileFunc
	tileRows  int
	bf16Pairs bool

	// tileAhead is tile, if not nil, that meanwhile asks memory for what lies from
	// next on; it returns how many words it asked for.
	tileAhead [3]tileAheadFunc

	// strip is tile of neighbouring panels for 1 to stripRows rows, n > 0: it stores sums
	// of panel p in c[i·cRow+32p+j]. Nil: there is only tile.
	strip     [3]stripFunc
	stripRows int

	// wideStrip, if not nil, is strip of float32 activations and bfloat16 panels, also where
	// strip[BF16] multiplies pairs.
	wideStrip stripFunc

	// epilogue stores act(src + bias)·scale + residual in dst for rows·cols
	// elements of matrices whose rows are dstRow, srcRow and residualRow apart.
	epilogue func(rows, cols int, dst []float32, dstRow int, src []float32, srcRow int,
		bias, scale, residual []float32, residualRow int, act Activation)

	// transpose stores src[i·srcRow+k] in dst[k·dstRow+i] for i < rows, k < n.
	// It may write zeros up to the next multiple of 8 of i.
	transpose func(rows, n int, dst []float32, dstRow int, src []float32, srcRow int)

	// dot stores in c[i·32+j], i < rows ≤ smallRows, j < dotOutputs, the sum over
	// k < n of x[i·xRow+k]·w[j·wRow+k].
	dot func(rows, n int, x []float32, xRow int, w []float32, wRow int, c []float32)

	// axpy stores in c[i·cRow+j], i < rows, j < n, the sum over k < inputs of
	// x[i·xRow+k]·w[k·wRow+j], or adds it to what is there.
	axpy func(rows, inputs, n int, x []float32, xRow int, w []float32, wRow int, c []float32, cRow int, add bool)

	// layerNorm normalises one row.
	layerNorm func(dst, x, gamma, beta []float32, eps float32)

	// softmaxColumns replaces x[i·32+j], i < n, j < 32, by e^(scale·(x-max)) with
	// the maximum over i, and stores 1 over the sum over i in inverse[j].
	softmaxColumns func(n int, x []float32, scale float32, inverse []float32)

	// softmax stores the softmax of scale·x in dst, which may be x.
	softmax func(dst, x []float32, scale float32)

	// largestOf is the greatest element of x, -Inf of none, and anything if there is a NaN; sumExp is
	// Σ e^(x-top) of not too many elements.
	largestOf func(x []float32) float32
	sumExp    func(x []float32, top float32) float32

	// exp stores e^x in dst, which may be x.
	exp func(dst, x []float32)

	// The conversions and the parts of quantisation; see their generic twins.
	widenBF16, widenF16 func(dst []float32, src []uint16)
	roundBF16           func(dst []uint16, src []float32)
	largest             func(x []float32) uint32
	quantize            func(dst []byte, x []float32, inverse float32)
	dequantize          func(cols int, c []float32, correction []int32, scale, rowScale []float32)

	// peak are the multiply-adds of each Precision, without memory, where there is
	// an instruction for it. read reads memory.
	peak [3]peakLoop
	read func(data []float32)

	backwardOps
}

type (
	tileFunc      func(rows, n int, a []float32, stride int, panel, c []float32)
	tileAheadFunc func(rows, n int, a []float32, stride int, panel, c, next []float32) (asked int)
	stripFunc     func(rows, panels, n int, a []float32, stride int, words, c []float32, cRow int)
)

// dotOutputs is the number of outputs that dot computes at a time.
const dotOutputs = 4

var genericOps = ops{
	tile:      [3]tileFunc{tileGeneric, tileBF16Generic, tileInt8Generic},
	tileRows:  8,
	epilogue:  epilogueGeneric,
	transpose: transposeGeneric,
	dot:       dotGeneric,
	axpy:      axpyGeneric,
	layerNorm: layerNormGeneric,

	softmaxColumns: softmaxColumnsGeneric,
	softmax:        softmaxGeneric,
	exp:            expGeneric,
	largestOf:      largestOfGeneric,
	sumExp:         sumExpGeneric,

	widenBF16: widenBF16Generic, widenF16: widenF16Generic,
	roundBF16:  roundBF16Generic,
	largest:    largestGeneric,
	quantize:   quantizeGeneric,
	dequantize: dequantizeGeneric,

	read: readGeneric,

	backwardOps: backwardGeneric,
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

func dotGeneric(rows, n int, x []float32, xRow int, w []float32, wRow int, c []float32) {
	for i := range rows {
		for j := range dotOutputs {
			weights := w[j*wRow:][:n]
			var sum float32
			for k, v := range x[i*xRow:][:n] {
				sum += float32(v * weights[k])
			}
			c[i*panelWidth+j] = sum
		}
	}
}

func axpyGeneric(rows, inputs, n int, x []float32, xRow int, w []float32, wRow int, c []float32, cRow int, add bool) {
	for i := range rows {
		sums := c[i*cRow:][:n]
		if !add {
			clear(sums)
		}
		for k, v := range x[i*xRow:][:inputs] {
			for j, weight := range w[k*wRow:][:n] {
				sums[j] += float32(v * weight)
			}
		}
	}
}
