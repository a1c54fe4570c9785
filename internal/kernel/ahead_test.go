package kernel

import "testing"

func TestAheadRemembersWhatFollowed(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	r := newRand(1)
	var m [3]*Matrix
	for i, order := range []Order{OutIn, OutIn, InOut} {
		m[i] = NewMatrix(normal(r, 96*40), 96, 40, order)
	}
	m[1].Pack(nil)
	x, dst := normal(r, 96), make([]float32, 96)
	multiply := func(m *Matrix) *[]float32 {
		m.Linear(p, dst, x, 1, Epilogue{})
		return p.ahead.next.Load()
	}
	for range 2 {
		for _, m := range m {
			multiply(m)
		}
	}
	if got, want := multiply(m[0]), &m[1].panels.Load().Words; got != want {
		t.Errorf("after the first matrix: got %p, want the panels of the second, %p", got, want)
	}
	if got := multiply(m[1]); got != nil {
		t.Errorf("after the second matrix: got %p, want nothing, for the third is not read in order", got)
	}
	if got, want := multiply(m[2]), &m[0].source.Load().wide; got != want {
		t.Errorf("after the third matrix: got %p, want the weights of the first, %p", got, want)
	}
	multiply(m[1])
	if got, want := multiply(m[2]), &m[1].panels.Load().Words; got != want {
		t.Errorf("after the third matrix, which the second followed last: got %p, want its panels, %p", got, want)
	}
}

func TestAheadStops(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, words := range []int{0, aheadChunk - 1, aheadChunk, 3*aheadChunk + 5, 2 * aheadMost} {
			var a ahead
			g := newGuarded(words, 0)
			memory := g.slice()
			a.next.Store(&memory)
			for range 2 * aheadMost / aheadChunk {
				a.fetch()
			}
			if got := a.at.Load(); got != aheadMost {
				t.Errorf("%d words: stopped at %d, want %d", words, got, aheadMost)
			}
			g.check(t, "memory")
		}
	})
}
