package generate

import (
	"math"
	"slices"
)

// filter reduces a row to the tokens that may be sampled, and gives them
// weights. Its results share its memory and are valid until the next call.
type filter struct {
	topK        int     // 0: no limit
	topP        float64 // 1: no limit
	temperature float64
	// tempered makes top-p measure probabilities at the temperature of the
	// sampling, as Main does; OpenCLIP33 measures them at temperature 1.
	tempered bool

	best    selector
	tokens  []int32
	logits  []float32
	weights []float64
}

func newFilter(o Options) *filter {
	f := &filter{topP: 1, temperature: o.Temperature, tempered: o.Profile == Main}
	switch o.Type {
	case TopK:
		f.topK = o.TopK
	case TopP:
		f.topP = o.TopP
		if o.Profile == Main {
			f.topK = hubTopK
		}
	}
	return f
}

// hubTopK is what the transformers library sets top_k to where nobody does, as
// OpenCLIP's development branch does not for a top_p search.
const hubTopK = 50

// apply returns the tokens of row that stay, in ascending order, and weights in
// proportion to their probabilities, the greatest 1. ok is false if the row has a
// NaN or +Inf, or nothing but -Inf.
func (f *filter) apply(row []float32) (tokens []int32, weights []float64, ok bool) {
	f.tokens, f.logits, f.weights = f.tokens[:0], f.logits[:0], f.weights[:0]
	k := f.topK
	if k == 0 || k > len(row) {
		k = 1 // only to find the greatest
	}
	f.best.reset(k)
	if f.best.offer(row, 0, 0) >= 0 {
		return nil, nil, false
	}
	ranked := f.best.ranked()
	greatest, least := ranked[0].score, ranked[k-1].score
	if math.IsInf(float64(greatest), -1) {
		return nil, nil, false
	}
	if k != f.topK {
		least = float32(math.Inf(-1))
	}
	f.keepFrom(row, least)
	if f.topP < 1 {
		f.keepMass(greatest)
	}
	for _, x := range f.logits {
		f.weights = append(f.weights, expNeg(max((float64(x)-float64(greatest))/f.temperature, expLeast)))
	}
	return f.tokens, f.weights, true
}

// keepFrom keeps the tokens whose logits are at least least; so equals of the
// k-th largest all stay.
func (f *filter) keepFrom(row []float32, least float32) {
	for i, x := range row {
		if x >= least && !math.IsInf(float64(x), -1) {
			f.tokens = append(f.tokens, int32(i))
			f.logits = append(f.logits, x)
		}
	}
}

// keepMass reduces the kept tokens to the most probable ones that are needed for
// the mass topP: a token goes if those above it have that mass already. The
// greatest stays. Of equals the lower id is above; torch.sort leaves it open.
func (f *filter) keepMass(greatest float32) {
	scale := 1.0
	if f.tempered {
		scale = 1 / f.temperature
	}
	want := float64(f.topP * sumExp(f.logits, float64(greatest), scale))
	// Most often few tokens have the mass; look for more and more.
	for k := min(64, len(f.logits)); ; k = min(8*k, len(f.logits)) {
		f.best.reset(k)
		f.best.offer(f.logits, 0, 0)
		ranked := f.best.ranked()
		kept, mass := 1, 1.0
		for kept < k && mass < want {
			mass += expNeg(max((float64(ranked[kept].score)-float64(greatest))*scale, expLeast))
			kept++
		}
		if mass < want && k < len(f.logits) {
			continue
		}
		ranked = ranked[:kept]
		slices.SortFunc(ranked, func(a, b candidate) int { return a.flat - b.flat })
		for i, c := range ranked {
			f.tokens[i], f.logits[i] = f.tokens[c.flat], c.score // c.flat >= i
		}
		f.tokens, f.logits = f.tokens[:kept], f.logits[:kept]
		return
	}
}

// draw returns the token at u, in [0, 1), of the cumulated weights.
func draw(tokens []int32, weights []float64, u float64) int32 {
	rest := u * sum(weights)
	last := tokens[0]
	for i, w := range weights {
		if w == 0 {
			continue
		}
		last = tokens[i]
		if rest -= w; rest < 0 {
			break
		}
	}
	return last
}
