package generate

// rawSearch is the beam search of OpenCLIP 3.3.0: beam scores are sums of raw
// logits. It has NumBeamGroups groups of NumBeams/NumBeamGroups beams each, but
// as nothing makes the groups differ, they come out identical; one is computed.
type rawSearch struct {
	eot     int32
	steps   *stepper
	process *processor
	best    selector
	size    int // beams of a group
	pools   []pool
}

func newRawSearch(s *stepper, images int, o Options) *rawSearch {
	r := &rawSearch{eot: o.EOT, steps: s, process: newProcessor(o), size: o.NumBeams / o.NumBeamGroups}
	r.pools = make([]pool, images)
	for i := range r.pools {
		r.pools[i] = newPool(r.size)
	}
	return r
}

func (r *rawSearch) width() int { return r.size }

func (r *rawSearch) advance(im *beamImage) (done bool, err error) {
	s := r.steps
	r.best.reset(2 * r.size)
	for i := range im.beams {
		b := &im.beams[i]
		row := r.process.apply(s.logits[b.row], b.ids)
		if r.best.offer(row, b.score, i*s.vocab) >= 0 {
			return false, s.logitError(b.row)
		}
	}
	ranked := r.best.ranked()
	length := len(im.beams[0].ids) + 1
	hyps := &r.pools[im.index]
	slots := 0
	for rank, c := range ranked {
		if slots == r.size {
			break
		}
		parent, token := &im.beams[c.flat/s.vocab], int32(c.flat%s.vocab)
		if token == r.eot && rank >= r.size {
			continue // it ends too far behind to count
		}
		logProb, err := s.logProb(parent.row, token)
		if err != nil {
			return false, err
		}
		if token != r.eot {
			im.next[slots].become(parent, token, logProb, c.score)
			slots++
		} else if score := meanScore(c.score, length); hyps.wants(score) {
			hyps.add(parent.completeWith(token, logProb, score))
		}
	}
	im.beams, im.next = im.next, im.beams
	return hyps.settled(meanScore(ranked[0].score, length)), nil
}

// finish adds the live beams to the pool. The reference does so only for images
// that are not done; of one that is, no beam beats the worst of the pool.
func (r *rawSearch) finish(im *beamImage) []hypothesis {
	hyps := &r.pools[im.index]
	for i := range im.beams {
		b := &im.beams[i]
		if score := meanScore(b.score, len(b.ids)); hyps.wants(score) {
			hyps.add(b.complete(score))
		}
	}
	return hyps.ranked()
}

// meanScore is the score of a hypothesis of length ids, SOT and EOT included,
// whose logits sum to sum. The test for the end of a search often compares a
// score with itself, which is why both sides must come from this one operation.
func meanScore(sum float32, length int) float64 { return float64(sum) / float64(length) }
