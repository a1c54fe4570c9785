package infer

import (
	"context"
	"strings"

	G "gorgonia.org/gorgonia"

	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/nn/op"
)

// CrossAttention tells where each token of a text looks while it predicts the
// next: [len(ids), N] over the image tokens, averaged over layers and heads. Pool is
// how the pooler's queries look at the patches, [Q, G²+1], averaged over
// heads, nil without a pooler.
func (r *Runtime) CrossAttention(ctx context.Context, pixels []float32, ids []int32) (cross, pool []float32, err error) {
	if err := r.lock(ctx); err != nil {
		return nil, nil, err
	}
	defer r.unlock()
	g, err := r.Model.Graph(1, len(ids), len(ids))
	if err != nil {
		return nil, nil, err
	}
	var layers, outputs []*G.Node
	var pooler *G.Node
	for _, t := range g.Taps() {
		switch {
		case t.Name == "visual.pool.attention":
			pooler, outputs = t.Node, append(outputs, t.Node)
		case strings.HasPrefix(t.Name, "decoder.cross.") && strings.HasSuffix(t.Name, ".attention"):
			layers, outputs = append(layers, t.Node), append(outputs, t.Node)
		}
	}
	p, err := exec.Compile(r.device, outputs...)
	if err != nil {
		return nil, nil, err
	}
	copy(op.Floats(g.Image.Pixels.Value()), pixels)
	copy(op.Ints(g.Text.IDs.Value()), ids)
	if err := p.Run(ctx); err != nil {
		return nil, nil, err
	}
	if pooler != nil {
		pool = overHeads(p.Floats(pooler), pooler.Shape()[1])
	}
	cross = make([]float32, len(ids)*r.Model.Config.Vision.Tokens())
	for _, n := range layers {
		for i, v := range overHeads(p.Floats(n), n.Shape()[1]) {
			cross[i] += v / float32(len(layers))
		}
	}
	return cross, pool, nil
}

// overHeads averages [1, heads, …] over the heads.
func overHeads(w []float32, heads int) []float32 {
	n := len(w) / heads
	mean := make([]float32, n)
	for i, v := range w {
		mean[i%n] += v / float32(heads)
	}
	return mean
}
