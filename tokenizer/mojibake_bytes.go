package tokenizer

import (
	"bytes"
	"unicode/utf8"
)

// in says whether b is lo to hi.
func in(b, lo, hi byte) bool { return lo <= b && b <= hi }

// isContinuation says whether b continues a UTF-8 sequence.
func isContinuation(b byte) bool { return in(b, 0x80, 0xBF) }

// alteredLength returns the length of the UTF-8 sequence at the start of b if
// it has a space where byte 0xA0 would make it whole; only sequences that are
// likely to be meant count.
func alteredLength(b []byte) int {
	at := func(i int) byte {
		if i < len(b) {
			return b[i]
		}
		return 0
	}
	// In three-byte sequences 0x85 is too common otherwise, and 0xA0 is no space.
	follows := func(c byte) bool { return isContinuation(c) && c != 0x85 && c != 0xA0 }
	first := at(0)
	switch {
	case bytes.IndexByte([]byte{0xC2, 0xC3, 0xC5, 0xCE, 0xD0, 0xD9}, first) >= 0:
		if at(1) == ' ' {
			return 2
		}
	case in(first, 0xE0, 0xE3):
		if first >= 0xE2 && at(1) == ' ' && follows(at(2)) || follows(at(1)) && at(2) == ' ' {
			return 3
		}
	case first == 0xF0 && len(b) >= 4:
		spaces := 0
		for _, c := range b[1:4] {
			if c == ' ' {
				spaces++
			} else if !isContinuation(c) {
				return 0
			}
		}
		if spaces == 1 {
			return 4
		}
	}
	return 0
}

func hasAltered(b []byte) bool {
	for i := range b {
		if alteredLength(b[i:]) > 0 {
			return true
		}
	}
	return false
}

// restoreNBSP puts byte 0xA0 back where a space has replaced it. An à that
// stands as a word of its own keeps its space besides.
func restoreNBSP(b []byte) []byte {
	words := make([]byte, 0, len(b)+8)
	for i := 0; i < len(b); i++ {
		words = append(words, b[i])
		if b[i] == 0xC3 && i+1 < len(b) && b[i+1] == ' ' && !joinsGrave(b[i+2:]) {
			words = append(words, 0xA0, ' ')
			i++
		}
	}
	for i := 0; i < len(words); {
		n := alteredLength(words[i:])
		if n == 0 {
			i++
			continue
		}
		for j := range words[i : i+n] {
			if words[i+j] == ' ' {
				words[i+j] = 0xA0
			}
		}
		i += n
	}
	return words
}

// joinsGrave says whether what follows "à " belongs to the à: a second space,
// or the rest of a Portuguese contraction.
func joinsGrave(b []byte) bool {
	for _, prefix := range [...]string{" ", "quele", "quela", "quilo", "s "} {
		if bytes.HasPrefix(b, []byte(prefix)) {
			return true
		}
	}
	return false
}

// replaceLossy puts U+FFFD for UTF-8 sequences of which a byte was lost and
// became byte 0x1A, or, once a sequence, "?".
func replaceLossy(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); {
		if n := lossyLength(b[i:]); n > 0 {
			out = append(out, "\uFFFD"...)
			i += n
			continue
		}
		out = append(out, b[i])
		i++
	}
	return out
}

// lossyLength returns the length of the damaged sequence that b begins with,
// or 0.
func lossyLength(b []byte) int {
	lost := func(i int) bool { return i < len(b) && (b[i] == substitute || b[i] == '?') }
	kept := func(i int) bool { return i < len(b) && (b[i] == substitute || isContinuation(b[i])) }
	between := func(i int, lo, hi byte) bool { return i < len(b) && in(b[i], lo, hi) }
	first := b[0]
	switch {
	case in(first, 0xC2, 0xDF):
		if len(b) > 1 && (b[1] == substitute || b[1] == '?' && first <= 0xC3) {
			return 2
		}
	case in(first, 0xE0, 0xEF):
		if first == 0xED && between(1, 0xA0, 0xAF) && between(3, 0xED, 0xED) && between(4, 0xB0, 0xBF) {
			if lost(2) && (lost(5) || kept(5)) || (lost(2) || kept(2)) && lost(5) {
				return 6
			}
		}
		if lost(1) && kept(2) || kept(1) && lost(2) {
			return 3
		}
	case in(first, 0xF0, 0xF4):
		if lost(1) && kept(2) && kept(3) || kept(1) && lost(2) && kept(3) || kept(1) && kept(2) && lost(3) {
			return 4
		}
	case first == substitute:
		return 1
	}
	return 0
}

// decodeVariants reads UTF-8 in which pairs of surrogates may be encoded one
// by one (CESU-8), and U+0000 as C0 80.
func decodeVariants(b []byte) (string, bool) {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			switch {
			case len(b) >= 2 && b[0] == 0xC0 && b[1] == 0x80:
				r, n = 0, 2
			case isCESU8(b):
				r = rune(b[1]&0x0F)<<16 + rune(b[2]&0x3F)<<10 + rune(b[4]&0x0F)<<6 + rune(b[5]&0x3F) + 0x10000
				n = 6
			default:
				return "", false
			}
		}
		out = utf8.AppendRune(out, r)
		b = b[n:]
	}
	return string(out), true
}

// isCESU8 says whether b begins with two encoded surrogates. Like the
// reference it takes a line feed at the very end for the last byte.
func isCESU8(b []byte) bool {
	return len(b) >= 6 && b[0] == 0xED && in(b[1], 0xA0, 0xAF) && isContinuation(b[2]) &&
		b[3] == 0xED && in(b[4], 0xB0, 0xBF) && (isContinuation(b[5]) || len(b) == 6 && b[5] == '\n')
}
