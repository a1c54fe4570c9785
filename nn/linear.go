package nn

import (
	G "gorgonia.org/gorgonia"

	"github.com/seed-e0874532/coca/internal/kernel"
	"github.com/seed-e0874532/coca/nn/op"
)

// Linear is y = x·Wᵀ + b, or y = x·M for a projection.
type Linear struct {
	W, B  *op.Weight // B may be nil
	Order kernel.Order
}

// NewLinear names name.weight [out, in] and name.bias [out].
func NewLinear(l *Loader, name string, in, out int) Linear {
	return Linear{W: l.Weight(name+".weight", out, in), B: l.Weight(name+".bias", out)}
}

// NewProjection names a bare matrix [in, out] that is used as x·M.
func NewProjection(l *Loader, name string, in, out int) Linear {
	return Linear{W: l.Weight(name, in, out), Order: kernel.InOut}
}

// Forward maps [..., in] to [..., out].
func (m Linear) Forward(b *op.Builder, x *G.Node) *G.Node {
	return b.Linear(op.LinearArgs{X: x, W: b.Weight(m.W), Bias: b.Weight(m.B), Order: m.Order})
}

// Activate is Forward followed by an activation.
func (m Linear) Activate(b *op.Builder, x *G.Node, act kernel.Activation) *G.Node {
	return b.Linear(op.LinearArgs{X: x, W: b.Weight(m.W), Bias: b.Weight(m.B), Order: m.Order, Act: act})
}

// Join is residual + scale·Forward(x); scale (a layer scale) may be nil.
func (m Linear) Join(b *op.Builder, x, residual *G.Node, scale *op.Weight) *G.Node {
	return b.Linear(op.LinearArgs{
		X: x, W: b.Weight(m.W), Bias: b.Weight(m.B), Order: m.Order, Scale: b.Weight(scale), Residual: residual,
	})
}

// rows is the part of the map that gives the outputs lo to hi.
func (m Linear) rows(lo, hi int) Linear {
	return Linear{W: m.W.Rows(lo, hi), B: m.B.Rows(lo, hi), Order: m.Order}
}
