package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Rows keeps the tokens Lo to Hi: [B, T, d] → [B, Hi−Lo, d].
type Rows struct {
	core
	Lo, Hi int
}

// Rows applies the operator [Rows]. If it would keep all tokens it returns x.
func (b *Builder) Rows(x *G.Node, lo, hi int) *G.Node {
	if !b.usable("Rows", x) {
		return nil
	}
	if s := x.Shape(); lo == 0 && len(s) == 3 && hi == s[1] {
		return x
	}
	return b.apply(&Rows{b.core("Rows", fmt.Sprintf("%d:%d", lo, hi), 3, x), lo, hi}, x)
}

// InferShape implements gorgonia.Op.
func (o *Rows) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	x := s[0]
	if len(x) != 3 || o.Lo < 0 || o.Hi <= o.Lo || x[1] < o.Hi {
		return nil, &ShapeError{"Rows", "x", fmt.Sprintf("[B, >=%d, d]", o.Hi), x}
	}
	return tensor.Shape{x[0], o.Hi - o.Lo, x[2]}, nil
}

// Do implements gorgonia.Op.
func (o *Rows) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *Rows) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	o.Run(Floats(y), Floats(in[0]), in[0].Shape())
	return y, nil
}

// Run computes the operator on slices; x has the given shape.
func (o *Rows) Run(y, x []float32, shape tensor.Shape) {
	tokens, d := shape[1], shape[2]
	n := (o.Hi - o.Lo) * d
	for item := range shape[0] {
		copy(y[item*n:][:n], x[(item*tokens+o.Lo)*d:])
	}
}

// Cost implements Operator.
func (o *Rows) Cost(out tensor.Shape, in []tensor.Shape) Cost {
	return Cost{Bytes: moved(out, out)}
}

// Pool reduces the tokens of each item to one vector: [B, T, d] → [B, d].
type Pool struct {
	core
	How  How
	Row  int   // of Pick
	From int   // first row of Mean
	EOS  int32 // of FirstID
}

// How says how a [Pool] reduces.
type How uint8

// Reductions. The last two look at the ids of the text, [B, L] int32.
const (
	Pick     How = iota // the row with a fixed number
	Mean                // the mean of all rows from a fixed one on
	ArgmaxID            // the row of the first of the largest ids
	FirstID             // the row of the first id that equals EOS; row 0 if there is none
)

// PickRow keeps one token of each item.
func (b *Builder) PickRow(x *G.Node, row int) *G.Node {
	return b.pool(&Pool{How: Pick, Row: row}, fmt.Sprintf("row %d", row), x)
}

// MeanRows averages the tokens from the given one on.
func (b *Builder) MeanRows(x *G.Node, from int) *G.Node {
	return b.pool(&Pool{How: Mean, From: from}, fmt.Sprintf("mean of %d:", from), x)
}

// ArgmaxRow keeps the token at which the ids have their (first) maximum.
func (b *Builder) ArgmaxRow(x, ids *G.Node) *G.Node {
	return b.pool(&Pool{How: ArgmaxID}, "argmax id", x, ids)
}

// EOSRow keeps the token at which the id eos first stands.
func (b *Builder) EOSRow(x, ids *G.Node, eos int32) *G.Node {
	return b.pool(&Pool{How: FirstID, EOS: eos}, fmt.Sprintf("id %d", eos), x, ids)
}

func (b *Builder) pool(o *Pool, attrs string, operands ...*G.Node) *G.Node {
	if !b.usable("Pool", operands...) {
		return nil
	}
	o.core = b.core("Pool", attrs, 2, operands...)
	return b.apply(o, operands...)
}

// InferShape implements gorgonia.Op.
func (o *Pool) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	x := s[0]
	if len(x) != 3 || o.Row < 0 || o.From < 0 || x[1] <= max(o.Row, o.From) {
		return nil, &ShapeError{"Pool", "x", fmt.Sprintf("[B, >%d, d]", max(o.Row, o.From)), x}
	}
	if len(s) > 1 && (len(s[1]) != 2 || s[1][0] != x[0] || s[1][1] > x[1]) {
		return nil, &ShapeError{"Pool", "ids", fmt.Sprintf("[%d, <=%d]", x[0], x[1]), s[1]}
	}
	return tensor.Shape{x[0], x[2]}, nil
}

// Do implements gorgonia.Op.
func (o *Pool) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *Pool) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	var ids []int32
	if len(in) > 1 {
		ids = Ints(in[1])
	}
	o.Run(Floats(y), Floats(in[0]), ids, in[0].Shape())
	return y, nil
}

// Run computes the operator on slices; x has the given shape.
func (o *Pool) Run(y, x []float32, ids []int32, shape tensor.Shape) {
	tokens, d := shape[1], shape[2]
	for item := range shape[0] {
		rows, dst := x[item*tokens*d:][:tokens*d], y[item*d:][:d]
		if o.How == Mean {
			scale := 1 / float64(tokens-o.From)
			for i := range dst {
				sum := 0.0
				for t := o.From; t < tokens; t++ {
					sum += float64(rows[t*d+i])
				}
				dst[i] = float32(sum * scale)
			}
			continue
		}
		row := o.Row
		if o.How != Pick {
			n := len(ids) / shape[0]
			row = o.find(ids[item*n:][:n])
		}
		copy(dst, rows[row*d:])
	}
}

// find is the row that the ids of one text choose.
func (o *Pool) find(ids []int32) int {
	best := 0
	for i, id := range ids {
		if o.How == FirstID && id == o.EOS {
			return i
		}
		if o.How == ArgmaxID && id > ids[best] {
			best = i
		}
	}
	return best
}

// Cost implements Operator.
func (o *Pool) Cost(out tensor.Shape, in []tensor.Shape) Cost {
	if o.How == Mean {
		return Cost{Flops: int64(volume(in[0])), Bytes: moved(out, in[0])}
	}
	return Cost{Bytes: moved(out, out)}
}

// PaddingMask marks the keys that OpenCLIP's text tower hides: ids [B, L]
// int32 → bool [B, L+1]. Key k > 0 is hidden if id k−1 is the padding id; key
// 0 never is. The shift by one is OpenCLIP's: the mask was built for a class
// token at the front although it stands at the end, and weights were trained
// with it.
type PaddingMask struct {
	core
	Pad int32
}

// PaddingMask applies the operator [PaddingMask].
func (b *Builder) PaddingMask(ids *G.Node, pad int32) *G.Node {
	if !b.usable("PaddingMask", ids) {
		return nil
	}
	o := &PaddingMask{b.core("PaddingMask", fmt.Sprint(pad), 2, ids), pad}
	o.out.of = tensor.Bool
	return b.apply(o, ids)
}

// InferShape implements gorgonia.Op.
func (o *PaddingMask) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	if len(s[0]) != 2 {
		return nil, &ShapeError{"PaddingMask", "ids", "[B, L]", s[0]}
	}
	return tensor.Shape{s[0][0], s[0][1] + 1}, nil
}

// Do implements gorgonia.Op.
func (o *PaddingMask) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *PaddingMask) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	o.Run(Bools(y), Ints(in[0]), in[0].Shape()[1])
	return y, nil
}

// Run computes the operator on slices; a text has the given length.
func (o *PaddingMask) Run(hidden []bool, ids []int32, length int) {
	for ; len(ids) > 0; ids, hidden = ids[length:], hidden[length+1:] {
		hidden[0] = false
		for i, id := range ids[:length] {
			hidden[i+1] = id == o.Pad
		}
	}
}

// Cost implements Operator.
func (o *PaddingMask) Cost(out tensor.Shape, in []tensor.Shape) Cost {
	return Cost{Bytes: int64(volume(out)) + 4*int64(volume(in[0]))}
}
