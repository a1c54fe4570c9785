package infer

import (
	"slices"
	"testing"
)

func TestKeyMemory(t *testing.T) {
	var m keyMemory
	data := []float32{1, 2, 3}
	first := m.copyOf(data)
	kept := m.copyOf(data)
	m.release([][]float32{first})
	if other := m.copyOf(data[:2]); &other[0] == &first[0] {
		t.Error("memory of another size was used")
	}
	again := m.copyOf([]float32{4, 5, 6})
	if &again[0] != &first[0] {
		t.Error("released memory was not used")
	}
	if !slices.Equal(again, []float32{4, 5, 6}) || !slices.Equal(kept, data) {
		t.Errorf("got %v and %v", again, kept)
	}
	if fresh := m.copyOf(data); &fresh[0] == &again[0] {
		t.Error("memory was given out twice")
	}
	for range 3 * maxImageBatch {
		m.release([][]float32{make([]float32, 3), make([]float32, 3)})
	}
	if got, want := len(m.spare), 2*maxImageBatch; got != want {
		t.Errorf("%d pieces are kept, want %d", got, want)
	}
}
