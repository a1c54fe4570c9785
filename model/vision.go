package model

import (
	G "gorgonia.org/gorgonia"

	"github.com/seed-e0874532/coca/internal/kernel"
	"github.com/seed-e0874532/coca/nn"
	"github.com/seed-e0874532/coca/nn/op"
)

// Vision is the image encoder: a vision transformer and a pooler.
type Vision struct {
	cfg   VisionConfig
	Class *op.Weight // [W]
	Pos   *op.Weight // [G²+1, W]
	Proj  nn.Linear  // [pool width, E]
	Patch nn.PatchEmbed
	LNPre nn.LayerNorm // not with no_ln_pre
	Block []nn.Block

	Pool            nn.AttentionPooler // not without attentional pool
	PoolContrastive nn.AttentionPooler // only parallel and cascade
	LNPost          nn.LayerNorm
}

func newVision(l *nn.Loader, c Config) Vision {
	v := Vision{cfg: c.Vision}
	width, eps := v.cfg.Width, v.cfg.NormKwargs.eps()
	rows, cols := v.cfg.Grid()
	pooled := width
	if v.cfg.AttentionalPool != NoPooler {
		pooled = c.EmbedDim
	}
	v.Class = l.Weight("visual.class_embedding", width)
	v.Pos = l.WeightFunc("visual.positional_embedding", []int{rows*cols + 1, width}, resizeGrid(rows, cols))
	v.Proj = nn.NewProjection(l, "visual.proj", pooled, c.EmbedDim)
	v.Patch = nn.NewPatchEmbed(l, "visual.conv1", width, v.cfg.PatchSize.Height)
	if !v.cfg.NoLNPre {
		v.LNPre = nn.NewLayerNorm(l, "visual.ln_pre", width, eps)
	}
	v.Block = newBlocks(l, "visual.transformer.resblocks.", int(v.cfg.Layers), nn.BlockConfig{
		Width: width, Heads: v.cfg.Heads(), Hidden: int(float64(width) * v.cfg.MLPRatio),
		LayerScale: v.cfg.LSInitValue != nil, Act: activation(c), Eps: eps,
	})
	if v.cfg.AttentionalPool != NoPooler {
		v.Pool = nn.NewAttentionPooler(l, "visual.attn_pool", c.EmbedDim, width, v.cfg.AttnPoolerQueries, v.cfg.AttnPoolerHeads)
	}
	if v.twoPoolers() {
		v.PoolContrastive = nn.NewAttentionPooler(l, "visual.attn_pool_contrastive", c.EmbedDim, width, 1, v.cfg.AttnPoolerHeads)
	}
	v.LNPost = nn.NewLayerNorm(l, "visual.ln_post", pooled, eps)
	return v
}

func activation(c Config) kernel.Activation {
	if c.QuickGELU {
		return kernel.QuickGELU
	}
	return kernel.GELU
}

func (v Vision) twoPoolers() bool {
	return v.cfg.AttentionalPool == Parallel || v.cfg.AttentionalPool == Cascade
}

// Forward maps normalised pixels [B, 3, S, S] to the image feature before its
// L2 normalisation [B, E] and the image tokens for the decoder [B, N, D]. With kept
// [B, K] it goes on with those tokens alone, G²+1 becoming K; see [ImageGraph].
func (v Vision) Forward(b *op.Builder, pixels, kept *G.Node) (feature, tokens *G.Node) {
	if b.Err() != nil {
		return nil, nil
	}
	defer b.Enter("visual")()
	rows, cols := v.cfg.Grid()
	n := rows*cols + 1
	if kept != nil {
		n = kept.Shape()[1]
	}
	x := v.embed(b, pixels, kept) // [B, 3, S, S] → [B, G²+1, W]
	for i, block := range v.Block {
		x = layer(b, "visual", "block", i, func(tap string) *G.Node { return block.Forward(b, x, nn.Full, tap) })
	}

	var pooled *G.Node
	switch {
	case v.twoPoolers():
		x = b.Tap("visual.ln_post", v.LNPost.Forward(b, x))
		tokens = b.Tap("visual.pool", v.Pool.Forward(b, x, "visual.pool")) // [B, G²+1, W] → [B, Q, E]
		keys := x
		if v.cfg.AttentionalPool == Cascade {
			keys = tokens
		}
		pooled = b.PickRow(v.PoolContrastive.Forward(b, keys, ""), 0) // → [B, 1, E] → [B, E]
	case v.cfg.AttentionalPool == OnePool:
		n = v.cfg.AttnPoolerQueries
		x = b.Tap("visual.pool", v.Pool.Forward(b, x, "visual.pool")) // [B, G²+1, W] → [B, Q, E]
		x = b.Tap("visual.ln_post", v.LNPost.Forward(b, x))
		pooled, tokens = v.split(b, x, n)
	case v.cfg.FinalLNAfterPool:
		pooled, tokens = v.split(b, x, n)
		pooled = b.Tap("visual.ln_post", v.LNPost.Forward(b, pooled))
	default:
		x = b.Tap("visual.ln_post", v.LNPost.Forward(b, x))
		pooled, tokens = v.split(b, x, n)
	}
	return v.Proj.Forward(b, pooled), b.Tap("image_tokens", tokens) // [B, P] → [B, E]
}

// embed maps pixels [B, 3, S, S] to the tokens that the first block sees, [B, G²+1, W].
func (v Vision) embed(b *op.Builder, pixels, kept *G.Node) *G.Node {
	defer b.Enter("embed")()
	x := b.Tap("visual.patches", v.Patch.Forward(b, pixels))         // [B, 3, S, S] → [B, G², W]
	x = b.Positions(x, b.Weight(v.Pos), b.Weight(v.Class), op.First) // → [B, G²+1, W]
	if kept != nil {
		x = b.Gather(x, kept) // → [B, K, W]
	}
	if !v.cfg.NoLNPre {
		x = v.LNPre.Forward(b, x)
	}
	return b.Tap("visual.ln_pre", x)
}

// split takes the image feature from n tokens, which the other ones outlive.
func (v Vision) split(b *op.Builder, x *G.Node, n int) (pooled, tokens *G.Node) {
	tokens = b.Rows(x, 1, n) // [B, n, P] → [B, n−1, P]
	if v.cfg.PoolType == "avg" {
		return b.MeanRows(x, 1), tokens // → [B, P]
	}
	return b.PickRow(x, 0), tokens // → [B, P]
}
