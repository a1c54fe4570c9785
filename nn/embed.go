package nn

import (
	G "gorgonia.org/gorgonia"

	"github.com/seed-e0874532/coca/nn/op"
)

// PatchEmbed is a convolution whose stride is its kernel: one linear map of
// each flattened patch.
type PatchEmbed struct {
	W     *op.Weight // [W, 3·P·P], a view of the convolution's [W, 3, P, P]
	Patch int
}

// NewPatchEmbed names name.weight [width, 3, patch, patch].
func NewPatchEmbed(l *Loader, name string, width, patch int) PatchEmbed {
	w := l.Weight(name+".weight", width, 3, patch, patch)
	if w.Value != nil {
		w = &op.Weight{Name: w.Name, Value: op.TensorOf(op.Floats(w.Value), width, 3*patch*patch)}
	}
	return PatchEmbed{w, patch}
}

// Forward maps pixels [B, 3, S, S] to tokens [B, G², W].
func (e PatchEmbed) Forward(b *op.Builder, pixels *G.Node) *G.Node {
	patches := b.Patches(pixels, e.Patch) // [B, 3, S, S] → [B, G², 3·P·P]
	return b.Linear(op.LinearArgs{X: patches, W: b.Weight(e.W)})
}

// TokenEmbed looks tokens up in a table [V, d].
type TokenEmbed struct{ Table *op.Weight }

// NewTokenEmbed names name.weight [vocab, d].
func NewTokenEmbed(l *Loader, name string, vocab, d int) TokenEmbed {
	return TokenEmbed{l.Weight(name+".weight", vocab, d)}
}

// Forward maps ids [B, L] to [B, L, d], or [R] to [R, d].
func (e TokenEmbed) Forward(b *op.Builder, ids *G.Node) *G.Node {
	return b.Embed(ids, b.Weight(e.Table))
}
