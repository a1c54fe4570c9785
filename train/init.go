package train

import (
	"math"
	"math/rand/v2"
	"strings"

	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn"
)

// Init gives the start values of a model that is trained from nothing, each drawn as
// OpenCLIP's constructors and init routines leave it. A tensor's values follow from the seed, its
// name and its shape alone: neither the order in which tensors are asked for nor what else the model
// has changes them. (They are not PyTorch's random numbers.)
//
// In one tensor they differ: OpenCLIP 3.3 never runs its decoder's init routine and leaves
// text_decoder.text_projection as memory happens to be. Here it is normal with deviation D^−½,
// which is what that routine would do.
func Init(cfg model.Config, seed uint64) nn.Source {
	return startValues{model.Tensors(cfg), cfg, seed}
}

type startValues struct {
	nn.List
	cfg  model.Config
	seed uint64
}

// Float32 draws the values of a tensor. It returns a [nn.WeightsError] for a name that is
// none of the model's.
func (s startValues) Float32(name string) ([]float32, error) {
	shape, ok := s.Shape(name)
	if !ok {
		return nil, &nn.WeightsError{Missing: []nn.Info{{Name: name}}}
	}
	v := make([]float32, nn.Info{Shape: shape}.Elems())
	s.law(name, shape).draw(v, rand.New(rand.NewPCG(s.seed, hash(name))))
	return v, nil
}

// hash is FNV-1a.
func hash(name string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	return h
}

// A law fills a tensor of its elements.
type law interface {
	draw(v []float32, r *rand.Rand)
}

type (
	constant float64 // the value
	normal   float64 // the standard deviation; the mean is 0
	uniform  float64 // the bound on both sides
	sinCos   struct{ grid, width int }
)

func (c constant) draw(v []float32, _ *rand.Rand) {
	for i := range v {
		v[i] = float32(c)
	}
}

func (std normal) draw(v []float32, r *rand.Rand) {
	for i := range v {
		v[i] = float32(float64(std) * r.NormFloat64())
	}
}

func (bound uniform) draw(v []float32, r *rand.Rand) {
	for i := range v {
		v[i] = float32(float64(bound) * (2*r.Float64() - 1))
	}
}

// draw writes the table of pos_embed_type sin_cos_2d, [grid·grid + 1, width]: a row of zeros for the
// class, then for each patch the sines and cosines of its column in width/4 frequencies, and those of
// its row.
func (p sinCos) draw(v []float32, _ *rand.Rand) {
	n := p.width / 4
	clear(v[:p.width])
	for i := range p.grid * p.grid {
		row := v[(1+i)*p.width:][:p.width]
		for half, at := range []int{i % p.grid, i / p.grid} {
			for k := range n {
				sin, cos := math.Sincos(float64(at) * (1 / math.Pow(10000, float64(k)/float64(n))))
				row[2*half*n+k], row[(2*half+1)*n+k] = float32(sin), float32(cos)
			}
		}
	}
}

// law is the distribution of a tensor. What no init routine names keeps what PyTorch's
// constructors give: the weights of linear layers and convolutions, and their biases, spread
// evenly within 1/√inputs; the projections into an attention within √(6/(rows + columns)), and
// no biases there.
func (s startValues) law(name string, shape []int) law {
	path := strings.Split(name, ".")
	last := path[len(path)-1]
	owner := "" // of the parameter
	if len(path) > 1 {
		owner = path[len(path)-2]
	}
	switch {
	case name == "logit_scale":
		return constant(math.Log(1 / 0.07))
	case name == "logit_bias":
		return constant(value(s.cfg.InitLogitBias))
	case strings.HasPrefix(owner, "ln_"):
		if last == "weight" {
			return constant(1)
		}
		return constant(0)
	case last == "gamma":
		return constant(value(s.layerScale(path[0])))
	case last == "in_proj_bias", owner == "out_proj" && last == "bias":
		return constant(0)
	}
	if own := s.towersOwn(path, last, owner); own != nil {
		return own
	}
	switch {
	case strings.HasPrefix(last, "in_proj") || strings.HasSuffix(last, "_proj_weight"):
		return uniform(math.Sqrt(6 / float64(shape[0]+shape[1])))
	case last == "bias":
		shape, _ = s.Shape(strings.TrimSuffix(name, "bias") + "weight")
	}
	return uniform(1 / math.Sqrt(float64(nn.Info{Shape: shape}.Elems()/shape[0])))
}

// towersOwn is the distribution that a tower's code itself names, or nil.
func (s startValues) towersOwn(path []string, last, owner string) law {
	switch path[0] {
	case "visual":
		switch last {
		case "positional_embedding":
			if v := s.cfg.Vision; v.PosEmbedType == "sin_cos_2d" {
				return sinCos{v.ImageSize.Height / v.PatchSize.Height, v.Width}
			}
			fallthrough
		case "class_embedding", "proj":
			return scaled(s.cfg.Vision.Width)
		case "query":
			return normal(1)
		}
	case "text":
		switch {
		case owner == "token_embedding":
			return normal(0.02)
		case last == "positional_embedding", last == "cls_emb":
			return normal(0.01)
		case owner == "text_projection" && last == "bias":
			return constant(0)
		case last == "text_projection", owner == "text_projection", last == "in_proj_weight":
			return scaled(s.cfg.Text.Width)
		case owner == "c_fc" && last == "weight":
			return scaled(2 * s.cfg.Text.Width)
		case (owner == "out_proj" || owner == "c_proj") && last == "weight":
			return scaled(2 * int(s.cfg.Text.Layers) * s.cfg.Text.Width)
		}
	case "text_decoder":
		if last == "text_projection" {
			return scaled(s.cfg.Decoder.Width)
		}
	}
	return nil
}

// scaled is the normal law of deviation n^−½.
func scaled(n int) law { return normal(1 / math.Sqrt(float64(n))) }

// layerScale is the start value of the layer scales of a tower.
func (s startValues) layerScale(tower string) *float64 {
	switch tower {
	case "visual":
		return s.cfg.Vision.LSInitValue
	case "text":
		return s.cfg.Text.LSInitValue
	}
	return s.cfg.Decoder.LSInitValue
}

// value is that of a number that may not be set.
func value(v *float64) float64 {
	if v == nil {
		return 0
	}
	return *v
}
