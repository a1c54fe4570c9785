package exec

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	G "gorgonia.org/gorgonia"

	"github.com/seed-e0874532/coca/internal/kernel"
	"github.com/seed-e0874532/coca/nn/op"
)

// CPU is the device that runs kernels of package kernel on a pool of threads.
type CPU struct {
	pool      *kernel.Pool
	opts      CPUOptions
	attention Precision // of products of many queries, see kernel.Attention

	mu         sync.Mutex
	matrices   map[matrixKey]*Matrix
	treatments map[string]Treatment // by the weights' names
	scratch    scratchList
}

// matrixKey identifies a weight: programs that use the same one share its
// prepared form. The memory tells apart the models that share a device.
type matrixKey struct {
	name    string
	data    *float32
	in, out int
	order   kernel.Order
}

// CPUOptions are the choices of a CPU device.
type CPUOptions struct {
	Threads   int // 0: one per processor
	Precision Precision

	// Prepared, if not nil, is asked for each weight by its name before it is
	// made from the input's float32 values; it returns nil for a weight that it
	// does not have. Rows of a weight have the name NAME[lo:hi].
	Prepared func(name string, out, in int, order kernel.Order) (*Prepared, error)

	// Packed, if not nil, is told that the values of a weight were copied into
	// panels and are not read any more.
	Packed func(name string)

	// Training says that weights change from run to run. The device then keeps
	// no prepared form of a weight: products lay weights out as they go, in memory
	// in the processor's cache. Precision may be FP32 or BF16: with BF16 the operands of
	// linear maps and of their gradients are rounded to bfloat16 where the processor
	// multiplies such pairs; weights, activations, gradients and all sums are float32.
	// Prepared and Packed are not used.
	Training bool
}

// Prepared is a weight that a caller prepared for the device; see [Treatment].
type Prepared struct {
	*kernel.Matrix
	Columns, Common []float32
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
	return NewCPUWith(CPUOptions{Threads: threads, Precision: precision})
}

// NewCPUWith is NewCPU with more choices.
func NewCPUWith(opts CPUOptions) (*CPU, error) {
	if opts.Threads < 0 {
		return nil, fmt.Errorf("threads: want 0 or more, got %d", opts.Threads)
	}
	if opts.Training && opts.Precision > BF16 {
		return nil, fmt.Errorf("precision of training: want fp32 or bf16, got %v", opts.Precision)
	}
	if err := kernel.CheckISA(); err != nil {
		return nil, err
	}
	d := &CPU{pool: kernel.NewPool(opts.Threads), opts: opts, matrices: map[matrixKey]*Matrix{}, treatments: map[string]Treatment{}}
	if !opts.Training {
		d.attention = UsualAttention(opts.Precision)
	}
	return d, nil
}

// Name implements Device.
func (d *CPU) Name() string {
	return fmt.Sprintf("cpu %s, %d threads, %s", kernel.ISA(), d.pool.Threads(), d.opts.Precision)
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
	return overwritesGradient(o)
}

// Matrices lists the weights of all programs compiled so far, by name.
func (d *CPU) Matrices() []*Matrix {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []*Matrix
	for _, m := range d.matrices {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b *Matrix) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Pool is the device's threads.
func (d *CPU) Pool() *kernel.Pool { return d.pool }

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
	case *op.LogSumExp:
		y, x := floats(out), floats(in[0])
		rows, width := rowsAndWidth(in[0])
		return func() error {
			kernel.LogSumExp(d.pool, y, x, rows, width)
			return nil
		}, nil
	case *op.Attention:
		return d.attend(o, out, in)
	case *op.CachedAttention:
		return d.cachedAttention(o, out, in)
	case *op.PackKeys:
		y, x, images := floats(out), floats(in[0]), in[0].Shape[0]
		return func() error { o.Layout.Pack(d.pool, y, x, images); return nil }, nil
	case *op.PackedAttention:
		return d.packedAttention(o, out, in), nil
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
	case *op.Gather, *op.GatherGrad:
		return d.gather(o, out, in)
	}
	return d.gradient(o, out, in)
}

func (d *CPU) linear(o *op.Linear, out Operand, in []Operand) (Kernel, error) {
	data := make([][]float32, len(in))
	for i, x := range in {
		data[i] = floats(x)
	}
	if d.opts.Training {
		return d.product(o, out, in), nil
	}
	if !in[1].Input {
		return nil, fmt.Errorf("%s: want an input of the graph as weight, got a computed value", o)
	}
	nin, nout := o.Sizes(in[1].Shape)
	rows, _ := rowsAndWidth(in[0])
	y, x, e := floats(out), data[0], o.Epilogue(data)
	bare := len(in) == 2 && o.Act == kernel.None
	m, err := d.matrix(in[1].Name, data[1], nout, nin, o.Order, bare)
	if err != nil {
		return nil, err
	}
	return func() error {
		m.linear(d, y, x, rows, e)
		return nil
	}, nil
}
