package tokenizer

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// TestDecoderReplacements decodes with a file whose decoder closes up commas and hyphens.
func TestDecoderReplacements(t *testing.T) {
	data, err := os.ReadFile("../testdata/models/shapes/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	settings, err := os.ReadFile("../testdata/models/shapes/tokenizer_config.json")
	if err != nil {
		t.Fatal(err)
	}
	load := func(more string) *Tokenizer {
		t.Helper()
		const end = `"stop": 1`
		text := string(data)
		at := strings.LastIndex(text, end)
		if at < 0 {
			t.Fatal("the file's decoder does not end in a Strip")
		}
		at += strings.Index(text[at:], "}") + 1
		tok, err := Load(fstest.MapFS{"tokenizer.json": {Data: []byte(text[:at] + more + text[at:])}, "tokenizer_config.json": {Data: settings}})
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	const caption = "a red star, a blue-green circle"
	for more, want := range map[string]string{
		"": "a red star , a blue - green circle",
		`, {"type": "Replace", "pattern": {"String": " ,"}, "content": ","}, {"type": "Replace", "pattern": {"String": " - "}, "content": "-"}`: caption,
		// A text must not grow by what a file says.
		`, {"type": "Replace", "pattern": {"String": "a"}, "content": "aaaaaaaa"}`: "a red star , a blue - green circle",
		`, {"type": "Replace", "pattern": {"Regex": " ,"}, "content": ","}`:        "a red star , a blue - green circle",
	} {
		tok := load(more)
		if got := tok.Decode(tok.Encode(caption)); got != want {
			t.Errorf("with %q: got %q, want %q", more, got, want)
		}
	}
}
