package train_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-e0874532/coca/internal/formula"
	"github.com/seed-e0874532/coca/model"
)

// TestCutTexts compares losses and gradients of texts that are cut where the
// model allows it with those of texts of the whole context, which other tests hold to
// OpenCLIP's.
func TestCutTexts(t *testing.T) {
	names, err := filepath.Glob("../testdata/golden/gradients/*.json")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	cut := 0
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var g golden
		if err := json.Unmarshal(data, &g); err != nil {
			t.Fatal(err)
		}
		config, err := os.ReadFile(folder + g.Model)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := model.ParseConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		m, err := model.New(cfg, formula.Source(model.Tensors(cfg)))
		if err != nil {
			t.Fatal(err)
		}
		context := cfg.Text.ContextLength
		whole := g
		whole.IDs = nil
		var ids []int32
		for i := range g.IDs {
			row := make([]int, context)
			for j := range min(4+i, context) {
				row[j] = 1 + (7*i+5*j)%(cfg.Text.VocabSize-1)
			}
			whole.IDs = append(whole.IDs, row)
			for _, id := range row {
				ids = append(ids, int32(id))
			}
		}
		length := m.TrainLength(ids)
		if length == context {
			continue
		}
		cut++
		short := whole
		short.IDs = nil
		for _, row := range whole.IDs {
			short.IDs = append(short.IDs, row[:length])
		}
		t.Run(filepath.Base(name), func(t *testing.T) {
			want, got := run(t, cfg, whole), run(t, cfg, short)
			c, d := want.Losses()
			e, f := got.Losses()
			near(t, "contrastive loss", float64(e), float64(c))
			near(t, "caption loss", float64(f), float64(d))
			for name, x := range want.Gradients {
				y := got.Gradients[name]
				squares, off := 0.0, 0.0
				for i, v := range x {
					squares += float64(v) * float64(v)
					off = max(off, math.Abs(float64(v)-float64(y[i])))
				}
				// Two orders of the same float32 sums.
				if rms := math.Sqrt(squares / float64(len(x))); !(off <= 3e-5*rms+1e-9) {
					t.Errorf("%s: off by %.2g of the RMS %.3g", name, off/rms, rms)
				}
			}
		})
	}
	if cut < 10 {
		t.Errorf("texts of %d models could be cut, want at least 10", cut)
	}
}

func TestTrainLength(t *testing.T) {
	parse := func(text string) model.Config {
		cfg, err := model.ParseConfig([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	const vision = `"embed_dim": 8, "custom_text": true, "vision_cfg": {"image_size": 8, "patch_size": 4, "width": 8, "head_width": 4, "layers": 1, "output_tokens": true, "attentional_pool": true, "attn_pooler_heads": 2, "attn_pooler_queries": 3},`
	const decoder = `"multimodal_cfg": {"context_length": 6, "vocab_size": 20, "width": 8, "heads": 2, "layers": 1, "attn_pooler_heads": 2}`
	text := func(more string) string {
		return `{` + vision + `"text_cfg": {"context_length": 6, "vocab_size": 20, "width": 8, "heads": 2, "layers": 1, "output_tokens": true, ` + more + `},` + decoder + `}`
	}
	rows := []int32{1, 5, 2, 0, 0, 0 /**/, 1, 0, 7, 2, 0, 0}
	for _, c := range []struct {
		more string
		want int
	}{
		{`"embed_cls": true`, 5},
		{`"embed_cls": false, "pool_type": "argmax"`, 5},
		{`"embed_cls": false, "pool_type": "last"`, 6},
		{`"embed_cls": true, "pad_id": 3`, 6},
		{`"embed_cls": true, "no_causal_mask": true`, 6},
	} {
		cfg := parse(text(c.more))
		m, err := model.New(cfg, formula.Source(model.Tensors(cfg)))
		if err != nil {
			t.Fatal(err)
		}
		if got := m.TrainLength(rows); got != c.want {
			t.Errorf("%s: got %d, want %d", c.more, got, c.want)
		}
	}
}
