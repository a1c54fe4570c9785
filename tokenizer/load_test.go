package tokenizer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// edited returns the golden folder kind with a file replaced: edit gets its
// text; an edit of nil removes it.
func edited(t testing.TB, kind, name string, edit func(string) string) fstest.MapFS {
	t.Helper()
	folder := fstest.MapFS{}
	files, err := filepath.Glob(filepath.Join(hfGolden, kind, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(kind, err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		folder[filepath.Base(f)] = &fstest.MapFile{Data: data}
	}
	if edit == nil {
		delete(folder, name)
		return folder
	}
	var before string
	if f := folder[name]; f != nil {
		before = string(f.Data)
	}
	after := edit(before)
	if after == before {
		t.Fatalf("the edit of %s/%s changes nothing", kind, name)
	}
	folder[name] = &fstest.MapFile{Data: []byte(after)}
	return folder
}

func replace(old, new string) func(string) string {
	return func(s string) string { return strings.Replace(s, old, new, 1) }
}

func constant(s string) func(string) string { return func(string) string { return s } }

// cutAt keeps what stands before the first occurrence of mark.
func cutAt(mark string) func(string) string {
	return func(s string) string { s, _, _ = strings.Cut(s, mark); return s }
}

func TestLoadErrors(t *testing.T) {
	tests := []struct {
		kind, file string
		edit       func(string) string
		want       string // in the error
	}{
		{"clip", "tokenizer.json", nil, "vocab.json"},
		{"clip-files", "vocab.json", nil, "vocab.json"},
		{"clip-files", "merges.txt", nil, "merges.txt"},
		{"clip", "tokenizer.json", constant(""), "tokenizer.json"},
		{"clip", "tokenizer.json", constant("null"), "model.vocab"},
		{"clip", "tokenizer.json", constant("[]"), "tokenizer.json"},
		{"clip", "tokenizer.json", constant("{}"), "model.vocab"},
		{"clip", "tokenizer.json", constant("{\"model\":" + strings.Repeat("[", 1<<20)), "tokenizer.json"},
		{"clip", "tokenizer.json", cutAt(`"merges"`), "tokenizer.json"},
		{"clip", "tokenizer.json", constant("\xff\xfe{\x00}"), "tokenizer.json"},
		{"clip", "tokenizer.json", replace(`"type":"BPE"`, `"type":"Unigram"`), `unsupported model: want "BPE", found "Unigram"`},
		{"clip", "tokenizer.json", replace(`"type":"BPE"`, `"type":"WordPiece"`), `"WordPiece"`},
		{"clip", "tokenizer.json", replace(`"dropout":null`, `"dropout":0.1`), "model.dropout"},
		{"clip", "tokenizer.json", replace(`"byte_fallback":false`, `"byte_fallback":true`), "model.byte_fallback"},
		{"clip", "tokenizer.json", replace(`"continuing_subword_prefix":null`, `"continuing_subword_prefix":"##"`), "continuing_subword_prefix"},
		{"clip", "tokenizer.json", replace(`{"type":"Lowercase"}`, `{"type":"BertNormalizer"}`), `unsupported normalizer: want Sequence, NFC, Lowercase or Replace, found "BertNormalizer"`},
		{"clip", "tokenizer.json", replace(`"Regex":"\\s+"`, `"Regex":"(a+)+b"`), `normalizer Replace`},
		{"clip", "tokenizer.json", replace(`"content":" "}`, `"content":"`+strings.Repeat("x", 1000)+`"}`), `normalizer Replace`},
		{"clip", "tokenizer.json", replace(`'ll|'d|[`, `'ll|'d|.|[`), "pre_tokenizer Split"},
		{"clip", "tokenizer.json", replace(`"behavior":"Removed"`, `"behavior":"MergedWithNext"`), `"MergedWithNext"`},
		{"clip", "tokenizer.json", replace(`{"type":"ByteLevel"`, `{"type":"Metaspace"`), `"Metaspace"`},
		{"roberta", "tokenizer.json", replace(`"pre_tokenizer":{"type":"ByteLevel"`, `"pre_tokenizer":{"type":"Whitespace"`), `"Whitespace"`},
		{"roberta", "tokenizer.json", replace(`"pre_tokenizer":{"type":"ByteLevel"`, `"pre_tokenizer":null,"x":{"type":"ByteLevel"`), "pre_tokenizer"},
		{"clip", "tokenizer.json", replace(`"type":"RobertaProcessing"`, `"type":"Mystery"`), `"Mystery"`},
		{"clip", "tokenizer.json", replace(`"sep":["<|endoftext|>",1]`, `"sep":["<|endoftext|>",1000000]`), "post_processor.sep"},
		{"clip", "tokenizer.json", replace(`"sep":["<|endoftext|>",1]`, `"sep":["<|endoftext|>",-1]`), "post_processor.sep"},
		{"clip", "tokenizer.json", replace(`"sep":["<|endoftext|>",1]`, `"sep":"x"`), "post_processor.sep"},
		{"fast", "tokenizer.json", replace(`"ids":[0]`, `"ids":[99999]`), "post_processor.single[0]"},
		{"fast", "tokenizer.json", replace(`{"SpecialToken":{"id":"<s>"`, `{"SpecialToken":{"id":"<t>"`), `"<t>"`},
		{"fast", "tokenizer.json", replace(`"single":[`, `"single":[{"Sequence":{"id":"A"}},`), "post_processor.single"},
		{"fast", "tokenizer.json", replace(`"processors":[`, `"processors":[{"type":"BertProcessing","sep":["x",1],"cls":["x",1]},`), "one processor that adds special ids"},
		{"fast", "tokenizer.json", replace(`{"id":700,`, `{"id":701,`), "added token"},
		{"fast", "tokenizer.json", replace(`"single_word":false`, `"single_word":true`), "single_word"},
		{"fast", "tokenizer.json", replace(`"content":"old cat"`, `"content":""`), "added_tokens"},
		{"fast", "tokenizer.json", replace(`"pad_token":"<pad>"`, `"pad_token":""`), "pad_token"},
		{"clip-files", "vocab.json", constant(""), "vocab.json"},
		{"clip-files", "vocab.json", constant("{}"), "want symbols, found none"},
		{"clip-files", "vocab.json", constant("[1]"), "vocab.json"},
		{"clip-files", "vocab.json", constant(`{"a":0,"b":`), "vocab.json"},
		{"clip-files", "vocab.json", replace(`"!":2`, `"!":-2`), `["!"]`},
		{"clip-files", "vocab.json", replace(`"!":2`, `"!":2.5`), `["!"]`},
		{"clip-files", "vocab.json", replace(`"!":2`, `"!":"2"`), `["!"]`},
		{"clip-files", "vocab.json", replace(`"!":2`, `"!":null`), `["!"]`},
		{"clip-files", "vocab.json", replace(`"!":2`, `"!":{"x":[]}`), `["!"]`},
		{"clip-files", "vocab.json", replace(`"!":2`, `"!":3`), "an id of its own"},
		{"clip-files", "vocab.json", replace(`"!":2`, `"!":2,"!":2`), "each symbol once"},
		{"clip-files", "vocab.json", replace(`"!":2`, `"!":2,"":5000`), "1 to 1024 bytes"},
		{"clip-files", "vocab.json", replace(`"!":2`, `"!":2,"`+strings.Repeat("x", 2000)+`":5000`), "1 to 1024 bytes"},
		{"clip-files", "vocab.json", replace(`"!":2`, `"!":99999999999999999999`), `["!"]`},
		{"clip-files", "vocab.json", replace(`"!":2`, `"!":150000`), "ids without a symbol"},
		{"clip-files", "merges.txt", replace("\n", "\nqq zz\n"), `"qq"`},
		{"clip-files", "merges.txt", replace("\n", "\nnospace\n"), `line 2`},
		{"clip-files", "merges.txt", replace("\n", "\na b c\n"), `line 2`},
		{"clip-files", "tokenizer_config.json", constant(`{"tokenizer_class":"T5Tokenizer"}`), `"T5Tokenizer"`},
		{"clip-files", "tokenizer_config.json", constant(`{"tokenizer_class":5}`), "tokenizer_class"},
		{"clip-files", "tokenizer_config.json", replace(`"pad_token":"<|endoftext|>"`, `"pad_token":null`), "pad_token"},
		{"clip-files", "tokenizer_config.json", replace(`"pad_token":"<|endoftext|>"`, `"pad_token":[1]`), "pad_token"},
		{"clip-files", "tokenizer_config.json", replace(`"added_tokens_decoder":{"0"`, `"added_tokens_decoder":{"zero"`), "added_tokens_decoder"},
		{"clip-files", "tokenizer_config.json", replace(`"added_tokens_decoder":{"0"`, `"added_tokens_decoder":{"7"`), "want id 0"},
		{"clip-files", "tokenizer_config.json", replace(`{`, `{"split_special_tokens":true,`), "split_special_tokens"},
		{"clip-files-old", "special_tokens_map.json", constant(`{"bos_token":7}`), "bos_token"},
		{"gpt2-files", "added_tokens.json", constant(`{"<extra>":5}`), "added token"},
		{"gpt2-files", "added_tokens.json", constant(`{"":5}`), "added_tokens.json"},
		{"gpt2-files", "tokenizer_config.json", constant(`{"tokenizer_class":"GPT2Tokenizer"}`), "pad_token"},
		{"roberta-files", "config.json", constant(`{"model_type":"rob`), "config.json"},
	}
	for i, test := range tests {
		t.Run(fmt.Sprintf("%d/%s/%s", i, test.kind, test.file), func(t *testing.T) {
			_, err := Load(edited(t, test.kind, test.file, test.edit))
			if err == nil {
				t.Fatal("no error")
			}
			var file *FileError
			var unsupported *UnsupportedError
			if !errors.As(err, &file) && !errors.As(err, &unsupported) {
				t.Errorf("%T is no FileError or UnsupportedError", err)
			}
			if !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 600 {
				t.Errorf("error %q, want one short line with %q", err, test.want)
			}
		})
	}
	if _, err := Load(fstest.MapFS{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder gives %v", err)
	}
}

// TestLoadBounds loads large hostile files and checks time and memory.
func TestLoadBounds(t *testing.T) {
	if testing.Short() {
		t.Skip("large files")
	}
	var symbols, merges strings.Builder
	for i := 0; symbols.Len() < maxFileSize-100; i++ {
		fmt.Fprintf(&symbols, `"%x":%d,`, i, i)
	}
	for merges.Len() < maxFileSize-300 {
		merges.WriteString(`"a b",`)
	}
	tests := map[string]fstest.MapFS{
		"symbols":    {"vocab.json": {Data: []byte("{" + strings.TrimSuffix(symbols.String(), ",") + "}")}, "merges.txt": {Data: []byte("#\n")}},
		"merges":     {"tokenizer.json": {Data: []byte(`{"model":{"vocab":{"a":0,"b":1,"ab":2},"merges":[` + strings.TrimSuffix(merges.String(), ",") + `]}}`)}},
		"lines":      {"vocab.json": {Data: []byte(`{"a":0}`)}, "merges.txt": {Data: []byte(strings.Repeat("\n", maxFileSize))}},
		"too large":  {"tokenizer.json": {Data: make([]byte, maxFileSize+1)}},
		"nesting":    {"tokenizer.json": {Data: []byte(`{"normalizer":` + strings.Repeat(`{"type":"Sequence","normalizers":[`, 3000) + strings.Repeat(`]}`, 3000) + `,"model":{"vocab":{"a":0}}}`)}},
		"components": {"tokenizer.json": {Data: []byte(`{"normalizer":{"type":"Sequence","normalizers":[` + strings.Repeat(`{"type":"NFC"},`, 400_000) + `{"type":"NFC"}]},"model":{"vocab":{"a":0}}}`)}},
		"added":      {"tokenizer.json": {Data: []byte(`{"added_tokens":[` + strings.Repeat(`{"id":1,"content":"a"},`, 300_000) + `{"id":1,"content":"a"}],"model":{"vocab":{"a":0}}}`)}},
	}
	for name, folder := range tests {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, err := Load(folder)
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Error("no error")
			}
			grown := int64(after.HeapInuse) - int64(before.HeapInuse) // garbage included
			if took > 10*time.Second || grown > 64<<20 {
				t.Errorf("took %v and %d MB", took, grown>>20)
			}
			t.Logf("%v, %d MB: %v", took, grown>>20, err)
		})
	}
}

func TestLoadSpecials(t *testing.T) {
	tests := []struct {
		kind          string
		sot, eot, pad int32
		size          int
	}{
		{"clip", 0, 1, 1, 637},
		{"clip-files-old", 0, 1, 2, 637},
		{"roberta", 0, 2, 1, 701},
		{"roberta-files", 0, 2, 1, 701},
		{"gpt2-files", 0, 2, 1, 701},
		{"fast", 0, 2, 1, 706},
	}
	for _, test := range tests {
		tok, err := Load(os.DirFS(filepath.Join(hfGolden, test.kind)))
		if err != nil {
			t.Errorf("%s: %v", test.kind, err)
			continue
		}
		if tok.SOT() != test.sot || tok.EOT() != test.eot || tok.Pad() != test.pad || tok.VocabSize() != test.size {
			t.Errorf("%s: SOT %d, EOT %d, Pad %d, VocabSize %d, want %+v", test.kind, tok.SOT(), tok.EOT(), tok.Pad(), tok.VocabSize(), test)
		}
		ids := tok.EncodeFixed("a small cat", 24)
		if got := tok.Caption(ids); got != "a small cat" {
			t.Errorf("%s: Caption(EncodeFixed) = %q", test.kind, got)
		}
	}
}
