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

	o.tileRows, o.stripRows = 6, 4
	o.set(F32, floatsAVX2)
	o.set(BF16, wideAVX2)
	o.wideStrip = wideAVX2.strip()
	o.tile[Int8] = tileBytesAVX2
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
	o.dequantize = func(cols int, c []float32, correction []int32, scale, rowScale []float32) {
		if rows := len(rowScale); rows > 0 {
			_, _, _ = c[rows*cols-1], correction[cols-1], scale[cols-1]
			dequantizeAVX2(rows, cols, &c[0], &correction[0], &scale[0], &rowScale[0])
		}
	}
	o.exp = func(dst, x []float32) {
		if n := len(x); n > 0 {
			_ = dst[n-1]
			expAVX2(n, &dst[0], &x[0])
		}
	}
	o.largestOf, o.sumExp = sumExpBy(4*8, largestOfAVX2, sumExpAVX2)
	o.peak[F32] = peakLoop{peakAVX2, 8}
	o.read = func(data []float32) {
		if n := 4 * len(data) &^ 255; n > 0 {
			readAVX2(n, &data[0])
		}
	}
	o.backwardOps = backwardAVX2
	add(levelAVX2)
	o.set(Int8, bytesAVXVNNI)
	o.peak[Int8] = peakLoop{peakBytesAVXVNNI, 8 * 4}
	add(levelAVXVNNI)

	o.tileRows, o.stripRows = 14, 8
	o.set(F32, floatsAVX512)
	o.set(BF16, wideAVX512)
	o.wideStrip = wideAVX512.strip()
	o.tile[Int8], o.tileAhead[Int8], o.strip[Int8] = int8ByAVX2, nil, nil
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
	o.dequantize = func(cols int, c []float32, correction []int32, scale, rowScale []float32) {
		if rows := len(rowScale); rows > 0 {
			_, _, _ = c[rows*cols-1], correction[cols-1], scale[cols-1]
			dequantizeAVX512(rows, cols, &c[0], &correction[0], &scale[0], &rowScale[0])
		}
	}
	o.exp = func(dst, x []float32) {
		if n := len(x); n > 0 {
			_ = dst[n-1]
			expAVX512(n, &dst[0], &x[0])
		}
	}
	o.largestOf, o.sumExp = sumExpBy(4*16, largestOfAVX512, sumExpAVX512)
	o.peak = [3]peakLoop{F32: {peakAVX512, 16}}
	o.backwardOps = backwardAVX512
	add(levelAVX512)
	o.set(Int8, bytesAVX512VNNI)
	o.peak[Int8] = peakLoop{peakBytesAVX512VNNI, 16 * 4}
	add(levelAVX512VNNI)
	o.set(BF16, pairsAVX512BF16)
	o.bf16Pairs = true
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
	floatsAVX2 = asmTiles{
		strips: []asmStrip{nil, strip1AVX2, strip2AVX2, strip3AVX2, strip4AVX2},
		tiles:  []asmTile{5: tile5AVX2, tile6AVX2},
		width:  16, halves: 1,
	}
	wideAVX2 = asmTiles{
		strips: []asmStrip{nil, stripWide1AVX2, stripWide2AVX2, stripWide3AVX2, stripWide4AVX2},
		tiles:  []asmTile{5: tileWide5AVX2, tileWide6AVX2},
		width:  16, halves: 2,
	}
	bytesAVX2 = asmTiles{
		tiles: []asmTile{
			1: tileBytes1AVX2, tileBytes2AVX2, tileBytes3AVX2,
			tileBytes4AVX2, tileBytes5AVX2, tileBytes6AVX2,
		},
		width: 16, halves: 1,
	}
	bytesAVXVNNI = asmTiles{
		strips: []asmStrip{nil, stripBytes1AVXVNNI, stripBytes2AVXVNNI, stripBytes3AVXVNNI, stripBytes4AVXVNNI},
		tiles:  []asmTile{5: tileBytes5AVXVNNI, tileBytes6AVXVNNI},
		width:  16, halves: 1,
	}
	floatsAVX512 = asmTiles{
		strips: []asmStrip{
			nil, strip1AVX512, strip2AVX512, strip3AVX512, strip4AVX512,
			strip5AVX512, strip6AVX512, strip7AVX512, strip8AVX512,
		},
		tiles: []asmTile{
			9: tile9AVX512, tile10AVX512, tile11AVX512,
			tile12AVX512, tile13AVX512, tile14AVX512,
		},
		width: 32, halves: 1,
	}
	wideAVX512 = asmTiles{
		strips: []asmStrip{
			nil, stripWide1AVX512, stripWide2AVX512, stripWide3AVX512, stripWide4AVX512,
			stripWide5AVX512, stripWide6AVX512, stripWide7AVX512, stripWide8AVX512,
		},
		tiles: []asmTile{
			9: tileWide9AVX512, tileWide10AVX512, tileWide11AVX512,
			tileWide12AVX512, tileWide13AVX512, tileWide14AVX512,
		},
		width: 32, halves: 2,
	}
	bytesAVX512VNNI = asmTiles{
		strips: []asmStrip{
			nil, stripBytes1AVX512VNNI, stripBytes2AVX512VNNI, stripBytes3AVX512VNNI, stripBytes4AVX512VNNI,
			stripBytes5AVX512VNNI, stripBytes6AVX512VNNI, stripBytes7AVX512VNNI, stripBytes8AVX512VNNI,
		},
		tiles: []asmTile{
			9: tileBytes9AVX512VNNI, tileBytes10AVX512VNNI, tileBytes11AVX512VNNI,
			tileBytes12AVX512VNNI, tileBytes13AVX512VNNI, tileBytes14AVX512VNNI,
		},
		width: 32, halves: 1,
	}
	pairsAVX512BF16 = asmTiles{
		strips: []asmStrip{
			nil, stripPairs1AVX512BF16, stripPairs2AVX512BF16, stripPairs3AVX512BF16, stripPairs4AVX512BF16,
			stripPairs5AVX512BF16, stripPairs6AVX512BF16, stripPairs7AVX512BF16, stripPairs8AVX512BF16,
		},
		tiles: []asmTile{
			9: tilePairs9AVX512BF16, tilePairs10AVX512BF16, tilePairs11AVX512BF16,
			tilePairs12AVX512BF16, tilePairs13AVX512BF16, tilePairs14AVX512BF16,
		},
		width: 32, halves: 1,
	}
)

// aheadLines are the cache lines of the next panel that a tile asks for in four
// steps; see the generator.
const aheadLines = 2

// set takes the tiles of a precision.
func (o *ops) set(p Precision, t asmTiles) {
	o.tile[p], o.tileAhead[p], o.strip[p] = t.tile(), t.ahead(aheadLines), t.strip()
}

var tileBytesAVX2 = bytesAVX2.tile()

// int8ByAVX2 does a taller tile of AVX-512 in parts.
func int8ByAVX2(rows, n int, a []float32, stride int, panel, c []float32) {
	for i := 0; i < rows; i += 6 {
		tileBytesAVX2(min(6, rows-i), n, a[min(i, len(a)):], stride, panel, c[i*panelWidth:])
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
