package generate

import "slices"

// pool keeps the best finished hypotheses of a search, in order of arrival.
type pool struct {
	size  int
	list  []hypothesis
	worst float64 // the lowest score; 1e9 at first
}

func newPool(size int) pool {
	return pool{size: size, list: make([]hypothesis, 0, size+1), worst: 1e9}
}

// wants reports whether add would look at a hypothesis of that score.
func (p *pool) wants(score float64) bool { return len(p.list) < p.size || score > p.worst }

// add stores a hypothesis that p wants. A full pool gives up its lowest one, of
// equals the earliest.
func (p *pool) add(h hypothesis) {
	p.list = append(p.list, h)
	if len(p.list) <= p.size {
		p.worst = min(p.worst, h.score)
		return
	}
	p.list = slices.Delete(p.list, p.lowest(), p.lowest()+1)
	p.worst = p.list[p.lowest()].score
}

func (p *pool) lowest() int {
	low := 0
	for i := range p.list {
		if p.list[i].score < p.list[low].score {
			low = i
		}
	}
	return low
}

// settled reports whether the search is over: the pool is full and the best
// candidate of this step, divided by this step's length, would not beat its
// worst. With raw logits, of which later ones may be larger, this proves nothing;
// it is what the reference does.
func (p *pool) settled(best float64) bool { return len(p.list) >= p.size && p.worst >= best }

// ranked returns the hypotheses, best first; of equals the last stored comes first.
func (p *pool) ranked() []hypothesis {
	list := slices.Clone(p.list)
	slices.Reverse(list)
	slices.SortStableFunc(list, byScore)
	return list
}
