package model

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/seed-e0874532/coca/nn"
	"github.com/seed-e0874532/coca/nn/op"
)

// decoderMLPRatio is fixed: OpenCLIP does not read mlp_ratio from multimodal_cfg.
const decoderMLPRatio = 4

// Decoder is the multimodal text decoder: causal self-attention blocks, each
// followed by a block that attends to the image. It adds no positions of its
// own and its output matrix is not tied to the token embedding.
type Decoder struct {
	cfg     TextConfig
	Proj    nn.Linear // [D, V]
	Block   []nn.Block
	Cross   []nn.CrossBlock
	LNFinal nn.LayerNorm
}

func newDecoder(l *nn.Loader, c Config) Decoder {
	d := Decoder{cfg: c.Decoder}
	width := d.cfg.Width
	d.Proj = nn.NewProjection(l, "text_decoder.text_projection", width, c.Text.VocabSize)
	block := nn.BlockConfig{
		Width: width, Heads: d.cfg.Heads, Hidden: decoderMLPRatio * width,
		LayerScale: d.cfg.LSInitValue != nil, Act: activation(c), Eps: nn.DefaultEps,
	}
	d.Block = newBlocks(l, "text_decoder.resblocks.", int(d.cfg.Layers), block)
	for i := range int(d.cfg.Layers) {
		d.Cross = append(d.Cross, nn.NewCrossBlock(l, fmt.Sprint("text_decoder.cross_attn.", i), block))
	}
	d.LNFinal = nn.NewLayerNorm(l, "text_decoder.ln_final", width, nn.DefaultEps)
	return d
}

// Keys projects image tokens [B, N, D] to every layer's cross-attention keys
// and values [B, N, 2D], which stay the same for all texts and steps.
func (d Decoder) Keys(b *op.Builder, image *G.Node) []*G.Node {
	defer b.Enter("decoder")()
	var keys []*G.Node
	for i, cross := range d.Cross {
		k := layer(b, "decoder", "cross", i, func(string) *G.Node { return cross.Keys(b, image) })
		keys = append(keys, b.Forget(k)) // a part of the block, like its own projections
	}
	return keys
}

// layout is how the images' keys and values lie for decode steps, in float32 or bfloat16.
func (d Decoder) layout(tokens int, p op.Precision) op.PackedKeys {
	return op.PackedKeys{Heads: d.cfg.Heads, HeadDim: d.cfg.Width / d.cfg.Heads, Tokens: tokens, Precision: p}
}

// Forward maps text tokens [B, S, D] and the image's keys to logits [B, S, V];
// row s is about token s+1. With rows [1, N], numbers of tokens of the batch, it computes
// the logits of those alone, [1, N, V].
func (d Decoder) Forward(b *op.Builder, x *G.Node, keys []*G.Node, rows *G.Node) *G.Node {
	defer b.Enter("decoder")()
	self := func(int) nn.Attend { return nn.Causal(nil) }
	x = d.blocks(b, x, self, func(i int) nn.Attend { return nn.Tokens(keys[i]) }, true)
	if rows != nil {
		x = b.Gather(x, rows) // [B, S, D] → [1, N, D]
	}
	return d.predict(b, x, true)
}

// Step maps the newest text token of each row [R, D] to logits [R, V].
func (d Decoder) Step(b *op.Builder, x *G.Node, s stepInputs) *G.Node {
	defer b.Enter("decoder")()
	self := func(i int) nn.Attend { return s.decoder[i].Cached }
	x = d.blocks(b, x, self, func(i int) nn.Attend { return s.images[i].Recall }, false)
	return d.predict(b, x, false)
}

// blocks runs all layers: self and cross are how each looks at the text and at the image.
func (d Decoder) blocks(b *op.Builder, x *G.Node, self, cross func(i int) nn.Attend, taps bool) *G.Node {
	for i := range d.Block {
		x = layer(b, "decoder", "block", i, func(tap string) *G.Node {
			return d.Block[i].Forward(b, x, self(i), only(taps, tap))
		})
		x = layer(b, "decoder", "cross", i, func(tap string) *G.Node {
			return d.Cross[i].Forward(b, x, cross(i), only(taps, tap))
		})
	}
	return x
}

func (d Decoder) predict(b *op.Builder, x *G.Node, taps bool) *G.Node {
	x = b.Tap(only(taps, "decoder.ln_final"), d.LNFinal.Forward(b, x))
	return d.Proj.Forward(b, x) // [.., D] → [.., V]
}

// only is the name of a tap if taps are wanted.
func only(wanted bool, name string) string {
	if wanted {
		return name
	}
	return ""
}
