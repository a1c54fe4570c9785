package nn

import (
	G "gorgonia.org/gorgonia"

	"github.com/seed-e0874532/coca/nn/op"
)

// Attend is how an attention looks at its keys: all of them, those before
// a query, the ones in a cache, or those of an image. Of a self-attention it maps the fused
// projection [B, T, 3d] to [B, T, d], or [R, 3d] to [R, d]; of a cross-attention it maps
// the queries.
type Attend func(b *op.Builder, qkv *G.Node, heads int, tap string) *G.Node

// Full lets every token see every other.
func Full(b *op.Builder, qkv *G.Node, heads int, tap string) *G.Node {
	return attend(b, op.AttentionArgs{QKV: qkv, Heads: heads}, tap)
}

// Causal lets a token see itself and those before it, except hidden ones;
// hidden, bool [B, T], may be nil.
func Causal(hidden *G.Node) Attend {
	return func(b *op.Builder, qkv *G.Node, heads int, tap string) *G.Node {
		return attend(b, op.AttentionArgs{QKV: qkv, Heads: heads, Causal: true, Hidden: hidden}, tap)
	}
}

// Hidden lets a token see all that are not hidden; hidden, bool [B, T], may be nil.
func Hidden(hidden *G.Node) Attend {
	return func(b *op.Builder, qkv *G.Node, heads int, tap string) *G.Node {
		return attend(b, op.AttentionArgs{QKV: qkv, Heads: heads, Hidden: hidden}, tap)
	}
}

// Cache is the history of a decode step for one self-attention.
type Cache struct {
	K, V       *G.Node // [S, L, d], written in place
	Table, Pos *G.Node // see op.CachedAttention
}

// Cached attends to a cache.
func (c Cache) Cached(b *op.Builder, qkv *G.Node, heads int, _ string) *G.Node {
	return b.CachedAttention(op.CachedAttentionArgs{QKV: qkv, K: c.K, V: c.V, Table: c.Table, Pos: c.Pos, Heads: heads})
}

// Tokens lets text look at image tokens: it maps queries [B, T, d] to [B, T, d], with the keys
// and values kv [B, N, 2d] of [CrossAttention.Keys].
func Tokens(kv *G.Node) Attend {
	return func(b *op.Builder, q *G.Node, heads int, tap string) *G.Node {
		return attend(b, op.AttentionArgs{Q: q, KV: kv, Heads: heads}, tap)
	}
}

// Memory is what a decode step knows of images for one cross-attention.
type Memory struct {
	Packed *G.Node // [images, W], by op.PackKeys
	Layout op.PackedKeys
	Index  *G.Node // int32 [R], the image of each row
}

// Recall lets rows look at the images of a memory: it maps queries [R, d] to [R, d].
func (m Memory) Recall(b *op.Builder, q *G.Node, _ int, _ string) *G.Node {
	return b.PackedAttention(op.PackedAttentionArgs{Q: q, Packed: m.Packed, Index: m.Index, Layout: m.Layout})
}

// attend applies an attention and names its weights.
func attend(b *op.Builder, a op.AttentionArgs, tap string) *G.Node {
	if tap != "" {
		b.Tap(tap+".attention", b.AttentionWeights(a))
	}
	return b.Attention(a)
}

// SelfAttention projects x to queries, keys and values, attends, and projects
// back.
type SelfAttention struct {
	In, Out Linear
	Heads   int
}

// NewSelfAttention names name.in_proj_weight [3d, d] (rows: queries, keys,
// values), name.in_proj_bias [3d] and name.out_proj.
func NewSelfAttention(l *Loader, name string, d, heads int) SelfAttention {
	return SelfAttention{
		In:    Linear{W: l.Weight(name+".in_proj_weight", 3*d, d), B: l.Weight(name+".in_proj_bias", 3*d)},
		Out:   NewLinear(l, name+".out_proj", d, d),
		Heads: heads,
	}
}

// Forward is residual + scale·attention(x), [B, T, d].
func (a SelfAttention) Forward(b *op.Builder, x, residual *G.Node, scale *op.Weight, attend Attend, tap string) *G.Node {
	qkv := a.In.Forward(b, x)         // [B, T, d] → [B, T, 3d]
	y := attend(b, qkv, a.Heads, tap) // → [B, T, d]
	return a.Out.Join(b, y, residual, scale)
}

// CrossAttention attends from text to image tokens. Queries come from the
// first third of the fused projection, keys and values from the rest, so that
// the latter can be computed once an image.
type CrossAttention struct {
	Q, KV, Out Linear
	Heads      int
}

// NewCrossAttention names the same tensors as NewSelfAttention.
func NewCrossAttention(l *Loader, name string, d, heads int) CrossAttention {
	self := NewSelfAttention(l, name, d, heads)
	return CrossAttention{Q: self.In.rows(0, d), KV: self.In.rows(d, 3*d), Out: self.Out, Heads: heads}
}

// Keys projects normalised image tokens to keys and values, [B, N, d] → [B, N, 2d].
func (a CrossAttention) Keys(b *op.Builder, image *G.Node) *G.Node { return a.KV.Forward(b, image) }

// Forward is residual + scale·attention(x) to the image's keys and values, of the shape of x.
func (a CrossAttention) Forward(b *op.Builder, x, residual *G.Node, scale *op.Weight, look Attend, tap string) *G.Node {
	q := a.Q.Forward(b, x)
	return a.Out.Join(b, look(b, q, a.Heads, tap), residual, scale)
}

// AttentionPooler lets a fixed number of learned queries attend to all tokens.
type AttentionPooler struct {
	Query    *op.Weight // [Q, E]
	Q, K, V  Linear
	Out      Linear
	LNQ, LNK LayerNorm
	Heads    int
}

// NewAttentionPooler names query [queries, E], the attention's projections (q_proj_weight
// [E, E], k_proj_weight and v_proj_weight [E, W], in_proj_bias [3E]; fused
// into in_proj_weight [3E, E] where W = E, as torch does), out_proj, ln_q and ln_k.
func NewAttentionPooler(l *Loader, name string, embed, width, queries, heads int) AttentionPooler {
	p := AttentionPooler{Query: l.Weight(name+".query", queries, embed), Heads: heads}
	attn := name + ".attn"
	if width == embed {
		fused := Linear{W: l.Weight(attn+".in_proj_weight", 3*embed, embed), B: l.Weight(attn+".in_proj_bias", 3*embed)}
		p.Q, p.K, p.V = fused.rows(0, embed), fused.rows(embed, 2*embed), fused.rows(2*embed, 3*embed)
	} else {
		p.Q.W = l.Weight(attn+".q_proj_weight", embed, embed)
		p.K.W = l.Weight(attn+".k_proj_weight", embed, width)
		p.V.W = l.Weight(attn+".v_proj_weight", embed, width)
		bias := l.Weight(attn+".in_proj_bias", 3*embed)
		p.Q.B, p.K.B, p.V.B = bias.Rows(0, embed), bias.Rows(embed, 2*embed), bias.Rows(2*embed, 3*embed)
	}
	p.Out = NewLinear(l, attn+".out_proj", embed, embed)
	p.LNQ = NewLayerNorm(l, name+".ln_q", embed, DefaultEps)
	p.LNK = NewLayerNorm(l, name+".ln_k", width, DefaultEps)
	return p
}

// Forward maps tokens [B, T, W] to pooled tokens [B, Q, E].
func (p AttentionPooler) Forward(b *op.Builder, x *G.Node, tap string) *G.Node {
	defer b.Enter("pool")()
	q := p.Q.Forward(b, p.LNQ.Forward(b, b.Weight(p.Query))) // [Q, E], the same for every image
	x = p.LNK.Forward(b, x)
	k, v := p.K.Forward(b, x), p.V.Forward(b, x)                            // [B, T, W] → [B, T, E]
	y := attend(b, op.AttentionArgs{Q: q, K: k, V: v, Heads: p.Heads}, tap) // → [B, Q, E]
	return p.Out.Forward(b, y)
}
