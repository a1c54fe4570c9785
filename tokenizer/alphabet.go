package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// byteOrder lists the bytes in the order of their ids in a byte-level
// vocabulary: those that stand for themselves first.
var byteOrder = func() (order [256]byte) {
	n := 0
	for _, printable := range [...]bool{true, false} {
		for b := range 256 {
			if isPrintable(b) == printable {
				order[n] = byte(b)
				n++
			}
		}
	}
	return order
}()

func isPrintable(b int) bool {
	return '!' <= b && b <= '~' || 0xA1 <= b && b <= 0xAC || 0xAE <= b && b <= 0xFF
}

// byteRunes is the alphabet of byte-level encoding: each byte as a printable
// character, itself or one from U+0100 on.
var byteRunes = func() (runes [256]rune) {
	next := rune(256)
	for b := range runes {
		if isPrintable(b) {
			runes[b] = rune(b)
		} else {
			runes[b] = next
			next++
		}
	}
	return runes
}()

// runeBytes is the inverse of byteRunes.
var runeBytes = func() map[rune]byte {
	m := make(map[rune]byte, len(byteRunes))
	for b, r := range byteRunes {
		m[r] = byte(b)
	}
	return m
}()

// symbolText returns the bytes that a symbol of a byte-level vocabulary stands
// for. A symbol with a character outside the alphabet stands for itself.
func symbolText(symbol string) string {
	if strings.IndexFunc(symbol, func(r rune) bool { return r <= ' ' || r > '~' }) < 0 {
		return symbol // the printable characters of ASCII are themselves
	}
	var b strings.Builder
	b.Grow(len(symbol))
	for _, r := range symbol {
		c, ok := runeBytes[r]
		if !ok {
			return symbol
		}
		b.WriteByte(c)
	}
	return b.String()
}

// replaceInvalid replaces what is not UTF-8 in text as Python's
// bytes.decode(errors="replace") does: one U+FFFD for each longest beginning
// of a character that is cut off, and for each byte that begins none.
func replaceInvalid(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for text != "" {
		r, n := utf8.DecodeRuneInString(text)
		if r == utf8.RuneError && n == 1 {
			n = truncatedLength(text)
		}
		b.WriteRune(r)
		text = text[n:]
	}
	return b.String()
}

// truncatedLength returns how many bytes at the start of text, which begins
// with no whole character, begin one: at least 1.
func truncatedLength(text string) int {
	lo, hi, want := byte(0x80), byte(0xBF), 0
	switch c := text[0]; {
	case 0xE0 <= c && c <= 0xEF:
		want = 3
		switch c {
		case 0xE0:
			lo = 0xA0
		case 0xED:
			hi = 0x9F
		}
	case 0xF0 <= c && c <= 0xF4:
		want = 4
		switch c {
		case 0xF0:
			lo = 0x90
		case 0xF4:
			hi = 0x8F
		}
	}
	n := 1
	for n < want && n < len(text) && lo <= text[n] && text[n] <= hi {
		lo, hi = 0x80, 0xBF
		n++
	}
	return n
}
