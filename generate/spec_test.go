package generate

import (
	"context"
	"math"
	"slices"
	"testing"
)

// toyOptions are the defaults for the vocabulary of the toy model: V-2 is SOT and
// V-1 is EOT.
func toyOptions(p Profile, vocab int) Options {
	o := DefaultOptions(p)
	o.SOT, o.EOT, o.Pad = int32(vocab-2), int32(vocab-1), 0
	return o
}

// TestPublishedVectors checks the default search against the outcomes that real
// runs of open_clip 3.3.0 gave for the coarse toy model.
func TestPublishedVectors(t *testing.T) {
	for _, c := range []struct {
		seed                  int64
		beams, groups, seqLen int
		ids                   []int32
		score                 float64
	}{
		{7, 6, 3, 30, []int32{9, 9, 2, 6, 1, 0, 1, 8, 1, 4, 2, 0, 3, 5, 5, 2, 8, 8, 5, 6, 7, 0, 8, 6, 10}, 13.005598},
		{42, 6, 3, 30, []int32{9, 4, 1, 2, 9, 2, 0, 9, 0, 1, 4, 5, 3, 2, 4, 2, 0, 7, 3, 10}, 13.305499},
		{1, 6, 3, 30, []int32{9, 1, 4, 2, 9, 2, 0, 9, 7, 3, 5, 0, 9, 1, 9, 0, 6, 5, 4, 7, 9, 4, 3, 6, 0, 2, 9, 3, 10}, 13.231725},
		{7, 4, 1, 12, []int32{9, 9, 2, 6, 1, 0, 1, 8, 1, 4, 2, 0}, 12.795834},
		{42, 4, 1, 12, []int32{9, 8, 9, 6, 1, 0, 1, 5, 3, 0, 7, 3}, 13.130833},
	} {
		o := toyOptions(OpenCLIP33, 11)
		o.NumBeams, o.NumBeamGroups, o.SeqLen = c.beams, c.groups, c.seqLen
		got, err := Generate(context.Background(), &toyModel{vocab: 11, coarse: true, seeds: []int64{c.seed}, eot: 10}, 1, o)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got[0][0].IDs, c.ids) {
			t.Errorf("seed %d: ids %v, want %v", c.seed, got[0][0].IDs, c.ids)
		}
		if d := math.Abs(got[0][0].Score - c.score); d > 1e-6 {
			t.Errorf("seed %d: score %v, want %v", c.seed, got[0][0].Score, c.score)
		}
	}
}
