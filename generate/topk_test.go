package generate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestSelector compares the selection with a full sort, over several rows and
// with many equal scores.
func TestSelector(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		vocab := rapid.IntRange(1, 40).Draw(t, "vocab")
		rows := rapid.IntRange(1, 5).Draw(t, "rows")
		k := rapid.IntRange(1, vocab*rows).Draw(t, "k")
		logit := rapid.OneOf(
			rapid.Map(rapid.IntRange(-3, 3), func(i int) float32 { return float32(i) }),
			rapid.Just(float32(math.Inf(-1))),
			rapid.Float32Range(-3, 3),
		)
		var s selector
		var all []candidate
		s.reset(k)
		for r := range rows {
			row := rapid.SliceOfN(logit, vocab, vocab).Draw(t, "row")
			add := rapid.SampledFrom([]float32{0, 1, 0.5, -1e9}).Draw(t, "add")
			if bad := s.offer(row, add, r*vocab); bad >= 0 {
				t.Fatalf("refused %v", row[bad])
			}
			for i, x := range row {
				all = append(all, candidate{x + add, r*vocab + i})
			}
		}
		slices.SortStableFunc(all, func(a, b candidate) int {
			switch {
			case a.score > b.score:
				return -1
			case a.score < b.score:
				return 1
			}
			return 0
		})
		if got := s.ranked(); !slices.Equal(got, all[:k]) {
			t.Fatalf("got %v, want %v", got, all[:k])
		}
	})
}

// TestSelectorRefuses checks that a NaN or +Inf is found wherever it stands.
func TestSelectorRefuses(t *testing.T) {
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
		for _, k := range []int{1, 4, 20} {
			for at := range 20 {
				row := make([]float32, 20)
				for i := range row {
					row[i] = float32(i % 7)
				}
				row[at] = bad
				var s selector
				s.reset(k)
				if got := s.offer(row, -3, 0); got != at {
					t.Errorf("k %d: %v at %d reported at %d", k, bad, at, got)
				}
			}
		}
	}
}

// clipRow is a row of the size of CLIP's vocabulary, spread like those of a
// trained captioner.
func clipRow(seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 0))
	row := make([]float32, 49408)
	for i := range row {
		row[i] = float32(r.NormFloat64()*3.2 - 2)
	}
	return row
}

// TestAllocations checks that the work on a row of CLIP's vocabulary needs no new
// memory after the first one.
func TestAllocations(t *testing.T) {
	row := clipRow(1)
	var s selector
	top := DefaultOptions(OpenCLIP33)
	top.Type, top.TopK = TopK, 40
	nucleus := top
	nucleus.Type, nucleus.TopP = TopP, 0.95
	penal := top
	penal.RepetitionPenalty = 1.2
	topK, topP, process := newFilter(top), newFilter(nucleus), newProcessor(penal)
	ids := []int32{49406, 5, 7, 5}
	for name, f := range map[string]func(){
		"selector":    func() { s.reset(4); s.offer(row, 1, 0); s.ranked() },
		"top-k":       func() { topK.apply(row) },
		"top-p":       func() { topP.apply(row) },
		"processor":   func() { process.apply(row, ids) },
		"log-sum-exp": func() { LogSumExp(row) },
	} {
		if n := testing.AllocsPerRun(5, f); n != 0 {
			t.Errorf("%s: %v allocations, want 0", name, n)
		}
	}
}

func BenchmarkSelector(b *testing.B) {
	for _, k := range []int{4, 12, 50} {
		b.Run(fmt.Sprintf("k=%d", k), func(b *testing.B) {
			row := clipRow(1)
			var s selector
			b.SetBytes(int64(4 * len(row)))
			b.ReportAllocs()
			for b.Loop() {
				s.reset(k)
				s.offer(row, 1, 0)
				s.ranked()
			}
		})
	}
}

func BenchmarkLogSumExp(b *testing.B) {
	row := clipRow(1)
	b.SetBytes(int64(4 * len(row)))
	for b.Loop() {
		LogSumExp(row)
	}
}

func BenchmarkFilter(b *testing.B) {
	for _, typ := range []Type{TopK, TopP} {
		b.Run(typ.String(), func(b *testing.B) {
			o := DefaultOptions(OpenCLIP33)
			o.Type, o.TopK, o.TopP = typ, 50, 0.9
			f := newFilter(o)
			row := clipRow(1)
			b.ReportAllocs()
			for b.Loop() {
				f.apply(row)
			}
		})
	}
}
