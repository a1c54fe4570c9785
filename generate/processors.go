package generate

import "math"

// processor rewrites the scores of a row before a search chooses from them:
// first the minimum length, then the repetition penalty.
type processor struct {
	minLen  int
	eot     int32
	penalty float32
	scratch []float32
}

func newProcessor(o Options) *processor {
	return &processor{minLen: o.MinSeqLen, eot: o.EOT, penalty: float32(o.RepetitionPenalty)}
}

// apply returns the processed scores of a row whose history, as far as the model
// sees it, is ids. row itself is returned if nothing changes it, else memory that
// is valid until the next call.
func (p *processor) apply(row []float32, ids []int32) []float32 {
	short := len(ids) < p.minLen
	if !short && p.penalty == 1 {
		return row
	}
	p.scratch = append(p.scratch[:0], row...)
	p.rewrite(p.scratch, row, ids)
	return p.scratch
}

// rewrite changes scores, a copy of row, in place.
func (p *processor) rewrite(scores, row []float32, ids []int32) {
	if len(ids) < p.minLen {
		scores[p.eot] = float32(math.Inf(-1))
	}
	if p.penalty == 1 {
		return
	}
	for _, id := range ids {
		// From row and not from scores, so that an id that occurs twice is
		// punished once. A blocked EOT stays blocked.
		if !math.IsInf(float64(scores[id]), -1) {
			scores[id] = penalize(row[id], p.penalty)
		}
	}
}

// penalize makes x smaller for a penalty above 1, whatever its sign.
func penalize(x, penalty float32) float32 {
	if x < 0 {
		return x * penalty
	}
	return x / penalty
}
