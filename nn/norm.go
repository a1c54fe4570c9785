package nn

import (
	G "gorgonia.org/gorgonia"

	"github.com/seed-e0874532/coca/nn/op"
)

// DefaultEps is the ε of a layer norm unless a config says otherwise.
const DefaultEps = 1e-5

// LayerNorm normalises the last axis and scales and shifts it.
type LayerNorm struct {
	Weight, Bias *op.Weight // [d]
	Eps          float32
}

// NewLayerNorm names name.weight and name.bias, both [d].
func NewLayerNorm(l *Loader, name string, d int, eps float32) LayerNorm {
	return LayerNorm{l.Weight(name+".weight", d), l.Weight(name+".bias", d), eps}
}

// Forward maps [..., d] to [..., d].
func (n LayerNorm) Forward(b *op.Builder, x *G.Node) *G.Node {
	return b.LayerNorm(x, b.Weight(n.Weight), b.Weight(n.Bias), n.Eps)
}
