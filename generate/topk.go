package generate

import "slices"

// candidate is a continuation that a search may take.
type candidate struct {
	score float32
	flat  int // beam*vocabulary + token
}

// worse reports whether a ranks behind b: by score, and among equal scores by
// position. torch.topk leaves the order of equals open; the lowest position
// first makes it definite.
func worse(a, b candidate) bool {
	return a.score < b.score || a.score == b.score && a.flat > b.flat
}

// selector finds the k best candidates among many in one pass, without sorting
// the rest: a heap of the best so far, its worst at the root, which almost every
// further candidate fails to beat. It reuses its memory.
type selector struct {
	k    int
	heap []candidate
}

// reset empties s and makes it keep k candidates.
func (s *selector) reset(k int) {
	s.k = k
	s.heap = slices.Grow(s.heap[:0], k)
}

// offer offers row[i]+add for every i, at position first+i. Positions must rise
// from call to call. It returns the index of a NaN or +Inf that it has come
// across, or -1: such a score beats the root, so looking for it costs the usual
// candidate nothing.
func (s *selector) offer(row []float32, add float32, first int) int {
	i := 0
	for ; i < len(row) && len(s.heap) < s.k; i++ {
		if !isNumber(row[i]) {
			return i
		}
		s.heap = append(s.heap, candidate{row[i] + add, first + i})
		s.up(len(s.heap) - 1)
	}
	if i == len(row) {
		return -1
	}
	least := s.heap[0].score
	for j, x := range row[i:] {
		score := x + add
		if score <= least {
			continue
		}
		if !isNumber(x) {
			return i + j
		}
		s.heap[0] = candidate{score, first + i + j}
		s.down(0)
		least = s.heap[0].score
	}
	return -1
}

// ranked returns the kept candidates, best first. They are valid until reset.
func (s *selector) ranked() []candidate {
	slices.SortFunc(s.heap, func(a, b candidate) int {
		if worse(b, a) {
			return -1
		}
		return 1
	})
	return s.heap
}

func (s *selector) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !worse(s.heap[i], s.heap[parent]) {
			return
		}
		s.heap[i], s.heap[parent] = s.heap[parent], s.heap[i]
		i = parent
	}
}

func (s *selector) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(s.heap) {
			return
		}
		if r := child + 1; r < len(s.heap) && worse(s.heap[r], s.heap[child]) {
			child = r
		}
		if !worse(s.heap[child], s.heap[i]) {
			return
		}
		s.heap[i], s.heap[child] = s.heap[child], s.heap[i]
		i = child
	}
}
