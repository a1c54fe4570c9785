package generate

import (
	"context"
	"slices"
)

// unreachable is the score that beams other than the first start with, so that
// the first step, in which all beams are alike, takes its candidates from one.
const unreachable = -1e9

// beam is a live hypothesis.
type beam struct {
	ids      []int32
	logProbs []float64 // of ids[1:]
	score    float32   // the sum of what the search ranks by
	row      int       // its row in the model
}

// become makes b the continuation of parent by token. It reuses b's memory.
func (b *beam) become(parent *beam, token int32, logProb float64, score float32) {
	b.ids = append(append(b.ids[:0], parent.ids...), token)
	b.logProbs = append(append(b.logProbs[:0], parent.logProbs...), logProb)
	b.score = score
	b.row = parent.row
}

func (b *beam) last() int32 { return b.ids[len(b.ids)-1] }

// complete returns b as a hypothesis, in memory of its own, with room for EOT.
func (b *beam) complete(score float64) hypothesis {
	return hypothesis{
		ids:      append(make([]int32, 0, len(b.ids)+1), b.ids...),
		logProbs: append(make([]float64, 0, len(b.ids)), b.logProbs...),
		score:    score,
	}
}

// completeWith returns b, ended by token, as a hypothesis.
func (b *beam) completeWith(token int32, logProb, score float64) hypothesis {
	h := b.complete(score)
	h.ids = append(h.ids, token)
	h.logProbs = append(h.logProbs, logProb)
	return h
}

// beamImage is the state of one image in a beam search.
type beamImage struct {
	index       int
	beams, next []beam
}

// ranking is what beam searches differ in: what they score by, and which of the
// hypotheses that end they keep.
type ranking interface {
	// width is the number of beams of an image.
	width() int
	// advance chooses im.beams of the next step from the logits of the last one,
	// keeps the hypotheses that end, and reports whether the image is done.
	advance(im *beamImage) (done bool, err error)
	// finish returns what was kept, best first, of an image that is done or whose
	// beams the length limit has stopped.
	finish(im *beamImage) []hypothesis
}

// beamSearch runs a beam search over all images. Each image leaves the batch
// when it is done.
func beamSearch(ctx context.Context, s *stepper, images int, o Options, r ranking) ([][]Caption, error) {
	ids := o.start()
	logProbs, err := s.begin(ctx, images, ids, len(ids))
	if err != nil {
		return nil, err
	}
	live := make([]*beamImage, images)
	for i := range live {
		live[i] = newBeamImage(i, r.width(), ids, logProbs[i])
	}
	out := make([][]Caption, images)
	for length := len(ids) + 1; ; length++ {
		rows := len(s.logits)
		last := length >= o.SeqLen
		still := live[:0]
		for _, im := range live {
			done, err := r.advance(im)
			switch {
			case err != nil:
				return nil, err
			case done || last:
				out[im.index] = captions(r.finish(im), o)
			default:
				still = append(still, im)
			}
		}
		live = still
		o.report(Progress{Length: length, Rows: rows, Finished: images - len(live), Images: images})
		if len(live) == 0 {
			return out, nil
		}
		for _, im := range live {
			for i := range im.beams {
				b := &im.beams[i]
				b.row = s.push(b.row, b.last())
			}
		}
		if err := s.step(ctx); err != nil {
			return nil, err
		}
	}
}

// newBeamImage returns an image with n beams, which share the row index of the
// first step.
func newBeamImage(index, n int, ids []int32, logProbs []float64) *beamImage {
	im := &beamImage{index: index, beams: make([]beam, n), next: make([]beam, n)}
	for i := range im.beams {
		im.beams[i] = beam{
			ids:      slices.Clone(ids),
			logProbs: slices.Clone(logProbs),
			score:    unreachable,
			row:      index,
		}
	}
	im.beams[0].score = 0
	return im
}

func (o *Options) report(p Progress) {
	if o.Observe != nil {
		o.Observe(p)
	}
}
