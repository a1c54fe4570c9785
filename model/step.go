package model

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-e0874532/coca/nn"
	"github.com/seed-e0874532/coca/nn/op"
)

// State is what decode steps remember: the images' cross-attention keys and
// values, and the keys and values of all tokens fed so far.
type State struct {
	Slots  int             // rows that may be alive at once
	Length int             // positions of each
	Keys   []*tensor.Dense // per decoder layer, [images, W]: see ImageGraph.Packed
	text   []cacheTensors  // per text layer, [slots, length, T]
	decode []cacheTensors  // per decoder layer, [slots, length, D]
	layout op.PackedKeys   // of Keys
}

type cacheTensors struct{ k, v *tensor.Dense }

// NewState allocates the memory of decode steps for a number of images and of
// rows. The images' keys and values are kept in float32 or bfloat16.
func (m *CoCa) NewState(slots, images int, keys op.Precision) *State {
	s := &State{Slots: slots, Length: m.Config.MaxTokens()}
	caches := func(layers Count, width int) (list []cacheTensors) {
		for range int(layers) {
			list = append(list, cacheTensors{
				op.NewTensor(tensor.Float32, slots, s.Length, width),
				op.NewTensor(tensor.Float32, slots, s.Length, width),
			})
		}
		return list
	}
	s.text = caches(m.Config.Text.Layers, m.Config.Text.Width)
	s.decode = caches(m.Config.Decoder.Layers, m.Config.Decoder.Width)
	s.layout = m.Decoder.layout(m.Config.Vision.Tokens(), keys)
	for range int(m.Config.Decoder.Layers) {
		s.Keys = append(s.Keys, op.NewTensor(tensor.Float32, images, s.layout.Words()))
	}
	return s
}

// NewKeys allocates the cross-attention keys and values of a number of images,
// [images, N, 2D] per decoder layer.
func (m *CoCa) NewKeys(images int) (keys []*tensor.Dense) {
	for range int(m.Config.Decoder.Layers) {
		keys = append(keys, op.NewTensor(tensor.Float32, images, m.Config.Vision.Tokens(), 2*m.Config.Decoder.Width))
	}
	return keys
}

// StepGraph feeds R new tokens, each to the history that its row of the tables tells, and
// gives the logits of the next.
type StepGraph struct {
	*op.Builder
	Tokens    *G.Node // input, [R] int32
	Pos       *G.Node // input, [R] int32: the positions of these tokens
	Table     *G.Node // input, [R, length] int32: see op.CachedAttention
	TextTable *G.Node // input, the same for the text tower, where keys may be hidden
	Image     *G.Node // input, [R] int32: the image of each row
	Logits    *G.Node // [R, V]
	Norms     *G.Node // [R, 2]: see op.LogSumExp
}

// stepInputs are the inputs that the towers share.
type stepInputs struct {
	pos           *G.Node
	text, decoder []nn.Cache
	images        []nn.Memory
}

// StepGraph builds the graph of one decode step for a number of rows, on the
// memory of s.
func (m *CoCa) StepGraph(rows int, s *State) (*StepGraph, error) {
	if m.Config.Text.NoCausalMask {
		return nil, &ConfigError{"text_cfg.no_causal_mask", "false (a text tower that reads both ways cannot write token by token)", "true"}
	}
	b := op.NewBuilder()
	g := &StepGraph{Builder: b}
	g.Tokens = b.Input("tokens", tensor.Int32, rows)
	g.Pos = b.Input("pos", tensor.Int32, rows)
	g.Table = b.Input("table", tensor.Int32, rows, s.Length)
	g.TextTable = b.Input("text_table", tensor.Int32, rows, s.Length)
	g.Image = b.Input("image", tensor.Int32, rows)
	in := stepInputs{pos: g.Pos}
	in.text = bindCaches(b, "text", s.text, g.TextTable, g.Pos)
	in.decoder = bindCaches(b, "decoder", s.decode, g.Table, g.Pos)
	for i, k := range s.Keys {
		in.images = append(in.images, nn.Memory{Packed: b.Bind(fmt.Sprintf("keys.%d", i), k), Layout: s.layout, Index: g.Image})
	}
	x := m.Text.Step(b, g.Tokens, in) // [R] → [R, T]
	g.Logits = m.Decoder.Step(b, x, in)
	g.Norms = b.LogSumExp(g.Logits)
	return g, b.Err()
}

func bindCaches(b *op.Builder, tower string, caches []cacheTensors, table, pos *G.Node) (list []nn.Cache) {
	for i, c := range caches {
		list = append(list, nn.Cache{
			K: b.Bind(fmt.Sprintf("%s.%d.k", tower, i), c.k), V: b.Bind(fmt.Sprintf("%s.%d.v", tower, i), c.v),
			Table: table, Pos: pos,
		})
	}
	return list
}
