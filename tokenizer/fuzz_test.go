package tokenizer

import (
	"errors"
	"testing"
	"testing/fstest"
	"unicode/utf8"
)

func FuzzEncode(f *testing.F) {
	for _, text := range benchTexts {
		if len(text) < 1000 {
			f.Add(text, uint8(0), 76)
		}
	}
	for _, text := range []string{
		"", "&amp;amp;lt;", "&#x80;&notit;&#0;", "\x1b[1;\u0661m", "cafÃ© â€™", "ΑΣ İ", "<ſTART_OF_TEXT>", "\u0345", "\xff\xed\xa0\x80",
		"Ã\u00adÂ\u00a0Â½Ã\u00adÂ¸Â\u0080", "e\u0316\u0301", "ﬃ Ｆｕｌｌ　\r\n",
	} {
		f.Add(text, uint8(1), 8)
	}
	f.Fuzz(func(t *testing.T, text string, mode uint8, context int) {
		tok := CLIP().WithClean(Clean(mode % 3))
		ids := tok.Encode(text)
		for _, id := range ids {
			if id < 0 || int(id) >= tok.VocabSize() {
				t.Fatalf("id %d", id)
			}
		}
		context %= 300
		fixed := tok.EncodeFixed(text, context)
		if len(fixed) != max(0, context) {
			t.Fatalf("%d ids for a context of %d", len(fixed), context)
		}
		if decoded := tok.Decode(ids); !utf8.ValidString(decoded) {
			t.Fatalf("Decode gives %q", decoded)
		}
		if clean := tok.Clean().Text(text); !utf8.ValidString(clean) {
			t.Fatalf("cleaning gives %q", clean)
		}
	})
}

// use checks an error of Load, or runs the tokenizer that it gave.
func use(t *testing.T, tok *Tokenizer, err error) {
	if err != nil {
		var file *FileError
		var unsupported *UnsupportedError
		if !errors.As(err, &file) && !errors.As(err, &unsupported) {
			t.Fatalf("%T: %v", err, err)
		}
		return
	}
	const text = "a photo of  A cat's <s> <extra> 日本\n <|endoftext|>!"
	for _, id := range tok.Encode(text) {
		if id < 0 || int(id) >= tok.VocabSize() {
			t.Fatalf("id %d of %d", id, tok.VocabSize())
		}
	}
	for _, context := range []int{1, 3, 77} {
		ids := tok.EncodeFixed(text, context)
		if len(ids) != context {
			t.Fatalf("%d ids for a context of %d", len(ids), context)
		}
		tok.Caption(ids)
	}
}

func FuzzLoadTokenizerJSON(f *testing.F) {
	f.Add([]byte(`{"added_tokens":[{"id":3,"content":"<s>","lstrip":true,"rstrip":true,"normalized":false,"special":true}],`+
		`"normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Replace","pattern":{"Regex":"\\s+"},"content":" "},{"type":"Lowercase"}]},`+
		`"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+"},"behavior":"Removed","invert":true},{"type":"ByteLevel","add_prefix_space":false}]},`+
		`"post_processor":{"type":"RobertaProcessing","sep":["<s>",3],"cls":["<s>",3]},`+
		`"padding":{"direction":"Right","pad_token":"<s>"},`+
		`"model":{"type":"BPE","unk_token":"a","end_of_word_suffix":"</w>","fuse_unk":true,"vocab":{"a":0,"a</w>":1,"aa</w>":2},"merges":[["a","a</w>"]]}}`), []byte(`{}`))
	f.Add([]byte(`{"pre_tokenizer":{"type":"ByteLevel","use_regex":true},"post_processor":{"type":"Sequence","processors":[{"type":"ByteLevel"},`+
		`{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}},{"Sequence":{"id":"A"}}],"special_tokens":{"x":{"ids":[0]}}}]},`+
		`"model":{"ignore_merges":true,"vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}}`),
		[]byte(`{"tokenizer_class":"GPT2TokenizerFast","pad_token":"a","add_prefix_space":true,"added_tokens_decoder":{"3":{"content":"<x>"}}}`))
	f.Fuzz(func(t *testing.T, data, settings []byte) {
		tok, err := Load(fstest.MapFS{tokenizerFile: {Data: data}, settingsFile: {Data: settings}})
		use(t, tok, err)
	})
}

func FuzzLoadVocab(f *testing.F) {
	f.Add([]byte(`{"a":0,"b":1,"ab":2}`), []byte("#version\na b\n"), []byte(`{"tokenizer_class":"GPT2Tokenizer","pad_token":"a"}`), []byte(`{"bos_token":{"content":"<s>","normalized":true}}`))
	f.Add([]byte(`{"a":0,"a</w>":1,"aa</w>":2,"<|endoftext|>":3}`), []byte("#version\na a</w>"), []byte(`{"tokenizer_class":"CLIPTokenizer"}`), []byte(`{}`))
	f.Add([]byte(`{"<s>":0,"<pad>":1,"</s>":2,"<unk>":3,"a":4}`), []byte("\n"), []byte(`{"tokenizer_class":"RobertaTokenizer","padding_side":"left","additional_special_tokens":["<x>"]}`), []byte(`{}`))
	f.Fuzz(func(t *testing.T, vocab, merges, settings, special []byte) {
		tok, err := Load(fstest.MapFS{vocabFile: {Data: vocab}, mergesFile: {Data: merges}, settingsFile: {Data: settings}, specialTokensFile: {Data: special}})
		use(t, tok, err)
	})
}
