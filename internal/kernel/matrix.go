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

// Precision is how a Matrix keeps and multiplies its weight. Sums and results
// are float32 in each.
type Precision uint8

const (
	F32  Precision = iota
	BF16           // weights rounded to bfloat16; activations too where the processor multiplies pairs
	Int8           // weights as int8 with a scale for each output, activations with one for each row
)

func (p Precision) String() string { return [...]string{"f32", "bf16", "int8"}[p] }

// perWord is the number of weights in a word of 4 bytes.
func (p Precision) perWord() int { return [...]int{1, 2, 4}[p] }

// Matrix is the weight of a linear map from in to out values. It starts as a
// view of the caller's data and copies nothing until a product wants another
// layout; see Prepare. It is safe for concurrent use.
type Matrix struct {
	out, in   int
	order     Order
	precision Precision

	mu     sync.Mutex // held while panels are made
	source atomic.Pointer[source]
	panels atomic.Pointer[Panels]

	follower atomic.Pointer[Matrix] // the matrix of the product after this one's, last time
}

// source is the caller's data, in one of the two types.
type source struct {
	wide   []float32
	narrow []uint16 // bfloat16
}

// NewMatrix wraps data, [out, in] or [in, out] as order says, without copying
// it. The data must not change afterwards.
func NewMatrix(data []float32, out, in int, order Order) *Matrix {
	return NewMatrixPrecision(data, out, in, order, F32)
}

// NewMatrixPrecision is NewMatrix for a weight that is multiplied in the given
// precision.
func NewMatrixPrecision(data []float32, out, in int, order Order, precision Precision) *Matrix {
	m := &Matrix{out: out, in: in, order: order, precision: precision}
	m.source.Store(&source{wide: data[:out*in]})
	return m
}

// NewMatrixBF16 wraps data that is stored in bfloat16 and multiplied as such.
func NewMatrixBF16(data []uint16, out, in int, order Order) *Matrix {
	m := &Matrix{out: out, in: in, order: order, precision: BF16}
	m.source.Store(&source{narrow: data[:out*in]})
	return m
}

// Out and In are the sizes of the map.
func (m *Matrix) Out() int { return m.out }
func (m *Matrix) In() int  { return m.in }

// Precision is how the weight is kept and multiplied.
func (m *Matrix) Precision() Precision { return m.precision }

// smallRows is the largest number of rows that Linear multiplies straight from
// row-major weights, and smallRowsInOut that for weights in the order InOut, whose
// sums go through the caches again and again; above it the weight is packed first.
const (
	smallRows      = 16
	smallRowsInOut = 8
)

// Prepare makes ready what products of the given number of rows need. Up to 16
// rows of float32, 8 in the order InOut, nothing is needed. For more, and for the narrow precisions,
// the weight is packed into panels and the Matrix lets go of the original data,
// so that the weight is kept once: later products of few rows read the panels
// too. Linear does the same by itself; calling Prepare ahead moves the cost out
// of the first product.
func (m *Matrix) Prepare(rows int) { m.prepare(nil, rows) }

func (m *Matrix) prepare(p *Pool, rows int) {
	if rows > smallRows || m.precision != F32 || m.order == InOut && rows > smallRowsInOut {
		m.Pack(p)
	}
}

// Packed tells whether the Matrix holds panels and no longer reads the data
// that it was made from.
func (m *Matrix) Packed() bool { return m.panels.Load() != nil }
