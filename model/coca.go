package model

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-e0874532/coca/nn"
	"github.com/seed-e0874532/coca/nn/op"
)

// CoCa is the whole model: two encoders trained against each other and a
// decoder on top of both.
type CoCa struct {
	Config     Config
	LogitScale *op.Weight // [1], logarithm of the contrastive scale
	LogitBias  *op.Weight // [1], or nil
	Text       Text
	Vision     Vision
	Decoder    Decoder

	tensors []nn.Info
}

// New builds the model from weights. Everything that does not fit (missing,
// unexpected and misshapen tensors) is listed in one *nn.WeightsError.
func New(c Config, src nn.Source) (*CoCa, error) {
	l := nn.NewLoader(src)
	m := build(l, c)
	return m, l.Err()
}

// Tensors lists what a model of this config is made of, in the order of
// OpenCLIP's state dict.
func Tensors(c Config) []nn.Info { return build(nn.NewLoader(nil), c).tensors }

func build(l *nn.Loader, c Config) *CoCa {
	m := &CoCa{Config: c, LogitScale: scalar(l, "logit_scale")}
	if c.InitLogitBias != nil || l.Has("logit_bias") {
		m.LogitBias = scalar(l, "logit_bias")
	}
	m.Text = newText(l, c)
	m.Vision = newVision(l, c)
	m.Decoder = newDecoder(l, c)
	m.tensors = l.Asked()
	return m
}

// scalar asks for a tensor without axes; checkpoints also store it as [1].
func scalar(l *nn.Loader, name string) *op.Weight {
	return l.WeightFunc(name, nil, func(t nn.Found) ([]float32, bool) {
		return t.Data, len(t.Shape) == 1 && t.Shape[0] == 1
	})
}

// Tensors lists the model's tensors in the order of OpenCLIP's state dict.
func (m *CoCa) Tensors() []nn.Info { return m.tensors }

// ImageGraph encodes images.
type ImageGraph struct {
	*op.Builder
	Pixels   *G.Node   // input, [B, 3, S, S]
	Kept     *G.Node   // input, [B, K] int32, with patch dropout: see [DropPatches]
	Latent   *G.Node   // [B, E], before L2 normalisation
	Features *G.Node   // [B, E]
	Tokens   *G.Node   // [B, N, D]
	Keys     []*G.Node // per decoder layer, [B, N, 2D]

	patches int // of an image
}

// ImageGraph builds the graph that encodes a batch of images.
func (m *CoCa) ImageGraph(batch int) (*ImageGraph, error) {
	g := &ImageGraph{Builder: op.NewBuilder()}
	m.encodeImage(g, batch, 0)
	return g, g.Err()
}

func (m *CoCa) encodeImage(g *ImageGraph, batch, kept int) {
	size := m.Config.Vision.ImageSize
	rows, cols := m.Config.Vision.Grid()
	g.patches = rows * cols
	g.Pixels = g.Input("pixels", tensor.Float32, batch, 3, size.Height, size.Width)
	if kept > 0 {
		g.Kept = g.Input("kept tokens", tensor.Int32, batch, kept)
	}
	g.Latent, g.Tokens = m.Vision.Forward(g.Builder, g.Pixels, g.Kept)
	g.Features = g.Tap("image_features", g.Normalize(g.Latent))
	g.Keys = m.Decoder.Keys(g.Builder, g.Tokens)
}

// Packed lays out the keys and values for decode steps, in float32 or bfloat16: per
// decoder layer, [B, W].
func (m *CoCa) Packed(g *ImageGraph, keys op.Precision) (packed []*G.Node) {
	layout := m.Decoder.layout(m.Config.Vision.Tokens(), keys)
	for _, kv := range g.Keys {
		packed = append(packed, g.PackKeys(kv, layout))
	}
	return packed
}

// TextGraph encodes texts and, if it was given images, predicts their tokens.
type TextGraph struct {
	*op.Builder
	IDs      *G.Node // input, [B, L] int32
	Scored   *G.Node // input, [1, N] int32, with [MaxTargets]: the tokens that have logits
	Targets  *G.Node // input, [1, N+1] int32, with [MaxTargets]: from the second on, what they predict
	Latent   *G.Node // [B, E], before L2 normalisation
	Features *G.Node // [B, E]
	Tokens   *G.Node // [B, L, T]
	Logits   *G.Node // [B, S, V], [1, N, V] of Scored, nil without images
}

// TextGraph builds the graph that encodes texts of a fixed length.
func (m *CoCa) TextGraph(batch, length int) (*TextGraph, error) {
	return m.ScoreGraph(batch, length, 0, nil)
}

// ScoreGraph builds the graph that encodes texts and computes the logits of
// their first rows (teacher forcing), given each item's image as the keys of an
// [ImageGraph], [B, N, 2D] per decoder layer.
func (m *CoCa) ScoreGraph(batch, length, rows int, keys []*tensor.Dense) (*TextGraph, error) {
	g := &TextGraph{Builder: op.NewBuilder()}
	var nodes []*G.Node
	for i, k := range keys {
		nodes = append(nodes, g.Bind(fmt.Sprintf("keys.%d", i), k))
	}
	m.encodeText(g, batch, length, op.Last)
	if len(keys) > 0 {
		m.decode(g, rows, nodes)
	}
	return g, g.Err()
}

func (m *CoCa) encodeText(g *TextGraph, batch, length int, class op.Place) {
	if length > m.Config.Text.ContextLength {
		g.Fail(fmt.Errorf("text: want at most %d ids, got %d", m.Config.Text.ContextLength, length))
	}
	g.IDs = g.Input("ids", tensor.Int32, batch, length)
	g.Latent, g.Tokens = m.Text.Forward(g.Builder, g.IDs, class)
	g.Features = g.Tap("text_features", g.Normalize(g.Latent))
}

// decode adds the logits of the first rows tokens of every text.
func (m *CoCa) decode(g *TextGraph, rows int, keys []*G.Node) {
	if limit := m.Config.Decoder.ContextLength; rows > limit {
		g.Fail(fmt.Errorf("decoder: want at most %d tokens, got %d", limit, rows))
	}
	x := g.Rows(g.Tokens, 0, rows) // [B, L, T] → [B, S, T]
	g.Logits = g.Tap("logits", m.Decoder.Forward(g.Builder, x, keys, g.Scored))
}

// Graph is the whole model on images and texts: what training differentiates,
// what golden tests tap and what a drawing shows.
type Graph struct {
	*op.Builder
	Image ImageGraph
	Text  TextGraph

	options trainOptions
}

// Graph builds the whole model for a batch of pairs; the logits are those of
// the first rows tokens of each text.
func (m *CoCa) Graph(batch, length, rows int) (*Graph, error) {
	return m.graph(batch, length, rows, op.Last)
}

func (m *CoCa) graph(batch, length, rows int, class op.Place, options ...TrainOption) (*Graph, error) {
	o := chosen(options)
	kept, err := m.Config.Vision.keptTokens(o.dropout)
	if err != nil {
		return nil, err
	}
	b := op.NewBuilder()
	if o.recompute {
		b.RecomputeBlocks()
	}
	g := &Graph{Builder: b, options: o, Image: ImageGraph{Builder: b}, Text: TextGraph{Builder: b}}
	m.encodeImage(&g.Image, batch, kept)
	m.encodeText(&g.Text, batch, length, class)
	g.Text.scoreTargets(o.targets)
	m.decode(&g.Text, rows, g.Image.Keys)
	return g, g.Err()
}
