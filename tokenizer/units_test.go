package tokenizer

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// A unitRow is one line of the file that testdata/reference/tokenizer_units.py
// writes.
type unitRow struct {
	Text      string   `json:"text"`
	Lower     string   `json:"lower"`
	HFLower   string   `json:"hf_lower"`
	NFC       string   `json:"nfc"`
	HFNFC     string   `json:"hf_nfc"`
	HFSqueeze string   `json:"hf_squeeze"`
	HTML      string   `json:"html"`
	Clean     []string `json:"clean"` // in the order of the modes
	CLIP      []string `json:"clip"`
	HFCLIP    []string `json:"hf_clip"`
	GPT2      []string `json:"gpt2"`
	Bytes     []int    `json:"bytes"`
	UTF8      string   `json:"utf8"`
}

// TestUnitsGolden compares the parts of the tokenizers with the reference's.
func TestUnitsGolden(t *testing.T) {
	checkUnits(t, "../testdata/golden/tokenizer/units.jsonl.gz", 1000)
}

// TestUnitsAll compares with the whole if COCA_TOKENIZER_UNITS names the file
// that testdata/reference/tokenizer_check.sh generates.
func TestUnitsAll(t *testing.T) {
	name := os.Getenv("COCA_TOKENIZER_UNITS")
	if name == "" {
		t.Skip("COCA_TOKENIZER_UNITS names no file")
	}
	checkUnits(t, name, 20000)
}

func checkUnits(t *testing.T, name string, want int) {
	count, failures := 0, 0
	readLines(t, name, func(line int, data []byte) {
		var row unitRow
		if err := json.Unmarshal(data, &row); err != nil {
			t.Fatal(err)
		}
		if row.Clean == nil {
			return // the versions
		}
		count++
		raw := make([]byte, len(row.Bytes))
		for i, b := range row.Bytes {
			raw[i] = byte(b)
		}
		for _, check := range []struct{ part, got, want string }{
			{"lower", lower(row.Text), row.Lower},
			{"lowerHF", lowerHF(row.Text), row.HFLower},
			{"nfc", nfc(row.Text), row.NFC},
			{"nfcHF", nfcHF(row.Text), row.HFNFC},
			{"squeezeSpaces", squeezeSpaces(row.Text, "_"), row.HFSqueeze},
			{"unescapeHTML", unescapeHTML(row.Text), row.HTML},
			{"clean lower", CleanLower.Text(row.Text), row.Clean[CleanLower]},
			{"clean whitespace", CleanWhitespace.Text(row.Text), row.Clean[CleanWhitespace]},
			{"clean canonicalize", CleanCanonicalize.Text(row.Text), row.Clean[CleanCanonicalize]},
			{"replaceInvalid", replaceInvalid(string(raw)), row.UTF8},
		} {
			if check.got != check.want {
				if failures++; failures <= 20 {
					t.Errorf("%s:%d: %s: text %+q\n got %+q\nwant %+q", name, line, check.part, row.Text, check.got, check.want)
				}
			}
		}
		for _, check := range []struct {
			part string
			scan scanner
			want []string
		}{
			{"scanCLIP", scanCLIP, row.CLIP},
			{"scanHF", scanHF(nil), row.HFCLIP},
			{"scanGPT2", scanGPT2, row.GPT2},
		} {
			if got := scanAll(check.scan, row.Text); !slices.Equal(got, check.want) {
				if failures++; failures <= 20 {
					t.Errorf("%s:%d: %s: text %+q\n got %+q\nwant %+q", name, line, check.part, row.Text, got, check.want)
				}
			}
		}
	})
	if count < want {
		t.Errorf("%s: %d rows, want at least %d", name, count, want)
	}
	t.Logf("%d rows, %d results differ", count, failures)
}

func scanAll(scan scanner, text string) []string {
	var tokens []string
	for text != "" {
		skip, n := scan(text)
		if n == 0 {
			break
		}
		tokens = append(tokens, text[skip:skip+n])
		text = text[skip+n:]
	}
	return tokens
}
