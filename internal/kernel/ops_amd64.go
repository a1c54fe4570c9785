package kernel

import "golang.org/x/sys/cpu"

func availableLevels() []level {
	have := []level{levelGeneric}
	if !cpu.X86.HasAVX2 || !cpu.X86.HasFMA || !cpu.X86.HasBMI2 {
		return have
	}
	have = append(have, levelAVX2)
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL {
		have = append(have, levelAVX512)
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

	o.tile, o.tileRows = tileAVX2, 6
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
	o.exp = func(dst, x []float32) {
		if n := len(x); n > 0 {
			_ = dst[n-1]
			expAVX2(n, &dst[0], &x[0])
		}
	}
	add(levelAVX2)
	add(levelAVXVNNI)

	o.tile, o.tileRows = tileAVX512, 14
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
	o.exp = func(dst, x []float32) {
		if n := len(x); n > 0 {
			_ = dst[n-1]
			expAVX512(n, &dst[0], &x[0])
		}
	}
	add(levelAVX512)
	add(levelAVX512VNNI)
	add(levelAVX512BF16)
	return table
}

// first is the address of a slice's first element, nil for a nil slice.
func first(s []float32) *float32 {
	if s == nil {
		return nil
	}
	return &s[0]
}

// checkEpilogue panics as a slice expression would if assembly were to leave a slice.
func checkEpilogue(rows, cols int, dst []float32, dstRow int, src []float32, srcRow int,
	bias, scale, residual []float32, residualRow int) {
	_ = dst[(rows-1)*dstRow+cols-1]
	_ = src[(rows-1)*srcRow+cols-1]
	if bias != nil {
		_ = bias[cols-1]
	}
	if scale != nil {
		_ = scale[cols-1]
	}
	if residual != nil {
		_ = residual[(rows-1)*residualRow+cols-1]
	}
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

var tilesAVX512 = [...]func(n int, a *float32, stride int, b, c *float32){
	1: tile1AVX512, tile2AVX512, tile3AVX512, tile4AVX512, tile5AVX512, tile6AVX512, tile7AVX512,
	tile8AVX512, tile9AVX512, tile10AVX512, tile11AVX512, tile12AVX512, tile13AVX512, tile14AVX512,
}

func tileAVX512(rows, n int, a []float32, stride int, panel, c []float32) {
	if n == 0 {
		clear(c[:rows*panelWidth])
		return
	}
	_, _, _ = a[(n-1)*stride+rows-1], panel[n*panelWidth-1], c[rows*panelWidth-1]
	tilesAVX512[rows](n, &a[0], stride, &panel[0], &c[0])
}

var tilesAVX2 = [...]func(n int, a *float32, stride int, b, c *float32){
	1: tile1AVX2, tile2AVX2, tile3AVX2, tile4AVX2, tile5AVX2, tile6AVX2,
}

// tileAVX2 computes the two halves of a tile one after the other.
func tileAVX2(rows, n int, a []float32, stride int, panel, c []float32) {
	if n == 0 {
		clear(c[:rows*panelWidth])
		return
	}
	_, _, _ = a[(n-1)*stride+rows-1], panel[n*panelWidth-1], c[rows*panelWidth-1]
	tilesAVX2[rows](n, &a[0], stride, &panel[0], &c[0])
	tilesAVX2[rows](n, &a[0], stride, &panel[panelWidth/2], &c[panelWidth/2])
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
	for ; k+4 <= inputs; k += 4 {
		axpy4AVX512(rows, n, &x[k], xRow, &w[k*wRow], wRow, &c[0], cRow, keep)
		keep = 1
	}
	for ; k < inputs; k++ {
		axpy1AVX512(rows, n, &x[k], xRow, &w[k*wRow], wRow, &c[0], cRow, keep)
		keep = 1
	}
}
