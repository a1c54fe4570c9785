package main

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/seed-e0874532/coca/tokenizer"
)

// TestTokenizerGolden compares ids with those of Hugging Face's tokenizers (testdata/tokenizer.py).
func TestTokenizerGolden(t *testing.T) {
	f, err := os.Open("testdata/tokenizer.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Tokenizers string
		Texts      [][3]json.RawMessage
	}
	if err := json.NewDecoder(z).Decode(&golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Texts) < 2000 {
		t.Fatalf("%d texts, want 2000", len(golden.Texts))
	}
	tok, err := tokenizer.Load(os.DirFS("model"))
	if err != nil {
		t.Fatal(err)
	}
	over := 0
	for i, entry := range golden.Texts {
		var text, decoded string
		var ids []int32
		for k, to := range []any{&text, &ids, &decoded} {
			if err := json.Unmarshal(entry[k], to); err != nil {
				t.Fatal(err)
			}
		}
		row := append(slices.Clone(ids), make([]int32, max(0, 32-len(ids)))...) // <pad> is 0
		if got := tok.EncodeFixed(text, len(row)); !slices.Equal(got, row) {
			t.Errorf("%q: got %v, want %v", text, got, row)
		}
		if i < 2000 {
			if decoded != text {
				t.Errorf("%q comes back from the library as %q", text, decoded)
			}
			if got := tok.Caption(ids); got != text {
				t.Errorf("%q comes back as %q", text, got)
			}
			if len(ids) > 24 {
				over++
			}
		}
	}
	if over > 2000/100 {
		t.Errorf("%d of 2000 captions take more than 24 tokens", over)
	}
	t.Logf("tokenizers %s, %d texts, %d of 2000 captions longer than 24 tokens", golden.Tokenizers, len(golden.Texts), over)
}
