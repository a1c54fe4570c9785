package kernel

// Epilogue is what happens to a product before it is stored, in this order.
type Epilogue struct {
	Bias     []float32  // [out], added; or nil
	Act      Activation // applied to the sum
	Scale    []float32  // [out], multiplied after Act; or nil. The γ of a layer scale
	Residual []float32  // [rows, out], added last; or nil. It may be dst itself
}

// Linear computes dst[rows, out] = act(x[rows, in]·Wᵀ + bias)·scale + residual.
// dst must not overlap x.
func (m *Matrix) Linear(p *Pool, dst, x []float32, rows int, e Epilogue) {
	dst, x = dst[:rows*m.out], x[:rows*m.in]
	e.check(rows, m.out)
	m.prepare(p, rows)
	if p.Threads() > 1 {
		p.ahead.announce(m)
	}
	f := p.frame()
	t := &f.linear
	*t = linearTask{m: m, frame: f, dst: dst, x: x, rows: rows, e: e, width: panelWidth, groups: 1}
	// In this order: Pack publishes the panels before it drops the source.
	from := m.source.Load()
	if t.panels = m.panels.Load(); t.panels != nil {
		t.width = panelWidth * panelsAtOnce(p, rows, t.panels.count())
		t.packRows(p)
	} else {
		t.data = from.wide
		if m.order == InOut {
			t.width = columnsAtOnce(p, rows, m.out)
		}
	}
	t.pieces = (m.out + t.width - 1) / t.width
	t.threads = (p.Threads() + t.groups - 1) / t.groups
	p.RunGroups(t.groups*t.pieces, t.groups, t)
	p.release(f)
}

func (e *Epilogue) check(rows, out int) {
	if e.Bias != nil {
		e.Bias = e.Bias[:out]
	}
	if e.Scale != nil {
		e.Scale = e.Scale[:out]
	}
	if e.Residual != nil {
		e.Residual = e.Residual[:rows*out]
	}
}

// apply stores the results of rows [r0, r0+rows) and columns [o0, o1) in dst
// [·, out], from sums [rows, sumsRow].
func (e *Epilogue) apply(dst []float32, out, r0, rows, o0, o1 int, sums []float32, sumsRow int) {
	var bias, scale, residual []float32
	if e.Bias != nil {
		bias = e.Bias[o0:o1]
	}
	if e.Scale != nil {
		scale = e.Scale[o0:o1]
	}
	if e.Residual != nil {
		residual = e.Residual[r0*out+o0:]
	}
	inner.epilogue(rows, o1-o0, dst[r0*out+o0:], out, sums, sumsRow, bias, scale, residual, out, e.Act)
}

// columnsAtOnce is how many outputs of an [in, out] weight a piece of work
// computes: wide, to read memory in long stretches, but with the sums of all rows
// well inside the second-level cache and a few pieces for each thread. The result
// does not depend on it.
func columnsAtOnce(p *Pool, rows, out int) int {
	width := min(2048, 16384/max(rows, 1), out/(4*p.Threads()))
	return max(width&^63, 64)
}

// panelsAtOnce is how many neighbouring panels a piece of work takes. Few rows
// read panels at the speed of memory, which is lost for a moment wherever a
// thread jumps; many rows spend so long on a panel that one is enough.
func panelsAtOnce(p *Pool, rows, count int) int {
	if rows > smallRows {
		return 1
	}
	return max(1, min(count/(4*p.Threads()), 16))
}

// linearTask computes width columns of the result at a time, for a group of its rows.
type linearTask struct {
	m       *Matrix
	frame   *frame
	dst, x  []float32
	rows    int
	e       Epilogue
	width   int
	groups  int       // of rows
	pieces  int       // of columns
	threads int       // that work on a group
	panels  *Panels   // or else
	data    []float32 // the row-major weight

	rowBlocks // of panels
}

// rowBlocks are the rows of x as tiles read them: cut into blocks as equal as
// possible, each block transposed, words[k·stride+i].
type rowBlocks struct {
	words    []float32 // [blocks, steps, stride]
	blocks   int
	steps    int // words in a row
	stride   int
	rowScale []float32 // [rows], of Int8
}

func (t *linearTask) Do(worker, i int) {
	group, i := i/t.pieces, i%t.pieces
	i = (i + group*t.pieces/t.groups) % t.pieces // groups do not wait for the same panel at the same time
	o0, o1 := i*t.width, min((i+1)*t.width, t.m.out)
	if t.panels != nil {
		if t.rows <= inner.stripRows && t.steps > 0 && inner.strip[t.panels.Precision] != nil {
			t.strip(worker, o0, o1)
			return
		}
		for ; o0 < o1; o0 += panelWidth {
			// A thread takes one panel after another of this piece, and then most
			// likely the piece after those that the others have now.
			next := o0 + panelWidth
			if next >= o1 {
				next = (i + t.threads) * t.width
			}
			t.panel(worker, group, o0, min(o0+panelWidth, o1), next)
		}
		return
	}
	sums := t.frame.scratch(worker, t.rows*t.width)
	if t.m.order == OutIn {
		t.dots(sums, o0, o1)
	} else {
		inner.axpy(t.rows, t.m.in, o1-o0, t.x, t.m.in, t.data[o0:], t.m.out, sums, t.width, false)
	}
	t.e.apply(t.dst, t.m.out, 0, t.rows, o0, o1, sums, t.width)
}

// strip computes columns [o0, o1) of few rows from their panels, which lie one after another.
func (t *linearTask) strip(worker, o0, o1 int) {
	w := t.panels
	steps, count := w.steps(), (o1-o0+panelWidth-1)/panelWidth
	row := count * panelWidth
	sums := t.frame.scratch(worker, t.rows*row)
	inner.strip[w.Precision](t.rows, count, steps, t.words, t.stride, w.Words[o0*steps:], sums, row)
	if w.Precision == Int8 {
		inner.dequantize(row, sums, w.Correction[o0:], w.Scale[o0:], t.rowScale[:t.rows])
	}
	t.e.apply(t.dst, t.m.out, 0, t.rows, o0, o1, sums, row)
}

// panel computes columns [o0, o1) of a group from their panel, while the one of columns
// from next on comes nearer.
func (t *linearTask) panel(worker, group, o0, o1, next int) {
	w := t.panels
	steps := w.steps()
	panel := w.Words[o0*steps:][:panelWidth*steps]
	var ahead []float32
	if next < t.m.out {
		ahead = w.Words[next*steps:][:panelWidth*steps]
	}
	sums := t.frame.scratch(worker, inner.tileRows*panelWidth)
	tile, tileAhead := inner.tile[w.Precision], inner.tileAhead[w.Precision]
	for b := group * t.blocks / t.groups; b < (group+1)*t.blocks/t.groups; b++ {
		r0, r1 := t.block(b)
		words := t.words[b*t.steps*t.stride:]
		inner.prefetch(r1-r0, t.dst[r0*t.m.out+o0:], t.m.out)
		if t.e.Residual != nil {
			inner.prefetch(r1-r0, t.e.Residual[r0*t.m.out+o0:], t.m.out)
		}
		if tileAhead != nil {
			asked := tileAhead(r1-r0, steps, words, t.stride, panel, sums, ahead)
			ahead = ahead[min(asked, len(ahead)):]
		} else {
			tile(r1-r0, steps, words, t.stride, panel, sums)
		}
		if w.Precision == Int8 {
			inner.dequantize(panelWidth, sums, w.Correction[o0:], w.Scale[o0:], t.rowScale[r0:r1])
		}
		t.e.apply(t.dst, t.m.out, r0, r1-r0, o0, o1, sums, panelWidth)
	}
}

// block returns the rows of block b.
func (t *linearTask) block(b int) (r0, r1 int) {
	return b * t.rows / t.blocks, (b + 1) * t.rows / t.blocks
}

// packRows makes the row blocks from x.
func (t *linearTask) packRows(p *Pool) {
	t.blocks = (t.rows + inner.tileRows - 1) / inner.tileRows
	t.groups = max(1, min(t.blocks/leastBlocks, p.Threads()))
	var convert Precision
	convert, t.steps = activationWords(t.panels.Precision, t.m.in)
	if t.rows == 1 && convert == F32 && t.steps == t.m.in { // one row is its own transpose
		t.words, t.stride = t.x, 1
		return
	}
	t.stride = rowStride(min(t.rows, inner.tileRows))
	n := t.blocks * t.steps * t.stride
	s := t.frame.common(n + t.rows)
	t.words, t.rowScale = s[:n], s[n:]
	f := &t.frame.packRows
	*f = packRowsTask{t, convert}
	p.RunGroups(t.blocks, t.groups, f)
}

// leastBlocks is the number of row blocks that make a panel worth reading.
const leastBlocks = 2

// activationWords tells as what the activations are kept that meet panels of a
// precision, and in how many words for n inputs.
func activationWords(p Precision, n int) (convert Precision, words int) {
	perWord := p.perWord()
	words = (n + perWord - 1) / perWord
	if p == BF16 && !inner.bf16Pairs { // float32 activations, two for a pair
		return F32, 2 * words
	}
	return p, words
}

// rowStride is the distance of the words of one row block.
func rowStride(rows int) int {
	if rows == 1 {
		return 1
	}
	return (rows + 7) &^ 7
}

// packRowsTask converts and transposes one block of rows.
type packRowsTask struct {
	t       *linearTask
	convert Precision
}

func (p *packRowsTask) Do(worker, b int) {
	t := p.t
	r0, r1 := t.block(b)
	words := t.words[b*t.steps*t.stride:][:t.steps*t.stride]
	lines := t.frame.scratch(worker, (r1-r0)*t.steps)
	turnRows(r1-r0, t.m.in, words, t.stride, t.x[r0*t.m.in:], t.m.in, p.convert, lines, t.rowScale[r0:r1])
}

// turnRows stores rows of x, [rows, n], as words, step by step: words[k·stride+i]. lines
// is scratch for as many words, rowScale the scales of rows in Int8.
func turnRows(rows, n int, words []float32, stride int, x []float32, xRow int, convert Precision, lines, rowScale []float32) {
	if convert == F32 {
		if stride == 1 {
			copy(words, x[:n])
		} else {
			inner.transpose(rows, n, words, stride, x, xRow)
		}
		clear(words[n*stride:]) // the second half of the last pair
		return
	}
	if convert == BF16 && stride == 16 && n%2 == 0 { // rounded and transposed at once
		inner.pairColumns(rows, n, words, stride, x, xRow)
		return
	}
	steps := len(words) / stride
	if stride == 1 {
		lines = words
	}
	for r := range rows {
		line, row := lines[r*steps:][:steps], x[r*xRow:][:n]
		if convert == BF16 {
			wordsBF16(line, row)
		} else {
			rowScale[r] = wordsInt8(line, row)
		}
	}
	if stride > 1 {
		inner.transpose(rows, steps, words, stride, lines, steps)
	}
}

// dots computes columns [o0, o1) from an [out, in] weight, some at a time. If
// the last ones are too few, they are computed together with some before them,
// and where there are none before them, one by one.
func (t *linearTask) dots(sums []float32, o0, o1 int) {
	in := t.m.in
	if o1-o0 < dotOutputs {
		for r := range t.rows {
			for o := o0; o < o1; o++ {
				sums[r*panelWidth+o-o0] = float32(dot64(t.x[r*in:][:in], t.data[o*in:]))
			}
		}
		return
	}
	for o := o0; o < o1; o += dotOutputs {
		o = min(o, o1-dotOutputs)
		inner.dot(t.rows, in, t.x, in, t.data[o*in:], in, sums[o-o0:])
	}
}
