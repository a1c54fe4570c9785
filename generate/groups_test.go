package generate

import (
	"cmp"
	"context"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// literalSearch is OpenCLIP 3.3.0's beam search of one image, written down as the
// reference goes about it: all groups, all beams, a row for each, full sorts. It
// returns the caption and its score.
func literalSearch(m *toyModel, o Options) ([]int32, float64) {
	type live struct {
		ids   []int32
		score float32
	}
	type ended struct {
		ids   []int32
		score float64
	}
	size := o.NumBeams / o.NumBeamGroups
	beams := make([]live, o.NumBeams)
	for i := range beams {
		beams[i] = live{ids: []int32{o.SOT}, score: -1e9}
		if i%size == 0 {
			beams[i].score = 0
		}
	}
	hyps := make([][]ended, o.NumBeamGroups)
	worst := make([]float64, o.NumBeamGroups)
	done := make([]bool, o.NumBeamGroups)
	for g := range worst {
		worst[g] = 1e9
	}
	add := func(g int, ids []int32, sum float32, length int) {
		score := float64(sum) / float64(length)
		if len(hyps[g]) >= size && score <= worst[g] {
			return
		}
		hyps[g] = append(hyps[g], ended{slices.Clone(ids), score})
		if len(hyps[g]) <= size {
			worst[g] = math.Min(worst[g], score)
			return
		}
		byScore := slices.Clone(hyps[g])
		slices.SortStableFunc(byScore, func(a, b ended) int { return cmp.Compare(a.score, b.score) })
		out := slices.IndexFunc(hyps[g], func(h ended) bool { return h.score == byScore[0].score })
		hyps[g] = slices.Delete(hyps[g], out, out+1)
		worst[g] = byScore[1].score
	}
	for n := 1; ; n++ {
		next := make([]live, len(beams))
		for g := range hyps {
			group := beams[g*size : (g+1)*size]
			if done[g] {
				for i, b := range group {
					next[g*size+i] = live{append(slices.Clone(b.ids), o.Pad), 0}
				}
				continue
			}
			type cand struct {
				score       float32
				beam, token int
			}
			var all []cand
			for b, x := range group {
				row := m.logits(toyRow{0, x.ids})
				if n < o.MinSeqLen {
					row[o.EOT] = float32(math.Inf(-1))
				}
				seen := map[int32]bool{}
				for _, id := range x.ids {
					if seen[id] {
						continue
					}
					seen[id] = true
					if row[id] < 0 {
						row[id] *= float32(o.RepetitionPenalty)
					} else {
						row[id] /= float32(o.RepetitionPenalty)
					}
				}
				for v, l := range row {
					all = append(all, cand{x.score + l, b, v})
				}
			}
			slices.SortStableFunc(all, func(a, b cand) int { return cmp.Compare(b.score, a.score) })
			slots := 0
			for rank, c := range all[:2*size] {
				if int32(c.token) == o.EOT {
					if rank < size {
						add(g, append(slices.Clone(group[c.beam].ids), o.EOT), c.score, n+1)
					}
					continue
				}
				next[g*size+slots] = live{append(slices.Clone(group[c.beam].ids), int32(c.token)), c.score}
				if slots++; slots == size {
					break
				}
			}
			done[g] = len(hyps[g]) >= size && worst[g] >= float64(all[0].score)/float64(n+1)
		}
		beams = next
		if n+1 >= o.SeqLen || !slices.Contains(done, false) {
			break
		}
	}
	best := ended{score: math.Inf(-1)}
	for g := range hyps {
		for _, b := range beams[g*size : (g+1)*size] {
			if !done[g] {
				add(g, b.ids, b.score, len(b.ids))
			}
		}
		for _, h := range hyps[g] {
			if h.score >= best.score {
				best = h
			}
		}
	}
	return best.ids, best.score
}

// TestOneGroupIsEnough proves the short cut of rawSearch: one group gives what the
// literal search over all groups gives.
func TestOneGroupIsEnough(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawToy(t, 1)
		o := drawBeamOptions(t, OpenCLIP33, m)
		ids, score := literalSearch(m, o)
		got, err := Generate(context.Background(), m, 1, o)
		if err != nil {
			t.Fatal(err)
		}
		c := got[0][0]
		if trimmed := c.IDs[:len(c.TokenLogProbs)+1]; !slices.Equal(trimmed, ids) || c.Score != score {
			t.Fatalf("ids %v, score %v; all groups give %v, %v", trimmed, c.Score, ids, score)
		}
		one := o
		one.NumBeams, one.NumBeamGroups = o.NumBeams/o.NumBeamGroups, 1
		if one.NumBeams < 2 {
			return // refused, as a single beam without groups
		}
		same, err := Generate(context.Background(), m, 1, one)
		if err != nil {
			t.Fatal(err)
		}
		if !equalCaptions(got[0], same[0]) {
			t.Fatalf("%d groups give %v, one gives %v", o.NumBeamGroups, got, same)
		}
	})
}
