package train

import (
	"context"

	G "gorgonia.org/gorgonia"

	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/nn/op"
	"github.com/seed-e0874532/coca/train/data"
)

// programs are what a run computes: steps, and the losses and features of a validation,
// for each size that batches have. They share the memory of their intermediates.
type programs struct {
	arena exec.Arena
	steps map[int]*Step // by the length of texts

	accumulated map[int]*accumulated
	sums        accumulator

	vals map[valSize]*valProgram
	ids  []int32 // of a batch, whole
}

// valSize is that of a batch of a validation, the last of which may be smaller.
type valSize struct{ batch, length int }

// valProgram is the model without gradients.
type valProgram struct {
	graph *model.TrainGraph
	*exec.Program
}

// lengthStep is by how many tokens the lengths of programs differ: fewer make
// more programs, more make longer padding.
const lengthStep = 4

// compile makes the program of a step with the longest texts, which needs the most memory.
func (t *Trainer) compile() error {
	t.programs = programs{steps: map[int]*Step{}, accumulated: map[int]*accumulated{}, vals: map[valSize]*valProgram{}}
	if t.source == nil {
		return nil
	}
	length := t.base.Config.Text.ContextLength
	if t.options.Accum > 1 {
		_, err := t.accumulatedOf(length)
		return err
	}
	_, err := t.stepOf(length)
	return err
}

// stepOf is the program of a step with texts of a length.
func (t *Trainer) stepOf(length int) (*Step, error) {
	if s := t.programs.steps[length]; s != nil {
		return s, nil
	}
	graph, err := t.model.TrainGraph(t.options.Batch, length, t.options.Losses)
	if err != nil {
		return nil, err
	}
	s, err := newStep(graph, t.dev, &t.programs.arena, t.parameters.Memory)
	if err == nil {
		t.programs.steps[length] = s
	}
	return s, err
}

// valOf is the program of a validation.
func (t *Trainer) valOf(size valSize) (*valProgram, error) {
	if p := t.programs.vals[size]; p != nil {
		return p, nil
	}
	g, err := t.model.TrainGraph(size.batch, size.length, model.LossWeights{Contrastive: 1, Caption: 1})
	if err != nil {
		return nil, err
	}
	p := &valProgram{graph: g}
	outputs := []*G.Node{g.Contrastive, g.Caption, g.Image.Features, g.Text.Features}
	if p.Program, err = t.programs.arena.CompileTo(t.dev, nil, outputs...); err == nil {
		t.programs.vals[size] = p
	}
	return p, err
}

// encode turns captions into ids and tells the length to which they can be cut.
func (t *Trainer) encode(captions []string) (length int) {
	context, p := t.base.Config.Text.ContextLength, &t.programs
	p.ids = p.ids[:0]
	for _, text := range captions {
		p.ids = append(p.ids, t.base.Tokenizer.EncodeFixed(text, context)...)
	}
	length = t.model.TrainLength(p.ids)
	return min((length+lengthStep-1)/lengthStep*lengthStep, context)
}

// fill writes a batch that was encoded to the inputs of a graph.
func (t *Trainer) fill(g *model.TrainGraph, b *data.Batch, length int) {
	context := t.base.Config.Text.ContextLength
	copy(op.Floats(g.Image.Pixels.Value()), b.Pixels)
	ids := op.Ints(g.Text.IDs.Value())
	for i := range b.Captions {
		copy(ids[i*length:][:length], t.programs.ids[i*context:])
	}
}

// gradients computes losses and gradients of the batches of a step.
func (t *Trainer) gradients(ctx context.Context, batches []*data.Batch) (contrastive, caption float32, err error) {
	if t.options.Accum > 1 {
		return t.accumulate(ctx, batches)
	}
	b := batches[0]
	length := t.encode(b.Captions)
	s, err := t.stepOf(length)
	if err != nil {
		return 0, 0, err
	}
	t.fill(s.Graph, b, length)
	if err := s.Run(ctx); err != nil {
		return 0, 0, err
	}
	contrastive, caption = s.Losses()
	return contrastive, caption, nil
}

// feedVal gives a batch to a program that validates it.
func (t *Trainer) feedVal(b *data.Batch) (*valProgram, error) {
	length := t.encode(b.Captions)
	p, err := t.valOf(valSize{len(b.Captions), length})
	if err == nil {
		t.fill(p.graph, b, length)
	}
	return p, err
}
