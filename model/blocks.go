package model

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/seed-e0874532/coca/nn"
	"github.com/seed-e0874532/coca/nn/op"
)

func newBlocks(l *nn.Loader, prefix string, layers int, c nn.BlockConfig) []nn.Block {
	blocks := make([]nn.Block, 0, layers)
	for i := range layers {
		blocks = append(blocks, nn.NewBlock(l, fmt.Sprint(prefix, i), c))
	}
	return blocks
}

// layer applies block i of a tower in a scope and with a tap of its own. A backward pass
// may recompute what lies inside.
func layer(b *op.Builder, tower string, kind string, i int, forward func(tap string) *G.Node) *G.Node {
	name := fmt.Sprintf("%s.%d", kind, i)
	defer b.Enter(name)()
	return b.Recompute(func() *G.Node { return forward(tower + "." + name) })
}
