package kernel

import "sync"

// slab hands out memory for panels from chunks that lie in large pages: panels are
// read from end to end for each product, and in large pages the processor looks up
// far fewer addresses, and its own reading ahead, which stops at the end of a page,
// goes on. Most weights alone are smaller than a few such pages. What is handed out
// is not taken back; a chunk is garbage when nothing of it is in use.
type slab struct {
	mu    sync.Mutex
	rest  []float32
	total int // words of all chunks
}

// Sizes in words. Chunks double, so that small models take little.
const (
	leastFromSlab = 64 << 10 / 4 // smaller panels are allocated on their own
	leastChunk    = 4 << 20 / 4
	largestChunk  = 64 << 20 / 4
)

// words returns n zero words for panels.
func (p *Pool) words(n int) []float32 {
	if p == nil || n < leastFromSlab {
		return make([]float32, n)
	}
	s := &p.slab
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > len(s.rest) {
		size := max(n, min(max(leastChunk, s.total), largestChunk))
		s.rest = largePages(size)
		s.total += size
	}
	words := s.rest[:n:n]
	s.rest = s.rest[n:]
	return words
}
