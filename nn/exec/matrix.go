package exec

import (
	"sync"
	"unsafe"

	"github.com/seed-e0874532/coca/internal/kernel"
)

// A Treatment is how a device keeps one weight. Columns and Common are exact
// algebra: they only move values to where a narrow type holds them well.
type Treatment struct {
	Precision Precision

	// Columns, powers of two, [in]: input k is divided by Columns[k] before it is
	// rounded, and the weights of input k are multiplied by it. Nil: by one. It takes
	// the outliers out of activations that have them in fixed channels (Xiao et al.,
	// SmoothQuant, 2022).
	Columns []float32

	// Common, [in], is what the weights of all outputs have in common: it is
	// subtracted from each output's weights, and its product with the input, which is
	// one number for each row, is computed in float64 and added to each output. Nil: none.
	Common []float32
}

// Matrix is the weight of a linear map as the device keeps it.
type Matrix struct {
	*kernel.Matrix
	Treatment Treatment
	Name      string

	key    matrixKey
	data   []float32 // the input's values
	given  bool      // prepared by the caller, never treated anew
	packed func(name string)
	told   sync.Once

	reference bool      // multiply the input's values in float32
	samples   int       // rows of the input to keep
	sample    []float32 // those rows
	rows      int       // of the last product
}

// Given tells whether the caller prepared the weight ([CPUOptions].Prepared).
func (m *Matrix) Given() bool { return m.given }

// Treat makes the device keep the weight of a name otherwise than in its
// precision: those that programs use already, and those of programs to come. It must not
// be called while a program of the device runs.
func (d *CPU) Treat(name string, t Treatment) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.treatments[name] = t
	for _, m := range d.matrices {
		if m.Name == name && !m.given {
			m.treat(d.pool, t)
		}
	}
}

// Precision is that of all weights but those treated otherwise.
func (d *CPU) Precision() Precision { return d.opts.Precision }

// matrix is the shared weight of a name that lies at the given memory. Bare
// tells that nothing follows the product, so that a number may be added to each row of it.
func (d *CPU) matrix(name string, data []float32, out, in int, order kernel.Order, bare bool) (*Matrix, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := matrixKey{name, unsafe.SliceData(data), in, out, order}
	if m := d.matrices[key]; m != nil {
		return m, nil
	}
	m := &Matrix{Name: name, key: key, packed: d.opts.Packed, data: data}
	if d.opts.Prepared != nil {
		p, err := d.opts.Prepared(name, out, in, order)
		if err != nil {
			return nil, err
		}
		if p != nil {
			m.Matrix, m.Treatment, m.given = p.Matrix, Treatment{p.Precision(), p.Columns, p.Common}, true
		}
	}
	if !m.given {
		t, ok := d.treatments[name]
		if !ok {
			t.Precision = d.opts.Precision
		}
		if bare && t.Precision != FP32 && t.Common == nil {
			t.Common = Common(m.at, out, in)
		}
		m.treat(d.pool, t)
	}
	d.matrices[key] = m
	return m, nil
}

// at is the weight of output o and input k.
func (m *Matrix) at(o, k int) float32 {
	if m.key.order == kernel.InOut {
		return m.data[k*m.key.out+o]
	}
	return m.data[o*m.key.in+k]
}

// treat keeps the weight in a new way. Only what is subtracted or multiplied
// needs a copy of the values, which lives until they are packed.
func (m *Matrix) treat(p *kernel.Pool, t Treatment) {
	m.Treatment = t
	data := m.data
	if t.Columns != nil || t.Common != nil {
		data = m.shifted(data)
	}
	m.Matrix = kernel.NewMatrixPrecision(data, m.key.out, m.key.in, m.key.order, t.Precision)
	if t.Columns != nil || t.Common != nil {
		m.Pack(p)
	}
}

// shifted is a copy of the values with Common subtracted and multiplied by Columns.
func (m *Matrix) shifted(data []float32) []float32 {
	out, in := m.key.out, m.key.in
	dst := make([]float32, len(data))
	for o := range out {
		for k := range in {
			i := o*in + k
			if m.key.order == kernel.InOut {
				i = k*out + o
			}
			v := data[i]
			if m.Treatment.Common != nil {
				v -= m.Treatment.Common[k]
			}
			if m.Treatment.Columns != nil {
				v *= m.Treatment.Columns[k]
			}
			dst[i] = v
		}
	}
	return dst
}

// linear runs the product, and tells once that the weight was packed.
func (m *Matrix) linear(d *CPU, y, x []float32, rows int, e kernel.Epilogue) {
	m.rows = rows
	if m.samples > 0 {
		m.keep(x, rows)
	}
	if m.reference {
		m.inFloat32(d.pool, y, x, rows, e)
		return
	}
	from := x
	var s *scratch
	if m.Treatment.Columns != nil {
		s = d.scratch.take(rows * m.key.in)
		s.divide = divideTask{s.floats, x, m.Treatment.Columns}
		d.pool.Run(rows, &s.divide)
		from = s.floats
	}
	m.Linear(d.pool, y, from, rows, e)
	if m.Treatment.Common != nil {
		if s == nil {
			s = d.scratch.take(0)
		}
		s.common = commonTask{y, x, m.Treatment.Common, m.key.out}
		d.pool.Run(rows, &s.common)
	}
	if s != nil {
		d.scratch.give(s)
	}
	if m.packed != nil && m.Packed() {
		m.told.Do(func() { m.packed(m.Name) })
	}
}

// inFloat32 multiplies the input's own values.
func (m *Matrix) inFloat32(p *kernel.Pool, y, x []float32, rows int, e kernel.Epilogue) {
	t := &kernel.Product{M: rows, N: m.key.out, K: m.key.in, A: x, ARow: m.key.in, B: m.data, BRow: m.key.out, Dst: y, Epilogue: e}
	if m.key.order == kernel.OutIn {
		t.BRow, t.BTrans = m.key.in, true
	}
	t.Run(p)
}

// scratch is the memory of one product with a treatment, and its tasks, which
// must not be allocated each time.
type scratch struct {
	floats []float32
	divide divideTask
	common commonTask
}

// scratchList keeps scratch for the next product.
type scratchList struct {
	mu   sync.Mutex
	free []*scratch
}

func (l *scratchList) take(n int) *scratch {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.free) == 0 {
		l.free = append(l.free, &scratch{})
	}
	last := len(l.free) - 1
	s := l.free[last]
	l.free = l.free[:last]
	if cap(s.floats) < n {
		s.floats = make([]float32, n)
	}
	s.floats = s.floats[:n]
	return s
}

func (l *scratchList) give(s *scratch) {
	s.divide, s.common = divideTask{}, commonTask{}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.free = append(l.free, s)
}

// divideTask stores row r of x, divided by columns, in dst.
type divideTask struct{ dst, x, columns []float32 }

func (t *divideTask) Do(_, r int) {
	n := len(t.columns)
	dst, x := t.dst[r*n:][:n], t.x[r*n:][:n]
	for k, c := range t.columns {
		dst[k] = x[k] / c
	}
}

// commonTask adds x·common of row r to all outputs of the row.
type commonTask struct {
	y, x, common []float32
	out          int
}

func (t *commonTask) Do(_, r int) {
	var sum float64
	x := t.x[r*len(t.common):][:len(t.common)]
	for k, c := range t.common {
		sum += float64(float64(x[k]) * float64(c))
	}
	y := t.y[r*t.out:][:t.out]
	for o := range y {
		y[o] = float32(float64(y[o]) + sum)
	}
}
