package train

import (
	"math"
	"math/rand/v2"
	"strings"

	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn"
)

// stopgapInit gives start values as OpenCLIP's initialisation does.
func stopgapInit(cfg model.Config, seed uint64) nn.Source {
	return initial{model.Tensors(cfg), cfg, seed}
}

type initial struct {
	nn.List
	cfg  model.Config
	seed uint64
}

// Float32 draws the values of a tensor.
func (s initial) Float32(name string) ([]float32, error) {
	shape, _ := s.Shape(name)
	v := make([]float32, nn.Info{Shape: shape}.Elems())
	h := uint64(14695981039346656037)
	for _, c := range []byte(name) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	r := rand.New(rand.NewPCG(s.seed, h))
	normal := func(std float64) {
		for i := range v {
			v[i] = float32(std * r.NormFloat64())
		}
	}
	uniform := func(bound float64) {
		for i := range v {
			v[i] = float32(bound * (2*r.Float64() - 1))
		}
	}
	fill := func(x float32) {
		for i := range v {
			v[i] = x
		}
	}
	W, T, D := float64(s.cfg.Vision.Width), float64(s.cfg.Text.Width), float64(s.cfg.Decoder.Width)
	deep := math.Pow(2*float64(s.cfg.Text.Layers), -0.5)
	last := name[strings.LastIndexByte(name, '.')+1:]
	text := strings.HasPrefix(name, "text.") && strings.Contains(name, "resblocks")
	switch {
	case name == "logit_scale":
		fill(float32(math.Log(1 / 0.07)))
	case strings.Contains(name, "ln_") && last == "weight":
		fill(1)
	case strings.Contains(name, "ln_") && last == "bias", strings.HasSuffix(name, "in_proj_bias"), strings.HasSuffix(name, "out_proj.bias"):
	case strings.HasSuffix(name, "ls_1.gamma"), strings.HasSuffix(name, "ls_2.gamma"):
		fill(1e-5)
	case name == "text.token_embedding.weight":
		normal(0.02)
	case name == "text.positional_embedding", name == "text.cls_emb":
		normal(0.01)
	case name == "text.text_projection":
		normal(math.Pow(T, -0.5))
	case name == "text_decoder.text_projection":
		normal(math.Pow(D, -0.5))
	case strings.HasPrefix(name, "visual.") && (last == "class_embedding" || last == "positional_embedding" || last == "proj"):
		normal(math.Pow(W, -0.5))
	case last == "query":
		normal(1)
	case text && strings.HasSuffix(name, "in_proj_weight"):
		normal(math.Pow(T, -0.5))
	case text && (strings.HasSuffix(name, "out_proj.weight") || strings.HasSuffix(name, "c_proj.weight")):
		normal(math.Pow(T, -0.5) * deep)
	case text && strings.HasSuffix(name, "c_fc.weight"):
		normal(math.Pow(2*T, -0.5))
	case strings.HasSuffix(name, "in_proj_weight"), strings.HasSuffix(name, "q_proj_weight"), strings.HasSuffix(name, "k_proj_weight"), strings.HasSuffix(name, "v_proj_weight"):
		uniform(math.Sqrt(6 / float64(shape[0]+shape[1])))
	case last == "weight" && len(shape) >= 2:
		uniform(1 / math.Sqrt(float64(len(v)/shape[0])))
	case last == "bias":
		w, _ := s.Shape(strings.TrimSuffix(name, "bias") + "weight")
		if len(w) >= 2 {
			uniform(1 / math.Sqrt(float64(nn.Info{Shape: w}.Elems()/w[0])))
		}
	default:
		normal(math.Pow(D, -0.5))
	}
	return v, nil
}
