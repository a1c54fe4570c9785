package weights

import (
	"math"
	"math/bits"
)

// DType is the type of a tensor's elements, by its name in safetensors headers.
type DType string

// The element types that are read. Those of 8-bit floats and of complex numbers
// occur in torch files only.
const (
	Bool   DType = "BOOL"
	U8     DType = "U8"
	I8     DType = "I8"
	U16    DType = "U16"
	I16    DType = "I16"
	F16    DType = "F16"
	BF16   DType = "BF16"
	U32    DType = "U32"
	I32    DType = "I32"
	F32    DType = "F32"
	U64    DType = "U64"
	I64    DType = "I64"
	F64    DType = "F64"
	F8E4M3 DType = "F8_E4M3"
	F8E5M2 DType = "F8_E5M2"
	C64    DType = "C64"
	C128   DType = "C128"
)

// Size returns the bytes of one element, or 0 for an unknown type.
func (d DType) Size() int {
	switch d {
	case Bool, U8, I8, F8E4M3, F8E5M2:
		return 1
	case U16, I16, F16, BF16:
		return 2
	case U32, I32, F32:
		return 4
	case U64, I64, F64, C64:
		return 8
	case C128:
		return 16
	}
	return 0
}

// rank orders types as the reference safetensors writer does: tensors of the
// highest rank come first, which keeps wide elements aligned. Types it cannot
// write have rank -1.
func (d DType) rank() int {
	for i, t := range [...]DType{Bool, U8, I8, F8E5M2, F8E4M3, I16, U16, F16, BF16, I32, U32, F32, C64, F64, I64, U64} {
		if t == d {
			return i
		}
	}
	return -1
}

// Info describes a tensor of a file.
type Info struct {
	Name  string
	DType DType
	Shape []int // empty for a scalar
}

// Elems returns the number of elements.
func (i Info) Elems() int {
	n := 1
	for _, d := range i.Shape {
		n *= d
	}
	return n
}

// checkedElems multiplies a shape. It reports false if the product, with zeros left
// out, overflows an int: such a shape has no strides.
func checkedElems(shape []int) (int, bool) {
	n, zero := uint64(1), false
	for _, d := range shape {
		if d < 0 {
			return 0, false
		}
		if d == 0 {
			zero = true
			continue
		}
		hi, lo := bits.Mul64(n, uint64(d))
		if hi != 0 || lo > math.MaxInt {
			return 0, false
		}
		n = lo
	}
	if zero {
		return 0, true
	}
	return int(n), true
}
