package generate_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/seed-e0874532/coca/generate"
)

var words = []string{"<pad>", "a", "cat", "dog", "sleeps", "sits", "<start>", "<end>"}

// bigrams is a model that knows how well one word follows another, and ignores
// the image.
type bigrams map[string]map[string]float32

func (bigrams) VocabSize() int { return len(words) }

func (bigrams) Start(ctx context.Context, images []int) error { return nil }

func (b bigrams) Step(ctx context.Context, parents []int, tokens []int32) ([][]float32, error) {
	logits := make([][]float32, len(tokens))
	for i, token := range tokens {
		for _, next := range words {
			logits[i] = append(logits[i], b[words[token]][next])
		}
	}
	return logits, nil
}

var english = bigrams{
	"<start>": {"a": 9},
	"a":       {"cat": 8, "dog": 7.5},
	"cat":     {"sleeps": 8, "sits": 7},
	"dog":     {"sleeps": 6, "sits": 9},
	"sleeps":  {"<end>": 9},
	"sits":    {"<end>": 9, "a": 5},
}

func text(ids []int32) string {
	var s []string
	for _, id := range ids {
		s = append(s, words[id])
	}
	return strings.Join(s, " ")
}

func Example() {
	o := generate.DefaultOptions(generate.Main)
	o.SOT, o.EOT, o.Pad = 6, 7, 0
	o.MinSeqLen, o.NumCaptions = 0, 3
	captions, err := generate.Generate(context.Background(), english, 1, o)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range captions[0] {
		fmt.Printf("%s (%.3f)\n", text(c.IDs), c.Score)
	}
	// Output:
	// <start> a cat sleeps <end> (-0.198)
	// <start> a dog sits <end> (-0.261)
	// <start> a cat sits <end> (-0.452)
}

// A sampled caption is a function of the logits, the options and the seed.
func ExampleGenerate_sampling() {
	o := generate.DefaultOptions(generate.OpenCLIP33)
	o.SOT, o.EOT, o.Pad = 6, 7, 0
	o.Type, o.TopK = generate.TopK, 1
	o.Prompt = []int32{6, 1, 3} // <start> a dog
	captions, err := generate.Generate(context.Background(), english, 1, o)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(text(captions[0][0].IDs))
	// Output: <start> a dog sits a cat sleeps <end>
}

// Wrong options are refused with an error that names the option.
func ExampleOptions_Validate() {
	o := generate.DefaultOptions(generate.OpenCLIP33)
	o.NumBeams = 7
	fmt.Println(o.Validate())
	// Output: generate: num_beam_groups: want a divisor of num_beams (7), got 3
}

// A logit less this is a log-probability.
func ExampleLogSumExp() {
	logits := []float32{1, 3, 2}
	fmt.Printf("%.4f\n", float64(logits[1])-generate.LogSumExp(logits))
	// Output: -0.4076
}
