package model

import (
	"cmp"
	"errors"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-e0874532/coca/nn/op"
)

// IgnoredID is the target that the caption loss leaves out, whatever the
// tokenizer's padding id is.
const IgnoredID = 0

// LossWeights are the factors of the two losses. As in OpenCLIP, a contrastive
// loss of weight 0 is not computed, and what only it depends on has no gradient; a
// caption loss of weight 0 is computed, and its gradients are zeros (which weight
// decay tells apart from none).
type LossWeights struct {
	Contrastive, Caption float64

	// Z, times the square of log Σ exp of a target's logits, is added to its caption
	// loss before that is weighted; see [op.CaptionLoss]. OpenCLIP has no such term. Its
	// search adds logits up: with a Z of a few hundredths they become log-probabilities.
	Z float64
}

// DefaultLossWeights are OpenCLIP's.
var DefaultLossWeights = LossWeights{Contrastive: 1, Caption: 2}

// TrainGraph is the whole model on a batch of pairs, its losses and the
// gradient of every weight.
type TrainGraph struct {
	*Graph
	Contrastive *G.Node // scalar, weighted; nil if its weight is 0
	Caption     *G.Node // scalar, weighted
	Loss        *G.Node // their sum

	gradients []Gradient
}

// TrainLength is the least length to which texts of the whole context, as rows of
// ids, can be cut for a [CoCa.TrainGraph]: what is cut off is padding that
// neither loss depends on. The class token sees one padding token behind a text
// (OpenCLIP's mask is shifted by one), so that one stays.
func (m *CoCa) TrainLength(ids []int32) int {
	c := m.Config.Text
	context := c.ContextLength
	exact := c.PadID == IgnoredID && !c.NoCausalMask && (c.EmbedCLS || c.PoolType != "last")
	if !exact || len(ids) == 0 {
		return context
	}
	length := 1
	for ; len(ids) >= context; ids = ids[context:] {
		n := context
		for n > length && ids[n-1] == IgnoredID {
			n--
		}
		length = max(length, n)
	}
	return min(length+1, context)
}

// TrainGraph builds the graph of one training step on pairs of an image and a
// text: the text's ids are what the decoder reads (all but the last) and what it
// should predict (all but the first). Texts are as long as the context, or cut to
// a length that [CoCa.TrainLength] allows; losses and gradients are the same.
func (m *CoCa) TrainGraph(batch, length int, w LossWeights, options ...TrainOption) (*TrainGraph, error) {
	model, err := m.graph(batch, length, length-1, op.End, options...)
	if err != nil {
		return nil, err
	}
	g := &TrainGraph{Graph: model}
	var losses []*G.Node
	if w.Contrastive != 0 {
		g.Contrastive = g.ContrastiveLoss(g.Image.Features, g.Text.Features, g.Weight(m.LogitScale), w.Contrastive)
		losses = append(losses, g.Contrastive)
	}
	g.Caption = g.CaptionLoss(g.Text.Logits, g.Text.targets(), nil, w.Caption, w.Z, IgnoredID)
	g.Loss = g.Sum(append(losses, g.Caption)...)
	g.differentiate()
	return g, g.Err()
}

// AccumulatedGraph is a training step on one of several batches that count as one,
// by OpenCLIP's --accum-freq: the contrastive loss compares a batch with the
// features of all, which a pass without gradients computed before, and the caption
// loss is its part of the mean over all targets. The gradients of all batches add up to
// those of one large batch, but for the scale's, which come once for each batch. The
// contrastive loss is that of the large batch, the caption losses add up to its.
type AccumulatedGraph struct {
	*TrainGraph

	// Inputs of the second pass. With a contrastive weight of 0 the first three are nil,
	// and there is nothing to do in a first pass.
	Images, Texts *G.Node // [N·B, E], features of all batches
	At            *G.Node // [1] int32, the number of the batch
	Others        *G.Node // [1], the number of targets of all other batches
}

// AccumulatedGraph builds the graph of a step on one of n batches. The first pass
// runs Image.Features and Text.Features.
func (m *CoCa) AccumulatedGraph(n, batch, length int, w LossWeights, options ...TrainOption) (*AccumulatedGraph, error) {
	model, err := m.graph(batch, length, length-1, op.End, options...)
	if err != nil {
		return nil, err
	}
	g := &AccumulatedGraph{TrainGraph: &TrainGraph{Graph: model}}
	var losses []*G.Node
	if w.Contrastive != 0 {
		embed := m.Config.EmbedDim
		g.Images = g.Input("all images", tensor.Float32, n*batch, embed)
		g.Texts = g.Input("all texts", tensor.Float32, n*batch, embed)
		g.At = g.Input("number of the batch", tensor.Int32, 1)
		images, texts := g.Among(g.Images, g.Image.Features, g.At), g.Among(g.Texts, g.Text.Features, g.At)
		g.Contrastive = g.ContrastiveLoss(images, texts, g.Weight(m.LogitScale), w.Contrastive)
		losses = append(losses, g.Contrastive)
	}
	g.Others = g.Input("other targets", tensor.Float32, 1)
	g.Caption = g.CaptionLoss(g.Text.Logits, g.Text.targets(), g.Others, w.Caption, w.Z, IgnoredID)
	g.Loss = g.Sum(append(losses, g.Caption)...)
	g.differentiate()
	return g, g.Err()
}

func (g *TrainGraph) differentiate() {
	if g.options.forward {
		return
	}
	var inputs []*G.Node
	var trained []op.Parameter
	for _, p := range g.Parameters() {
		if locked := g.options.locked; locked == nil || !locked(whole(p.Weight).Name) {
			inputs, trained = append(inputs, p.Node), append(trained, p)
		}
	}
	if len(inputs) == 0 {
		g.Fail(errors.New("train: every tensor is locked"))
		return
	}
	nodes := g.Builder.Gradients(g.Loss, inputs...)
	for i, p := range trained {
		if nodes != nil && nodes[i] != nil {
			all := whole(p.Weight)
			g.gradients = append(g.gradients, Gradient{all.Name, p.At, all.Value.Shape().TotalSize(), nodes[i]})
		}
	}
	// The backward pass makes nodes from the loss to the inputs. A program that
	// takes them in this order frees each layer's activations when it is done with it.
	slices.SortFunc(g.gradients, func(a, b Gradient) int { return cmp.Compare(a.Node.ID(), b.Node.ID()) })
}

// A Gradient is the gradient of a tensor, or of the part of it that one layer uses.
type Gradient struct {
	Name     string // of [CoCa.Tensors]
	At       int    // first element of the part
	Elements int    // of the whole tensor
	Node     *G.Node
}

// Gradients lists the gradients in the order in which a program should compute
// them. A tensor that the losses do not depend on has none.
func (g *TrainGraph) Gradients() []Gradient { return g.gradients }

// whole is the tensor that a weight is or is a view of.
func whole(w *op.Weight) *op.Weight {
	for w.Of != nil {
		w = w.Of
	}
	return w
}
