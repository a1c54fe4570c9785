package weights

import (
	"encoding/binary"
	"io"
	"math"
	"strings"
)

// A tensor of type I8 with the tensor NAME#scale of type F32 beside it is an int8 matrix and
// stands for floats: those of index r along the first axis are scale[r] times the integers.
// [Convert] with the precision I8 stores matrices so, at a quarter of their size and alike for
// every processor; the panels of packed files start faster, but are made for one.

// scaleSuffix names the scales of an int8 matrix.
const scaleSuffix = "#scale"

// attachScales joins int8 matrices with their scales, which then are no tensors of their own.
func (f *File) attachScales() error {
	matrices := map[string]bool{}
	for _, t := range f.tensors {
		if t.DType == I8 && len(t.Shape) >= 2 {
			matrices[t.Name] = true
		}
	}
	if len(matrices) == 0 {
		return nil
	}
	scales := map[string]*Tensor{}
	rest := make([]Tensor, 0, len(f.tensors))
	for _, t := range f.tensors {
		if name, ok := strings.CutSuffix(t.Name, scaleSuffix); ok && matrices[name] {
			scales[name] = &t
		} else {
			rest = append(rest, t)
		}
	}
	for i := range rest {
		m := &rest[i]
		s := scales[m.Name]
		if s != nil && (s.DType != F32 || len(s.Shape) != 1 || s.Shape[0] != m.Shape[0]) {
			return &FormatError{Path: f.path, Tensor: s.Name, What: "scales of an int8 matrix",
				Want: "F32 of shape " + intsString(m.Shape[:1]), Got: string(s.DType) + " of shape " + intsString(s.Shape)}
		}
		m.scale = s
	}
	f.tensors = rest
	return nil
}

// floats are the numbers that an int8 matrix stands for.
func (t Tensor) floats() ([]float32, error) {
	scale, err := t.scale.Float32()
	if err != nil {
		return nil, err
	}
	data, err := t.Bytes()
	if err != nil {
		return nil, err
	}
	out := make([]float32, len(data))
	err = t.locked(func() error {
		width := len(data) / max(1, len(scale))
		for i, b := range data {
			out[i] = scale[i/width] * float32(int8(b))
		}
		return nil
	})
	return out, err
}

// matrixItems are the items of an int8 matrix made from a tensor of floats, rounded to the
// nearest integer with the largest of each row at 127 or -127.
func (t Tensor) matrixItems() []Item {
	info := Info{Name: t.Name, DType: I8, Shape: t.Shape}
	scales := Info{Name: t.Name + scaleSuffix, DType: F32, Shape: t.Shape[:1]}
	return []Item{
		{Info: info, Write: func(w io.Writer) error {
			return t.rows(func(row []float32, scale float32) error {
				out := make([]byte, len(row))
				for i, v := range row {
					if scale > 0 {
						out[i] = byte(int8(math.RoundToEven(float64(v) / float64(scale))))
					}
				}
				_, err := w.Write(out)
				return err
			})
		}},
		{Info: scales, Write: func(w io.Writer) error {
			return t.rows(func(_ []float32, scale float32) error {
				return binary.Write(w, binary.LittleEndian, scale)
			})
		}},
	}
}

// rows calls use for each row of a tensor of floats with its scale as an int8 matrix. A row
// that is not finite has no such scale.
func (t Tensor) rows(use func(row []float32, scale float32) error) error {
	data, err := t.Float32()
	if err != nil {
		return err
	}
	width := len(data) / max(1, t.Shape[0])
	row := make([]float32, width)
	for r := range t.Shape[0] {
		// Only the copying touches the mapping, so that a fault of a file that shrank becomes an error.
		if err := t.locked(func() error { copy(row, data[r*width:][:width]); return nil }); err != nil {
			return err
		}
		largest := float32(0)
		for _, v := range row {
			if a := float32(math.Abs(float64(v))); !(a <= math.MaxFloat32) {
				return &FormatError{Path: t.path(), Tensor: t.Name, What: "weights to store as int8", Want: "finite numbers", Got: intsString([]int{r}) + " has others"}
			} else if a > largest {
				largest = a
			}
		}
		if err := use(row, largest/127); err != nil {
			return err
		}
	}
	return nil
}
