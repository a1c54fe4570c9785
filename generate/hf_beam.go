package generate

import "slices"

// logSearch is the vectorised beam search of the transformers library, which
// OpenCLIP's development branch uses: beam scores are sums of log-probabilities
// in float32, to which the processors are applied after the softmax.
type logSearch struct {
	eot      int32
	seqLen   int
	prompt   int // ids that every history begins with
	steps    *stepper
	process  *processor
	best     selector
	size     int
	scores   []float32      // log-probabilities of a row
	finished [][]hypothesis // of each image, best first
}

func newLogSearch(s *stepper, images int, o Options) *logSearch {
	return &logSearch{
		eot:      o.EOT,
		seqLen:   o.SeqLen,
		prompt:   len(o.start()),
		steps:    s,
		process:  newProcessor(o),
		size:     o.NumBeams,
		scores:   make([]float32, s.vocab),
		finished: make([][]hypothesis, images),
	}
}

func (l *logSearch) width() int { return l.size }

func (l *logSearch) advance(im *beamImage) (done bool, err error) {
	s := l.steps
	l.best.reset(2 * l.size)
	for i := range im.beams {
		b := &im.beams[i]
		norm, err := s.norm(b.row)
		if err != nil {
			return false, err
		}
		for v, x := range s.logits[b.row] {
			l.scores[v] = float32(float64(x) - norm)
		}
		l.best.offer(l.process.apply(l.scores, b.ids), b.score, i*s.vocab)
	}
	length := len(im.beams[0].ids) + 1
	generated := float32(length - l.prompt)
	last := length >= l.seqLen
	slots := 0
	for rank, c := range l.best.ranked() {
		parent, token := &im.beams[c.flat/s.vocab], int32(c.flat%s.vocab)
		logProb, err := s.logProb(parent.row, token)
		if err != nil {
			return false, err
		}
		ends := last || token == l.eot
		switch {
		case !ends && slots < l.size:
			im.next[slots].become(parent, token, logProb, c.score)
			slots++
		case ends && rank < l.size:
			l.keep(im.index, parent, token, logProb, float64(c.score/generated))
		}
	}
	if last {
		return true, nil
	}
	im.beams, im.next = im.next, im.beams
	return !l.canImprove(im, generated), nil
}

// keep adds a hypothesis to the best of an image, behind its equals.
func (l *logSearch) keep(image int, parent *beam, token int32, logProb, score float64) {
	list := l.finished[image]
	at := len(list)
	for at > 0 && list[at-1].score < score {
		at--
	}
	if at == l.size {
		return
	}
	list = slices.Insert(list, at, parent.completeWith(token, logProb, score))
	l.finished[image] = list[:min(len(list), l.size)]
}

// canImprove reports whether the best beam, if it ended now, would beat the worst
// of the finished hypotheses, or there is room for more of them.
func (l *logSearch) canImprove(im *beamImage, generated float32) bool {
	list := l.finished[im.index]
	worst := float64(unreachable)
	if len(list) == l.size {
		worst = list[l.size-1].score
	}
	return float64(im.beams[0].score/generated) > worst
}

func (l *logSearch) finish(im *beamImage) []hypothesis {
	return l.finished[im.index]
}
