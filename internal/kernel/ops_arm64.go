package kernel

import (
	"math"
	"unsafe"

	"golang.org/x/sys/cpu"
)

// Every arm64 processor has NEON.
func availableLevels() []level { return []level{levelGeneric, levelNEON} }

func levelOps() map[level]*ops {
	o := genericOps
	o.tile, o.tileRows = [3]tileFunc{tileNEON, tileWideNEON, tileLongBytesNEON}, 12
	if cpu.ARM64.HasASIMDDP {
		o.tile[Int8] = tileDotBytesNEON
		o.peak[Int8] = peakLoop{peakDotBytesNEON, 4 * 4}
	}
	o.peak[F32] = peakLoop{peakNEON, 4}
	o.epilogue, o.transpose = epilogueByNEON, transposeNEON
	o.dot, o.axpy = dotNEON, axpyNEON
	o.layerNorm = layerNormByNEON
	o.largestOf, o.sumExp = sumExpBy(4, maxNEON, sumExpByNEON)
	o.softmax, o.softmaxColumns, o.exp = softmaxNEON, softmaxColumnsByNEON, expByNEON
	o.widenBF16 = wholeNEON(widenBF16NEON, widenBF16Generic)
	o.widenF16 = wholeNEON(widenF16NEON, widenF16Generic)
	o.roundBF16 = wholeNEON(roundBF16NEON, roundBF16Generic)
	o.largest, o.quantize, o.dequantize = largestByNEON, quantizeByNEON, dequantizeByNEON
	return map[level]*ops{levelGeneric: &genericOps, levelNEON: &o}
}

var (
	tileNEON = asmTiles{tiles: []asmTile{
		nil, tile1NEON, tile2NEON, tile3NEON, tile4NEON, tile5NEON, tile6NEON,
		tile7NEON, tile8NEON, tile9NEON, tile10NEON, tile11NEON, tile12NEON,
	}, width: 8, halves: 1}.tile()
	tileWideNEON = asmTiles{tiles: []asmTile{
		nil, tileWide1NEON, tileWide2NEON, tileWide3NEON, tileWide4NEON, tileWide5NEON, tileWide6NEON,
		tileWide7NEON, tileWide8NEON, tileWide9NEON, tileWide10NEON, tileWide11NEON, tileWide12NEON,
	}, width: 8, halves: 2}.tile()
	tileDotBytesNEON = asmTiles{tiles: []asmTile{
		nil, tileDotBytes1NEON, tileDotBytes2NEON, tileDotBytes3NEON, tileDotBytes4NEON, tileDotBytes5NEON, tileDotBytes6NEON,
		tileDotBytes7NEON, tileDotBytes8NEON, tileDotBytes9NEON, tileDotBytes10NEON, tileDotBytes11NEON, tileDotBytes12NEON,
	}, width: 8, halves: 1}.tile()
	tileBytesNEON = asmTiles{tiles: []asmTile{
		nil, tileBytes1NEON, tileBytes2NEON, tileBytes3NEON, tileBytes4NEON,
	}, width: 8, halves: 1}.tile()
	dotsNEON = [...]func(n int, x *float32, xRow int, w *float32, wRow int, c *float32){
		1: dot1NEON, dot2NEON, dot3NEON, dot4NEON,
	}
)

// tileLongBytesNEON does a taller tile in parts: without SDOT a sum takes two registers.
func tileLongBytesNEON(rows, n int, a []float32, stride int, panel, c []float32) {
	for i := 0; i < rows; i += 4 {
		tileBytesNEON(min(4, rows-i), n, a[min(i, len(a)):], stride, panel, c[i*panelWidth:])
	}
}

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

// transposeNEON moves blocks of 4×4 and leaves the last n mod 4 columns to Go.
func transposeNEON(rows, n int, dst []float32, dstRow int, src []float32, srcRow int) {
	whole := n &^ 3
	if rows > 0 && whole > 0 {
		_, _ = dst[(whole-1)*dstRow+(rows+3)&^3-1], src[(rows-1)*srcRow+n-1]
		for i := 0; i < rows; i += 4 {
			transpose4NEON(min(4, rows-i), whole, &dst[i], dstRow, &src[i*srcRow], srcRow)
		}
	}
	if whole < n {
		transposeGeneric(rows, n-whole, dst[whole*dstRow:], dstRow, src[whole:], srcRow)
	}
}

// layerNormByNEON leaves to Go rows of a width that is no multiple of 4.
func layerNormByNEON(dst, x, gamma, beta []float32, eps float32) {
	n := len(x)
	if n%4 != 0 || n == 0 {
		layerNormGeneric(dst, x, gamma, beta, eps)
		return
	}
	_ = dst[n-1]
	for _, s := range [][]float32{gamma, beta} {
		if s != nil {
			_ = s[n-1]
		}
	}
	layerNormNEON(n, &dst[0], &x[0], first(gamma), first(beta), eps)
}

// softmaxNEON leaves the last elements of a row to Go.
func softmaxNEON(dst, x []float32, scale float32) {
	n := len(x)
	whole := n &^ 3
	if whole == 0 {
		softmaxGeneric(dst, x, scale)
		return
	}
	_ = dst[n-1]
	top := max(maxNEON(whole, &x[0]), largestOfGeneric(x[whole:]))
	sum := expSumNEON(whole, &dst[0], &x[0], top, scale)
	for i := whole; i < n; i++ {
		dst[i] = float32(math.Exp(float64(scale) * (float64(x[i]) - float64(top))))
		sum += dst[i]
	}
	factor := 1 / sum
	scaleNEON(whole, &dst[0], factor)
	for i := whole; i < n; i++ {
		dst[i] *= factor
	}
}

// sumExpByNEON drops the exponentials that a softmax wants to keep.
func sumExpByNEON(n int, x *float32, top float32) (sum float32) {
	var kept [256]float32
	for rest := unsafe.Slice(x, n); len(rest) > 0; {
		part := min(len(rest), len(kept))
		sum += expSumNEON(part, &kept[0], &rest[0], top, 1)
		rest = rest[part:]
	}
	return sum
}

func softmaxColumnsByNEON(n int, x []float32, scale float32, inverse []float32) {
	if n > 0 {
		_, _ = x[n*panelWidth-1], inverse[panelWidth-1]
		softmaxColumnsNEON(n, &x[0], scale, &inverse[0])
	}
}

func expByNEON(dst, x []float32) {
	n := len(x) &^ 3
	if n > 0 {
		_ = dst[n-1]
		expNEON(n, &dst[0], &x[0])
	}
	expGeneric(dst[n:], x[n:])
}

// wholeNEON makes a conversion of one for multiples of 8 elements and one for the rest.
func wholeNEON[D, S any](whole func(n int, dst *D, src *S), rest func(dst []D, src []S)) func(dst []D, src []S) {
	return func(dst []D, src []S) {
		n := len(src) &^ 7
		if n > 0 {
			_ = dst[n-1]
			whole(n, &dst[0], &src[0])
		}
		rest(dst[n:], src[n:])
	}
}

func largestByNEON(x []float32) uint32 {
	n := len(x) &^ 3
	top := largestGeneric(x[n:])
	if n > 0 {
		top = max(top, largestNEON(n, &x[0]))
	}
	return top
}

func quantizeByNEON(dst []byte, x []float32, inverse float32) {
	n := len(x) &^ 7
	if n > 0 {
		_ = dst[n-1]
		quantizeNEON(n, &dst[0], &x[0], inverse)
	}
	quantizeGeneric(dst[n:], x[n:], inverse)
}

func dequantizeByNEON(cols int, c []float32, correction []int32, scale, rowScale []float32) {
	if cols != panelWidth {
		dequantizeGeneric(cols, c, correction, scale, rowScale)
	} else if rows := len(rowScale); rows > 0 {
		_, _, _ = c[rows*panelWidth-1], correction[panelWidth-1], scale[panelWidth-1]
		dequantizeNEON(rows, &c[0], &correction[0], &scale[0], &rowScale[0])
	}
}
