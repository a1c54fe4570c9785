package generate

import (
	"context"
	"math"
	"slices"
	"testing"
)

// TestPool checks which hypothesis a full pool gives up, and the order of equals.
func TestPool(t *testing.T) {
	for _, c := range []struct {
		scores []float64 // of the hypotheses 0, 1, …
		kept   []int32   // best first
		worst  float64
	}{
		{nil, nil, 1e9},
		{[]float64{7}, []int32{0}, 7},
		{[]float64{7, 5}, []int32{0, 1}, 5},
		{[]float64{5, 7}, []int32{1, 0}, 5},
		{[]float64{5, 5}, []int32{1, 0}, 5},        // of equals the last one leads
		{[]float64{5, 5, 5}, []int32{1, 0}, 5},     // an equal of the worst is not wanted
		{[]float64{5, 5, 6}, []int32{2, 1}, 5},     // the earlier one goes
		{[]float64{5, 6, 5.5}, []int32{1, 2}, 5.5}, // the new worst counts
		{[]float64{5, 6, 7, 5.5}, []int32{2, 1}, 6},
	} {
		p := newPool(2)
		for i, score := range c.scores {
			if p.wants(score) {
				p.add(hypothesis{ids: []int32{int32(i)}, score: score})
			}
		}
		var kept []int32
		for _, h := range p.ranked() {
			kept = append(kept, h.ids...)
		}
		if !slices.Equal(kept, c.kept) || p.worst != c.worst {
			t.Errorf("scores %v: kept %v, worst %v, want %v and %v", c.scores, kept, p.worst, c.kept, c.worst)
		}
		if full := len(c.scores) >= 2; p.settled(c.worst) != full || p.settled(math.Nextafter(c.worst, 2e9)) {
			t.Errorf("scores %v: the search is over just when the pool is full and its worst as good as the best candidate", c.scores)
		}
	}
}

// scripted is a model of one image whose logits depend on the last id and the
// length of the history.
type scripted struct {
	vocab  int
	logits func(n int, last int32) map[int32]float32 // those not named are -9
	n      int
}

func (m *scripted) VocabSize() int { return m.vocab }

func (m *scripted) Start(context.Context, []int) error {
	m.n = 0
	return nil
}

func (m *scripted) Step(_ context.Context, _ []int, tokens []int32) ([][]float32, error) {
	m.n++
	rows := make([][]float32, len(tokens))
	for i, token := range tokens {
		rows[i] = slices.Repeat([]float32{-9}, m.vocab)
		for v, x := range m.logits(m.n, token) {
			rows[i][v] = x
		}
	}
	return rows, nil
}

// TestLateEnds checks that a candidate that ends counts only among the first s of
// the 2s, in both profiles: here B+EOT is the third of four.
func TestLateEnds(t *testing.T) {
	const a, b, x, y, eot = 1, 2, 3, 4, 7
	m := &scripted{vocab: 8, logits: func(n int, last int32) map[int32]float32 {
		switch {
		case n == 1:
			return map[int32]float32{a: 5, b: 4}
		case n == 2 && last == a:
			return map[int32]float32{eot: 10, x: 1}
		case n == 2 && last == b:
			return map[int32]float32{eot: 8, y: 9.5}
		}
		return nil // all alike, and bad
	}}
	for _, p := range []Profile{OpenCLIP33, Main} {
		o := toyOptions(p, 8)
		o.NumBeams, o.NumBeamGroups, o.MinSeqLen, o.SeqLen, o.NumCaptions = 2, 1, 0, 4, 9
		got, err := Generate(context.Background(), m, 1, o)
		if err != nil {
			t.Fatal(err)
		}
		if first := got[0][0].IDs; !slices.Equal(first, []int32{6, a, eot}) {
			t.Errorf("profile %s: ids %v, want %v", p, first, []int32{6, a, eot})
		}
		for _, c := range got[0] {
			if slices.Equal(c.IDs, []int32{6, b, eot}) {
				t.Errorf("profile %s: %v ended out of place", p, c.IDs)
			}
		}
	}
}

// TestFinishedOfMain checks order and number of what logSearch keeps, and when it
// gives up.
func TestFinishedOfMain(t *testing.T) {
	l := &logSearch{size: 2, finished: make([][]hypothesis, 1)}
	im := &beamImage{beams: []beam{{ids: []int32{0}, score: -4}}}
	keep := func(token int32, score float64) { l.keep(0, &im.beams[0], token, 0, score) }
	order := func() (tokens []int32) {
		for _, h := range l.finished[0] {
			tokens = append(tokens, h.ids[1])
		}
		return tokens
	}
	keep(1, -3)
	if !l.canImprove(im, 1) {
		t.Error("a search with room for hypotheses gave up")
	}
	keep(2, -2)
	for _, c := range []struct {
		token int32
		score float64
		want  []int32
	}{
		{3, -3, []int32{2, 1}}, // behind its equal
		{4, -2, []int32{2, 4}},
		{5, -1, []int32{5, 2}},
	} {
		keep(c.token, c.score)
		if got := order(); !slices.Equal(got, c.want) {
			t.Errorf("kept %v, want %v", got, c.want)
		}
	}
	// The worst is -2, the best beam -4 over its generated length.
	for _, c := range []struct {
		length float32
		want   bool
	}{{1, false}, {2, false}, {3, true}} {
		if got := l.canImprove(im, c.length); got != c.want {
			t.Errorf("generated length %v: can improve %v, want %v", c.length, got, c.want)
		}
	}
}

// TestFilterBoundaries checks ties at the boundary, and a mass that is just met.
func TestFilterBoundaries(t *testing.T) {
	inf := float32(math.Inf(-1))
	for _, c := range []struct {
		typ  Type
		k    int
		p    float64
		row  []float32
		want []int32
	}{
		{TopK, 1, 0, []float32{1, 3, 2, 3}, []int32{1, 3}},
		{TopK, 3, 0, []float32{1, 3, 2, 3}, []int32{1, 2, 3}},
		{TopK, 9, 0, []float32{1, 3, inf, 3}, []int32{0, 1, 3}},
		{TopP, 0, 0, []float32{1, 3, 2, 3}, []int32{1}},
		{TopP, 0, 0.5, []float32{0, 0}, []int32{0}},
		{TopP, 0, 0.51, []float32{0, 0}, []int32{0, 1}},
		{TopP, 0, 0.75, []float32{0, 0, inf, 0, 0}, []int32{0, 1, 3}},
		{TopP, 0, 1, []float32{0, -30, inf}, []int32{0, 1}},
	} {
		o := DefaultOptions(OpenCLIP33)
		o.Type, o.TopK, o.TopP = c.typ, c.k, c.p
		if got, _, ok := newFilter(o).apply(c.row); !ok || !slices.Equal(got, c.want) {
			t.Errorf("%s %d %v of %v: tokens %v, want %v", c.typ, c.k, c.p, c.row, got, c.want)
		}
	}
	// More candidates than the first look at them takes.
	row := make([]float32, 1000)
	o := DefaultOptions(OpenCLIP33)
	o.Type, o.TopP = TopP, 0.7
	if got, _, _ := newFilter(o).apply(row); len(got) < 699 || len(got) > 701 {
		t.Errorf("%d of 1000 equal tokens have a mass of 0.7", len(got))
	}
}
