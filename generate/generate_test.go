package generate

import (
	"context"
	"errors"
	"math"
	"testing"
)

// brokenModel lets a toy model go wrong.
type brokenModel struct {
	*toyModel
	after int // the step from which on
	spoil func(rows [][]float32) ([][]float32, error)
}

func (m *brokenModel) Step(ctx context.Context, parents []int, tokens []int32) ([][]float32, error) {
	rows, err := m.toyModel.Step(ctx, parents, tokens)
	if m.steps >= m.after {
		return m.spoil(rows)
	}
	return rows, err
}

func everyMode(f func(name string, o Options)) {
	for _, p := range []Profile{OpenCLIP33, Main} {
		for _, typ := range []Type{BeamSearch, TopK, TopP} {
			o := toyOptions(p, 23)
			o.Type = typ
			f(p.String()+"/"+typ.String(), o)
		}
	}
}

// TestBadLogits checks that a search names the logit it cannot go on with.
func TestBadLogits(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1)} {
		everyMode(func(name string, o Options) {
			m := &brokenModel{toyModel: &toyModel{vocab: 23, seeds: []int64{1, 2}, eot: 22}, after: 3}
			m.spoil = func(rows [][]float32) ([][]float32, error) {
				rows[len(rows)-1][7] = float32(bad)
				return rows, nil
			}
			_, err := Generate(context.Background(), m, 2, o)
			var e *LogitError
			if !errors.As(err, &e) || e.Image != 1 || e.Step != 3 || e.Token != 7 {
				t.Errorf("%s: error %v, want a LogitError of image 1, step 3, token 7", name, err)
			}
		})
	}
	everyMode(func(name string, o Options) {
		m := &brokenModel{toyModel: &toyModel{vocab: 23, seeds: []int64{1}, eot: 22}, after: 2}
		m.spoil = func(rows [][]float32) ([][]float32, error) {
			for _, row := range rows {
				for i := range row {
					row[i] = float32(math.Inf(-1))
				}
			}
			return rows, nil
		}
		_, err := Generate(context.Background(), m, 1, o)
		var e *LogitError
		if !errors.As(err, &e) || e.Step != 2 || e.Token != -1 {
			t.Errorf("%s: error %v, want a LogitError of step 2 without a token", name, err)
		}
	})
}

// TestMaskedLogits checks that tokens can be excluded by -Inf.
func TestMaskedLogits(t *testing.T) {
	everyMode(func(name string, o Options) {
		m := &brokenModel{toyModel: &toyModel{vocab: 23, seeds: []int64{1}, eot: 22}}
		m.spoil = func(rows [][]float32) ([][]float32, error) {
			for _, row := range rows {
				for i := range row {
					if i%2 == 1 {
						row[i] = float32(math.Inf(-1))
					}
				}
			}
			return rows, nil
		}
		got, err := Generate(context.Background(), m, 1, o)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, id := range got[0][0].IDs[1:] {
			if id%2 == 1 {
				t.Errorf("%s: id %d was excluded", name, id)
			}
		}
		if p := got[0][0].LogProb; math.IsInf(p, 0) || math.IsNaN(p) {
			t.Errorf("%s: log-probability %v", name, p)
		}
	})
}

// TestModelErrors checks that what a model gets wrong is reported.
func TestModelErrors(t *testing.T) {
	failure := errors.New("no more")
	for what, spoil := range map[string]func([][]float32) ([][]float32, error){
		"rows":            func(rows [][]float32) ([][]float32, error) { return rows[1:], nil },
		"logits of a row": func(rows [][]float32) ([][]float32, error) { rows[0] = rows[0][:5]; return rows, nil },
		"":                func(rows [][]float32) ([][]float32, error) { return nil, failure },
	} {
		everyMode(func(name string, o Options) {
			m := &brokenModel{toyModel: &toyModel{vocab: 23, seeds: []int64{1}, eot: 22}, after: 2, spoil: spoil}
			_, err := Generate(context.Background(), m, 1, o)
			var e *ModelError
			if what == "" && !errors.Is(err, failure) || what != "" && (!errors.As(err, &e) || e.What != what) {
				t.Errorf("%s: error %v, want one about %q", name, err, what)
			}
		})
	}
	var e *ModelError
	if _, err := Generate(context.Background(), &toyModel{vocab: 1}, 1, toyOptions(Main, 11)); !errors.As(err, &e) {
		t.Errorf("vocabulary of 1: error %v, want a ModelError", err)
	}
}

func TestCancel(t *testing.T) {
	everyMode(func(name string, o Options) {
		ctx, cancel := context.WithCancel(context.Background())
		m := &toyModel{vocab: 23, seeds: []int64{1}, eot: 22}
		o.Observe = func(p Progress) {
			if p.Length == 4 {
				cancel()
			}
		}
		if _, err := Generate(ctx, m, 1, o); !errors.Is(err, context.Canceled) || m.steps != 3 {
			t.Errorf("%s: error %v after %d steps, want a cancellation after 3", name, err, m.steps)
		}
		if _, err := Generate(ctx, m, 1, o); !errors.Is(err, context.Canceled) || m.steps != 3 {
			t.Errorf("%s: error %v, want a cancellation before the first step", name, err)
		}
	})
}

// TestOptionErrors checks refusals that the reference cannot be asked for.
func TestOptionErrors(t *testing.T) {
	for _, c := range []struct {
		option string
		change func(*Options)
	}{
		{"seq_len", func(o *Options) { o.SeqLen = 78 }},
		{"seq_len", func(o *Options) { o.ContextLength = 20; o.SeqLen = 22 }},
		{"context_length", func(o *Options) { o.ContextLength = 0 }},
		{"max_seq_len", func(o *Options) { o.Type = TopK; o.MaxSeqLen = -1 }},
		{"prompt", func(o *Options) { o.Type = TopK; o.Prompt = make([]int32, 77) }},
		{"prompt", func(o *Options) { o.Type = TopK; o.Prompt = []int32{9, 11} }},
		{"prompt", func(o *Options) { o.Type = TopK; o.Prompt = []int32{9, -1} }},
		{"sot_token_id", func(o *Options) { o.SOT = 11 }},
		{"eos_token_id", func(o *Options) { o.EOT = 11 }},
		{"pad_token_id", func(o *Options) { o.Pad = -1 }},
		{"num_captions", func(o *Options) { o.NumCaptions = 0 }},
		{"num_captions", func(o *Options) { o.NumCaptions = MaxCaptions + 1 }},
		{"num_beams", func(o *Options) { o.NumBeams = 3 * MaxBeams }},
		{"repetition_penalty", func(o *Options) { o.RepetitionPenalty = math.NaN() }},
		{"repetition_penalty", func(o *Options) { o.RepetitionPenalty = 1e300 }},
		{"temperature", func(o *Options) { o.Type = TopP; o.Temperature = math.NaN() }},
		{"temperature", func(o *Options) { o.Type = TopP; o.Temperature = math.Inf(1) }},
		{"top_p", func(o *Options) { o.Type = TopP; o.TopP = math.NaN() }},
		{"generation_type", func(o *Options) { o.Type = 3 }},
		{"profile", func(o *Options) { o.Profile = -1 }},
	} {
		o := toyOptions(OpenCLIP33, 11)
		c.change(&o)
		_, err := Generate(context.Background(), &toyModel{vocab: 11, seeds: []int64{1}}, 1, o)
		var e *OptionError
		if !errors.As(err, &e) || e.Option != c.option || e.Want == "" || e.Got == "" {
			t.Errorf("error %v, want one about %s", err, c.option)
		}
	}
	ignored := toyOptions(OpenCLIP33, 11)
	ignored.Prompt = make([]int32, 99)
	ignored.Prompt[5] = 1000
	ignored.MaxSeqLen, ignored.TopK, ignored.TopP, ignored.Temperature = -1, -1, -1, 0
	if _, err := Generate(context.Background(), &toyModel{vocab: 11, seeds: []int64{1}, eot: 10}, 1, ignored); err != nil {
		t.Errorf("options without effect: %v", err)
	}
	var e *OptionError
	if _, err := Generate(context.Background(), &toyModel{vocab: 11}, -1, toyOptions(Main, 11)); !errors.As(err, &e) {
		t.Errorf("-1 images: error %v, want an OptionError", err)
	}
	if got, err := Generate(context.Background(), &toyModel{vocab: 11}, 0, toyOptions(Main, 11)); err != nil || len(got) != 0 {
		t.Errorf("0 images: %v, %v, want nothing", got, err)
	}
}

func TestNames(t *testing.T) {
	for _, typ := range []Type{BeamSearch, TopK, TopP} {
		if got, err := ParseType(typ.String()); err != nil || got != typ {
			t.Errorf("ParseType(%q) = %v, %v", typ, got, err)
		}
	}
	for _, p := range []Profile{OpenCLIP33, Main} {
		if got, err := ParseProfile(p.String()); err != nil || got != p {
			t.Errorf("ParseProfile(%q) = %v, %v", p, got, err)
		}
	}
	var e *OptionError
	if _, err := ParseProfile("3.2"); !errors.As(err, &e) || e.Got != "3.2" {
		t.Errorf("ParseProfile(3.2): error %v", err)
	}
	if got := Type(7).String(); got != "Type(7)" {
		t.Errorf("Type(7) is called %q", got)
	}
}

// TestRowsComputed checks that no row is computed twice or for nothing.
func TestRowsComputed(t *testing.T) {
	// Far from its end, the default search needs one row of the first step and
	// two of each other one, not six.
	m := &toyModel{vocab: 40, seeds: []int64{3}, eot: 39, lift: -20}
	o := toyOptions(OpenCLIP33, 40)
	if _, err := Generate(context.Background(), m, 1, o); err != nil {
		t.Fatal(err)
	}
	if m.steps != o.SeqLen-1 || m.processed != 1+2*(o.SeqLen-2) {
		t.Errorf("beam search: %d steps and %d rows, want %d and %d", m.steps, m.processed, o.SeqLen-1, 1+2*(o.SeqLen-2))
	}
	// Samples that are equal share a row; the forced EOT is not fed.
	m = &toyModel{vocab: 40, seeds: []int64{3}, eot: 39, lift: -20}
	o.Type, o.NumCaptions, o.Pad = TopK, 5, 36
	got, err := Generate(context.Background(), m, 1, o)
	if err != nil {
		t.Fatal(err)
	}
	if m.processed != m.steps || m.steps != len(got[0][0].IDs)-1 {
		t.Errorf("greedy search of %v: %d steps and %d rows", got[0][0].IDs, m.steps, m.processed)
	}
	// Finished images leave the batch.
	m = &toyModel{vocab: 11, seeds: []int64{1, 2, 3, 4, 5, 6}, eot: 10, lift: 3}
	o = toyOptions(OpenCLIP33, 11)
	o.NumBeams, o.NumBeamGroups = 2, 2
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	var seen []Progress
	o.Observe = func(p Progress) { seen = append(seen, p) }
	captions, err := Generate(context.Background(), m, 6, o)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range seen {
		live := 0
		for _, c := range captions {
			if len(c[0].IDs) >= i+2 {
				live++
			}
		}
		if p.Length != i+2 || p.Rows < live || p.Images != 6 {
			t.Errorf("step %d: %+v, want length %d and at least %d rows", i, p, i+2, live)
		}
	}
	if last := seen[len(seen)-1]; last.Finished != 6 || seen[0].Rows != 6 || last.Rows == 6 {
		t.Errorf("steps %+v: want images to leave", seen)
	}
}

// TestPadIsNotStripped checks the caption that a generated id 0 ends.
func TestPadIsNotStripped(t *testing.T) {
	m := &brokenModel{toyModel: &toyModel{vocab: 11, seeds: []int64{1}, eot: 10}, after: 3}
	m.spoil = func(rows [][]float32) ([][]float32, error) {
		rows[0][0] = 30
		return rows, nil
	}
	for _, p := range []Profile{OpenCLIP33, Main} {
		o := toyOptions(p, 11)
		o.Type, o.SeqLen = TopK, 8
		m.steps, m.seeds = 0, []int64{3}
		got, err := Generate(context.Background(), m, 1, o)
		if err != nil {
			t.Fatal(err)
		}
		ids := got[0][0].IDs
		want := 4 // SOT, two ids, 0
		if p == Main {
			want = 8
		}
		if len(ids) != want || ids[3] != 0 || len(got[0][0].TokenLogProbs) != want-1 {
			t.Errorf("profile %s: %v, want %d ids, the fourth 0", p, got[0][0], want)
		}
	}
}

// staticModel answers every step with the same rows.
type staticModel struct{ rows [][]float32 }

func (m staticModel) VocabSize() int                     { return len(m.rows[0]) }
func (m staticModel) Start(context.Context, []int) error { return nil }
func (m staticModel) Step(_ context.Context, parents []int, _ []int32) ([][]float32, error) {
	return m.rows[:len(parents)], nil
}

// BenchmarkGenerate measures the searches alone, on CLIP's vocabulary, for one
// caption of 30 ids.
func BenchmarkGenerate(b *testing.B) {
	m := staticModel{}
	for i := range 6 {
		row := clipRow(uint64(i))
		row[49407] = -20
		row[0] = -20
		m.rows = append(m.rows, row)
	}
	for _, p := range []Profile{OpenCLIP33, Main} {
		for _, typ := range []Type{BeamSearch, TopK, TopP} {
			b.Run(p.String()+"/"+typ.String(), func(b *testing.B) {
				o := DefaultOptions(p)
				o.Type = typ
				b.ReportAllocs()
				for b.Loop() {
					if _, err := Generate(context.Background(), m, 1, o); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
