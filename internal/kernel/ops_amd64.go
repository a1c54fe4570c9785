package kernel

import "golang.org/x/sys/cpu"

func availableLevels() []level {
	have := []level{levelGeneric}
	if !cpu.X86.HasAVX2 || !cpu.X86.HasFMA || !cpu.X86.HasBMI2 {
		return have
	}
	have = append(have, levelAVX2)
	if cpu.X86.HasAVXVNNI {
		have = append(have, levelAVXVNNI)
	}
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL {
		have = append(have, levelAVX512)
		if cpu.X86.HasAVX512VNNI {
			have = append(have, levelAVX512VNNI)
			if cpu.X86.HasAVX512BF16 {
				have = append(have, levelAVX512BF16)
			}
		}
	}
	return have
}

func levelOps() map[level]*ops {
	o := genericOps
	table := map[level]*ops{}
	add := func(l level) {
		copied := o
		table[l] = &copied
	}
	add(levelGeneric)

	o.tile, o.tileAhead, o.tileRows = tilesAVX2, tilesAheadAVX2, 6
	o.epilogue = func(rows, cols int, dst []float32, dstRow int, src []float32, srcRow int,
		bias, scale, residual []float32, residualRow int, act Activation) {
		if rows > 0 && cols > 0 {
			checkEpilogue(rows, cols, dst, dstRow, src, srcRow, bias, scale, residual, residualRow)
			epilogueAVX2(rows, cols, &dst[0], dstRow, &src[0], srcRow, first(bias), first(scale), first(residual), residualRow, int(act))
		}
	}
	o.transpose = transposeAVX2
	o.dot, o.axpy = dotAVX2, axpyAVX2
	o.layerNorm = func(dst, x, gamma, beta []float32, eps float32) {
		if n := len(x); n > 0 {
			checkNorm(dst, x, gamma, beta)
			layerNormAVX2(n, &dst[0], &x[0], first(gamma), first(beta), eps)
		}
	}
	o.softmaxColumns = func(n int, x []float32, scale float32, inverse []float32) {
		if n > 0 {
			_, _ = x[n*panelWidth-1], inverse[panelWidth-1]
			softmaxColumnsAVX2(n, &x[0], scale, &inverse[0])
		}
	}
	o.softmax = func(dst, x []float32, scale float32) {
		if n := len(x); n > 0 {
			_ = dst[n-1]
			softmaxRowAVX2(n, &dst[0], &x[0], scale)
		}
	}
	o.widenBF16 = func(dst []float32, src []uint16) {
		n := len(src) &^ (8 - 1)
		if n > 0 {
			_ = dst[n-1]
			widenBF16AVX2(n, &dst[0], &src[0])
		}
		widenBF16Generic(dst[n:], src[n:])
	}
	o.widenF16 = func(dst []float32, src []uint16) {
		n := len(src) &^ (8 - 1)
		if n > 0 {
			_ = dst[n-1]
			widenF16AVX2(n, &dst[0], &src[0])
		}
		widenF16Generic(dst[n:], src[n:])
	}
	o.roundBF16 = func(dst []uint16, src []float32) {
		n := len(src) &^ (8 - 1)
		if n > 0 {
			_ = dst[n-1]
			roundBF16AVX2(n, &dst[0], &src[0])
		}
		roundBF16Generic(dst[n:], src[n:])
	}
	o.largest = func(x []float32) uint32 {
		n := len(x) &^ (8 - 1)
		top := largestGeneric(x[n:])
		if n > 0 {
			top = max(top, largestAVX2(n, &x[0]))
		}
		return top
	}
	o.quantize = func(dst []byte, x []float32, inverse float32) {
		n := len(x) &^ (8 - 1)
		if n > 0 {
			_ = dst[n-1]
			quantizeAVX2(n, &dst[0], &x[0], inverse)
		}
		quantizeGeneric(dst[n:], x[n:], inverse)
	}
	o.dequantize = func(c []float32, correction []int32, scale, rowScale []float32) {
		if rows := len(rowScale); rows > 0 {
			_, _, _ = c[rows*panelWidth-1], correction[panelWidth-1], scale[panelWidth-1]
			dequantizeAVX2(rows, &c[0], &correction[0], &scale[0], &rowScale[0])
		}
	}
	o.exp = func(dst, x []float32) {
		if n := len(x); n > 0 {
			_ = dst[n-1]
			expAVX2(n, &dst[0], &x[0])
		}
	}
	o.peak[F32] = peakLoop{peakAVX2, 8}
	o.read = func(data []float32) {
		if n := 4 * len(data) &^ 255; n > 0 {
			readAVX2(n, &data[0])
		}
	}
	o.backwardOps = backwardAVX2
	add(levelAVX2)
	o.tile[Int8] = tilesOf(bytesAVXVNNI, 16, 1)
	o.tileAhead[Int8] = tilesAheadOf(bytesAVXVNNI, 16, 1, aheadLines)
	o.peak[Int8] = peakLoop{peakBytesAVXVNNI, 8 * 4}
	add(levelAVXVNNI)

	o.tile, o.tileAhead, o.tileRows = tilesAVX512, tilesAheadAVX512, 14
	o.epilogue = func(rows, cols int, dst []float32, dstRow int, src []float32, srcRow int,
		bias, scale, residual []float32, residualRow int, act Activation) {
		if rows > 0 && cols > 0 {
			checkEpilogue(rows, cols, dst, dstRow, src, srcRow, bias, scale, residual, residualRow)
			epilogueAVX512(rows, cols, &dst[0], dstRow, &src[0], srcRow, first(bias), first(scale), first(residual), residualRow, int(act))
		}
	}
	o.dot, o.axpy = dotAVX512, axpyAVX512
	o.layerNorm = func(dst, x, gamma, beta []float32, eps float32) {
		if n := len(x); n > 0 {
			checkNorm(dst, x, gamma, beta)
			layerNormAVX512(n, &dst[0], &x[0], first(gamma), first(beta), eps)
		}
	}
	o.softmaxColumns = func(n int, x []float32, scale float32, inverse []float32) {
		if n > 0 {
			_, _ = x[n*panelWidth-1], inverse[panelWidth-1]
			softmaxColumnsAVX512(n, &x[0], scale, &inverse[0])
		}
	}
	o.softmax = func(dst, x []float32, scale float32) {
		if n := len(x); n > 0 {
			_ = dst[n-1]
			softmaxRowAVX512(n, &dst[0], &x[0], scale)
		}
	}
	o.widenBF16 = func(dst []float32, src []uint16) {
		n := len(src) &^ (16 - 1)
		if n > 0 {
			_ = dst[n-1]
			widenBF16AVX512(n, &dst[0], &src[0])
		}
		widenBF16Generic(dst[n:], src[n:])
	}
	o.widenF16 = func(dst []float32, src []uint16) {
		n := len(src) &^ (16 - 1)
		if n > 0 {
			_ = dst[n-1]
			widenF16AVX512(n, &dst[0], &src[0])
		}
		widenF16Generic(dst[n:], src[n:])
	}
	o.roundBF16 = func(dst []uint16, src []float32) {
		n := len(src) &^ (16 - 1)
		if n > 0 {
			_ = dst[n-1]
			roundBF16AVX512(n, &dst[0], &src[0])
		}
		roundBF16Generic(dst[n:], src[n:])
	}
	o.largest = func(x []float32) uint32 {
		n := len(x) &^ (16 - 1)
		top := largestGeneric(x[n:])
		if n > 0 {
			top = max(top, largestAVX512(n, &x[0]))
		}
		return top
	}
	o.quantize = func(dst []byte, x []float32, inverse float32) {
		n := len(x) &^ (16 - 1)
		if n > 0 {
			_ = dst[n-1]
			quantizeAVX512(n, &dst[0], &x[0], inverse)
		}
		quantizeGeneric(dst[n:], x[n:], inverse)
	}
	o.dequantize = func(c []float32, correction []int32, scale, rowScale []float32) {
		if rows := len(rowScale); rows > 0 {
			_, _, _ = c[rows*panelWidth-1], correction[panelWidth-1], scale[panelWidth-1]
			dequantizeAVX512(rows, &c[0], &correction[0], &scale[0], &rowScale[0])
		}
	}
	o.exp = func(dst, x []float32) {
		if n := len(x); n > 0 {
			_ = dst[n-1]
			expAVX512(n, &dst[0], &x[0])
		}
	}
	o.peak = [3]peakLoop{F32: {peakAVX512, 16}}
	o.backwardOps = backwardAVX512
	add(levelAVX512)
	o.tile[Int8] = tilesOf(bytesAVX512VNNI, 32, 1)
	o.tileAhead[Int8] = tilesAheadOf(bytesAVX512VNNI, 32, 1, aheadLines)
	o.peak[Int8] = peakLoop{peakBytesAVX512VNNI, 16 * 4}
	add(levelAVX512VNNI)
	o.tile[BF16], o.bf16Pairs = tilesOf(pairsAVX512BF16, 32, 1), true
	o.tileAhead[BF16] = tilesAheadOf(pairsAVX512BF16, 32, 1, aheadLines)
	o.backwardOps = backwardAVX512BF16()
	o.peak[BF16] = peakLoop{peakPairsAVX512BF16, 16 * 2}
	add(levelAVX512BF16)
	return table
}

func checkNorm(dst, x, gamma, beta []float32) {
	_ = dst[len(x)-1]
	if gamma != nil {
		_ = gamma[len(x)-1]
	}
	if beta != nil {
		_ = beta[len(x)-1]
	}
}

// The tiles of every number of rows.
var (
	floatsAVX2 = []asmTile{
		nil, tile1AVX2, tile2AVX2, tile3AVX2, tile4AVX2, tile5AVX2, tile6AVX2,
	}
	wideAVX2 = []asmTile{
		nil, tileWide1AVX2, tileWide2AVX2, tileWide3AVX2, tileWide4AVX2, tileWide5AVX2, tileWide6AVX2,
	}
	bytesAVX2 = []asmTile{
		nil, tileBytes1AVX2, tileBytes2AVX2, tileBytes3AVX2, tileBytes4AVX2, tileBytes5AVX2, tileBytes6AVX2,
	}
	bytesAVXVNNI = []asmTile{
		nil, tileBytes1AVXVNNI, tileBytes2AVXVNNI, tileBytes3AVXVNNI, tileBytes4AVXVNNI, tileBytes5AVXVNNI, tileBytes6AVXVNNI,
	}
	floatsAVX512 = []asmTile{
		nil, tile1AVX512, tile2AVX512, tile3AVX512, tile4AVX512, tile5AVX512, tile6AVX512, tile7AVX512, tile8AVX512,
		tile9AVX512, tile10AVX512, tile11AVX512, tile12AVX512, tile13AVX512, tile14AVX512,
	}
	wideAVX512 = []asmTile{
		nil, tileWide1AVX512, tileWide2AVX512, tileWide3AVX512, tileWide4AVX512, tileWide5AVX512, tileWide6AVX512,
		tileWide7AVX512, tileWide8AVX512, tileWide9AVX512, tileWide10AVX512, tileWide11AVX512, tileWide12AVX512,
		tileWide13AVX512, tileWide14AVX512,
	}
	bytesAVX512VNNI = []asmTile{
		nil, tileBytes1AVX512VNNI, tileBytes2AVX512VNNI, tileBytes3AVX512VNNI, tileBytes4AVX512VNNI,
		tileBytes5AVX512VNNI, tileBytes6AVX512VNNI, tileBytes7AVX512VNNI, tileBytes8AVX512VNNI, tileBytes9AVX512VNNI,
		tileBytes10AVX512VNNI, tileBytes11AVX512VNNI, tileBytes12AVX512VNNI, tileBytes13AVX512VNNI,
		tileBytes14AVX512VNNI,
	}
	pairsAVX512BF16 = []asmTile{
		nil, tilePairs1AVX512BF16, tilePairs2AVX512BF16, tilePairs3AVX512BF16, tilePairs4AVX512BF16,
		tilePairs5AVX512BF16, tilePairs6AVX512BF16, tilePairs7AVX512BF16, tilePairs8AVX512BF16, tilePairs9AVX512BF16,
		tilePairs10AVX512BF16, tilePairs11AVX512BF16, tilePairs12AVX512BF16, tilePairs13AVX512BF16,
		tilePairs14AVX512BF16,
	}
)

// aheadLines are the cache lines of the next panel that a tile asks for in four
// steps; see the generator.
const aheadLines = 2

var (
	tilesAVX2      = [3]tileFunc{tilesOf(floatsAVX2, 16, 1), tilesOf(wideAVX2, 16, 2), tilesOf(bytesAVX2, 16, 1)}
	tilesAheadAVX2 = [3]tileAheadFunc{
		tilesAheadOf(floatsAVX2, 16, 1, aheadLines), tilesAheadOf(wideAVX2, 16, 2, aheadLines), nil,
	}
	tilesAVX512      = [3]tileFunc{tilesOf(floatsAVX512, 32, 1), tilesOf(wideAVX512, 32, 2), int8ByAVX2}
	tilesAheadAVX512 = [3]tileAheadFunc{
		tilesAheadOf(floatsAVX512, 32, 1, aheadLines), tilesAheadOf(wideAVX512, 32, 2, aheadLines), nil,
	}
)

// int8ByAVX2 does a taller tile of AVX-512 in parts.
func int8ByAVX2(rows, n int, a []float32, stride int, panel, c []float32) {
	for i := 0; i < rows; i += 6 {
		tilesAVX2[Int8](min(6, rows-i), n, a[min(i, len(a)):], stride, panel, c[i*panelWidth:])
	}
}

// transposeAVX2 moves blocks of 8×8 and leaves the last n mod 8 columns to Go.
func transposeAVX2(rows, n int, dst []float32, dstRow int, src []float32, srcRow int) {
	whole := n &^ 7
	if rows > 0 && n > 0 {
		_, _ = dst[(n-1)*dstRow+(rows+7)&^7-1], src[(rows-1)*srcRow+n-1]
	}
	for i := 0; i < rows && whole > 0; i += 8 {
		transpose8AVX2(min(8, rows-i), whole, &dst[i], dstRow, &src[i*srcRow], srcRow)
	}
	if whole < n {
		transposeGeneric(rows, n-whole, dst[whole*dstRow:], dstRow, src[whole:], srcRow)
	}
}

var dotsAVX2 = [...]func(n int, x *float32, xRow int, w *float32, wRow int, c *float32){
	1: dot1AVX2, dot2AVX2, dot3AVX2,
}

func dotAVX2(rows, n int, x []float32, xRow int, w []float32, wRow int, c []float32) {
	if rows == 0 || n == 0 {
		clear(c[:rows*panelWidth])
		return
	}
	_, _, _ = x[(rows-1)*xRow+n-1], w[(dotOutputs-1)*wRow+n-1], c[(rows-1)*panelWidth+dotOutputs-1]
	groups := (rows + 2) / 3
	for g := range groups {
		r0, r1 := g*rows/groups, (g+1)*rows/groups
		dotsAVX2[r1-r0](n, &x[r0*xRow], xRow, &w[0], wRow, &c[r0*panelWidth])
	}
}

func axpyAVX2(rows, inputs, n int, x []float32, xRow int, w []float32, wRow int, c []float32, cRow int, add bool) {
	if rows == 0 || n == 0 || inputs == 0 {
		axpyGeneric(rows, inputs, n, x, xRow, w, wRow, c, cRow, add)
		return
	}
	_, _, _ = x[(rows-1)*xRow+inputs-1], w[(inputs-1)*wRow+n-1], c[(rows-1)*cRow+n-1]
	keep := 0
	if add {
		keep = 1
	}
	k := 0
	for ; k+8 <= inputs; k += 8 {
		axpy8AVX2(rows, n, &x[k], xRow, &w[k*wRow], wRow, &c[0], cRow, keep)
		keep = 1
	}
	for ; k+4 <= inputs; k += 4 {
		axpy4AVX2(rows, n, &x[k], xRow, &w[k*wRow], wRow, &c[0], cRow, keep)
		keep = 1
	}
	for ; k < inputs; k++ {
		axpy1AVX2(rows, n, &x[k], xRow, &w[k*wRow], wRow, &c[0], cRow, keep)
		keep = 1
	}
}

var dotsAVX512 = [...]func(n int, x *float32, xRow int, w *float32, wRow int, c *float32){
	1: dot1AVX512, dot2AVX512, dot3AVX512, dot4AVX512, dot5AVX512, dot6AVX512,
}

func dotAVX512(rows, n int, x []float32, xRow int, w []float32, wRow int, c []float32) {
	if rows == 0 || n == 0 {
		clear(c[:rows*panelWidth])
		return
	}
	_, _, _ = x[(rows-1)*xRow+n-1], w[(dotOutputs-1)*wRow+n-1], c[(rows-1)*panelWidth+dotOutputs-1]
	groups := (rows + 5) / 6
	for g := range groups {
		r0, r1 := g*rows/groups, (g+1)*rows/groups
		dotsAVX512[r1-r0](n, &x[r0*xRow], xRow, &w[0], wRow, &c[r0*panelWidth])
	}
}

func axpyAVX512(rows, inputs, n int, x []float32, xRow int, w []float32, wRow int, c []float32, cRow int, add bool) {
	if rows == 0 || n == 0 || inputs == 0 {
		axpyGeneric(rows, inputs, n, x, xRow, w, wRow, c, cRow, add)
		return
	}
	_, _, _ = x[(rows-1)*xRow+inputs-1], w[(inputs-1)*wRow+n-1], c[(rows-1)*cRow+n-1]
	keep := 0
	if add {
		keep = 1
	}
	k := 0
	for ; k+8 <= inputs; k += 8 {
		axpy8AVX512(rows, n, &x[k], xRow, &w[k*wRow], wRow, &c[0], cRow, keep)
		keep = 1
	}
	for ; k+4 <= inputs; k += 4 {
		axpy4AVX512(rows, n, &x[k], xRow, &w[k*wRow], wRow, &c[0], cRow, keep)
		keep = 1
	}
	for ; k < inputs; k++ {
		axpy1AVX512(rows, n, &x[k], xRow, &w[k*wRow], wRow, &c[0], cRow, keep)
		keep = 1
	}
}
