package op

import (
	"fmt"
	"hash"
	"hash/fnv"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Operator is what every fused operator of this package offers beyond
// gorgonia.Op.
type Operator interface {
	G.Op
	G.UsePreallocDoer

	// Kind is the operator's name without its attributes.
	Kind() string

	// Cost counts one execution on operands of the given shapes.
	Cost(out tensor.Shape, in []tensor.Shape) Cost

	result() operandType
	renew()
}

// Cost is what one execution of an operator takes at least.
type Cost struct {
	Flops int64 // floating-point operations; a multiplication with its addition counts two
	Bytes int64 // bytes read and written, each operand once
}

// Plus is the sum of two costs.
func (c Cost) Plus(d Cost) Cost { return Cost{c.Flops + d.Flops, c.Bytes + d.Bytes} }

// A ShapeError says which operand of an operator does not fit.
type ShapeError struct {
	Op      string
	Operand string
	Want    string
	Got     tensor.Shape
}

func (e *ShapeError) Error() string {
	return fmt.Sprintf("%s: %s: want shape %s, got %v", e.Op, e.Operand, e.Want, e.Got)
}

// operandType is the element type and rank of one operand.
type operandType struct {
	of   tensor.Dtype
	rank int
}

func (t operandType) hm() hm.Type {
	if t.rank == 0 {
		return t.of // Gorgonia's type of a scalar
	}
	return G.TensorType{Dims: t.rank, Of: t.of}
}

// core carries the part of gorgonia.Op that is alike for all operators. An
// operator embeds it and adds its attributes, InferShape and UsePreallocDo.
type core struct {
	kind   string
	attrs  string // attributes that a reader of a graph wants to see
	serial uint32 // unique in the graph: Gorgonia merges nodes with equal hashes
	in     []operandType
	out    operandType
	b      *Builder // of the graph: gradient operators are applied through it
}

func (c *core) Kind() string         { return c.kind }
func (c *core) result() operandType  { return c.out }
func (c *core) renew()               { c.b.serial++; c.serial = c.b.serial } // of a copy
func (c *core) Arity() int           { return len(c.in) }
func (c *core) ReturnsPtr() bool     { return true }
func (c *core) CallsExtern() bool    { return false }
func (c *core) OverwritesInput() int { return -1 }
func (c *core) Hashcode() uint32     { h := fnv.New32a(); c.WriteHash(h); return h.Sum32() }

func (c *core) WriteHash(h hash.Hash) { fmt.Fprintf(h, "%s#%d", c.kind, c.serial) }

func (c *core) String() string {
	if c.attrs == "" {
		return c.kind
	}
	return c.kind + "{" + c.attrs + "}"
}

// Type returns a fresh function type on each call, since Gorgonia recycles
// the one it was given.
func (c *core) Type() hm.Type {
	types := make([]hm.Type, 0, len(c.in)+1)
	for _, t := range c.in {
		types = append(types, t.hm())
	}
	return hm.NewFnType(append(types, c.out.hm())...)
}

// do allocates an operator's output and computes it there.
func do(o Operator, in []G.Value) (G.Value, error) {
	sizers := make([]G.DimSizer, len(in))
	for i, v := range in {
		sizers[i] = v.Shape()
	}
	shape, err := o.InferShape(sizers...)
	if err != nil {
		return nil, err
	}
	if len(shape) == 0 {
		return o.UsePreallocDo(G.NewF32(0), in...)
	}
	return o.UsePreallocDo(NewTensor(o.result().of, shape...), in...)
}

// split are the shapes and the backing slices of values.
func split(in []G.Value) (shapes []tensor.Shape, data []any) {
	for _, v := range in {
		shapes, data = append(shapes, v.Shape()), append(data, v.Data())
	}
	return shapes, data
}

// NewTensor allocates a tensor of zeros.
func NewTensor(of tensor.Dtype, shape ...int) *tensor.Dense {
	return tensor.New(tensor.Of(of), tensor.WithShape(shape...))
}

// TensorOf wraps a slice of float32, int32 or bool without copying it.
func TensorOf(backing any, shape ...int) *tensor.Dense {
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(backing))
}

// Floats is the backing slice of a float32 value; of a scalar, a copy.
func Floats(v G.Value) []float32 {
	if x, ok := v.Data().(float32); ok {
		return []float32{x}
	}
	return v.Data().([]float32)
}

// setScalar stores the result of an operator whose result is a scalar.
func setScalar(y G.Value, x float64) G.Value {
	if v, ok := y.(*G.F32); ok {
		*v = G.F32(x)
		return v
	}
	if dst, ok := y.Data().([]float32); ok {
		dst[0] = float32(x)
		return y
	}
	return G.NewF32(float32(x))
}

// Ints is the backing slice of an int32 value.
func Ints(v G.Value) []int32 { return v.Data().([]int32) }

// Bools is the backing slice of a bool value.
func Bools(v G.Value) []bool { return v.Data().([]bool) }

// shapes turns what Gorgonia hands to InferShape into shapes.
func shapes(ds []G.DimSizer) ([]tensor.Shape, error) { return G.DimSizersToShapes(ds) }

// volume is the number of elements of a shape.
func volume(s tensor.Shape) int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// rowsOf is the number of rows if all axes but the last are counted as one.
func rowsOf(s tensor.Shape) int { return volume(s[:len(s)-1]) }

// last is the size of the last axis.
func last(s tensor.Shape) int { return s[len(s)-1] }

// moved counts the bytes of operands that are touched once each.
func moved(out tensor.Shape, in ...tensor.Shape) int64 {
	n := int64(volume(out))
	for _, s := range in {
		n += int64(volume(s))
	}
	return 4 * n
}

// with replaces the last axis of a shape.
func with(s tensor.Shape, width int) tensor.Shape {
	out := s.Clone()
	out[len(out)-1] = width
	return out
}
