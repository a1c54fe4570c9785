package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// A scanner returns the length of the next token of text, which is not empty,
// and how many bytes before it belong to no token. A length of 0 means that
// the rest of text holds no token.
type scanner func(text string) (skip, n int)

var (
	clipTable = newClassTable(clipClasses)
	hfTable   = newClassTable(hfClasses)
)

// The special strings of CLIP's vocabulary.
const (
	startOfText = "<start_of_text>"
	endOfText   = "<end_of_text>"
)

// scanCLIP splits by SimpleTokenizer's pattern, which ignores case:
//
//	<start_of_text>|<end_of_text>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+
//
// U+0345 matches none of these. Its case variants are letters, so that the
// negated set refuses it when case is ignored, while it is no letter itself.
func scanCLIP(text string) (skip, n int) {
	return scanWords(text, clipTable, func(text string) int {
		if n := foldedPrefix(text, startOfText); n > 0 {
			return n
		}
		if n := foldedPrefix(text, endOfText); n > 0 {
			return n
		}
		return contraction(text, foldedPrefix)
	})
}

// scanHF splits by the pattern of Hugging Face's CLIP tokenizers, which does not
// ignore case. It knows no special strings but those given, each of which
// begins with "<": in some files the pattern names them first.
func scanHF(literals []string) scanner {
	find := func(text string) int {
		for _, l := range literals {
			if strings.HasPrefix(text, l) {
				return len(l)
			}
		}
		return contraction(text, exactPrefix)
	}
	return func(text string) (skip, n int) { return scanWords(text, hfTable, find) }
}

// scanWords finds the next token: what literal finds, one or more letters, one
// number, or one or more characters of other kinds.
func scanWords(text string, table *classTable, literal func(string) int) (skip, n int) {
	for skip < len(text) {
		r, size := decodeRune(text[skip:])
		class := table.class(r)
		switch class {
		case classSpace, classNone:
			skip += size
			continue
		case classNumber:
			return skip, size
		case classOther:
			if r == '\'' || r == '<' {
				if n := literal(text[skip:]); n > 0 {
					return skip, n
				}
			}
		}
		return skip, runLength(text[skip:], table, class)
	}
	return skip, 0
}

// runLength returns how many bytes of text belong to its first characters of
// the class.
func runLength(text string, table *classTable, class uint8) int {
	n := 0
	for n < len(text) {
		r, size := decodeRune(text[n:])
		if table.class(r) != class {
			break
		}
		n += size
	}
	return n
}

// decodeRune is utf8.DecodeRuneInString with a short way for ASCII.
func decodeRune(text string) (rune, int) {
	if c := text[0]; c < utf8.RuneSelf {
		return rune(c), 1
	}
	return utf8.DecodeRuneInString(text)
}

// contraction returns the length of the English contraction that text begins
// with, or 0.
func contraction(text string, prefix func(text, want string) int) int {
	for _, c := range [...]string{"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"} {
		if n := prefix(text, c); n > 0 {
			return n
		}
	}
	return 0
}

// foldedPrefix returns how many bytes of text are equal to want, which is
// lower-case ASCII, if case is ignored; 0 if text begins otherwise. Beyond
// ASCII only U+017F, the long s, has a case variant in want's alphabet: k, of
// the Kelvin sign, and i do not occur.
func foldedPrefix(text, want string) int {
	n := 0
	for i := range len(want) {
		switch {
		case n >= len(text):
			return 0
		case text[n] == want[i], 'A' <= text[n] && text[n] <= 'Z' && text[n]+'a'-'A' == want[i]:
			n++
		case want[i] == 's' && strings.HasPrefix(text[n:], "ſ"):
			n += len("ſ")
		default:
			return 0
		}
	}
	return n
}

// exactPrefix returns the length of want if text begins with it.
func exactPrefix(text, want string) int {
	if strings.HasPrefix(text, want) {
		return len(want)
	}
	return 0
}

// scanGPT2 splits by the pattern of GPT-2 and RoBERTa:
//
//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
func scanGPT2(text string) (skip, n int) {
	if text == "" {
		return 0, 0
	}
	if n := contraction(text, exactPrefix); n > 0 {
		return 0, n
	}
	first := 0
	if text[0] == ' ' && len(text) > 1 {
		first = 1
	}
	r, _ := decodeRune(text[first:])
	if class := hfTable.class(r); class != classSpace {
		return 0, first + runLength(text[first:], hfTable, class)
	}
	n = runLength(text, hfTable, classSpace)
	if n == len(text) {
		return 0, n
	}
	// All but the last space, which the next word may take; a single one
	// stands alone.
	_, last := utf8.DecodeLastRuneInString(text[:n])
	if n > last {
		n -= last
	}
	return 0, n
}
