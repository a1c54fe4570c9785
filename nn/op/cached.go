package op

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-e0874532/coca/internal/kernel"
)

// CachedAttention is causal self-attention for R new tokens, against caches of full
// length that it writes in place.
//
//	qkv   [R, 3d]       fused projection of the new tokens
//	k, v  [S, L, d]     caches
//	table [R, L] int32  the slot that holds position t of row r's history, or −1: that key is hidden
//	pos   [R] int32     the positions of the new tokens, below L
//	y     [R, d]
//
// The new key and value of row r are stored at slot table[r, pos r] before any row looks at
// them, so that rows may also be tokens of one history that follow one another.
// A row that descends from another one shares its history through the table:
// nothing is copied when beams are reordered.
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
	if len(k) != 3 || last(k) != d {
		return c, &ShapeError{o.kind, "k", fmt.Sprintf("[S, L, %d]", d), k}
	}
	if !v.Eq(k) {
		return c, &ShapeError{o.kind, "v", fmt.Sprint(k), v}
	}
	if len(table) != 2 || table[0] != rows || table[1] != k[1] {
		return c, &ShapeError{o.kind, "table", fmt.Sprintf("[%d, %d]", rows, k[1]), table}
	}
	if len(pos) != 1 || pos[0] != rows {
		return c, &ShapeError{o.kind, "pos", fmt.Sprintf("[%d]", rows), pos}
	}
	return kernel.CachedAttention{Rows: rows, Heads: o.Heads, HeadDim: d / o.Heads, Slots: k[0], Length: k[1], TableRow: table[1]}, nil
}

// Arguments binds the operands to the kernel. Dst is left to the caller.
func (o *CachedAttention) Arguments(s []tensor.Shape, data []any) (kernel.CachedAttention, error) {
	c, err := o.sizes(s)
	if err != nil {
		return c, err
	}
	c.QKV, c.K, c.V = data[0].([]float32), data[1].([]float32), data[2].([]float32)
	c.Table, c.Pos = data[3].([]int32), data[4].([]int32)
	return c, nil
}

// Check reports positions and slots beyond the caches.
func (o *CachedAttention) Check(c *kernel.CachedAttention) error {
	for row, pos := range c.Pos {
		if pos < 0 || int(pos) >= c.Length {
			return fmt.Errorf("%s: position: want 0 to %d, got %d", o.kind, c.Length-1, pos)
		}
		for _, slot := range c.Table[row*c.TableRow:][:pos+1] {
			if int(slot) >= c.Slots {
				return fmt.Errorf("%s: slot: want at most %d, got %d", o.kind, c.Slots-1, slot)
			}
		}
	}
	return nil
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
	if err := o.Check(&c); err != nil {
		return nil, err
	}
	dst, d := Floats(y), c.Heads*c.HeadDim
	for row, pos := range c.Pos {
		slot := c.Table[row*c.TableRow+int(pos)]
		if slot < 0 {
			continue
		}
		at := (int(slot)*c.Length + int(pos)) * d
		copy(c.K[at:][:d], c.QKV[row*3*d+d:])
		copy(c.V[at:][:d], c.QKV[row*3*d+2*d:])
	}
	for row, pos := range c.Pos {
		p := make([]float64, pos+1)
		history := c.Table[row*c.TableRow:][:pos+1]
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

// Cost implements Operator: that of full caches, since positions are data.
func (o *CachedAttention) Cost(out tensor.Shape, in []tensor.Shape) Cost {
	c, err := o.sizes(in)
	if err != nil {
		return Cost{}
	}
	pairs := int64(c.Rows) * int64(c.Heads) * int64(c.Length)
	d := int64(c.Heads * c.HeadDim)
	return Cost{Flops: pairs * int64(4*c.HeadDim+5), Bytes: 4 * (int64(c.Rows)*6*d + 2*int64(c.Rows)*int64(c.Length)*d)}
}
