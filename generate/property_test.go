package generate

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawToy draws a toy model of n images.
func drawToy(t *rapid.T, n int) *toyModel {
	m := &toyModel{
		vocab:  rapid.IntRange(11, 40).Draw(t, "vocab"),
		coarse: rapid.Bool().Draw(t, "coarse"),
		seeds:  rapid.SliceOfN(rapid.Int64Range(1, 1<<20), n, n).Draw(t, "seeds"),
		lift:   rapid.SampledFrom([]float32{0, 2, 5}).Draw(t, "lift"),
	}
	m.eot = int32(m.vocab - 1)
	return m
}

func drawBeamOptions(t *rapid.T, p Profile, m *toyModel) Options {
	o := toyOptions(p, m.vocab)
	o.NumBeamGroups = rapid.IntRange(1, 3).Draw(t, "groups")
	o.NumBeams = o.NumBeamGroups * rapid.IntRange(1, 4).Draw(t, "size")
	if o.NumBeams == 1 {
		o.NumBeams = 2
	}
	o.SeqLen = rapid.IntRange(2, 16).Draw(t, "seq_len")
	o.MinSeqLen = rapid.IntRange(0, min(6, o.SeqLen-1)).Draw(t, "min_seq_len")
	o.RepetitionPenalty = rapid.SampledFrom([]float64{1, 0.7, 1.3}).Draw(t, "penalty")
	o.FixedOutputLength = rapid.Bool().Draw(t, "fixed")
	o.NumCaptions = rapid.IntRange(1, 4).Draw(t, "captions")
	return o
}

// drawOptions draws any search of any profile.
func drawOptions(t *rapid.T, m *toyModel) Options {
	p := Profile(rapid.IntRange(0, 1).Draw(t, "profile"))
	o := drawBeamOptions(t, p, m)
	o.Type = Type(rapid.IntRange(0, 2).Draw(t, "type"))
	o.TopK = rapid.IntRange(1, 5).Draw(t, "top_k")
	o.TopP = rapid.Float64Range(0, 1).Draw(t, "top_p")
	o.Temperature = rapid.Float64Range(0.2, 3).Draw(t, "temperature")
	o.MaxSeqLen = rapid.SampledFrom([]int{0, 1, 3, 77}).Draw(t, "max_seq_len")
	o.Seed = rapid.Uint64().Draw(t, "seed")
	if n := rapid.IntRange(0, min(4, o.SeqLen-1)).Draw(t, "prompt"); n > 0 {
		o.Prompt = []int32{o.SOT}
		for len(o.Prompt) < n {
			o.Prompt = append(o.Prompt, int32(rapid.IntRange(1, m.vocab-2).Draw(t, "id")))
		}
	}
	return o
}

// strictModel checks that a search keeps to the contract of Model.
type strictModel struct {
	*toyModel
	t      *rapid.T
	given  [][]float32
	copies [][]float32
}

func (m *strictModel) Start(ctx context.Context, images []int) error {
	m.unmodified()
	m.given = nil
	return m.toyModel.Start(ctx, images)
}

func (m *strictModel) Step(ctx context.Context, parents []int, tokens []int32) ([][]float32, error) {
	m.unmodified()
	if len(parents) != len(tokens) || len(parents) == 0 {
		m.t.Fatalf("step with %d parents and %d tokens", len(parents), len(tokens))
	}
	for _, p := range parents {
		if p < 0 || p >= len(m.rows) {
			m.t.Fatalf("parent %d of %d rows", p, len(m.rows))
		}
	}
	logits, err := m.toyModel.Step(ctx, parents, tokens)
	m.given = logits
	m.copies = nil
	for _, row := range logits {
		m.copies = append(m.copies, slices.Clone(row))
	}
	return logits, err
}

func (m *strictModel) unmodified() {
	for i, row := range m.given {
		if !slices.Equal(row, m.copies[i]) {
			m.t.Fatal("the search modified the model's logits")
		}
	}
}

// TestBatches checks that the captions of an image depend on neither the other
// images of its batch nor its place among them, in every mode.
func TestBatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 4).Draw(t, "images")
		m := drawToy(t, n)
		o := drawOptions(t, m)
		batch, err := Generate(context.Background(), &strictModel{toyModel: m, t: t}, n, o)
		if err != nil {
			t.Fatal(err)
		}
		order := rapid.Permutation(sequence(n)).Draw(t, "order")
		shuffled := *m
		shuffled.seeds = nil
		for _, i := range order {
			shuffled.seeds = append(shuffled.seeds, m.seeds[i])
		}
		other, err := Generate(context.Background(), &shuffled, n, o)
		if err != nil {
			t.Fatal(err)
		}
		for at, i := range order {
			single := *m
			single.seeds = m.seeds[i : i+1]
			alone, err := Generate(context.Background(), &single, 1, o)
			if err != nil {
				t.Fatal(err)
			}
			if !equalCaptions(batch[i], alone[0]) {
				t.Fatalf("image %d: batch gives %v, alone %v", i, batch[i], alone[0])
			}
			if !equalCaptions(batch[i], other[at]) {
				t.Fatalf("image %d: batch gives %v, another order %v", i, batch[i], other[at])
			}
		}
	})
}

// TestCaptionsAreDistinct checks number, order and form of the captions.
func TestCaptionsAreDistinct(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawToy(t, 1)
		o := drawOptions(t, m)
		got, err := Generate(context.Background(), m, 1, o)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(got[0]); n < 1 || n > o.NumCaptions {
			t.Fatalf("%d captions, want 1 to %d", n, o.NumCaptions)
		}
		for i, c := range got[0] {
			if !slices.Equal(c.IDs[:len(o.start())], o.start()) {
				t.Errorf("ids %v do not begin with %v", c.IDs, o.start())
			}
			if len(c.IDs) > o.SeqLen || o.FixedOutputLength && len(c.IDs) != o.SeqLen {
				t.Errorf("%d ids, want %d", len(c.IDs), o.SeqLen)
			}
			for _, d := range got[0][:i] {
				if d.Score < c.Score {
					t.Errorf("score %v behind %v", c.Score, d.Score)
				}
				if slices.Equal(d.IDs, c.IDs) {
					t.Errorf("ids %v twice", c.IDs)
				}
			}
			if o.Type != BeamSearch && c.Score != c.LogProb {
				t.Errorf("score %v, want the log-probability %v", c.Score, c.LogProb)
			}
		}
	})
}

// TestSamplesKeepTheirStreams checks that the first sample is the same whatever
// the number of samples, and that seeds matter.
func TestSamplesKeepTheirStreams(t *testing.T) {
	m := &toyModel{vocab: 40, seeds: []int64{5}, eot: 39}
	o := toyOptions(OpenCLIP33, 40)
	o.Type, o.TopK, o.Temperature = TopK, 10, 2
	run := func(seed uint64, n int) []Caption {
		o.Seed, o.NumCaptions = seed, n
		got, err := Generate(context.Background(), m, 1, o)
		if err != nil {
			t.Fatal(err)
		}
		return got[0]
	}
	distinct := map[string]bool{}
	for seed := range uint64(20) {
		one := run(seed, 1)
		many := run(seed, 8)
		if !slices.ContainsFunc(many, func(c Caption) bool { return slices.Equal(c.IDs, one[0].IDs) }) {
			t.Errorf("seed %d: sample 0 is not among 8 samples", seed)
		}
		if len(many) < 6 {
			t.Errorf("seed %d: %d distinct ones of 8 samples", seed, len(many))
		}
		distinct[string(idBytes(one[0].IDs))] = true
	}
	if len(distinct) < 15 {
		t.Errorf("20 seeds give %d captions", len(distinct))
	}
}

func idBytes(ids []int32) (b []byte) {
	for _, id := range ids {
		b = append(b, byte(id))
	}
	return b
}

// TestDraw compares frequencies with weights.
func TestDraw(t *testing.T) {
	tokens, weights := []int32{3, 5, 8, 9}, []float64{1, 0, 0.5, 2.5}
	counts := map[int32]int{}
	r := rand.New(rand.NewPCG(1, 2))
	const n = 40000
	for range n {
		counts[draw(tokens, weights, r.Float64())]++
	}
	for i, w := range weights {
		// Five standard deviations of a binomial count.
		if d := float64(counts[tokens[i]]) - n*w/4; d*d > 25*n*(w/4)*(1-w/4) {
			t.Errorf("token %d drawn %d times of %d, want a share of %v", tokens[i], counts[tokens[i]], n, w/4)
		}
	}
	if got := draw(tokens, weights, 1-1e-17); got != 9 {
		t.Errorf("last token %d, want 9", got)
	}
}
