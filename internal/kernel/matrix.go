package kernel

import (
	"sync"
	"sync/atomic"
)

// Order says how the weight of a linear map lies in memory.
type Order uint8

const (
	OutIn Order = iota // w[out][in], PyTorch's Linear: y = x·wᵀ
	InOut              // w[in][out], a projection used as y = x·w
)

// Matrix is the weight of a linear map from in to out values. It starts as a
// view of the caller's data and copies nothing until a product wants another
// layout; see Prepare. It is safe for concurrent use.
type Matrix struct {
	out, in int
	order   Order

	mu     sync.Mutex // held while panels are made
	data   atomic.Pointer[[]float32]
	panels atomic.Pointer[[]float32]
}

// NewMatrix wraps data, [out, in] or [in, out] as order says, without copying
// it. The data must not change afterwards.
func NewMatrix(data []float32, out, in int, order Order) *Matrix {
	data = data[:out*in]
	m := &Matrix{out: out, in: in, order: order}
	m.data.Store(&data)
	return m
}

// Out and In are the sizes of the map.
func (m *Matrix) Out() int { return m.out }
func (m *Matrix) In() int  { return m.in }

// smallRows is the largest number of rows that Linear multiplies straight from
// row-major weights; above it the weight is packed first.
const smallRows = 16

// Prepare makes ready what products of the given number of rows need. Up to 16
// rows nothing is needed. For more, the weight is packed into panels and the
// Matrix lets go of the original data, so that the weight is kept once: later
// products of few rows read the panels too. Linear does the same by itself;
// calling Prepare ahead moves the cost out of the first product.
func (m *Matrix) Prepare(rows int) { m.prepare(nil, rows) }

func (m *Matrix) prepare(p *Pool, rows int) {
	if rows > smallRows {
		m.Pack(p)
	}
}

// Packed tells whether the Matrix holds panels of its own and no longer reads
// the data that it was made from.
func (m *Matrix) Packed() bool { return m.panels.Load() != nil }

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
	f := p.frame()
	t := &f.linear
	*t = linearTask{m: m, frame: f, dst: dst, x: x, rows: rows, e: e, width: panelWidth}
	switch panels := m.panels.Load(); {
	case panels != nil:
		t.panels = *panels
		t.packRows(p)
	case m.order == OutIn:
		t.data = *m.data.Load()
	default:
		t.data, t.width = *m.data.Load(), stripWidth
	}
	p.Run((m.out+t.width-1)/t.width, t)
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

// stripWidth is how many outputs of an [in, out] weight a piece of work
// computes: wide enough to read memory in long stretches, narrow enough for the
// sums of a few rows to stay in the first-level cache.
const stripWidth = 512

// linearTask computes width columns of the result at a time.
type linearTask struct {
	width        int
	m            *Matrix
	frame        *frame
	dst, x       []float32
	rows         int
	e            Epilogue
	panels, data []float32 // one of them

	// With panels, the rows are cut into blocks as equal as possible and each
	// block is stored transposed, a[k·stride+i], as the tiles read it.
	packed []float32
	blocks int
	stride int
}

func (t *linearTask) Do(worker, i int) {
	m := t.m
	o0, o1 := i*t.width, min((i+1)*t.width, m.out)
	if t.panels == nil {
		sums := t.frame.scratch(worker, t.rows*t.width)
		if m.order == OutIn {
			t.dots(sums, o0, o1)
		} else {
			inner.axpy(t.rows, m.in, o1-o0, t.x, m.in, t.data[o0:], m.out, sums, t.width, false)
		}
		t.e.apply(t.dst, m.out, 0, t.rows, o0, o1, sums, t.width)
		return
	}
	panel := t.panels[o0*m.in:][:panelWidth*m.in]
	sums := t.frame.scratch(worker, inner.tileRows*panelWidth)
	for b := range t.blocks {
		r0, r1 := t.block(b)
		inner.tile(r1-r0, m.in, t.packed[b*m.in*t.stride:], t.stride, panel, sums)
		t.e.apply(t.dst, m.out, r0, r1-r0, o0, o1, sums, panelWidth)
	}
}

// block returns the rows of block b.
func (t *linearTask) block(b int) (r0, r1 int) {
	return b * t.rows / t.blocks, (b + 1) * t.rows / t.blocks
}

// packRows makes packed from x.
func (t *linearTask) packRows(p *Pool) {
	t.blocks = (t.rows + inner.tileRows - 1) / inner.tileRows
	if t.rows <= 1 { // one row is its own transpose
		t.packed, t.stride = t.x, 1
		return
	}
	t.stride = (min(t.rows, inner.tileRows) + 7) &^ 7
	t.packed = t.frame.common(t.blocks * t.m.in * t.stride)
	t.frame.packRows.t = t
	p.Run(t.blocks, &t.frame.packRows)
}

// packRowsTask transposes one block of rows.
type packRowsTask struct{ t *linearTask }

func (p *packRowsTask) Do(_, b int) {
	t := p.t
	r0, r1 := t.block(b)
	inner.transpose(r1-r0, t.m.in, t.packed[b*t.m.in*t.stride:], t.stride, t.x[r0*t.m.in:], t.m.in)
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
