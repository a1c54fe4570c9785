package nn

import (
	G "gorgonia.org/gorgonia"

	"github.com/seed-e0874532/coca/internal/kernel"
	"github.com/seed-e0874532/coca/nn/op"
)

// BlockConfig is what the blocks of one tower have in common.
type BlockConfig struct {
	Width, Heads, Hidden int // Hidden is the width inside the MLP
	LayerScale           bool
	Act                  kernel.Activation
	Eps                  float32
}

// MLP is proj(act(fc(x))).
type MLP struct {
	FC, Proj Linear
	Act      kernel.Activation
}

// NewMLP names name.c_fc and name.c_proj.
func NewMLP(l *Loader, name string, c BlockConfig) MLP {
	return MLP{NewLinear(l, name+".c_fc", c.Width, c.Hidden), NewLinear(l, name+".c_proj", c.Hidden, c.Width), c.Act}
}

// Forward is residual + scale·MLP(x), [..., d].
func (m MLP) Forward(b *op.Builder, x, residual *G.Node, scale *op.Weight) *G.Node {
	h := m.FC.Activate(b, x, m.Act) // [..., d] → [..., hidden]
	return m.Proj.Join(b, h, residual, scale)
}

// newLayerScale names name.gamma [d] if the config has layer scales.
func newLayerScale(l *Loader, name string, c BlockConfig) *op.Weight {
	if !c.LayerScale {
		return nil
	}
	return l.Weight(name+".gamma", c.Width)
}

// Block is a pre-norm transformer block: x + Attn(LN₁(x)), then x + MLP(LN₂(x)).
type Block struct {
	LN1  LayerNorm
	Attn SelfAttention
	LS1  *op.Weight
	LN2  LayerNorm
	MLP  MLP
	LS2  *op.Weight
}

// NewBlock names the tensors of one residual attention block.
func NewBlock(l *Loader, name string, c BlockConfig) Block {
	var k Block
	k.LN1 = NewLayerNorm(l, name+".ln_1", c.Width, c.Eps)
	k.Attn = NewSelfAttention(l, name+".attn", c.Width, c.Heads)
	k.LS1 = newLayerScale(l, name+".ls_1", c)
	k.LN2 = NewLayerNorm(l, name+".ln_2", c.Width, c.Eps)
	k.MLP = NewMLP(l, name+".mlp", c)
	k.LS2 = newLayerScale(l, name+".ls_2", c)
	return k
}

// Forward maps [B, T, d] to [B, T, d], or [R, d] to [R, d] with a cache.
func (k Block) Forward(b *op.Builder, x *G.Node, attend Attend, tap string) *G.Node {
	x = k.Attn.Forward(b, k.LN1.Forward(b, x), x, k.LS1, attend, tap)
	x = k.MLP.Forward(b, k.LN2.Forward(b, x), x, k.LS2)
	return b.Tap(tap, x)
}

// CrossBlock is a block whose attention looks at an image: x + Attn(LN₁(x), LN₁ₖᵥ(image)),
// then x + MLP(LN₂(x)).
type CrossBlock struct {
	LN1, LNKV LayerNorm
	Attn      CrossAttention
	LS1       *op.Weight
	LN2       LayerNorm
	MLP       MLP
	LS2       *op.Weight
}

// NewCrossBlock names the tensors of one cross-attention block.
func NewCrossBlock(l *Loader, name string, c BlockConfig) CrossBlock {
	var k CrossBlock
	k.LN1 = NewLayerNorm(l, name+".ln_1", c.Width, c.Eps)
	k.Attn = NewCrossAttention(l, name+".attn", c.Width, c.Heads)
	k.LS1 = newLayerScale(l, name+".ls_1", c)
	k.LNKV = NewLayerNorm(l, name+".ln_1_kv", c.Width, c.Eps)
	k.LN2 = NewLayerNorm(l, name+".ln_2", c.Width, c.Eps)
	k.MLP = NewMLP(l, name+".mlp", c)
	k.LS2 = newLayerScale(l, name+".ls_2", c)
	return k
}

// Keys projects image tokens to this block's keys and values, [B, N, d] → [B, N, 2d].
func (k CrossBlock) Keys(b *op.Builder, image *G.Node) *G.Node {
	return k.Attn.Keys(b, k.LNKV.Forward(b, image))
}

// Forward maps [B, T, d] to [B, T, d], or [R, d] to [R, d], as look does.
func (k CrossBlock) Forward(b *op.Builder, x *G.Node, look Attend, tap string) *G.Node {
	x = k.Attn.Forward(b, k.LN1.Forward(b, x), x, k.LS1, look, tap)
	x = k.MLP.Forward(b, k.LN2.Forward(b, x), x, k.LS2)
	return b.Tap(tap, x)
}
