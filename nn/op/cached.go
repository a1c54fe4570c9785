package op

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-e0874532/coca/internal/kernel"
)

// CachedAttention is causal self-attention for one new token of each of R
// rows, against caches of full length that it writes in place.
//
//	qkv   [R, 3d]       fused projection of the new tokens
//	k, v  [S, L, d]     caches; slot r receives row r's new key and value at the position
//	table [R, L] int32  the slot that holds position t of row r's history, or −1: that key is hidden
//	pos   [1] int32     the position of the new tokens, below L
//	y     [R, d]
//
// A row that descends from another one shares its history through the table:
// nothing is copied when beams are reordered. An entry is never overwritten
// while the position only grows.
type CachedAttention struct {
	core
	Heads int
}

// CachedAttentionArgs are the operands of [Builder.CachedAttention].
type CachedAttentionArgs struct {
	QKV, K, V, Table, Pos *G.Node
	Heads                 int
}

// CachedAttention applies the operator [CachedAttention].
func (b *Builder) CachedAttention(a CachedAttentionArgs) *G.Node {
	operands := []*G.Node{a.QKV, a.K, a.V, a.Table, a.Pos}
	if !b.usable("CachedAttention", operands...) {
		return nil
	}
	c := b.core("CachedAttention", fmt.Sprintf("%d heads", a.Heads), 2, operands...)
	return b.apply(&CachedAttention{core: c, Heads: a.Heads}, operands...)
}

// InferShape implements gorgonia.Op.
func (o *CachedAttention) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	a, err := o.sizes(s)
	if err != nil {
		return nil, err
	}
	return tensor.Shape{a.Rows, a.Heads * a.HeadDim}, nil
}

func (o *CachedAttention) sizes(s []tensor.Shape) (c kernel.CachedAttention, err error) {
	qkv, k, v, table, pos := s[0], s[1], s[2], s[3], s[4]
	if len(qkv) != 2 || last(qkv)%3 != 0 {
		return c, &ShapeError{o.kind, "qkv", "[R, 3·d]", qkv}
	}
	rows, d := qkv[0], last(qkv)/3
	if o.Heads <= 0 || d%o.Heads != 0 {
		return c, &ShapeError{o.kind, "qkv", fmt.Sprintf("a width that %d heads divide", o.Heads), qkv}
	}
	if len(k) != 3 || k[0] < rows || last(k) != d {
		return c, &ShapeError{o.kind, "k", fmt.Sprintf("[S >= %d, L, %d]", rows, d), k}
	}
	if !v.Eq(k) {
		return c, &ShapeError{o.kind, "v", fmt.Sprint(k), v}
	}
	if len(table) != 2 || table[0] != rows || table[1] != k[1] {
		return c, &ShapeError{o.kind, "table", fmt.Sprintf("[%d, %d]", rows, k[1]), table}
	}
	if len(pos) != 1 || pos[0] != 1 {
		return c, &ShapeError{o.kind, "pos", "[1]", pos}
	}
	return kernel.CachedAttention{Rows: rows, Heads: o.Heads, HeadDim: d / o.Heads, Slots: k[0], Length: k[1], TableRow: table[1]}, nil
}

// Arguments binds the operands to the kernel. Pos changes between runs and is
// left to the caller, like Dst.
func (o *CachedAttention) Arguments(s []tensor.Shape, data []any) (kernel.CachedAttention, error) {
	c, err := o.sizes(s)
	if err != nil {
		return c, err
	}
	c.QKV, c.K, c.V = data[0].([]float32), data[1].([]float32), data[2].([]float32)
	c.Table = data[3].([]int32)
	return c, nil
}

// Position reads and checks the position operand.
func (o *CachedAttention) Position(pos []int32, length int) (int, error) {
	if pos[0] < 0 || int(pos[0]) >= length {
		return 0, fmt.Errorf("%s: position: want 0 to %d, got %d", o.kind, length-1, pos[0])
	}
	return int(pos[0]), nil
}

// Do implements gorgonia.Op.
func (o *CachedAttention) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *CachedAttention) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	s, data := split(in)
	c, err := o.Arguments(s, data)
	if err != nil {
		return nil, err
	}
	if c.Pos, err = o.Position(Ints(in[4]), c.Length); err != nil {
		return nil, err
	}
	dst, d := Floats(y), c.Heads*c.HeadDim
	for row := range c.Rows {
		at := (row*c.Length + c.Pos) * d
		copy(c.K[at:][:d], c.QKV[row*3*d+d:])
		copy(c.V[at:][:d], c.QKV[row*3*d+2*d:])
	}
	p := make([]float64, c.Pos+1)
	for row := range c.Rows {
		history := c.Table[row*c.TableRow:][:c.Pos+1]
		for h := range c.Heads {
			query := c.QKV[row*3*d+h*c.HeadDim:][:c.HeadDim]
			for t, slot := range history {
				p[t] = math.Inf(-1)
				if slot >= 0 {
					p[t] = dot(query, c.K[(int(slot)*c.Length+t)*d+h*c.HeadDim:]) / math.Sqrt(float64(c.HeadDim))
				}
			}
			softmax(p)
			for i := range c.HeadDim {
				sum := 0.0
				for t, slot := range history {
					if slot >= 0 {
						sum += p[t] * float64(c.V[(int(slot)*c.Length+t)*d+h*c.HeadDim+i])
					}
				}
				dst[row*d+h*c.HeadDim+i] = float32(sum)
			}
		}
	}
	return y, nil
}

// Cost implements Operator: that of a full cache, since the position is data.
func (o *CachedAttention) Cost(out tensor.Shape, in []tensor.Shape) Cost {
	c, err := o.sizes(in)
	if err != nil {
		return Cost{}
	}
	pairs := int64(c.Rows) * int64(c.Heads) * int64(c.Length)
	d := int64(c.Heads * c.HeadDim)
	return Cost{Flops: pairs * int64(4*c.HeadDim+5), Bytes: 4 * (int64(c.Rows)*6*d + 2*int64(c.Rows)*int64(c.Length)*d)}
}
