package tokenizer

import (
	"os"
	"testing"
)

// TestFtfyGolden compares the repair of texts with ftfy's.
func TestFtfyGolden(t *testing.T) {
	checkFtfy(t, "../testdata/golden/tokenizer/ftfy.jsonl.gz", 500)
}

// TestFtfyAll compares with the whole if COCA_TOKENIZER_FTFY names the file
// that testdata/reference/tokenizer_check.sh generates.
func TestFtfyAll(t *testing.T) {
	name := os.Getenv("COCA_TOKENIZER_FTFY")
	if name == "" {
		t.Skip("COCA_TOKENIZER_FTFY names no file")
	}
	checkFtfy(t, name, 40000)
}

func checkFtfy(t *testing.T, name string, wantTexts int) {
	var texts, changed, failures int
	readGolden(t, name, func(line int, row *goldenRow) {
		if row.Versions != nil {
			return
		}
		texts++
		if *row.Decoded != row.Text {
			changed++
		}
		if got := fixText(row.Text); got != *row.Decoded {
			if failures++; failures <= 20 {
				t.Errorf("%s:%d: fixText(%+q) = %+q, want %+q", name, line, row.Text, got, *row.Decoded)
			}
		}
	})
	if texts < wantTexts {
		t.Errorf("%s: %d texts, want at least %d", name, texts, wantTexts)
	}
	t.Logf("%d texts, %d of them changed, %d differ", texts, changed, failures)
}
