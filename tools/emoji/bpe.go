package main

import (
	"archive/tar"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/seed-e0874532/coca/internal/atomicfile"
)

// tokenizerTemplate is a tokenizer.json without vocabulary: lower case, CLIP's
// pattern of words, and the special tokens that the vocabulary begins with.
//
//go:embed tokenizer_template.json
var tokenizerTemplate []byte

var special = []string{"<pad>", "<start_of_text>", "<end_of_text>"}

// endOfWord is the suffix of a word's last token.
const endOfWord = "</w>"

type pair [2]string

// learn finds the merges of byte pairs (Sennrich, Haddow and Birch, 2016) that most
// often apply in words with their numbers, until the vocabulary is full or
// every word is one token. Of equally frequent pairs the first in lexical order is taken.
func learn(words map[string]int, size int) (vocabulary []string, merges []pair) {
	letters := byteLetters()
	vocabulary = append(vocabulary, special...)
	for _, l := range letters {
		vocabulary = append(vocabulary, l)
	}
	for _, l := range letters {
		vocabulary = append(vocabulary, l+endOfWord)
	}
	type word struct {
		parts []string
		count int
	}
	var list []word
	for _, w := range slices.Sorted(maps.Keys(words)) {
		var parts []string
		for _, b := range []byte(w) {
			parts = append(parts, letters[b])
		}
		parts[len(parts)-1] += endOfWord
		list = append(list, word{parts, words[w]})
	}
	for len(vocabulary) < size {
		counts := map[pair]int{}
		for _, w := range list {
			for i := range len(w.parts) - 1 {
				counts[pair{w.parts[i], w.parts[i+1]}] += w.count
			}
		}
		var best pair
		for p, n := range counts {
			if m := counts[best]; n > m || n == m && slices.Compare(p[:], best[:]) < 0 {
				best = p
			}
		}
		if counts[best] == 0 {
			break
		}
		merges = append(merges, best)
		vocabulary = append(vocabulary, best[0]+best[1])
		for k, w := range list {
			list[k].parts = merged(w.parts, best)
		}
	}
	return vocabulary, merges
}

// merged joins a pair wherever it occurs.
func merged(parts []string, p pair) []string {
	out := parts[:0]
	for i := 0; i < len(parts); i++ {
		if i+1 < len(parts) && parts[i] == p[0] && parts[i+1] == p[1] {
			out = append(out, p[0]+p[1])
			i++
		} else {
			out = append(out, parts[i])
		}
	}
	return out
}

// byteLetters are the visible characters that stand for bytes in byte-level
// vocabularies: printable ones for themselves, all others moved up to U+0100.
func byteLetters() (letters [256]string) {
	moved := 0
	for b := range 256 {
		if b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae {
			letters[b] = string(rune(b))
		} else {
			letters[b] = string(rune(256 + moved))
			moved++
		}
	}
	return letters
}

// wordsOf splits a caption as the template's pattern does, as far as captions of ours go:
// runs of letters, single digits, runs of anything else that is no space.
func wordsOf(caption string) []string {
	kind := func(r rune) int {
		switch {
		case unicode.IsLetter(r):
			return 1
		case unicode.IsNumber(r):
			return 2
		case unicode.IsSpace(r):
			return 0
		}
		return 3
	}
	var words []string
	last := 0
	for _, r := range strings.ToLower(caption) {
		k := kind(r)
		if k == last && k != 2 && k != 0 {
			words[len(words)-1] += string(r)
		} else if k != 0 {
			words = append(words, string(r))
		}
		last = k
	}
	return words
}

func trainTokenizer(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("tokenizer", flag.ContinueOnError)
	data := flags.String("data", "data", "folder of the shards")
	out := flags.String("out", "model", "folder that gets tokenizer.json")
	size := flags.Int("size", 2048, "largest vocabulary")
	if err := flags.Parse(args); err != nil {
		return err
	}
	words := map[string]int{}
	for _, c := range Concepts { // known even where a held-out combination has them alone
		for _, w := range append(wordsOf(c.Article()), wordsOf(c.Plural)...) {
			words[w]++
		}
	}
	names, err := filepath.Glob(filepath.Join(*data, "scenes-*.tar"))
	if err != nil || len(names) == 0 {
		return fmt.Errorf("shards: want some scenes-*.tar in %s, found none (%v)", *data, err)
	}
	for _, name := range names[:min(len(names), 10)] {
		err := eachRecord(name, func(r record) error {
			for _, w := range wordsOf(r.caption) {
				words[w]++
			}
			return ctx.Err()
		})
		if err != nil {
			return err
		}
	}
	vocabulary, merges := learn(words, *size)
	return writeTokenizer(filepath.Join(*out, "tokenizer.json"), vocabulary, merges)
}

func writeTokenizer(name string, vocabulary []string, merges []pair) error {
	var file struct {
		Version       json.RawMessage `json:"version"`
		Truncation    json.RawMessage `json:"truncation"`
		Padding       json.RawMessage `json:"padding"`
		AddedTokens   json.RawMessage `json:"added_tokens"`
		Normalizer    json.RawMessage `json:"normalizer"`
		PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
		PostProcessor json.RawMessage `json:"post_processor"`
		Decoder       json.RawMessage `json:"decoder"`
		Model         struct {
			Type             string   `json:"type"`
			Dropout          *float64 `json:"dropout"`
			Unknown          string   `json:"unk_token"`
			ContinuingPrefix string   `json:"continuing_subword_prefix"`
			EndOfWord        string   `json:"end_of_word_suffix"`
			FuseUnknown      bool     `json:"fuse_unk"`
			ByteFallback     bool     `json:"byte_fallback"`
			IgnoreMerges     bool     `json:"ignore_merges"`
			Vocabulary       tokens   `json:"vocab"`
			Merges           []pair   `json:"merges"`
		} `json:"model"`
	}
	if err := json.Unmarshal(tokenizerTemplate, &file); err != nil {
		return err
	}
	file.Model.Vocabulary, file.Model.Merges = vocabulary, merges
	data, err := json.MarshalIndent(file, "", " ")
	if err != nil {
		return err
	}
	return replaceFile(name, append(data, '\n'))
}

// tokens are written as an object from token to number, in the order of the numbers.
type tokens []string

func (v tokens) MarshalJSON() ([]byte, error) {
	var b strings.Builder
	for i, token := range v {
		key, err := json.Marshal(token)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%c%s:%d", map[bool]rune{true: '{', false: ','}[i == 0], key, i)
	}
	return []byte(b.String() + "}"), nil
}

func (v *tokens) UnmarshalJSON([]byte) error { return nil } // the template's is empty

// replaceFile writes a file whole or not at all.
func replaceFile(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return atomicfile.Write(name, func(f *os.File) error {
		_, err := f.Write(data)
		return err
	})
}

// record is one scene of a shard.
type record struct {
	jpeg    []byte
	caption string
	truth   Truth
}

// eachRecord reads a shard that Set.write made.
func eachRecord(name string, f func(record) error) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	in := tar.NewReader(file)
	var r record
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", name, h.Name, err)
		}
		switch filepath.Ext(h.Name) {
		case ".jpg":
			r = record{jpeg: data}
		case ".json":
			if err := json.Unmarshal(data, &r.truth); err != nil {
				return fmt.Errorf("%s: %s: %w", name, h.Name, err)
			}
		case ".txt":
			r.caption = string(data)
			if err := f(r); err != nil {
				return err
			}
		}
	}
}
