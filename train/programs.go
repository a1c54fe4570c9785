package train

import (
	"context"
	"math/rand/v2"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/nn/op"
	"github.com/seed-e0874532/coca/train/data"
)

// programs are what a run computes: steps, and the losses and features of a validation,
// for each size that batches have. They share the memory of their intermediates and of the pixels.
type programs struct {
	arena  exec.Arena
	pixels *tensor.Dense // of a full batch

	steps       map[size]*Step
	accumulated map[size]*accumulated
	vals        map[size]*valProgram

	ids  []int32 // of a batch, whole
	sums accumulator
}

// size is that of a batch, as far as the work depends on it.
type size struct {
	batch   int // pairs; fewer than the options' in the last batch of a validation only
	length  int // to which texts are cut
	targets int // tokens that are predicted
}

// lengthStep is by how many tokens the lengths of programs differ: fewer make
// more programs, more make longer padding. Of each length there are up to
// targetSteps programs for so many tokens to predict.
const (
	lengthStep  = 4
	targetSteps = 8
)

// valProgram is the model without gradients.
type valProgram struct {
	graph *model.TrainGraph
	*exec.Program
}

// compile makes the program of a step with the longest texts, which needs the most memory.
func (t *Trainer) compile() error {
	t.programs = programs{steps: map[size]*Step{}, accumulated: map[size]*accumulated{}, vals: map[size]*valProgram{}}
	if t.source == nil {
		return nil
	}
	length := t.base.Config.Text.ContextLength
	s := size{t.options.Batch, length, t.options.Batch * (length - 1)}
	if t.options.Accum > 1 {
		_, err := t.accumulatedOf(s)
		return err
	}
	_, err := t.stepOf(s)
	return err
}

// choices are those of a training graph.
func (t *Trainer) choices(s size) []model.TrainOption {
	list := []model.TrainOption{
		model.MaxTargets(s.targets), model.DropPatches(t.dropout),
		model.Lock(func(name string) bool { return t.parameters.Lookup(name) == nil }),
	}
	if t.options.Checkpointing {
		list = append(list, model.RecomputeBlocks())
	}
	return list
}

// stepOf is the program of a step.
func (t *Trainer) stepOf(s size) (*Step, error) {
	if p := t.programs.steps[s]; p != nil {
		return p, nil
	}
	graph, err := t.model.TrainGraph(s.batch, s.length, t.options.Losses, t.choices(s)...)
	if err != nil {
		return nil, err
	}
	if err := t.sharePixels(graph); err != nil {
		return nil, err
	}
	p, err := newStep(graph, t.dev, &t.programs.arena, t.parameters.Memory)
	if err == nil {
		t.programs.steps[s] = p
	}
	return p, err
}

// valOf is the program of a validation.
func (t *Trainer) valOf(s size) (*valProgram, error) {
	if p := t.programs.vals[s]; p != nil {
		return p, nil
	}
	g, err := t.model.TrainGraph(s.batch, s.length, model.LossWeights{Contrastive: 1, Caption: 1}, model.MaxTargets(s.targets), model.WithoutGradients())
	if err != nil {
		return nil, err
	}
	if err := t.sharePixels(g); err != nil {
		return nil, err
	}
	p := &valProgram{graph: g}
	outputs := []*G.Node{g.Contrastive, g.Caption, g.Image.Features, g.Text.Features}
	if p.Program, err = t.programs.arena.CompileTo(t.dev, nil, outputs...); err == nil {
		t.programs.vals[s] = p
	}
	return p, err
}

// sharePixels gives all graphs of full batches the pixels of the first one.
func (t *Trainer) sharePixels(g *model.TrainGraph) error {
	n := g.Image.Pixels
	if n.Shape()[0] != t.options.Batch {
		return nil
	}
	if t.programs.pixels == nil {
		t.programs.pixels = n.Value().(*tensor.Dense)
	}
	return G.Let(n, t.programs.pixels)
}

// encode turns captions into ids and tells the size of their batch.
func (t *Trainer) encode(captions []string) size {
	context, p := t.base.Config.Text.ContextLength, &t.programs
	p.ids = p.ids[:0]
	for _, text := range captions {
		p.ids = append(p.ids, t.base.Tokenizer.EncodeFixed(text, context)...)
	}
	s := size{batch: len(captions)}
	s.length = min(roundUp(t.model.TrainLength(p.ids), lengthStep), context)
	all := s.batch * (s.length - 1)
	s.targets = min(max(1, roundUp(model.CountTargets(p.ids, context), max(1, all/targetSteps))), all)
	return s
}

func roundUp(n, step int) int { return (n + step - 1) / step * step }

// fill writes a batch that was encoded to the inputs of a graph.
func (t *Trainer) fill(g *model.TrainGraph, b *data.Batch, s size) error {
	context := t.base.Config.Text.ContextLength
	copy(op.Floats(g.Image.Pixels.Value()), b.Pixels)
	ids := op.Ints(g.Text.IDs.Value())
	for i := range b.Captions {
		copy(ids[i*s.length:][:s.length], t.programs.ids[i*context:])
	}
	if g.Image.Kept != nil {
		// Which patches stay depends on the place in the run alone.
		g.Image.DropPatches(rand.New(rand.NewPCG(t.options.Seed^0x9a7c4e5d, uint64(t.position.Epoch)<<40^uint64(b.Records))))
	}
	return g.Text.SetTargets()
}

// gradients computes losses and gradients of the batches of a step.
func (t *Trainer) gradients(ctx context.Context, batches []*data.Batch) (contrastive, caption float32, err error) {
	if t.options.Accum > 1 {
		return t.accumulate(ctx, batches)
	}
	b := batches[0]
	s := t.encode(b.Captions)
	p, err := t.stepOf(s)
	if err != nil {
		return 0, 0, err
	}
	if err := t.fill(p.Graph, b, s); err != nil {
		return 0, 0, err
	}
	if err := p.Run(ctx); err != nil {
		return 0, 0, err
	}
	contrastive, caption = p.Losses()
	return contrastive, caption, nil
}

// feedVal gives a batch to a program that validates it.
func (t *Trainer) feedVal(b *data.Batch) (*valProgram, error) {
	s := t.encode(b.Captions)
	p, err := t.valOf(s)
	if err != nil {
		return nil, err
	}
	return p, t.fill(p.graph, b, s)
}
