package train

import (
	"fmt"
	"os"

	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn"
	"github.com/seed-e0874532/coca/nn/op"
	"github.com/seed-e0874532/coca/weights"
)

// openWeights opens a weights file, or the weights of a model folder, as a
// source of tensors by the model's names. The source is good until the file is closed.
func openWeights(path string) (nn.Source, *weights.File, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		found, err := weights.OpenModelDir(path)
		if err != nil {
			return nil, nil, err
		}
		path = found.Weights
	}
	f, err := weights.Open(path)
	if err != nil {
		return nil, nil, err
	}
	var stored []string
	for _, t := range f.Tensors() {
		stored = append(stored, t.Name)
	}
	renames, err := weights.Sanitize(stored)
	if err != nil {
		f.Close()
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	s := fileSource{tensors: map[string]weights.Tensor{}}
	for _, r := range renames {
		if r.To == "" {
			continue
		}
		if s.tensors[r.To], err = f.Tensor(r.From); err != nil {
			f.Close()
			return nil, nil, err
		}
		s.names = append(s.names, r.To)
	}
	return s, f, nil
}

// fileSource gives the tensors of an open file.
type fileSource struct {
	names   []string
	tensors map[string]weights.Tensor
}

// Names implements nn.Source.
func (s fileSource) Names() []string { return s.names }

// Shape implements nn.Source.
func (s fileSource) Shape(name string) ([]int, bool) {
	t, ok := s.tensors[name]
	return t.Shape, ok
}

// Float32 implements nn.Source.
func (s fileSource) Float32(name string) ([]float32, error) { return s.tensors[name].Float32() }

// Round implements nn.Rounder.
func (s fileSource) Round(name string) func(float32) float32 {
	return weights.Rounding(s.tensors[name].DType)
}

// fitted gives the tensors of src in the shapes that a model of this config
// has: tables of positions for another size are resized, everything else that does
// not fit is an error.
func fitted(cfg model.Config, src nn.Source) (nn.Source, error) {
	m, err := model.New(cfg, src)
	if err != nil {
		return nil, err
	}
	length := min(2, cfg.Text.ContextLength)
	g, err := m.Graph(1, length, max(1, length-1))
	if err != nil {
		return nil, err
	}
	f := fittedSource{nn.List(m.Tensors()), map[string][]float32{}}
	for _, p := range g.Parameters() {
		w := p.Weight
		for w.Of != nil {
			w = w.Of
		}
		f.values[w.Name] = op.Floats(w.Value)
	}
	for _, t := range m.Tensors() { // those that this graph does not use
		if f.values[t.Name] != nil {
			continue
		}
		if f.values[t.Name], err = src.Float32(t.Name); err != nil {
			return nil, err
		}
	}
	return f, nil
}

type fittedSource struct {
	nn.List
	values map[string][]float32
}

// Float32 implements nn.Source.
func (f fittedSource) Float32(name string) ([]float32, error) { return f.values[name], nil }
