package exec

import (
	"gorgonia.org/tensor"

	"github.com/seed-e0874532/coca/nn/op"
)

// UsualAttention is the precision of attentions of many queries on a device that keeps weights
// in p: bfloat16 where these are narrow.
func UsualAttention(p Precision) Precision { return min(p, BF16) }

// Attention is the precision of attentions of many queries.
func (d *CPU) Attention() Precision { return d.attention }

// TreatAttention makes attentions of many queries multiply in float32, or in bfloat16 where
// the processor can. It must not be called while a program of the device runs.
func (d *CPU) TreatAttention(p Precision) { d.attention = p }

func (d *CPU) attend(o *op.Attention, out Operand, in []Operand) (Kernel, error) {
	shapes, data := split(in)
	a, err := o.Arguments(shapes, data)
	if err != nil {
		return nil, err
	}
	y := floats(out)
	if !o.Weights() {
		a.Dst = y
	}
	return func() error {
		a.Precision = d.attention
		if o.Weights() {
			a.Weights(d.pool, y)
		} else {
			a.Run(d.pool)
		}
		return nil
	}, nil
}

func (d *CPU) cachedAttention(o *op.CachedAttention, out Operand, in []Operand) (Kernel, error) {
	shapes, data := split(in)
	c, err := o.Arguments(shapes, data)
	if err != nil {
		return nil, err
	}
	c.Dst = floats(out)
	return func() error {
		if err := o.Check(&c); err != nil {
			return err
		}
		c.Run(d.pool)
		return nil
	}, nil
}

func (d *CPU) packedAttention(o *op.PackedAttention, out Operand, in []Operand) Kernel {
	a := o.Arguments(split(in))
	a.Dst = floats(out)
	images := in[1].Shape[0]
	return func() error {
		if err := o.Check(a.Index, images); err != nil {
			return err
		}
		a.Run(d.pool)
		return nil
	}
}

// split are the shapes and the memory of operands.
func split(in []Operand) (shapes []tensor.Shape, data []any) {
	for _, x := range in {
		shapes, data = append(shapes, x.Shape), append(data, x.Data)
	}
	return shapes, data
}

func floats(x Operand) []float32 { return x.Data.([]float32) }
func ints(x Operand) []int32     { return x.Data.([]int32) }

// rowsAndWidth counts all axes but the last as rows.
func rowsAndWidth(x Operand) (rows, width int) {
	width = x.Shape[len(x.Shape)-1]
	return x.Shape.TotalSize() / width, width
}
