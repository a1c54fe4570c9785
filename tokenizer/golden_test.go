package tokenizer

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// A goldenRow is one line of the files that testdata/reference/tokenizer.py
// writes: a text with its ids, or ids with their text.
type goldenRow struct {
	Versions map[string]any `json:"versions"`
	Text     string         `json:"text"`
	Mode     string         `json:"mode"`
	IDs      []int32        `json:"ids"`
	Context  int            `json:"context"`
	Fixed    []int32        `json:"fixed"` // without the padding
	Mojibake bool           `json:"mojibake"`
	Decoded  *string        `json:"decoded"`
}

func readGolden(t testing.TB, name string, visit func(line int, row *goldenRow)) {
	t.Helper()
	readLines(t, name, func(line int, data []byte) {
		var row goldenRow
		if err := json.Unmarshal(data, &row); err != nil {
			t.Fatalf("%s:%d: %v", name, line, err)
		}
		visit(line, &row)
	})
}

// readLines calls visit for each line of a compressed file.
func readLines(t testing.TB, name string, visit func(line int, data []byte)) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	s := bufio.NewScanner(z)
	s.Buffer(nil, 1<<20)
	for line := 1; s.Scan(); line++ {
		visit(line, s.Bytes())
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
}

// TestCLIPGolden compares with the committed sample.
func TestCLIPGolden(t *testing.T) {
	checkCLIP(t, "../testdata/golden/tokenizer/clip.jsonl.gz", 1500)
}

// TestCLIPAll compares with the whole of the texts if COCA_TOKENIZER_TEXTS
// names the file that testdata/reference/tokenizer_check.sh generates.
func TestCLIPAll(t *testing.T) {
	name := os.Getenv("COCA_TOKENIZER_TEXTS")
	if name == "" {
		t.Skip("COCA_TOKENIZER_TEXTS names no file")
	}
	checkCLIP(t, name, 24000)
}

func checkCLIP(t *testing.T, name string, wantTexts int) {
	var texts, mojibake, mojibakeEqual, decodes, failures int
	readGolden(t, name, func(line int, row *goldenRow) {
		switch {
		case row.Versions != nil:
			return
		case row.Decoded != nil:
			decodes++
			if got := CLIP().Decode(row.IDs); got != *row.Decoded {
				t.Errorf("%s:%d: Decode(%v) = %q, want %q", name, line, row.IDs, got, *row.Decoded)
			}
			return
		}
		texts++
		mode, err := ParseClean(row.Mode)
		if err != nil {
			t.Fatal(err)
		}
		tok := CLIP().WithClean(mode)
		ids := tok.Encode(row.Text)
		fixed := tok.EncodeFixed(row.Text, row.Context)
		want := append(slices.Clone(row.Fixed), make([]int32, row.Context-len(row.Fixed))...)
		equal := slices.Equal(ids, row.IDs) && slices.Equal(fixed, want)
		if row.Mojibake {
			mojibake++
			if equal {
				mojibakeEqual++
			}
		}
		if !equal {
			if failures++; failures <= 20 {
				t.Errorf("%s:%d: mode %s, context %d, mojibake %t, text %+q\n got ids %v\nwant ids %v\n got fixed %v\nwant fixed %v",
					name, line, row.Mode, row.Context, row.Mojibake, row.Text, ids, row.IDs, fixed, want)
			}
		}
	})
	if texts < wantTexts {
		t.Errorf("%s: %d texts, want at least %d", name, texts, wantTexts)
	}
	t.Logf("%d texts, %d of them repaired by ftfy's encoding step (%d equal), %d differ; %d decodes",
		texts, mojibake, mojibakeEqual, failures, decodes)
}
