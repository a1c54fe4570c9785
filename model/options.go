package model

import (
	"fmt"
	"math/rand/v2"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-e0874532/coca/nn/op"
)

// A TrainOption is a choice of a training graph.
type TrainOption func(*trainOptions)

type trainOptions struct {
	dropout   float64
	recompute bool
	forward   bool
	targets   int
	locked    func(name string) bool
}

// RecomputeBlocks computes the residual blocks of all three transformers anew in the
// backward pass, as OpenCLIP does with --grad-checkpointing: only what goes in and out
// of a block is kept. Losses and gradients are the same, bit for bit.
func RecomputeBlocks() TrainOption { return func(o *trainOptions) { o.recompute = true } }

// DropPatches leaves out a share of the patches of each image, from 0 to less than 1;
// the class token stays. OpenCLIP takes the share from vision_cfg.patch_dropout unless it
// gets --force-patch-dropout. The patches that stay are an input; see [ImageGraph.DropPatches].
func DropPatches(share float64) TrainOption { return func(o *trainOptions) { o.dropout = share } }

// MaxTargets predicts only tokens that the caption loss counts, of which a batch has
// at most n: the decoder's last map and the loss then run on n rows instead of the whole batch's.
// The rows are inputs; see [TextGraph.SetTargets].
func MaxTargets(n int) TrainOption { return func(o *trainOptions) { o.targets = n } }

// Lock computes no gradients of tensors whose name locked reports, nor what only
// they would need.
func Lock(locked func(name string) bool) TrainOption {
	return func(o *trainOptions) { o.locked = locked }
}

// WithoutGradients is for validation: losses and features alone.
func WithoutGradients() TrainOption { return func(o *trainOptions) { o.forward = true } }

func chosen(options []TrainOption) (o trainOptions) {
	for _, set := range options {
		set(&o)
	}
	return o
}

// keptTokens is how many tokens of an image patch dropout leaves, the class token
// included; 0 without dropout. The rounding is OpenCLIP's.
func (c VisionConfig) keptTokens(dropout float64) (int, error) {
	if !(dropout >= 0 && dropout < 1) {
		return 0, &ConfigError{"vision_cfg.patch_dropout", "0 to less than 1", fmt.Sprint(dropout)}
	}
	if dropout == 0 {
		return 0, nil
	}
	rows, cols := c.Grid()
	keep := 1 - dropout
	return 1 + max(1, int(float64(rows*cols)*keep)), nil
}

// DropPatches draws for each image which patches stay, in an order that is drawn, too, as
// OpenCLIP's is. Without patch dropout it does nothing.
func (g *ImageGraph) DropPatches(r *rand.Rand) {
	if g.Kept == nil {
		return
	}
	shape := g.Kept.Shape()
	batch, kept, tokens := shape[0], shape[1], g.patches+1
	rows := op.Ints(g.Kept.Value())
	for i := range batch {
		first := i * tokens
		rows[i*kept] = int32(first) // the class token
		for k, p := range r.Perm(g.patches)[:kept-1] {
			rows[i*kept+1+k] = int32(first + 1 + p)
		}
	}
}

// CountTargets is how many tokens of texts, rows of ids of a length, the caption loss counts.
func CountTargets(ids []int32, length int) (n int) {
	for ; length > 0 && len(ids) >= length; ids = ids[length:] {
		for _, id := range ids[1:length] {
			if id != IgnoredID {
				n++
			}
		}
	}
	return n
}

// scoreTargets adds the inputs of [MaxTargets].
func (g *TextGraph) scoreTargets(n int) {
	if n <= 0 {
		return
	}
	g.Scored = g.Input("scored tokens", tensor.Int32, 1, n)
	g.Targets = g.Input("targets", tensor.Int32, 1, n+1)
}

// targets are the ids that the caption loss compares with the logits.
func (g *TextGraph) targets() *G.Node {
	if g.Targets != nil {
		return g.Targets
	}
	return g.IDs
}

// SetTargets writes the inputs Scored and Targets for the texts that IDs holds now.
// Without [MaxTargets] it does nothing.
func (g *TextGraph) SetTargets() error {
	if g.Scored == nil {
		return nil
	}
	ids, length := op.Ints(g.IDs.Value()), g.IDs.Shape()[1]
	rows, targets := op.Ints(g.Scored.Value()), op.Ints(g.Targets.Value())
	if n := CountTargets(ids, length); n > len(rows) {
		return fmt.Errorf("caption loss: want at most %d targets, got %d", len(rows), n)
	}
	targets[0] = IgnoredID // the loss reads what follows
	n := 0
	for i, id := range ids {
		if text, at := i/length, i%length; at > 0 && id != IgnoredID {
			rows[n], targets[n+1] = int32(text*(length-1)+at-1), id
			n++
		}
	}
	for ; n < len(rows); n++ {
		rows[n], targets[n+1] = -1, IgnoredID
	}
	return nil
}
