package kernel

// TopK stores in idx[:k] the indices of the k largest values, largest first;
// equal values are ordered by index. NaN counts as larger than every number, so
// that a broken row of logits shows at once. k must not exceed len(values).
func TopK(values []float32, k int, idx []int32) {
	idx = idx[:k]
	if k > len(values) {
		panic("kernel: TopK of more values than there are")
	}
	if k > 0 {
		topKGeneric(values, k, idx)
	}
}

// topKGeneric keeps the best k so far as a heap whose root is the worst of
// them, then sorts it.
func topKGeneric(values []float32, k int, idx []int32) {
	for i := range k {
		idx[i] = int32(i)
	}
	for i := k/2 - 1; i >= 0; i-- {
		siftWorst(values, idx, i)
	}
	for i := k; i < len(values); i++ {
		if before(values, int32(i), idx[0]) {
			idx[0] = int32(i)
			siftWorst(values, idx, 0)
		}
	}
	for n := k - 1; n > 0; n-- { // heap sort: the worst goes last
		idx[0], idx[n] = idx[n], idx[0]
		siftWorst(values, idx[:n], 0)
	}
}

// before tells whether index a is listed ahead of index b.
func before(values []float32, a, b int32) bool {
	x, y := values[a], values[b]
	switch {
	case x > y:
		return true
	case x < y:
		return false
	case x == y:
		return a < b
	}
	if nx, ny := x != x, y != y; nx != ny {
		return nx
	}
	return a < b
}

// siftWorst restores the heap below position i: every parent is listed after
// its children.
func siftWorst(values []float32, idx []int32, i int) {
	for {
		c := 2*i + 1
		if c >= len(idx) {
			return
		}
		if c+1 < len(idx) && before(values, idx[c], idx[c+1]) {
			c++
		}
		if before(values, idx[c], idx[i]) {
			return
		}
		idx[i], idx[c] = idx[c], idx[i]
		i = c
	}
}
