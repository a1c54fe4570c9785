package main

import (
	"math/rand/v2"
	"os"
	"testing"

	"github.com/seed-e0874532/coca/tokenizer"
)

func TestLearn(t *testing.T) {
	vocabulary, merges := learn(map[string]int{"low": 5, "lower": 2, "newest": 6, "widest": 3}, 3+512+4)
	// es: 9 times, es+t</w>: 9, lo: 7, then the first of ne, ew, w+est: 6 each.
	want := []pair{{"e", "s"}, {"es", "t</w>"}, {"l", "o"}, {"e", "w"}}
	if len(merges) != len(want) {
		t.Fatalf("got %v, want %v", merges, want)
	}
	for i := range want {
		if merges[i] != want[i] {
			t.Errorf("merge %d: got %v, want %v", i, merges[i], want[i])
		}
	}
	if len(vocabulary) != 3+512+4 {
		t.Errorf("%d tokens", len(vocabulary))
	}
	if _, all := learn(map[string]int{"ab": 1}, 1000); len(all) != 1 {
		t.Errorf("got %v, want one merge", all)
	}
}

// TestTokenizer reads the committed tokenizer with the product's reader.
func TestTokenizer(t *testing.T) {
	tok, err := tokenizer.Load(os.DirFS("model"))
	if err != nil {
		t.Fatal(err)
	}
	longest := 0
	for i := range 5000 {
		r := rand.New(rand.NewPCG(5, uint64(i)))
		caption := Caption(r, composed(r, Training))
		ids := tok.Encode(caption)
		longest = max(longest, len(ids))
		for _, id := range ids {
			if id < 0 || id >= 2048 {
				t.Fatalf("%q: id %d", caption, id)
			}
		}
	}
	if longest > 30 {
		t.Errorf("a caption takes %d tokens, want at most 30 of 32", longest)
	}
}
