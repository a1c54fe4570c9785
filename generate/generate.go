package generate

import (
	"cmp"
	"context"
	"slices"
)

// Generate searches captions for the images 0 to images-1 of m, all in one batch.
// For each image it returns up to o.NumCaptions distinct captions, best first and
// at least one. Errors are those of the model and the context, *OptionError,
// *LogitError and *ModelError.
func Generate(ctx context.Context, m Model, images int, o Options) ([][]Caption, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if images < 0 {
		return nil, wrong("images", "at least 0", images)
	}
	s := &stepper{model: m, vocab: m.VocabSize()}
	if s.vocab < 2 {
		// A beam search keeps twice as many candidates as beams, so that one
		// EOT for each beam leaves enough.
		return nil, &ModelError{What: "vocabulary size", Want: 2, Got: s.vocab}
	}
	if err := o.validateVocab(s.vocab); err != nil {
		return nil, err
	}
	if images == 0 {
		return nil, nil
	}
	switch {
	case o.Type != BeamSearch || o.NumBeams == 1:
		return sampleSearch(ctx, s, images, o)
	case o.Profile == Main:
		return beamSearch(ctx, s, images, o, newLogSearch(s, images, o))
	default:
		return beamSearch(ctx, s, images, o, newRawSearch(s, images, o))
	}
}

// hypothesis is a complete sequence of a search.
type hypothesis struct {
	ids      []int32
	logProbs []float64 // of ids[1:]
	score    float64
}

// byScore orders hypotheses, best first.
func byScore(a, b hypothesis) int { return cmp.Compare(b.score, a.score) }

// captions returns the first o.NumCaptions distinct hypotheses.
func captions(hyps []hypothesis, o Options) []Caption {
	var out []Caption
	for i, h := range hyps {
		if len(out) == o.NumCaptions {
			break
		}
		same := func(g hypothesis) bool { return slices.Equal(g.ids, h.ids) }
		if slices.ContainsFunc(hyps[:i], same) {
			continue
		}
		c := Caption{IDs: h.ids, Score: h.score, LogProb: sum(h.logProbs), TokenLogProbs: h.logProbs}
		for o.FixedOutputLength && len(c.IDs) < o.SeqLen {
			c.IDs = append(c.IDs, o.Pad)
		}
		out = append(out, c)
	}
	return out
}

func sum(x []float64) (s float64) {
	for _, v := range x {
		s += v
	}
	return s
}
