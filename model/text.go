package model

import (
	G "gorgonia.org/gorgonia"

	"github.com/seed-e0874532/coca/nn"
	"github.com/seed-e0874532/coca/nn/op"
)

// Text is the unimodal text encoder: a causal transformer with a class token
// at the end.
type Text struct {
	cfg     TextConfig
	Class   *op.Weight // [T], only with embed_cls
	Pos     *op.Weight // [context (+1), T]
	Proj    nn.Linear  // [T, E], not with proj_type none
	Token   nn.TokenEmbed
	Block   []nn.Block
	LNFinal nn.LayerNorm
}

func newText(l *nn.Loader, c Config) Text {
	t := Text{cfg: c.Text}
	width, eps, positions := t.cfg.Width, t.cfg.NormKwargs.eps(), t.cfg.ContextLength
	if t.cfg.EmbedCLS {
		t.Class = l.Weight("text.cls_emb", width)
		positions++
	}
	t.Pos = l.WeightFunc("text.positional_embedding", []int{positions, width}, resizePositions(positions))
	if t.projected() && !t.cfg.ProjBias {
		t.Proj = nn.NewProjection(l, "text.text_projection", width, c.EmbedDim)
	}
	t.Token = nn.NewTokenEmbed(l, "text.token_embedding", t.cfg.VocabSize, width)
	t.Block = newBlocks(l, "text.transformer.resblocks.", int(t.cfg.Layers), nn.BlockConfig{
		Width: width, Heads: t.cfg.Heads, Hidden: int(float64(width) * t.cfg.MLPRatio),
		LayerScale: t.cfg.LSInitValue != nil, Act: activation(c), Eps: eps,
	})
	t.LNFinal = nn.NewLayerNorm(l, "text.ln_final", width, eps)
	if t.projected() && t.cfg.ProjBias {
		t.Proj = nn.NewLinear(l, "text.text_projection", width, c.EmbedDim)
	}
	return t
}

func (t Text) projected() bool { return t.cfg.ProjType != "none" }

// Forward maps ids [B, L] to the text feature before its L2 normalisation
// [B, E] and the text tokens for the decoder [B, L, T]. The class token stands
// behind the ids, or, with op.End, where the context ends.
func (t Text) Forward(b *op.Builder, ids *G.Node, class op.Place) (feature, tokens *G.Node) {
	if b.Err() != nil {
		return nil, nil
	}
	defer b.Enter("text")()
	length := ids.Shape()[1]
	x, hidden := t.embed(b, ids, class) // [B, L] → [B, L(+1), T]
	attend := nn.Causal
	if t.cfg.NoCausalMask {
		attend = nn.Hidden
	}
	for i, block := range t.Block {
		x = layer(b, "text", "block", i, func(tap string) *G.Node { return block.Forward(b, x, attend(hidden), tap) })
	}
	feature, tokens = t.pool(b, x, ids, length)
	if t.projected() {
		feature = t.Proj.Forward(b, feature) // [B, T] → [B, E]
	}
	return feature, b.Tap("text_tokens", tokens)
}

// embed maps ids [B, L] to the tokens that the first block sees, [B, L(+1), T],
// and to the keys that are hidden from all of them, [B, L+1], nil without a
// class token.
func (t Text) embed(b *op.Builder, ids *G.Node, class op.Place) (x, hidden *G.Node) {
	defer b.Enter("embed")()
	x = t.Token.Forward(b, ids) // [B, L] → [B, L, T]
	place := op.Nowhere
	if t.cfg.EmbedCLS {
		place, hidden = class, b.PaddingMask(ids, int32(t.cfg.PadID))
	}
	x = b.Positions(x, b.Weight(t.Pos), b.Weight(t.Class), place) // → [B, L(+1), T]
	return b.Tap("text.embedding", x), hidden
}

// pool takes the text feature from the tokens. With a class token it is the
// last row, and the tokens stay the raw residual stream: the final norm is for
// the class token alone.
func (t Text) pool(b *op.Builder, x, ids *G.Node, length int) (feature, tokens *G.Node) {
	if t.cfg.EmbedCLS {
		feature = b.PickRow(x, length) // [B, L+1, T] → [B, T]
		return b.Tap("text.ln_final", t.LNFinal.Forward(b, feature)), b.Rows(x, 0, length)
	}
	x = b.Tap("text.ln_final", t.LNFinal.Forward(b, x))
	switch t.cfg.PoolType {
	case "first":
		feature = b.PickRow(x, 0)
	case "last":
		feature = b.PickRow(x, length-1)
	case "eos":
		feature = b.EOSRow(x, ids, int32(t.cfg.EOSID))
	default:
		feature = b.ArgmaxRow(x, ids)
	}
	return feature, x
}

// Step maps the newest token of each row [R] to its text token [R, T]. The
// class token is left out: no other token ever sees it.
func (t Text) Step(b *op.Builder, tokens *G.Node, s stepInputs) *G.Node {
	defer b.Enter("text")()
	x := b.PositionAt(t.Token.Forward(b, tokens), b.Weight(t.Pos), s.pos) // [R] → [R, T]
	for i, block := range t.Block {
		x = layer(b, "text", "block", i, func(string) *G.Node { return block.Forward(b, x, s.text[i].Cached, "") })
	}
	if !t.cfg.EmbedCLS {
		x = t.LNFinal.Forward(b, x)
	}
	return x
}
