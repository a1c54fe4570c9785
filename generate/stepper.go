package generate

import (
	"context"
	"math"
	"slices"
)

// stepper drives a Model: it collects the rows of the next step, checks what the
// model answers, and computes log-probabilities, once per row and only of rows
// that the search goes on from.
type stepper struct {
	model Model
	vocab int
	seen  int // ids in the history of each row

	logits [][]float32 // of each row, after the last step
	images []int       // image of each row
	norms  []float64   // log Σ exp of each row; NaN where not yet computed

	// The next step.
	parents    []int
	tokens     []int32
	nextImages []int
}

// start begins one empty history per element of images.
func (s *stepper) start(ctx context.Context, images []int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.seen = 0
	s.images = append(s.images[:0], images...)
	s.nextImages = s.nextImages[:0]
	s.parents, s.tokens = s.parents[:0], s.tokens[:0]
	return s.model.Start(ctx, images)
}

// push adds a row to the next step and returns its number.
func (s *stepper) push(parent int, token int32) int {
	s.parents = append(s.parents, parent)
	s.tokens = append(s.tokens, token)
	s.nextImages = append(s.nextImages, s.images[parent])
	return len(s.parents) - 1
}

// step runs the model on the rows that were pushed.
func (s *stepper) step(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	logits, err := s.model.Step(ctx, s.parents, s.tokens)
	if err != nil {
		return err
	}
	if len(logits) != len(s.parents) {
		return &ModelError{What: "rows", Want: len(s.parents), Got: len(logits)}
	}
	s.norms = s.norms[:0]
	for _, row := range logits {
		if len(row) != s.vocab {
			return &ModelError{What: "logits of a row", Want: s.vocab, Got: len(row)}
		}
		s.norms = append(s.norms, math.NaN())
	}
	s.logits = logits
	s.images, s.nextImages = s.nextImages, s.images[:0]
	s.parents, s.tokens = s.parents[:0], s.tokens[:0]
	s.seen++
	return nil
}

// replay takes the place of step where the model must see less than the whole
// histories: each row that was pushed starts anew, from its element of histories,
// which are of equal length.
func (s *stepper) replay(ctx context.Context, histories [][]int32) error {
	if err := s.start(ctx, slices.Clone(s.nextImages)); err != nil {
		return err
	}
	for t := range histories[0] {
		for row, ids := range histories {
			s.push(row, ids[t])
		}
		if err := s.step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// begin starts one row for each of the images 0 to images-1 and feeds it ids, of
// which the model sees the last window. It returns the log-probabilities of
// ids[1:] for each image.
func (s *stepper) begin(ctx context.Context, images int, ids []int32, window int) ([][]float64, error) {
	if err := s.start(ctx, sequence(images)); err != nil {
		return nil, err
	}
	logProbs := make([][]float64, images)
	for t, id := range ids {
		for i := range images {
			if t > 0 {
				p, err := s.logProb(i, id)
				if err != nil {
					return nil, err
				}
				logProbs[i] = append(logProbs[i], p)
			}
			s.push(i, id)
		}
		var err error
		if t < window {
			err = s.step(ctx)
		} else {
			err = s.replay(ctx, repeat(ids[t+1-window:t+1], images))
		}
		if err != nil {
			return nil, err
		}
	}
	return logProbs, nil
}

// logProb returns the log-softmax of the unprocessed logits of a row, for token.
func (s *stepper) logProb(row int, token int32) (float64, error) {
	n, err := s.norm(row)
	return float64(s.logits[row][token]) - n, err
}

// norm returns log Σ exp of the unprocessed logits of a row.
func (s *stepper) norm(row int) (float64, error) {
	if n := s.norms[row]; !math.IsNaN(n) {
		return n, nil
	}
	var n float64
	if m, ok := s.model.(Normalizer); ok {
		n = m.LogSumExp(row)
	} else {
		n = LogSumExp(s.logits[row])
	}
	if math.IsNaN(n) || math.IsInf(n, -1) {
		return 0, s.logitError(row)
	}
	s.norms[row] = n
	return n, nil
}

// logitError finds the logit of a row with which no search can go on.
func (s *stepper) logitError(row int) error {
	e := &LogitError{Image: s.images[row], Step: s.seen, Token: -1, Value: float32(math.Inf(-1))}
	for i, x := range s.logits[row] {
		if !isNumber(x) {
			e.Token, e.Value = i, x
			break
		}
	}
	return e
}

// sequence returns 0 … n-1.
func sequence(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

// repeat returns n times ids.
func repeat(ids []int32, n int) [][]int32 {
	out := make([][]int32, n)
	for i := range out {
		out[i] = ids
	}
	return out
}
