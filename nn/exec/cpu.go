package exec

import (
	"fmt"
	"sync"
	"unsafe"

	G "gorgonia.org/gorgonia"

	"github.com/seed-e0874532/coca/internal/kernel"
	"github.com/seed-e0874532/coca/nn/op"
)

// CPU is the device that runs kernels of package kernel on a pool of threads.
type CPU struct {
	pool      *kernel.Pool
	precision Precision

	mu       sync.Mutex
	matrices map[matrixKey]*kernel.Matrix
}

// matrixKey identifies a weight by its memory: programs that use the same
// weight share its prepared form.
type matrixKey struct {
	data    *float32
	in, out int
	order   kernel.Order
}

// Precision is how a device keeps and multiplies the weights of linear maps.
// Everything else, and all sums, stay float32.
type Precision = kernel.Precision

// Precisions.
const (
	FP32 = kernel.F32
	BF16 = kernel.BF16
	Int8 = kernel.Int8
)

// ParsePrecision reads fp32, bf16 or int8.
func ParsePrecision(name string) (Precision, error) {
	switch name {
	case "fp32":
		return FP32, nil
	case "bf16":
		return BF16, nil
	case "int8":
		return Int8, nil
	}
	return FP32, fmt.Errorf("precision: want fp32, bf16 or int8, got %q", name)
}

// NewCPU starts a device with the given number of threads; 0 means one per
// processor. It fails if the environment asks for an instruction set that the
// machine lacks (COCA_ISA).
func NewCPU(threads int, precision Precision) (*CPU, error) {
	if threads < 0 {
		return nil, fmt.Errorf("threads: want 0 or more, got %d", threads)
	}
	if err := kernel.CheckISA(); err != nil {
		return nil, err
	}
	return &CPU{pool: kernel.NewPool(threads), precision: precision, matrices: map[matrixKey]*kernel.Matrix{}}, nil
}

// Name implements Device.
func (d *CPU) Name() string {
	return fmt.Sprintf("cpu %s, %d threads, %s", kernel.ISA(), d.pool.Threads(), d.precision)
}

// Close implements Device.
func (d *CPU) Close() error {
	d.pool.Close()
	return nil
}

// Overwrites implements Device: a linear map may add its residual in place.
func (d *CPU) Overwrites(o G.Op) int {
	if l, ok := o.(*op.Linear); ok && l.Residual {
		return l.Arity() - 1
	}
	return -1
}

// matrix is the shared weight that lies at the given memory.
func (d *CPU) matrix(data []float32, out, in int, order kernel.Order) *kernel.Matrix {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := matrixKey{unsafe.SliceData(data), in, out, order}
	m := d.matrices[key]
	if m == nil {
		m = kernel.NewMatrixPrecision(data, out, in, order, d.precision)
		d.matrices[key] = m
	}
	return m
}

// Bind implements Device.
func (d *CPU) Bind(o G.Op, out Operand, in []Operand) (Kernel, error) {
	switch o := o.(type) {
	case *op.Linear:
		return d.linear(o, out, in)
	case *op.LayerNorm:
		y, x, gamma, beta := floats(out), floats(in[0]), floats(in[1]), floats(in[2])
		rows, width := rowsAndWidth(in[0])
		return func() error {
			kernel.LayerNorm(d.pool, y, x, rows, width, gamma, beta, o.Eps)
			return nil
		}, nil
	case *op.Normalize:
		y, x := floats(out), floats(in[0])
		rows, width := rowsAndWidth(in[0])
		return func() error {
			kernel.Normalize(d.pool, y, x, rows, width)
			return nil
		}, nil
	case *op.Attention:
		return d.attention(o, out, in)
	case *op.CachedAttention:
		return d.cachedAttention(o, out, in)
	case *op.Patches:
		y, x, s := floats(out), floats(in[0]), in[0].Shape
		return func() error {
			kernel.Patches(d.pool, y, x, s[0], s[1], s[2], s[3], o.Patch)
			return nil
		}, nil
	case *op.Embed:
		y, ids, table := floats(out), ints(in[0]), floats(in[1])
		rows, width := in[1].Shape[0], in[1].Shape[1]
		return func() error {
			if err := o.Check(ids, rows); err != nil {
				return err
			}
			kernel.Embed(d.pool, y, ids, table, width)
			return nil
		}, nil
	}
	return d.simple(o, out, in)
}

// simple binds the operators that only move data: their own definition is
// their kernel.
func (d *CPU) simple(o G.Op, out Operand, in []Operand) (Kernel, error) {
	switch o := o.(type) {
	case *op.Positions:
		y, x, table, s := floats(out), floats(in[0]), floats(in[1]), in[0].Shape
		var class []float32
		if len(in) > 2 {
			class = floats(in[2])
		}
		return func() error { o.Run(y, x, table, class, s); return nil }, nil
	case *op.PositionAt:
		y, x, table, pos, width := floats(out), floats(in[0]), floats(in[1]), ints(in[2]), in[0].Shape[1]
		return func() error { return o.Run(y, x, table, pos, width) }, nil
	case *op.Rows:
		y, x, s := floats(out), floats(in[0]), in[0].Shape
		return func() error { o.Run(y, x, s); return nil }, nil
	case *op.Pool:
		y, x, s := floats(out), floats(in[0]), in[0].Shape
		var ids []int32
		if len(in) > 1 {
			ids = ints(in[1])
		}
		return func() error { o.Run(y, x, ids, s); return nil }, nil
	case *op.PaddingMask:
		hidden, ids, length := out.Data.([]bool), ints(in[0]), in[0].Shape[1]
		return func() error { o.Run(hidden, ids, length); return nil }, nil
	}
	return nil, &UnsupportedError{d.Name(), o.String()}
}

func (d *CPU) linear(o *op.Linear, out Operand, in []Operand) (Kernel, error) {
	data := make([][]float32, len(in))
	for i, x := range in {
		data[i] = floats(x)
	}
	if !in[1].Input {
		return nil, fmt.Errorf("%s: want an input of the graph as weight, got a computed value", o)
	}
	nin, nout := o.Sizes(in[1].Shape)
	rows, _ := rowsAndWidth(in[0])
	y, x, e := floats(out), data[0], o.Epilogue(data)
	m := d.matrix(data[1], nout, nin, o.Order)
	return func() error {
		m.Linear(d.pool, y, x, rows, e)
		return nil
	}, nil
}
