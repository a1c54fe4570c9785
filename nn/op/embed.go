package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Patches cuts pictures into flattened patches: [B, C, h, w] → [B, G, C·P·P],
// G = ⌊h/P⌋·⌊w/P⌋ in row-major order, each patch in the order channel, y, x.
// Pixels beyond the last whole patch are dropped. Followed by a [Linear]
// without bias it is the patch embedding, a convolution of stride P.
type Patches struct {
	core
	Patch int
}

// Patches applies the operator [Patches].
func (b *Builder) Patches(pixels *G.Node, patch int) *G.Node {
	if !b.usable("Patches", pixels) {
		return nil
	}
	return b.apply(&Patches{b.core("Patches", fmt.Sprint(patch), 3, pixels), patch}, pixels)
}

// InferShape implements gorgonia.Op.
func (o *Patches) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	x := s[0]
	if len(x) != 4 || o.Patch <= 0 || x[2] < o.Patch || x[3] < o.Patch {
		return nil, &ShapeError{"Patches", "pixels", fmt.Sprintf("[B, C, >=%d, >=%d]", o.Patch, o.Patch), x}
	}
	return tensor.Shape{x[0], (x[2] / o.Patch) * (x[3] / o.Patch), x[1] * o.Patch * o.Patch}, nil
}

// Do implements gorgonia.Op.
func (o *Patches) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *Patches) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	s, src, dst := in[0].Shape(), Floats(in[0]), Floats(y)
	channels, height, width, p := s[1], s[2], s[3], o.Patch
	for b := range s[0] {
		for gy := range height / p {
			for gx := range width / p {
				for c := range channels {
					for py := range p {
						n := copy(dst, src[((b*channels+c)*height+gy*p+py)*width+gx*p:][:p])
						dst = dst[n:]
					}
				}
			}
		}
	}
	return y, nil
}

// Cost implements Operator.
func (o *Patches) Cost(out tensor.Shape, in []tensor.Shape) Cost {
	return Cost{Bytes: moved(out, in...)}
}

// Embed looks up rows: ids [...] int32, table [V, d] → [..., d].
type Embed struct{ core }

// Embed applies the operator [Embed].
func (b *Builder) Embed(ids, table *G.Node) *G.Node {
	if !b.usable("Embed", ids, table) {
		return nil
	}
	return b.apply(&Embed{b.core("Embed", "", ids.Dims()+1, ids, table)}, ids, table)
}

// InferShape implements gorgonia.Op.
func (o *Embed) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	if len(s[1]) != 2 {
		return nil, &ShapeError{"Embed", "table", "[V, d]", s[1]}
	}
	return append(s[0].Clone(), s[1][1]), nil
}

// Check refuses ids that the table does not have.
func (o *Embed) Check(ids []int32, rows int) error {
	for i, id := range ids {
		if id < 0 || int(id) >= rows {
			return fmt.Errorf("Embed: id %d: want 0 to %d, got %d", i, rows-1, id)
		}
	}
	return nil
}

// Do implements gorgonia.Op.
func (o *Embed) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *Embed) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	ids, table := Ints(in[0]), in[1].Shape()
	if err := o.Check(ids, table[0]); err != nil {
		return nil, err
	}
	d, dst, rows := table[1], Floats(y), Floats(in[1])
	for i, id := range ids {
		copy(dst[i*d:][:d], rows[int(id)*d:])
	}
	return y, nil
}

// Cost implements Operator.
func (o *Embed) Cost(out tensor.Shape, in []tensor.Shape) Cost {
	return Cost{Bytes: 8 * int64(volume(out))}
}

// Place says where a class token stands.
type Place uint8

// Places of a class token.
const (
	Nowhere Place = iota // no class token: only positions are added
	First
	Last // behind the tokens, at the position of its row
	End  // behind the tokens, at the table's last position, wherever its row is
)

// Positions joins a class token to a sequence and adds the positional
// embedding, row t of the table to token t:
//
//	x     [B, T, d]
//	table [P, d], P >= the number of resulting tokens
//	class [d], unless Place is Nowhere
//	y     [B, T+1, d], or [B, T, d]
type Positions struct {
	core
	Place Place
}

// Positions applies the operator [Positions]; class is nil exactly if place is Nowhere.
func (b *Builder) Positions(x, table, class *G.Node, place Place) *G.Node {
	operands := []*G.Node{x, table}
	attr := ""
	if place != Nowhere {
		operands, attr = append(operands, class), [...]string{"", "class first", "class last", "class at the end"}[place]
	}
	if !b.usable("Positions", operands...) {
		return nil
	}
	return b.apply(&Positions{b.core("Positions", attr, 3, operands...), place}, operands...)
}

// InferShape implements gorgonia.Op.
func (o *Positions) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	x, table := s[0], s[1]
	if len(x) != 3 {
		return nil, &ShapeError{"Positions", "x", "[B, T, d]", x}
	}
	y := x.Clone()
	if o.Place != Nowhere {
		y[1]++
		if class := s[2]; len(class) != 1 || class[0] != x[2] {
			return nil, &ShapeError{"Positions", "class", fmt.Sprintf("[%d]", x[2]), class}
		}
	}
	if len(table) != 2 || table[1] != x[2] || table[0] < y[1] {
		return nil, &ShapeError{"Positions", "table", fmt.Sprintf("[>=%d, %d]", y[1], x[2]), table}
	}
	return y, nil
}

// Do implements gorgonia.Op.
func (o *Positions) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *Positions) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	var class []float32
	if o.Place != Nowhere {
		class = Floats(in[2])
	}
	o.Run(Floats(y), Floats(in[0]), Floats(in[1]), class, in[0].Shape())
	return y, nil
}

// Run computes the operator on slices; x has the given shape.
func (o *Positions) Run(y, x, table, class []float32, shape tensor.Shape) {
	tokens, d := shape[1], shape[2]
	for item := range shape[0] {
		row := 0
		put := func(v []float32, position int) {
			dst, pos := y[row*d:][:d], table[position*d:][:d]
			for i := range dst {
				dst[i] = v[i] + pos[i]
			}
			row++
		}
		if o.Place == First {
			put(class, 0)
		}
		for t := range tokens {
			put(x[(item*tokens+t)*d:][:d], row)
		}
		switch o.Place {
		case Last:
			put(class, row)
		case End:
			put(class, len(table)/d-1)
		}
		y = y[row*d:]
	}
}

// Cost implements Operator.
func (o *Positions) Cost(out tensor.Shape, in []tensor.Shape) Cost {
	return Cost{Flops: int64(volume(out)), Bytes: moved(out, out, in[0])}
}

// PositionAt adds a row of a table to each row: x [R, d], table [P, d],
// pos [R] int32 → [R, d].
type PositionAt struct{ core }

// PositionAt applies the operator [PositionAt].
func (b *Builder) PositionAt(x, table, pos *G.Node) *G.Node {
	if !b.usable("PositionAt", x, table, pos) {
		return nil
	}
	return b.apply(&PositionAt{b.core("PositionAt", "", 2, x, table, pos)}, x, table, pos)
}

// InferShape implements gorgonia.Op.
func (o *PositionAt) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	x, table := s[0], s[1]
	if len(x) != 2 {
		return nil, &ShapeError{"PositionAt", "x", "[R, d]", x}
	}
	if len(table) != 2 || table[1] != x[1] {
		return nil, &ShapeError{"PositionAt", "table", fmt.Sprintf("[P, %d]", x[1]), table}
	}
	if pos := s[2]; len(pos) != 1 || pos[0] != x[0] {
		return nil, &ShapeError{"PositionAt", "pos", fmt.Sprintf("[%d]", x[0]), pos}
	}
	return x.Clone(), nil
}

// Do implements gorgonia.Op.
func (o *PositionAt) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *PositionAt) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	return y, o.Run(Floats(y), Floats(in[0]), Floats(in[1]), Ints(in[2]), in[0].Shape()[1])
}

// Run computes the operator on slices.
func (o *PositionAt) Run(y, x, table []float32, pos []int32, d int) error {
	for r, p := range pos {
		if p < 0 || (int(p)+1)*d > len(table) {
			return fmt.Errorf("PositionAt: position: want 0 to %d, got %d", len(table)/d-1, p)
		}
		from, to := x[r*d:][:d], y[r*d:][:d]
		for i, v := range table[int(p)*d:][:d] {
			to[i] = from[i] + v
		}
	}
	return nil
}

// Cost implements Operator.
func (o *PositionAt) Cost(out tensor.Shape, in []tensor.Shape) Cost {
	return Cost{Flops: int64(volume(out)), Bytes: moved(out, out)}
}
