package kernel

import "testing"

// What a slab hands out is zero, does not overlap, and cannot grow into its neighbour.
func TestSlab(t *testing.T) {
	p := NewPool(1)
	defer p.Close()
	var parts [][]float32
	for _, n := range []int{10, leastFromSlab, leastFromSlab + 32, leastChunk - 96, 3 * leastChunk, leastFromSlab, 0} {
		part := p.words(n)
		if len(part) != n || cap(part) != n && n >= leastFromSlab {
			t.Fatalf("%d words: got length %d, capacity %d", n, len(part), cap(part))
		}
		for i, v := range part {
			if v != 0 {
				t.Fatalf("%d words: [%d] = %v, want 0", n, i, v)
			}
			part[i] = float32(len(parts) + 1)
		}
		parts = append(parts, part)
	}
	for i, part := range parts {
		for _, v := range part {
			if v != float32(i+1) {
				t.Fatalf("part %d was overwritten by part %v", i, v-1)
			}
		}
	}
	if p.slab.total > 12*leastChunk {
		t.Errorf("chunks of %d words for little more than %d", p.slab.total, 4*leastChunk)
	}
}
