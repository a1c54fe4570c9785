package tokenizer

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// Canonical decompositions, one to a line: the code point, "=" if the parts
// also compose to it or ">" if they do not, and the parts.
//
//go:embed data/nfc.txt
var nfcData string

// Hangul syllables compose by arithmetic (The Unicode Standard, §3.12).
const (
	hangulBase  = 0xAC00
	leadBase    = 0x1100
	vowelBase   = 0x1161
	tailBase    = 0x11A7
	leadCount   = 19
	vowelCount  = 21
	tailCount   = 28
	hangulCount = leadCount * vowelCount * tailCount
)

type canonical struct {
	decomposed map[rune][]rune  // full decompositions
	composed   map[[2]rune]rune // primary composites
}

var canonicalTables = sync.OnceValue(func() *canonical {
	t := &canonical{decomposed: map[rune][]rune{}, composed: map[[2]rune]rune{}}
	for line := range strings.Lines(nfcData) {
		fields := strings.Fields(line)
		var parts []rune
		for _, f := range fields[2:] {
			parts = append(parts, hexRune(f))
		}
		r := hexRune(fields[0])
		t.decomposed[r] = parts
		if fields[1] == "=" {
			t.composed[[2]rune{parts[0], parts[1]}] = r
		}
	}
	for r, parts := range t.decomposed {
		t.decomposed[r] = t.decompose(nil, parts, nil)
	}
	return t
})

// hexRune reads a code point of the embedded data, which is known to be good.
func hexRune(s string) rune {
	v, err := strconv.ParseUint(s, 16, 21)
	if err != nil {
		panic(err)
	}
	return rune(v)
}

// decompose appends the full canonical decomposition of runes to dst; those in
// keep stay whole.
func (t *canonical) decompose(dst, runes []rune, keep []span) []rune {
	for _, r := range runes {
		switch s := r - hangulBase; {
		case r < firstNotStarter && t.decomposed[r] == nil:
			dst = append(dst, r)
		case 0 <= s && s < hangulCount:
			dst = append(dst, leadBase+s/(vowelCount*tailCount), vowelBase+s%(vowelCount*tailCount)/tailCount)
			if tail := s % tailCount; tail != 0 {
				dst = append(dst, tailBase+tail)
			}
		case contains(keep, r):
			dst = append(dst, r)
		default:
			if parts, ok := t.decomposed[r]; ok {
				dst = t.decompose(dst, parts, keep)
			} else {
				dst = append(dst, r)
			}
		}
	}
	return dst
}

// compose returns the primary composite of a and b, or -1.
func (t *canonical) compose(a, b rune, keep []span) rune {
	if l, v := a-leadBase, b-vowelBase; 0 <= l && l < leadCount && 0 <= v && v < vowelCount {
		return hangulBase + (l*vowelCount+v)*tailCount
	}
	if s, tail := a-hangulBase, b-tailBase; 0 <= s && s < hangulCount && s%tailCount == 0 && 0 < tail && tail < tailCount {
		return a + tail
	}
	if c, ok := t.composed[[2]rune{a, b}]; ok && !contains(keep, c) {
		return c
	}
	return -1
}

// nfc returns text in normalization form C of Python 3.11's Unicode version.
//
// It is written out because the versions must agree: x/text/unicode/norm
// follows a newer Unicode, and after 30 marks in a row it inserts U+034F
// (the stream-safe format), which Python does not.
func nfc(text string) string { return normalizeC(text, nil) }

// nfcHF returns text in the form C of Hugging Face's NFC normalizer, whose
// older Unicode version does not know the characters in hfStarters.
func nfcHF(text string) string { return normalizeC(text, hfStarters) }

func normalizeC(text string, keep []span) string {
	if isComposed(text) {
		return text
	}
	t := canonicalTables()
	runes := t.decompose(make([]rune, 0, len(text)), []rune(text), keep)
	classes := make([]uint8, len(runes))
	for i, r := range runes {
		if r >= firstNotStarter && !contains(keep, r) {
			classes[i] = find(combiningClasses, r, 0)
		}
	}
	sortMarks(runes, classes)
	return string(t.composeAll(runes, classes, keep))
}

// isBelow says whether all characters of text lie below limit.
func isBelow(text string, limit rune) bool {
	for i := 0; i < len(text); i++ {
		if text[i] >= utf8.RuneSelf {
			for _, r := range text[i:] {
				if r >= limit {
					return false
				}
			}
			return true
		}
	}
	return true
}

// isComposed says whether text holds none of the characters that normalization
// could change, alone or together with others.
func isComposed(text string) bool {
	for _, r := range text {
		if r >= firstNotStarter && contains(nfcSuspects, r) {
			return false
		}
	}
	return true
}

// sortMarks brings each run of marks into canonical order, stably and in
// n log n time.
func sortMarks(runes []rune, classes []uint8) {
	type mark struct {
		r     rune
		class uint8
	}
	var marks []mark
	for i := 0; i < len(runes); i++ {
		if classes[i] == 0 {
			continue
		}
		start := i
		marks = marks[:0]
		for ; i < len(runes) && classes[i] != 0; i++ {
			marks = append(marks, mark{runes[i], classes[i]})
		}
		slices.SortStableFunc(marks, func(a, b mark) int { return int(a.class) - int(b.class) })
		for j, m := range marks {
			runes[start+j], classes[start+j] = m.r, m.class
		}
	}
}

// composeAll composes in place: each character joins the last starter if
// nothing between them has its class or a higher one.
func (t *canonical) composeAll(runes []rune, classes []uint8, keep []span) []rune {
	out := runes[:0]
	starter := -1    // its index in out
	last := uint8(0) // the class of the last character of out
	for i, r := range runes {
		class := classes[i]
		if starter >= 0 && (len(out)-1 == starter || last < class) {
			if c := t.compose(out[starter], r, keep); c >= 0 {
				out[starter] = c
				continue
			}
		}
		if class == 0 {
			starter = len(out)
		}
		last = class
		out = append(out, r)
	}
	return out
}
