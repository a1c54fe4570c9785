package kernel

import "math"

// Product is dst = A·B for two matrices that are both computed anew for each
// run, as in a backward pass, where neither side is a weight that could be
// packed ahead. It is also how a weight that changes between runs is multiplied.
//
// The smaller operand is packed for all threads, in parts that stay in the cache. The
// other one is cut into pieces of work, and each thread packs a piece where only it
// needs it. No matrix is ever read twice from memory, and nothing is kept.
//
// A Product is made once and run many times; Run does not allocate once the
// pool has seen its sizes. The result does not depend on the number of threads.
type Product struct {
	M, N, K int

	A    []float32 // [M, K] in rows of ARow floats; if ATrans, [K, M]
	ARow int
	B    []float32 // [K, N] in rows of BRow floats; if BTrans, [N, K]
	BRow int

	ATrans, BTrans bool

	// Precision F32, or BF16: where the processor multiplies pairs of bfloat16
	// values, both operands are rounded to them while they are packed. Sums and Dst
	// are float32 in any case. Elsewhere BF16 is F32.
	Precision Precision

	Dst []float32 // [M, N]
	Epilogue

	frame *frame
	packing
	shared []float32 // the operand packed for all: panels of B, or row blocks of A
	rows   bool      // a piece of work is some row blocks of A, and B is shared
	blocks int       // of rows
	panels int
	group  int // blocks or panels in a piece of work
	add    bool
}

// packing says which part of the inner axis is packed, and how.
type packing struct {
	k0, k int
	pairs bool // a word is a pair of bfloat16 values, else one float32
}

// steps is the number of words of one row or column.
func (p packing) steps() int {
	if p.pairs {
		return (p.k + 1) / 2
	}
	return p.k
}

const (
	sharedWords  = 1 << 18 // what of a long shared operand is packed at a time
	privateWords = 1 << 16 // what a thread packs at a time, in its second-level cache
	shortestPart = 1024    // of the inner axis: results are stored once for each part
)

// Run computes Dst.
func (t *Product) Run(p *Pool) {
	if t.M == 0 || t.N == 0 {
		return
	}
	t.Epilogue.check(t.M, t.N)
	t.frame = p.frame()
	t.pairs = t.Precision == BF16 && inner.bf16Pairs
	t.blocks = (t.M + inner.tileRows - 1) / inner.tileRows
	t.panels = (t.N + panelWidth - 1) / panelWidth
	t.rows = t.M > t.N
	parts := 1
	if t.plain() {
		part := max(shortestPart, sharedWords/min(t.M, t.N))
		parts = max(1, (t.K+part/2)/part)
	}
	pieces, packed, size := t.panels, t.blocks, 0
	if t.rows {
		pieces, packed = t.blocks, t.panels
	}
	for i := range parts {
		// Parts start at even places, so that pairs do not straddle them.
		t.k0 = i * t.K / parts &^ 1
		end := t.K
		if i+1 < parts {
			end = (i + 1) * t.K / parts &^ 1
		}
		t.k, t.add = end-t.k0, i > 0
		if t.rows {
			size = t.steps() * panelWidth
			t.group = privateWords / max(1, t.steps()*t.stride())
		} else {
			size = t.steps() * t.stride()
			t.group = privateWords / max(1, t.steps()*panelWidth)
		}
		t.group = max(1, min(t.group, pieces/(12*p.Threads())))
		t.shared = t.frame.common(packed * size)
		p.Run(packed, (*productPack)(t))
		p.Run((pieces+t.group-1)/t.group, t)
	}
	f := t.frame
	t.frame, t.shared = nil, nil
	p.release(f)
}

// plain tells whether sums are stored as they are, so that they may be made in
// several passes.
func (t *Product) plain() bool {
	return t.K > 0 && t.Bias == nil && t.Scale == nil && t.Residual == nil && t.Act == None
}

func (t *Product) stride() int {
	if t.pairs {
		return (min(t.M, inner.tileRows) + 15) &^ 15 // as pairColumns writes them
	}
	return (min(t.M, inner.tileRows) + 7) &^ 7
}

// block returns the rows of block b; blocks are as equal as possible.
func (t *Product) block(b int) (r0, rows int) {
	r0 = b * t.M / t.blocks
	return r0, (b+1)*t.M/t.blocks - r0
}

// packA packs row block b, packB panel i.
func (t *Product) packA(words []float32, b int) {
	r0, rows := t.block(b)
	t.packBlock(words, t.stride(), operand{t.A, t.ARow, t.ATrans}, r0, rows)
}

func (t *Product) packB(panel []float32, i int) {
	n0 := i * panelWidth
	t.packPanel(panel, operand{t.B, t.BRow, t.BTrans}, n0, min(panelWidth, t.N-n0))
}

// Do computes some rows, or some columns.
func (t *Product) Do(worker, i int) {
	steps := t.steps()
	block, panel := steps*t.stride(), steps*panelWidth
	size := block
	if !t.rows {
		size = t.group * panel
	}
	s := t.frame.scratch(worker, size+inner.tileRows*panelWidth)
	own, sums := s[:size], s[size:]
	from := i * t.group
	if t.rows {
		to := min(from+t.group, t.blocks)
		for b := from; b < to; b++ {
			t.packA(own, b)
			for j := range t.panels {
				if b+1 < to {
					t.announce(b+1, j)
				}
				t.tile(b, j, own, t.shared[j*panel:][:panel], sums)
			}
		}
		return
	}
	to := min(from+t.group, t.panels)
	for j := from; j < to; j++ {
		t.packB(own[(j-from)*panel:][:panel], j)
	}
	for b := range t.blocks {
		for j := from; j < to; j++ {
			t.tile(b, j, t.shared[b*block:], own[(j-from)*panel:][:panel], sums)
		}
	}
}

// tile computes one block of rows of one panel.
func (t *Product) tile(b, j int, words, panel, sums []float32) {
	r0, rows := t.block(b)
	e := t.Epilogue
	if t.add {
		e.Residual = t.Dst
	}
	n0 := j * panelWidth
	inner.prefetch(rows, t.Dst[r0*t.N+n0:], t.N)
	if e.Residual != nil && !t.add {
		inner.prefetch(rows, e.Residual[r0*t.N+n0:], t.N)
	}
	t.multiply(rows, words, t.stride(), panel, sums)
	e.apply(t.Dst, t.N, r0, rows, n0, min(n0+panelWidth, t.N), sums, panelWidth)
}

// announce fetches a part of block b before it is packed, while tile j of the block
// before it is computed.
func (t *Product) announce(b, j int) {
	if t.ATrans {
		return
	}
	r0, rows := t.block(b)
	lines := (t.k + panelWidth - 1) / panelWidth // of 32 floats
	for i := j * lines / t.panels; i < (j+1)*lines/t.panels; i++ {
		inner.prefetch(rows, t.A[r0*t.ARow+t.k0+i*panelWidth:], t.ARow)
	}
}

// productPack packs the shared operand.
type productPack Product

func (t *productPack) Do(_, i int) {
	p := (*Product)(t)
	steps := p.steps()
	if p.rows {
		size := steps * panelWidth
		p.packB(p.shared[i*size:][:size], i)
	} else {
		size := steps * p.stride()
		p.packA(p.shared[i*size:][:size], i)
	}
}

// operand is a matrix in memory: rows of row floats, or its transpose.
type operand struct {
	data       []float32
	row        int
	transposed bool
}

// multiply stores the product of packed rows and a panel in sums.
func (p packing) multiply(rows int, words []float32, stride int, panel, sums []float32) {
	tile := inner.tile[F32]
	if p.pairs {
		tile = inner.tile[BF16]
	}
	tile(rows, p.steps(), words, stride, panel, sums)
}

// packBlock lays rows r0, r0+1, … of a matrix out as tiles read them:
// words[k·stride+i].
func (p packing) packBlock(words []float32, stride int, a operand, r0, rows int) {
	if a.transposed {
		p.packColumns(words, stride, a.data[p.k0*a.row+r0:], a.row, rows)
	} else {
		p.packRows(words, stride, a.data[r0*a.row+p.k0:], a.row, rows)
	}
}

// packPanel lays columns n0, n0+1, … of a matrix out as a panel.
func (p packing) packPanel(panel []float32, b operand, n0, width int) {
	if width < panelWidth {
		clear(panel) // leftovers may be denormal, which is slow
	}
	if b.transposed {
		p.packRows(panel, panelWidth, b.data[n0*b.row+p.k0:], b.row, width)
	} else {
		p.packColumns(panel, panelWidth, b.data[p.k0*b.row+n0:], b.row, width)
	}
}

// packRows packs n vectors that are rows of src: words[k·stride+i].
func (p packing) packRows(words []float32, stride int, src []float32, row, n int) {
	if !p.pairs {
		inner.transpose(n, p.k, words, stride, src, row)
		return
	}
	even := p.k &^ 1
	inner.pairColumns(n, even, words, stride, src, row)
	if even < p.k { // the last pair has one value
		for i := range n {
			lastPair(&words[even/2*stride+i], src[i*row+even])
		}
	}
}

// lastPair stores a value and 0.
func lastPair(word *float32, v float32) { *word = math.Float32frombits(uint32(roundBF16(v))) }

// packColumns packs n vectors that are columns of src.
func (p packing) packColumns(words []float32, stride int, src []float32, row, n int) {
	if !p.pairs {
		inner.copyRows(p.k, n, words, stride, src, row)
		return
	}
	inner.pairRows(p.k/2, n, words, stride, src, row)
	if p.k%2 > 0 { // the last pair has one row
		for i, v := range src[(p.k-1)*row:][:n] {
			lastPair(&words[p.k/2*stride+i], v)
		}
	}
}
