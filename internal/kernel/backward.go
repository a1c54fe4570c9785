package kernel

// Product is dst = A·B for two matrices that are both computed anew for each
// run, as in a backward pass, where neither side is a weight that could be
// packed ahead. It is also how a weight that changes between runs is multiplied:
// panels of B are packed as they are needed, into memory that stays in the
// cache, and nothing is kept.
//
// A Product is made once and run many times; Run does not allocate once the
// pool has seen its sizes.
type Product struct {
	M, N, K int

	A    []float32 // [M, K] in rows of ARow floats; if ATrans, [K, M]
	ARow int
	B    []float32 // [K, N] in rows of BRow floats; if BTrans, [N, K]
	BRow int

	ATrans, BTrans bool

	Dst []float32 // [M, N]
	Epilogue

	frame *frame
	words []float32 // row blocks of A, as tiles read them
	k0, k int       // the inner range of this pass
	group int       // panels in a piece of work
	add   bool      // to what the pass before this one stored
}

const (
	panelBytes = 1 << 19 // what panels of one piece may take of the second-level cache
	innerLimit = 4096    // a longer sum is computed in several passes
)

// Run computes Dst.
func (t *Product) Run(p *Pool) {
	if t.M == 0 || t.N == 0 {
		return
	}
	t.Epilogue.check(t.M, t.N)
	t.frame = p.frame()
	blocks := (t.M + inner.tileRows - 1) / inner.tileRows
	panels := (t.N + panelWidth - 1) / panelWidth
	step := t.K
	if t.plain() {
		step = min(step, innerLimit)
	}
	for t.k0 = 0; t.k0 == 0 || t.k0 < t.K; t.k0 += step {
		t.k, t.add = min(step, t.K-t.k0), t.k0 > 0
		t.group = max(1, min(panelBytes/(4*panelWidth*max(t.k, 1)), panels/(4*p.Threads())))
		t.words = t.frame.common(blocks * t.k * t.stride())
		p.Run(blocks, (*productPack)(t))
		p.Run((panels+t.group-1)/t.group, t)
	}
	f := t.frame
	t.frame, t.words = nil, nil
	p.release(f)
}

// plain tells whether sums are stored as they are, so that they may be made in
// several passes.
func (t *Product) plain() bool {
	return t.K > 0 && t.Bias == nil && t.Scale == nil && t.Residual == nil && t.Act == None
}

func (t *Product) stride() int { return (min(t.M, inner.tileRows) + 7) &^ 7 }

// Do computes a group of panels.
func (t *Product) Do(worker, i int) {
	from, to := i*t.group*panelWidth, min((i+1)*t.group*panelWidth, t.N)
	size := panelWidth * t.k
	s := t.frame.scratch(worker, t.group*size+inner.tileRows*panelWidth)
	panels, sums := s[:t.group*size], s[t.group*size:]
	for n0 := from; n0 < to; n0 += panelWidth {
		packPanel(panels[(n0-from)*t.k:][:size], t.B, t.BRow, t.BTrans, t.k0, t.k, n0, min(panelWidth, t.N-n0))
	}
	stride, e := t.stride(), t.Epilogue
	if t.add {
		e.Residual = t.Dst
	}
	for r0 := 0; r0 < t.M; r0 += inner.tileRows {
		rows := min(inner.tileRows, t.M-r0)
		words := t.words[r0/inner.tileRows*t.k*stride:]
		for n0 := from; n0 < to; n0 += panelWidth {
			inner.tile[F32](rows, t.k, words, stride, panels[(n0-from)*t.k:][:size], sums)
			e.apply(t.Dst, t.N, r0, rows, n0, min(n0+panelWidth, t.N), sums, panelWidth)
		}
	}
}

// productPack transposes the row blocks of A.
type productPack Product

func (t *productPack) Do(_, b int) {
	p := (*Product)(t)
	stride, r0 := p.stride(), b*inner.tileRows
	packBlock(p.words[b*p.k*stride:][:p.k*stride], stride, p.A, p.ARow, p.ATrans, r0, min(inner.tileRows, p.M-r0), p.k0, p.k)
}

// packBlock lays rows r0, r0+1, … of a matrix out as tiles read them:
// words[k·stride+i].
func packBlock(words []float32, stride int, a []float32, row int, transposed bool, r0, rows, k0, k int) {
	if !transposed {
		inner.transpose(rows, k, words, stride, a[r0*row+k0:], row)
		return
	}
	for i := range k {
		copy(words[i*stride:][:rows], a[(k0+i)*row+r0:])
	}
}

// packPanel lays columns n0, n0+1, … of a matrix out as a panel.
func packPanel(panel, b []float32, row int, transposed bool, k0, k, n0, width int) {
	if width < panelWidth {
		clear(panel) // leftovers may be denormal, which is slow
	}
	if transposed {
		inner.transpose(width, k, panel, panelWidth, b[n0*row+k0:], row)
		return
	}
	for i := range k {
		copy(panel[i*panelWidth:][:width], b[(k0+i)*row+n0:])
	}
}

// operand is a matrix in memory: rows of row floats, or its transpose.
type operand struct {
	data       []float32
	row        int
	transposed bool
}

// multiply stores a·b in dst [m, n] of rows of dstRow floats, or adds it, on one
// thread. It wants scratch of multiplyScratch(k) floats.
func multiply(dst []float32, dstRow, m, n, k int, a, b operand, add bool, scratch []float32) {
	stride := (inner.tileRows + 7) &^ 7
	panel, words, sums := scratch[:k*panelWidth], scratch[k*panelWidth:][:k*stride], scratch[k*(panelWidth+stride):]
	for n0 := 0; n0 < n; n0 += panelWidth {
		width := min(panelWidth, n-n0)
		packPanel(panel, b.data, b.row, b.transposed, 0, k, n0, width)
		for r0 := 0; r0 < m; r0 += inner.tileRows {
			rows := min(inner.tileRows, m-r0)
			packBlock(words, stride, a.data, a.row, a.transposed, r0, rows, 0, k)
			inner.tile[F32](rows, k, words, stride, panel, sums)
			out := dst[r0*dstRow+n0:]
			var residual []float32
			if add {
				residual = out
			}
			inner.epilogue(rows, width, out, dstRow, sums, panelWidth, nil, nil, residual, dstRow, None)
		}
	}
}

func multiplyScratch(k int) int {
	return k*(panelWidth+(inner.tileRows+7)&^7) + inner.tileRows*panelWidth
}
