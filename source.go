package coca

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/seed-e0874532/coca/nn"
	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/preprocess"
	"github.com/seed-e0874532/coca/weights"
)

// fileSource hands out the tensors of a file by the model's names.
type fileSource struct {
	path      string
	names     []string
	tensors   map[string]weights.Tensor
	precision Precision

	pack        *packing                  // nil if the file is not packed
	packed      map[string]weights.Tensor // its panels
	placeholder []float32                 // see standIn
	apart       map[string]bool           // see common
}

func newFileSource(f *weights.File) (*fileSource, error) {
	s := &fileSource{path: f.Path(), tensors: map[string]weights.Tensor{}, packed: map[string]weights.Tensor{}, apart: map[string]bool{}}
	var err error
	if s.pack, err = readPacking(f); err != nil {
		return nil, err
	}
	var stored []string
	for _, t := range f.Tensors() {
		if s.pack != nil && strings.Contains(t.Name, "#") {
			if s.packed[t.Name], err = f.Tensor(t.Name); err != nil {
				return nil, err
			}
			continue
		}
		stored = append(stored, t.Name)
	}
	renames, err := weights.Sanitize(stored)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path(), err)
	}
	for _, r := range renames {
		if r.To == "" {
			continue
		}
		if s.tensors[r.To], err = f.Tensor(r.From); err != nil {
			return nil, err
		}
		s.names = append(s.names, r.To)
	}
	if s.pack != nil {
		for name := range s.pack.shapes {
			s.names = append(s.names, name)
		}
	}
	return s, nil
}

// standIn makes the memory that stands in graphs for the weights that the
// device takes from the file as they are. No page of it is ever touched.
func (s *fileSource) standIn() {
	largest := 0
	for _, name := range s.names {
		if n, ok := s.direct(name); ok {
			largest = max(largest, n)
		}
	}
	s.placeholder = make([]float32, largest)
}

// direct reports whether the device takes a weight from the file as it is, and
// its number of elements.
func (s *fileSource) direct(name string) (elements int, ok bool) {
	if s.pack != nil {
		shape, ok := s.pack.shapes[name]
		return nn.Info{Shape: shape}.Elems(), ok
	}
	t := s.tensors[name]
	if s.precision != exec.BF16 || t.DType != weights.BF16 || !isMatrix(name) {
		return 0, false
	}
	data, ok := s.halves(name)
	return t.Elems(), ok && !s.common(name, data)
}

// common reports whether the outputs of a projection have so much in common
// that the device takes it apart; see [exec.Common].
func (s *fileSource) common(name string, data []uint16) bool {
	shape := s.tensors[name].Shape
	if !strings.HasSuffix(name, "proj") && !strings.HasSuffix(name, "text_projection") || len(shape) != 2 {
		return false
	}
	if _, known := s.apart[name]; !known {
		at := func(o, k int) float32 { return math.Float32frombits(uint32(data[k*shape[1]+o]) << 16) }
		s.apart[name] = exec.Common(at, shape[1], shape[0]) != nil
	}
	return s.apart[name]
}

// isMatrix reports whether a tensor is the weight of a linear map and nothing
// else, and one that the device keeps in its precision: not that of the patches.
func isMatrix(name string) bool {
	for _, suffix := range []string{
		".in_proj_weight", ".out_proj.weight", ".q_proj_weight", ".k_proj_weight", ".v_proj_weight",
		".c_fc.weight", ".c_proj.weight", ".text_projection", ".text_projection.weight", "visual.proj",
	} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}

// Names implements nn.Source.
func (s *fileSource) Names() []string { return s.names }

// Shape implements nn.Source.
func (s *fileSource) Shape(name string) ([]int, bool) {
	if s.pack != nil {
		if shape, ok := s.pack.shapes[name]; ok {
			return shape, true
		}
	}
	t, ok := s.tensors[name]
	return t.Shape, ok
}

// Float32 implements nn.Source.
func (s *fileSource) Float32(name string) ([]float32, error) {
	if n, ok := s.direct(name); ok {
		return s.placeholder[:n:n], nil
	}
	return s.tensors[name].Float32()
}

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
