package tokenizer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// benchTexts are texts of several kinds. Throughput is counted in bytes of
// text, cleaning included.
var benchTexts = map[string]string{
	"caption":  "An orange and white cat is sitting on top of a wooden table, next to a laptop keyboard.",
	"accents":  "Un café crème sur une table, à côté d'une fenêtre où l'été s'achève déjà très doucement.",
	"chinese":  "一只橙白相间的猫坐在木桌上，旁边是一台笔记本电脑的键盘。",
	"emoji":    "😀 a 🐢 on the beach 🏖️ — 🌊🌊🌊 👩‍👩‍👧‍👦",
	"entities": "AT&amp;T &lt;3 &eacute;clair &quot;caf&eacute;&quot; it&#8217;s &copy; 2024",
	"long":     strings.Repeat("a photo of a very small dog that runs after a red ball; ", 200),
	"word":     strings.Repeat("abcdefghij", 10_000),
}

func BenchmarkEncode(b *testing.B) {
	tok := CLIP()
	for name, text := range benchTexts {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				tok.Encode(text)
			}
		})
	}
}

func BenchmarkEncodeHF(b *testing.B) {
	tok, err := Load(os.DirFS(filepath.Join(hfGolden, "roberta")))
	if err != nil {
		b.Fatal(err)
	}
	text := benchTexts["caption"]
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		tok.Encode(text)
	}
}

// BenchmarkUnpack measures the first call of CLIP.
func BenchmarkUnpack(b *testing.B) {
	for b.Loop() {
		unpackCLIP()
	}
}
