// Package formula defines weights and images by a formula, so that a golden
// test at full size needs no weight file: every value is a pure function of
// the tensor's name and the flat index, and Python computes the same bits
// (testdata/reference/formula.py).
package formula

import (
	"fmt"
	"strings"

	"github.com/seed-e0874532/coca/nn"
)

// hash is FNV-1a, 64 bit.
func hash(name string) uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 0x100000001b3
	}
	return h
}

// Unit is element i of the uniform sequence of a name: the top 24 bits of
// SplitMix64(hash + i), in [−1, 1), exact in float32.
func Unit(name string, i uint64) float32 { return unit(hash(name), i) }

func unit(h, i uint64) float32 {
	z := h + i + 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	return float32(int64(z>>40)-1<<23) * (1.0 / (1 << 23))
}

// Image is picture j, already normalised: [3, height, width].
func Image(j, height, width int) []float32 {
	h := hash(fmt.Sprintf("image.%d", j))
	pixels := make([]float32, 3*height*width)
	for i := range pixels {
		pixels[i] = 2 * unit(h, uint64(i))
	}
	return pixels
}

// Weight fills a tensor: offset + scale·unit, one float32 rounding.
func Weight(name string, shape []int) []float32 {
	data := make([]float32, nn.Info{Shape: shape}.Elems())
	if name == "logit_scale" {
		for i := range data {
			data[i] = 2.65625
		}
		return data
	}
	offset, scale := rule(name, shape)
	h := hash(name)
	for i := range data {
		data[i] = offset + scale*unit(h, uint64(i))
	}
	return data
}

// rule chooses scales under which activations keep a sensible size: a
// variance of at most one over the fan-in.
func rule(name string, shape []int) (offset, scale float32) {
	parts := strings.Split(name, ".")
	leaf := parts[len(parts)-1]
	if len(parts) > 1 && strings.HasPrefix(parts[len(parts)-2], "ln_") {
		if leaf == "weight" {
			offset = 1
		}
		return offset, 1.0 / 8
	}
	switch leaf {
	case "bias", "in_proj_bias":
		return 0, 1.0 / 16
	case "positional_embedding", "cls_emb", "class_embedding", "query":
		return 0, 1
	case "proj", "text_projection": // used as x·M: the rows are the fan-in
		scale = fanScale(shape[0])
		if strings.HasPrefix(name, "text_decoder.") {
			scale *= 4
		}
		return 0, scale
	}
	if strings.HasSuffix(name, "token_embedding.weight") {
		return 0, 1
	}
	fan := 1
	for _, d := range shape[min(1, len(shape)):] {
		fan *= d
	}
	scale = fanScale(fan)
	switch leaf {
	case "in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight":
		scale *= 2
	}
	return 0, scale
}

// fanScale is 2^−k for the smallest k with 3·4^k >= fan.
func fanScale(fan int) float32 {
	scale := float32(1)
	for n := 3; n < fan; n *= 4 {
		scale /= 2
	}
	return scale
}

// Source hands out formula-defined weights for a list of tensors.
type Source []nn.Info

// Names implements nn.Source.
func (s Source) Names() []string { return nn.List(s).Names() }

// Shape implements nn.Source.
func (s Source) Shape(name string) ([]int, bool) { return nn.List(s).Shape(name) }

// Float32 implements nn.Source.
func (s Source) Float32(name string) ([]float32, error) {
	shape, ok := s.Shape(name)
	if !ok {
		return nil, fmt.Errorf("formula: no tensor %q", name)
	}
	return Weight(name, shape), nil
}
