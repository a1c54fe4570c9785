package generate

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// goldenFile is a file that testdata/reference/generate.py made from the real
// generate method of OpenCLIP.
type goldenFile struct {
	Profile       string            `json:"profile"`
	Versions      map[string]string `json:"versions"`
	Searches      []goldenCase      `json:"searches"`
	Distributions []goldenCase      `json:"distributions"`
	Options       []goldenCase      `json:"options"`
}

type goldenCase struct {
	Vocab   int             `json:"vocab"`
	Formula string          `json:"formula"`
	EOT     int32           `json:"eot"`
	Lift    float32         `json:"lift"`
	Seeds   []int64         `json:"seeds"`
	Options json.RawMessage `json:"options"`

	Rows  [][]int32 `json:"rows"`  // what generate returned for the batch
	Alone [][]int32 `json:"alone"` // and for each image alone; nil if there is one
	// Pools has the hypotheses of each image, best first: of OpenCLIP 3.3.0
	// without EOT, of the development branch with it.
	Pools [][]goldenHypothesis `json:"pools"`

	Tokens []int32   `json:"tokens"`
	Probs  []float64 `json:"probs"`

	Refused *string `json:"refused"`
}

type goldenHypothesis struct {
	IDs   []int32 `json:"ids"`
	Score float64 `json:"score"`
}

func readGolden(t *testing.T, p Profile) goldenFile {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "testdata", "golden", "generate", p.String()+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var g goldenFile
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	if g.Profile != p.String() {
		t.Fatalf("golden of profile %s, want %s", g.Profile, p)
	}
	return g
}

func (c *goldenCase) model(images ...int) *toyModel {
	m := &toyModel{vocab: c.Vocab, coarse: c.Formula == "coarse", eot: c.EOT, lift: c.Lift}
	for _, i := range images {
		m.seeds = append(m.seeds, c.Seeds[i])
	}
	return m
}

// options returns the defaults with those of the case put in. A generation type
// that does not exist is an error.
func (c *goldenCase) options(t *testing.T, p Profile) (Options, error) {
	t.Helper()
	o := toyOptions(p, c.Vocab)
	o.EOT = c.EOT
	name := o.Type.String()
	fields := map[string]any{
		"generation_type": &name, "seq_len": &o.SeqLen, "min_seq_len": &o.MinSeqLen, "max_seq_len": &o.MaxSeqLen,
		"num_beams": &o.NumBeams, "num_beam_groups": &o.NumBeamGroups, "temperature": &o.Temperature,
		"top_k": &o.TopK, "top_p": &o.TopP, "repetition_penalty": &o.RepetitionPenalty,
		"fixed_output_length": &o.FixedOutputLength, "prompt": &o.Prompt,
	}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(c.Options, &given); err != nil {
		t.Fatal(err)
	}
	for key, value := range given {
		if fields[key] == nil {
			t.Fatalf("unknown option %s", key)
		}
		if err := json.Unmarshal(value, fields[key]); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	o.Type, err = ParseType(name)
	return o, err
}

// TestGoldenSearches replays every search of the reference, in a batch and each
// image alone, and compares ids, scores and the hypotheses that were not returned.
func TestGoldenSearches(t *testing.T) {
	for _, p := range []Profile{OpenCLIP33, Main} {
		g := readGolden(t, p)
		least := map[Profile]int{OpenCLIP33: 400, Main: 200}[p]
		if len(g.Searches) < least {
			t.Errorf("profile %s: %d searches, want at least %d", p, len(g.Searches), least)
		}
		for i := range g.Searches {
			t.Run(p.String(), func(t *testing.T) { checkSearch(t, p, &g.Searches[i]) })
			if t.Failed() {
				t.Fatalf("profile %s, case %d: %+v", p, i, string(g.Searches[i].Options))
			}
		}
	}
}

func checkSearch(t *testing.T, p Profile, c *goldenCase) {
	o, err := c.options(t, p)
	if err != nil {
		t.Fatal(err)
	}
	o.NumCaptions = MaxCaptions
	if o.Type != BeamSearch {
		o.NumCaptions = 3 // of which all must be equal
	}
	n := len(c.Seeds)
	batch, err := Generate(context.Background(), c.model(sequence(n)...), n, o)
	if err != nil {
		t.Fatal(err)
	}
	alone := c.Alone
	if alone == nil {
		alone = c.Rows
	}
	for i, captions := range batch {
		checkRow(t, c.Rows[i], captions[0], p, o)
		if !slices.Equal(captions[0].IDs, alone[i]) {
			t.Errorf("image %d: ids %v, want %v", i, captions[0].IDs, alone[i])
		}
		if c.Pools != nil {
			checkPool(t, c.Pools[i], captions, o)
		} else if len(captions) != 1 {
			t.Errorf("image %d: %d captions of a greedy search, want 1", i, len(captions))
		}
		single, err := Generate(context.Background(), c.model(i), 1, o)
		if err != nil {
			t.Fatal(err)
		}
		if !equalCaptions(captions, single[0]) {
			t.Errorf("image %d: batch gave %v, alone %v", i, captions, single[0])
		}
		for _, x := range captions {
			checkLogProbs(t, c.model(i), x, len(x.IDs) > len(x.TokenLogProbs)+1, o)
		}
	}
}

// checkRow compares a row of a batch, which is padded to the longest: by
// OpenCLIP 3.3.0 with the pad id, by the beam search of the development branch
// with EOT, because it takes a pad id of 0 for none.
func checkRow(t *testing.T, row []int32, c Caption, p Profile, o Options) {
	t.Helper()
	ids := c.IDs[:len(c.TokenLogProbs)+1]
	fill := o.Pad
	if p == Main && o.Type == BeamSearch && o.NumBeams > 1 {
		fill = o.EOT
	}
	if len(row) < len(ids) || !slices.Equal(row[:len(ids)], ids) {
		t.Errorf("ids %v, want %v", ids, row)
		return
	}
	for _, id := range row[len(ids):] {
		if id != fill && id != o.Pad {
			t.Errorf("ids %v, want %v", ids, row)
			return
		}
	}
}

func checkPool(t *testing.T, want []goldenHypothesis, got []Caption, o Options) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d hypotheses, want %d", len(got), len(want))
		return
	}
	for i, h := range want {
		ids := h.IDs
		if o.Profile == OpenCLIP33 && len(ids) < o.SeqLen {
			ids = append(slices.Clone(ids), o.EOT)
		}
		for o.FixedOutputLength && len(ids) < o.SeqLen {
			ids = append(slices.Clip(ids), o.Pad)
		}
		if !slices.Equal(got[i].IDs, ids) {
			t.Errorf("hypothesis %d: ids %v, want %v", i, got[i].IDs, ids)
		}
		if d := math.Abs(got[i].Score - h.Score); d > 1e-6 {
			t.Errorf("hypothesis %d: score %v, want %v", i, got[i].Score, h.Score)
		}
	}
}

// checkLogProbs recomputes the log-probabilities of a caption from the model with
// the standard library's functions.
func checkLogProbs(t *testing.T, m *toyModel, c Caption, padded bool, o Options) {
	t.Helper()
	if n := len(c.IDs) - 1; !padded && len(c.TokenLogProbs) != n {
		t.Errorf("%d log-probabilities, want %d", len(c.TokenLogProbs), n)
		return
	}
	total := 0.0
	for i, got := range c.TokenLogProbs {
		ids := c.IDs[:i+1]
		if o.Type != BeamSearch {
			ids = ids[len(ids)-o.window(len(ids)):]
		}
		logits := m.logits(toyRow{0, ids})
		z := 0.0
		for _, x := range logits {
			z += math.Exp(float64(x))
		}
		want := float64(logits[c.IDs[i+1]]) - math.Log(z)
		if math.Abs(got-want) > 1e-9 {
			t.Errorf("log-probability of id %d: %v, want %v", i+1, got, want)
		}
		total += want
	}
	if math.Abs(c.LogProb-total) > 1e-9 {
		t.Errorf("log-probability %v, want %v", c.LogProb, total)
	}
}

func equalCaptions(a, b []Caption) bool {
	return slices.EqualFunc(a, b, func(x, y Caption) bool {
		return slices.Equal(x.IDs, y.IDs) && slices.Equal(x.TokenLogProbs, y.TokenLogProbs) &&
			x.Score == y.Score && x.LogProb == y.LogProb
	})
}

// TestGoldenDistributions compares what the first step samples from.
func TestGoldenDistributions(t *testing.T) {
	for _, p := range []Profile{OpenCLIP33, Main} {
		for i, c := range readGolden(t, p).Distributions {
			o, err := c.options(t, p)
			if err != nil {
				t.Fatal(err)
			}
			ids := o.start()
			row := newProcessor(o).apply(c.model(0).logits(toyRow{0, ids}), ids)
			tokens, weights, ok := newFilter(o).apply(row)
			if !ok || !slices.Equal(tokens, c.Tokens) {
				t.Errorf("profile %s, case %d (%s): tokens %v, want %v", p, i, c.Options, tokens, c.Tokens)
				continue
			}
			for j, w := range weights {
				if got := w / sum(weights); math.Abs(got-c.Probs[j]) > 2e-6 {
					t.Errorf("profile %s, case %d: probability %v of token %d, want %v", p, i, got, tokens[j], c.Probs[j])
				}
			}
		}
	}
}

// TestGoldenOptions checks that just those options are refused that the reference
// fails on.
func TestGoldenOptions(t *testing.T) {
	for _, p := range []Profile{OpenCLIP33, Main} {
		for _, c := range readGolden(t, p).Options {
			o, err := c.options(t, p)
			if err == nil {
				_, err = Generate(context.Background(), c.model(0), 1, o)
			}
			var option *OptionError
			switch {
			case c.Refused == nil && err != nil:
				t.Errorf("profile %s, %s: %v, want no error", p, c.Options, err)
			case c.Refused != nil && !errors.As(err, &option):
				t.Errorf("profile %s, %s: error %v, want one like %s", p, c.Options, err, *c.Refused)
			}
		}
	}
}
