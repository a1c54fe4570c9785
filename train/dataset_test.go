package train

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"testing"

	"github.com/seed-e0874532/coca/train/data"
)

// shuffled is a source of a few records in an order that depends on the epoch.
type shuffled int

func (n shuffled) Len() int { return -1 }

func (n shuffled) Records(epoch int) iter.Seq2[data.Record, error] {
	return func(yield func(data.Record, error) bool) {
		for _, i := range rand.New(rand.NewPCG(1, uint64(epoch))).Perm(int(n)) {
			if !yield(data.Record{Name: fmt.Sprint(i)}, nil) {
				return
			}
		}
	}
}

// TestRepeated holds an epoch of shards to whole passes, in several orders.
func TestRepeated(t *testing.T) {
	const n = 7
	r := repeated{shuffled(n), 2 * n}
	var epochs [2][]string
	for epoch := range epochs {
		for record, err := range r.Records(epoch) {
			if err != nil {
				t.Fatal(err)
			}
			epochs[epoch] = append(epochs[epoch], record.Name)
		}
		if len(epochs[epoch]) != 4*n {
			t.Fatalf("epoch %d has %d records, want %d and as much again", epoch, len(epochs[epoch]), 2*n)
		}
	}
	orders := map[string]bool{}
	for _, names := range epochs {
		for ; len(names) > 0; names = names[n:] {
			seen := map[string]bool{}
			for _, name := range names[:n] {
				seen[name] = true
			}
			if len(seen) != n {
				t.Errorf("a pass has %d of %d records: %v", len(seen), n, names[:n])
			}
			orders[fmt.Sprint(names[:n])] = true
		}
	}
	if len(orders) != 8 {
		t.Errorf("8 passes have %d orders", len(orders))
	}
	for range (repeated{shuffled(0), 3}).Records(0) {
		t.Error("a record of nothing")
	}
}
