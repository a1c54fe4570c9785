package op

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-e0874532/coca/internal/kernel"
)

// PackedKeys is a layout of keys and values for few queries at a time, in float32 or
// bfloat16. A tensor of them is float32 by its type; its words are the layout's affair.
type PackedKeys = kernel.PackedKeys

// Precision is that of kept numbers.
type Precision = kernel.Precision

// PackKeys lays out keys and values [B, N, 2d] as k says, [B, W].
type PackKeys struct {
	core
	Layout PackedKeys
}

// PackKeys applies the operator [PackKeys].
func (b *Builder) PackKeys(kv *G.Node, k PackedKeys) *G.Node {
	if !b.usable("PackKeys", kv) {
		return nil
	}
	return b.apply(&PackKeys{core: b.core("PackKeys", k.Precision.String(), 2, kv), Layout: k}, kv)
}

// InferShape implements gorgonia.Op.
func (o *PackKeys) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	k, kv := o.Layout, s[0]
	if len(kv) != 3 || kv[1] != k.Tokens || kv[2] != 2*k.Width() {
		return nil, &ShapeError{o.kind, "kv", fmt.Sprintf("[B, %d, %d]", k.Tokens, 2*k.Width()), kv}
	}
	return tensor.Shape{kv[0], k.Words()}, nil
}

// Do implements gorgonia.Op.
func (o *PackKeys) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer. The layout is its own definition.
func (o *PackKeys) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	o.Layout.Pack(nil, Floats(y), Floats(in[0]), in[0].Shape()[0])
	return y, nil
}

// Cost implements Operator. Bytes count a layout as float32.
func (o *PackKeys) Cost(_ tensor.Shape, in []tensor.Shape) Cost {
	return Cost{Bytes: moved(in[0], in[0])}
}

// PackedAttention is the attention of decode steps to images: softmax(q·kᵀ/√(d/H))·v
// for one query a row.
//
//	q      [R, d]
//	packed [S, W]       of each image, by PackKeys
//	index  [R] int32    the image of each row
//	y      [R, d]
type PackedAttention struct {
	core
	Layout PackedKeys
}

// PackedAttentionArgs are the operands of [Builder.PackedAttention].
type PackedAttentionArgs struct {
	Q, Packed, Index *G.Node
	Layout           PackedKeys
}

// PackedAttention applies the operator [PackedAttention].
func (b *Builder) PackedAttention(a PackedAttentionArgs) *G.Node {
	operands := []*G.Node{a.Q, a.Packed, a.Index}
	if !b.usable("PackedAttention", operands...) {
		return nil
	}
	c := b.core("PackedAttention", fmt.Sprintf("%d heads %v", a.Layout.Heads, a.Layout.Precision), 2, operands...)
	return b.apply(&PackedAttention{core: c, Layout: a.Layout}, operands...)
}

// InferShape implements gorgonia.Op.
func (o *PackedAttention) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	q, packed, index, d := s[0], s[1], s[2], o.Layout.Width()
	switch {
	case len(q) != 2 || last(q) != d:
		return nil, &ShapeError{o.kind, "q", fmt.Sprintf("[R, %d]", d), q}
	case len(packed) != 2 || last(packed) != o.Layout.Words():
		return nil, &ShapeError{o.kind, "packed", fmt.Sprintf("[S, %d]", o.Layout.Words()), packed}
	case len(index) != 1 || index[0] != q[0]:
		return nil, &ShapeError{o.kind, "index", fmt.Sprintf("[%d]", q[0]), index}
	}
	return q.Clone(), nil
}

// Arguments binds the operands to the kernel; each element of data is the backing
// slice of one. Dst is left to the caller.
func (o *PackedAttention) Arguments(s []tensor.Shape, data []any) kernel.PackedAttention {
	return kernel.PackedAttention{
		PackedKeys: o.Layout, Rows: s[0][0],
		Q: data[0].([]float32), Packed: data[1].([]float32), Index: data[2].([]int32),
	}
}

// Check fails if an index is not one of that many images.
func (o *PackedAttention) Check(index []int32, images int) error {
	for r, i := range index {
		if i < 0 || int(i) >= images {
			return fmt.Errorf("%s: index of row %d: want 0 to %d, got %d", o, r, images-1, i)
		}
	}
	return nil
}

// Do implements gorgonia.Op.
func (o *PackedAttention) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *PackedAttention) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	s, data := split(in)
	a := o.Arguments(s, data)
	if err := o.Check(a.Index, s[1][0]); err != nil {
		return nil, err
	}
	dst, d := Floats(y), a.Width()
	p := make([]float64, a.Tokens)
	for r, image := range a.Index {
		packed := a.Packed[int(image)*a.Words():][:a.Words()]
		for h := range a.Heads {
			query := a.Q[r*d+h*a.HeadDim:][:a.HeadDim]
			for j := range p {
				p[j] = 0
				for c, q := range query {
					p[j] += float64(q) * float64(a.Key(packed, h, j, c))
				}
				p[j] /= math.Sqrt(float64(a.HeadDim))
			}
			softmax(p)
			for c := range a.HeadDim {
				sum := 0.0
				for j, w := range p {
					sum += w * float64(a.Value(packed, h, j, c))
				}
				dst[r*d+h*a.HeadDim+c] = float32(sum)
			}
		}
	}
	return y, nil
}

// Cost implements Operator. Bytes count a layout as float32, and each image's once a row.
func (o *PackedAttention) Cost(out tensor.Shape, in []tensor.Shape) Cost {
	rows, d := int64(in[0][0]), int64(o.Layout.Width())
	pairs := rows * int64(o.Layout.Heads) * int64(o.Layout.Tokens)
	return Cost{
		Flops: pairs * int64(4*o.Layout.HeadDim+5),
		Bytes: moved(out, in[0]) + 4*2*rows*int64(o.Layout.Tokens)*d,
	}
}
