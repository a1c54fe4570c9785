package tokenizer

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const hfGolden = "../testdata/golden/tokenizer/hf"

// TestHFGolden compares with the committed sample of each folder.
func TestHFGolden(t *testing.T) { checkHF(t, hfGolden, 300) }

// TestHFAll compares with the whole if COCA_TOKENIZER_HF names the folder that
// testdata/reference/tokenizer_check.sh generates.
func TestHFAll(t *testing.T) {
	folder := os.Getenv("COCA_TOKENIZER_HF")
	if folder == "" {
		t.Skip("COCA_TOKENIZER_HF names no folder")
	}
	checkHF(t, folder, 3000)
}

func checkHF(t *testing.T, folder string, wantTexts int) {
	names, err := filepath.Glob(filepath.Join(folder, "*.jsonl.gz"))
	if err != nil || len(names) < 9 {
		t.Fatalf("%s: %d files, want 9: %v", folder, len(names), err)
	}
	for _, name := range names {
		kind := strings.TrimSuffix(filepath.Base(name), ".jsonl.gz")
		t.Run(kind, func(t *testing.T) {
			tok, err := Load(os.DirFS(filepath.Join(hfGolden, kind)))
			if err != nil {
				t.Fatal(err)
			}
			var texts, mojibake, failures int
			readGolden(t, name, func(line int, row *goldenRow) {
				if row.Versions != nil {
					return
				}
				texts++
				if row.Mojibake {
					mojibake++
				}
				mode, err := ParseClean(row.Mode)
				if err != nil {
					t.Fatal(err)
				}
				u := tok.WithClean(mode)
				ids, fixed, decoded := u.Encode(row.Text), u.EncodeFixed(row.Text, row.Context), u.Decode(row.Fixed)
				if slices.Equal(ids, row.IDs) && slices.Equal(fixed, row.Fixed) && decoded == *row.Decoded {
					return
				}
				if failures++; failures <= 5 {
					t.Errorf("%s:%d: mode %s, context %d, text %+q\n got ids %v\nwant ids %v\n got fixed %v\nwant fixed %v\n got decoded %q\nwant decoded %q",
						name, line, row.Mode, row.Context, row.Text, ids, row.IDs, fixed, row.Fixed, decoded, *row.Decoded)
				}
			})
			if texts < wantTexts {
				t.Errorf("%d texts, want at least %d", texts, wantTexts)
			}
			t.Logf("%d texts, %d of them repaired by ftfy's encoding step, %d differ", texts, mojibake, failures)
		})
	}
}
