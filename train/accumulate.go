package train

import (
	"context"

	"github.com/seed-e0874532/coca/internal/kernel"
	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/nn/op"
	"github.com/seed-e0874532/coca/train/data"
)

// accumulated is a step of several batches that count as one. A first pass, without
// gradients, computes the features of each batch; a second one its gradients among all
// others, which are added up.
type accumulated struct {
	graph *model.AccumulatedGraph
	first *exec.Program // nil without a contrastive loss
	*Step
}

// accumulator is what the batches of a step have in common.
type accumulator struct {
	images, texts []float32 // features of all batches, [k·B, E]
	targets       []int     // of each batch
	sum           []float32 // of the gradients, nil before the first step
}

// accumulatedOf is the pair of programs for batches of a size.
func (t *Trainer) accumulatedOf(s size) (*accumulated, error) {
	if a := t.programs.accumulated[s]; a != nil {
		return a, nil
	}
	o := &t.options
	g, err := t.model.AccumulatedGraph(o.Accum, s.batch, s.length, o.Losses, t.choices(s)...)
	if err != nil {
		return nil, err
	}
	if err := t.sharePixels(g.TrainGraph); err != nil {
		return nil, err
	}
	a := &accumulated{graph: g}
	if a.Step, err = newStep(g.TrainGraph, t.dev, &t.programs.arena, t.parameters.Memory); err != nil {
		return nil, err
	}
	if g.Images != nil {
		if a.first, err = t.programs.arena.CompileTo(t.dev, nil, g.Image.Features, g.Text.Features); err != nil {
			return nil, err
		}
	}
	t.programs.accumulated[s] = a
	return a, nil
}

// accumulate computes losses and gradients of several batches as of one. The
// losses are those of the large batch.
func (t *Trainer) accumulate(ctx context.Context, batches []*data.Batch) (contrastive, caption float32, err error) {
	a := &t.programs.sums
	a.images, a.texts, a.targets = a.images[:0], a.texts[:0], a.targets[:0]
	targets := 0
	for _, b := range batches {
		p, err := t.feedAccumulated(b)
		if err != nil {
			return 0, 0, err
		}
		n := model.CountTargets(t.programs.ids, t.base.Config.Text.ContextLength)
		a.targets, targets = append(a.targets, n), targets+n
		if p.first == nil {
			continue
		}
		if err := p.first.Run(ctx); err != nil {
			return 0, 0, err
		}
		a.images = append(a.images, p.first.Floats(p.graph.Image.Features)...)
		a.texts = append(a.texts, p.first.Floats(p.graph.Text.Features)...)
	}
	if a.sum == nil {
		a.sum = make([]float32, len(t.parameters.Gradients))
	}
	clear(a.sum)
	for j, b := range batches {
		p, err := t.feedAccumulated(b)
		if err != nil {
			return 0, 0, err
		}
		g := p.graph
		if p.first != nil {
			copy(op.Floats(g.Images.Value()), a.images)
			copy(op.Floats(g.Texts.Value()), a.texts)
			op.Ints(g.At.Value())[0] = int32(j)
		}
		op.Floats(g.Others.Value())[0] = float32(targets - a.targets[j])
		if err := p.Run(ctx); err != nil {
			return 0, 0, err
		}
		whole, part := p.Losses()
		contrastive, caption = whole, caption+part
		kernel.Add(t.dev.Pool(), a.sum, a.sum, t.parameters.Gradients)
	}
	copy(t.parameters.Gradients, a.sum)
	return contrastive, caption, nil
}

// feedAccumulated gives a batch to its programs.
func (t *Trainer) feedAccumulated(b *data.Batch) (*accumulated, error) {
	s := t.encode(b.Captions)
	a, err := t.accumulatedOf(s)
	if err != nil {
		return nil, err
	}
	return a, t.fill(a.graph.TrainGraph, b, s)
}
