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
	f.linear = linearTask{m: m, dst: dst, x: x, rows: rows, e: e}
	if panels := m.panels.Load(); panels != nil {
		f.linear.panels = *panels
	} else {
		f.linear.data = *m.data.Load()
	}
	p.Run((m.out+panelWidth-1)/panelWidth, &f.linear)
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

// linearTask computes panelWidth columns of the result at a time.
type linearTask struct {
	m            *Matrix
	dst, x       []float32
	rows         int
	e            Epilogue
	panels, data []float32 // one of them
}

func (t *linearTask) Do(_, i int) {
	m := t.m
	o0, o1 := i*panelWidth, min((i+1)*panelWidth, m.out)
	switch {
	case t.panels != nil:
		panelGeneric(t.dst, t.x, t.panels[o0*m.in:][:panelWidth*m.in], t.rows, m.out, m.in, o0, o1)
	case m.order == OutIn:
		outInGeneric(t.dst, t.x, t.data, t.rows, m.out, m.in, o0, o1)
	default:
		inOutGeneric(t.dst, t.x, t.data, t.rows, m.out, m.in, o0, o1)
	}
	epilogueGeneric(t.dst, t.rows, m.out, o0, o1, &t.e)
}

// outInGeneric computes columns [o0, o1) of dst[rows, out] = x[rows, in]·wᵀ for
// w [out, in].
func outInGeneric(dst, x, w []float32, rows, out, in, o0, o1 int) {
	for o := o0; o < o1; o++ {
		weights := w[o*in:][:in]
		for r := range rows {
			var sum float32
			for k, v := range x[r*in:][:in] {
				sum += float32(v * weights[k])
			}
			dst[r*out+o] = sum
		}
	}
}

// inOutGeneric computes columns [o0, o1) of dst[rows, out] = x[rows, in]·w for
// w [in, out].
func inOutGeneric(dst, x, w []float32, rows, out, in, o0, o1 int) {
	for r := range rows {
		sums := dst[r*out+o0 : r*out+o1]
		clear(sums)
		for k, v := range x[r*in:][:in] {
			for o, weight := range w[k*out+o0 : k*out+o1] {
				sums[o] += float32(v * weight)
			}
		}
	}
}

// panelGeneric computes columns [o0, o1) of dst[rows, out] from their panel.
func panelGeneric(dst, x, panel []float32, rows, out, in, o0, o1 int) {
	for r := range rows {
		var sums [panelWidth]float32
		for k, v := range x[r*in:][:in] {
			for o, weight := range (*[panelWidth]float32)(panel[k*panelWidth:]) {
				sums[o] += float32(v * weight)
			}
		}
		copy(dst[r*out+o0:r*out+o1], sums[:])
	}
}

// epilogueGeneric applies e to columns [o0, o1) of dst[rows, out].
func epilogueGeneric(dst []float32, rows, out, o0, o1 int, e *Epilogue) {
	for r := range rows {
		row := dst[r*out+o0 : r*out+o1]
		if e.Bias != nil {
			addGeneric(row, row, e.Bias[o0:o1])
		}
		activateGeneric(row, row, e.Act)
		if e.Scale != nil {
			for i, s := range e.Scale[o0:o1] {
				row[i] = float32(row[i] * s)
			}
		}
		if e.Residual != nil {
			addGeneric(row, row, e.Residual[r*out+o0:r*out+o1])
		}
	}
}
