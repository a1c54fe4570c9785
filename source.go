package coca

import (
	"encoding/json"
	"fmt"

	"github.com/seed-e0874532/coca/preprocess"
	"github.com/seed-e0874532/coca/weights"
)

// fileSource hands out the tensors of a file by the model's names.
type fileSource struct {
	names   []string
	tensors map[string]weights.Tensor
}

func newFileSource(f *weights.File) (*fileSource, error) {
	var stored []string
	for _, t := range f.Tensors() {
		stored = append(stored, t.Name)
	}
	renames, err := weights.Sanitize(stored)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path(), err)
	}
	s := &fileSource{tensors: map[string]weights.Tensor{}}
	for _, r := range renames {
		if r.To == "" {
			continue
		}
		t, err := f.Tensor(r.From)
		if err != nil {
			return nil, err
		}
		s.names = append(s.names, r.To)
		s.tensors[r.To] = t
	}
	return s, nil
}

// Names implements nn.Source.
func (s *fileSource) Names() []string { return s.names }

// Shape implements nn.Source.
func (s *fileSource) Shape(name string) ([]int, bool) {
	t, ok := s.tensors[name]
	return t.Shape, ok
}

// Float32 implements nn.Source.
func (s *fileSource) Float32(name string) ([]float32, error) { return s.tensors[name].Float32() }

// Round implements nn.Rounder.
func (s *fileSource) Round(name string) func(float32) float32 {
	return weights.Rounding(s.tensors[name].DType)
}

// parsePreprocessing reads the preprocess_cfg of an open_clip_config.json.
func parsePreprocessing(config []byte, size int) (preprocess.Config, error) {
	if config == nil {
		return preprocess.DefaultConfig(size), nil
	}
	var outer struct {
		Preprocess json.RawMessage `json:"preprocess_cfg"`
	}
	if err := json.Unmarshal(config, &outer); err != nil {
		return preprocess.Config{}, fmt.Errorf("open_clip_config.json: %w", err)
	}
	if outer.Preprocess == nil || string(outer.Preprocess) == "null" {
		return preprocess.DefaultConfig(size), nil
	}
	return preprocess.ParseConfig(outer.Preprocess, size)
}
