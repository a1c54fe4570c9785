package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// A caseSpan says that the code points lo, lo+stride, … hi have a lower case
// delta further on.
type caseSpan struct {
	lo, hi, stride, delta rune
}

// lowerIn returns the lower case of r by the table if it has one.
func lowerIn(table []caseSpan, r rune) (rune, bool) {
	for len(table) > 0 {
		switch i := len(table) / 2; {
		case r < table[i].lo:
			table = table[:i]
		case r > table[i].hi:
			table = table[i+1:]
		default:
			return r + table[i].delta, (r-table[i].lo)%table[i].stride == 0
		}
	}
	return r, false
}

const (
	capitalSigma    = '\u03A3'
	finalSigma      = '\u03C2'
	dottedCapitalI  = '\u0130'
	combiningDot    = '\u0307'
	firstNotStarter = '\u0300' // the first code point with a combining class
)

// lower returns text in lower case as Python's str.lower gives it: Unicode's
// full mapping, in which İ becomes two characters and a capital sigma at the
// end of a word becomes ς. Go's strings.ToLower maps rune by rune and follows
// another Unicode version.
func lower(text string) string { return lowerFunc(text, pythonLower) }

// lowerHF returns text in lower case as Hugging Face's Lowercase normalizer
// does: each character by itself, so without the final sigma.
func lowerHF(text string) string { return lowerFunc(text, hfLower) }

func pythonLower(text string, i int, r rune) rune {
	if r == capitalSigma && isFinalSigma(text, i) {
		return finalSigma
	}
	if l, ok := lowerIn(lowerCases, r); ok {
		return l
	}
	return r
}

func hfLower(_ string, _ int, r rune) rune {
	if l, ok := lowerIn(lowerCases, r); ok {
		return l
	}
	if l, ok := lowerIn(hfLowerCases, r); ok {
		return l
	}
	return r
}

// lowerFunc maps the characters of text; mapping gets the text, the byte
// offset of the character and the character, which is beyond ASCII.
func lowerFunc(text string, mapping func(text string, i int, r rune) rune) string {
	if !hasUpper(text) {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	for i, r := range text {
		switch {
		case 'A' <= r && r <= 'Z':
			b.WriteByte(byte(r) + 'a' - 'A')
		case r < utf8.RuneSelf:
			b.WriteByte(byte(r))
		case r == dottedCapitalI:
			b.WriteRune('i')
			b.WriteRune(combiningDot)
		default:
			b.WriteRune(mapping(text, i, r))
		}
	}
	return b.String()
}

// hasUpper says whether text may hold anything that has a lower case.
func hasUpper(text string) bool {
	for i := range len(text) {
		if c := text[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			return true
		}
	}
	return false
}

// isFinalSigma says whether the sigma at byte i of text ends a word: with
// case-ignorable characters passed over, a cased one stands before it and none
// behind it. Runs of ignorable characters make this quadratic only if sigmas
// stand between them, and a sigma is cased, so each run is read twice at most.
func isFinalSigma(text string, i int) bool {
	before := text[:i]
	for {
		r, n := utf8.DecodeLastRuneInString(before)
		if n == 0 {
			return false
		}
		if !contains(ignorableSpans, r) {
			if !contains(casedSpans, r) {
				return false
			}
			break
		}
		before = before[:len(before)-n]
	}
	for _, r := range text[i+len("Σ"):] {
		if !contains(ignorableSpans, r) {
			return !contains(casedSpans, r)
		}
	}
	return true
}
