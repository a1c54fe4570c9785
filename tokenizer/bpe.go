package tokenizer

// A mergeTable holds what a pair of adjacent symbols merges to and how early,
// in an open-addressed hash table: it is read several times for each word, and
// a Go map is twice as slow.
type mergeTable struct {
	slots []mergeSlot // a power of two, at most half full
	count int
}

type mergeSlot struct {
	key  uint64 // left<<32 | right, plus 1 so that 0 means empty
	rank int32
	id   int32
}

func newMergeTable(merges int) *mergeTable {
	size := 16
	for size < 2*merges {
		size *= 2
	}
	return &mergeTable{slots: make([]mergeSlot, size)}
}

func pairKey(left, right int32) uint64 { return uint64(left)<<32 | uint64(right) + 1 }

func (t *mergeTable) slot(key uint64) *mergeSlot {
	mask := uint64(len(t.slots) - 1)
	for i := (key * 0x9E3779B97F4A7C15) >> 32; ; i++ {
		s := &t.slots[i&mask]
		if s.key == key || s.key == 0 {
			return s
		}
	}
}

// add enters the merge of left and right to id; a later one of the same pair
// replaces an earlier one. No more than the announced number may be added.
func (t *mergeTable) add(left, right, rank, id int32) {
	s := t.slot(pairKey(left, right))
	if s.key == 0 {
		t.count++
	}
	*s = mergeSlot{key: pairKey(left, right), rank: rank, id: id}
}

// noRank is the rank of pairs that do not merge.
const noRank = 1<<31 - 1

func (t *mergeTable) find(left, right int32) (rank, id int32) {
	s := t.slot(pairKey(left, right))
	if s.key == 0 {
		return noRank, 0
	}
	return s.rank, s.id
}

// maxScan is the number of symbols up to which a word is merged by looking
// through all its pairs each time. Longer ones take a heap, whose n log n
// keeps a word of a megabyte from taking quadratic time.
const maxScan = 32

// merge replaces symbols by what byte-pair encoding makes of them: the pair of
// the lowest rank merges, the leftmost one first, until no pair does. It works
// in place and returns the shortened slice.
//
// SimpleTokenizer merges all occurrences of the best pair before it looks
// again. That is the same if no merge can yield a pair of a lower rank than
// its own, as in every vocabulary that was trained: the symbol did not exist
// at the time of the lower rank. TestMergeOrder checks it for CLIP's.
func (t *mergeTable) merge(symbols []int32) []int32 {
	if len(symbols) > maxScan {
		return t.mergeLong(symbols)
	}
	var ranks, ids [maxScan]int32
	for i := 1; i < len(symbols); i++ {
		ranks[i-1], ids[i-1] = t.find(symbols[i-1], symbols[i])
	}
	for n := len(symbols); n > 1; {
		best := 0
		for i := 1; i < n-1; i++ {
			if ranks[i] < ranks[best] {
				best = i
			}
		}
		if ranks[best] == noRank {
			break
		}
		symbols[best] = ids[best]
		n--
		copy(symbols[best+1:], symbols[best+2:])
		copy(ranks[best:n], ranks[best+1:n])
		copy(ids[best:n], ids[best+1:n])
		symbols = symbols[:n]
		if best > 0 {
			ranks[best-1], ids[best-1] = t.find(symbols[best-1], symbols[best])
		}
		if best+1 < n {
			ranks[best], ids[best] = t.find(symbols[best], symbols[best+1])
		}
	}
	return symbols
}

// A candidate is a pair that may merge: the symbol at pos and its neighbour.
type candidate struct {
	rank, pos, id int32
}

func (c candidate) before(d candidate) bool {
	return c.rank < d.rank || c.rank == d.rank && c.pos < d.pos
}

// candidates is a binary heap, the next candidate first. container/heap would
// allocate memory for each one.
type candidates []candidate

func (h *candidates) push(c candidate) {
	*h = append(*h, c)
	q := *h
	for i := len(q) - 1; i > 0; {
		parent := (i - 1) / 2
		if !q[i].before(q[parent]) {
			break
		}
		q[i], q[parent] = q[parent], q[i]
		i = parent
	}
}

func (h *candidates) pop() candidate {
	q := *h
	first, last := q[0], len(q)-1
	q[0] = q[last]
	q = q[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			break
		}
		if child+1 < last && q[child+1].before(q[child]) {
			child++
		}
		if !q[child].before(q[i]) {
			break
		}
		q[i], q[child] = q[child], q[i]
		i = child
	}
	*h = q
	return first
}

// mergeLong is merge for long words: a linked list of symbols and a heap of
// candidates, of which those that no longer hold are passed over.
func (t *mergeTable) mergeLong(symbols []int32) []int32 {
	const gone = -1
	n := int32(len(symbols))
	next := make([]int32, n)
	prev := make([]int32, n)
	queue := make(candidates, 0, n)
	offer := func(pos int32) {
		if rank, id := t.find(symbols[pos], symbols[next[pos]]); rank != noRank {
			queue.push(candidate{rank, pos, id})
		}
	}
	for i := range n {
		prev[i], next[i] = i-1, i+1
	}
	for i := range n - 1 {
		offer(i)
	}
	for len(queue) > 0 {
		c := queue.pop()
		right := next[c.pos]
		if symbols[c.pos] == gone || right == n {
			continue
		}
		if rank, id := t.find(symbols[c.pos], symbols[right]); rank == noRank || id != c.id {
			continue
		}
		symbols[c.pos], symbols[right] = c.id, gone
		next[c.pos] = next[right]
		if next[right] < n {
			prev[next[right]] = c.pos
		}
		for _, pos := range [...]int32{prev[c.pos], c.pos} {
			if pos >= 0 && next[pos] < n {
				offer(pos)
			}
		}
	}
	out := symbols[:0]
	for _, s := range symbols {
		if s != gone {
			out = append(out, s)
		}
	}
	return out
}
