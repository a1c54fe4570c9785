package kernel

import "sync/atomic"

// ahead lets threads that wait fetch the weight of the next product into their
// caches. The products of a decoding step follow one another with small work
// between them that one thread does alone; without this, memory would rest meanwhile.
//
// Which matrix comes next is not told but remembered: the same programs run again
// and again, so that the one that followed a matrix last time most likely will this time.
type ahead struct {
	last atomic.Pointer[Matrix]    // of the product that is running or has run
	next atomic.Pointer[[]float32] // what to fetch, in the order in which it is read
	_    [64]byte
	at   atomic.Int64 // how much of it is fetched
}

const (
	aheadChunk = 1024    // words between two looks for work
	aheadMost  = 1 << 17 // words: half of a second-level cache of 1 MiB
)

// announce says that a product with m begins and that the one after it may be fetched.
func (a *ahead) announce(m *Matrix) {
	if last := a.last.Swap(m); last != nil && last != m && last.follower.Load() != m {
		last.follower.Store(m)
	}
	a.at.Store(aheadMost)
	a.next.Store(m.follower.Load().readInOrder())
	a.at.Store(0)
}

// readInOrder is the memory that a product of few rows reads from its beginning to its
// end, or nil.
func (m *Matrix) readInOrder() *[]float32 {
	if m == nil {
		return nil
	}
	from := m.source.Load() // before the panels: Pack drops the source last
	if w := m.panels.Load(); w != nil {
		return &w.Words
	}
	if m.order == OutIn && from.wide != nil {
		return &from.wide
	}
	return nil
}

// fetch brings the next piece nearer and returns soon.
func (a *ahead) fetch() {
	at := a.at.Load()
	if at >= aheadMost {
		return
	}
	at = a.at.Add(aheadChunk) - aheadChunk
	next := a.next.Load()
	if next == nil || at >= aheadMost || at+aheadChunk > int64(len(*next)) {
		return
	}
	inner.prefetch(aheadChunk/panelWidth, (*next)[at:], panelWidth)
}
