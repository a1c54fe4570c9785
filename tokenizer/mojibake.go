package tokenizer

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxEmbedded bounds how deep the repair of embedded mojibake nests.
const maxEmbedded = 20

// fixEncoding repairs text that is UTF-8 but was decoded as a single-byte
// encoding, perhaps more than once, as ftfy's fix_encoding does.
func fixEncoding(text string) string {
	if isBelow(text, utf8.RuneSelf) {
		return text
	}
	return string(fixMojibake([]rune(text), 0))
}

func fixMojibake(text []rune, depth int) []rune {
	for range maxRounds {
		fixed, changed := fixMojibakeOnce(text, depth)
		if !changed {
			break
		}
		text = fixed
	}
	return text
}

// fixMojibakeOnce takes one step of the repair and says whether it changed
// anything. The first of these that applies is the step: decoding the whole
// text anew, decoding parts of it anew, reading C1 controls as Windows-1252.
func fixMojibakeOnce(text []rune, depth int) (fixed []rune, changed bool) {
	if isASCII(text) || !isBad(text) {
		return text, false
	}
	for i := range charmaps {
		c := &charmaps[i]
		encoded, ok := c.encode(text)
		if !ok {
			continue
		}
		if decoded, ok := c.decodeUTF8(encoded); ok {
			fixed := []rune(decoded)
			return fixed, string(fixed) != string(text)
		}
	}
	if fixed := fixEmbedded(text, depth); string(fixed) != string(text) {
		return fixed, true
	}
	fixed = fixC1(text)
	return fixed, string(fixed) != string(text)
}

func isASCII(text []rune) bool {
	for _, r := range text {
		if r >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// fixC1 replaces C1 controls by what their bytes are in Windows-1252.
func fixC1(text []rune) []rune {
	fixed := slices.Clone(text)
	for i, r := range fixed {
		if 0x80 <= r && r <= 0x9F {
			fixed[i] = windows1252Rune(r)
		}
	}
	return fixed
}

// A charmap is a single-byte encoding with the characters of the bytes from
// 0x80 on; below it is ASCII. In a "sloppy" one undefined bytes stand for the
// controls of the same number, and byte 0x1A for U+FFFD.
type charmap struct {
	name  string
	upper [128]rune
}

const substitute = 0x1A

func (c *charmap) sloppy() bool { return strings.HasPrefix(c.name, "sloppy-") }

// encode returns text in the encoding, if it has all its characters.
func (c *charmap) encode(text []rune) ([]byte, bool) {
	out := make([]byte, 0, len(text))
	for _, r := range text {
		switch {
		case c.sloppy() && r == substitute:
			return nil, false
		case r < utf8.RuneSelf:
			out = append(out, byte(r))
		case c.sloppy() && r == utf8.RuneError:
			out = append(out, substitute)
		default:
			b, ok := c.byteOf(r)
			if !ok {
				return nil, false
			}
			out = append(out, b)
		}
	}
	return out, true
}

func (c *charmap) byteOf(r rune) (byte, bool) {
	if r < 0x100 && c.upper[r-0x80] == r {
		return byte(r), true
	}
	for i, u := range c.upper {
		if u == r {
			return byte(0x80 + i), true
		}
	}
	return 0, false
}

// decodeUTF8 reads encoded as UTF-8, after putting right what often happens to
// UTF-8 in this encoding.
func (c *charmap) decodeUTF8(encoded []byte) (string, bool) {
	if c.name != "macroman" && hasAltered(encoded) { // there it would match an en dash and a space
		encoded = restoreNBSP(encoded)
	}
	if c.sloppy() {
		encoded = replaceLossy(encoded)
	}
	if bytes.IndexByte(encoded, 0xED) >= 0 || bytes.IndexByte(encoded, 0xC0) >= 0 {
		return decodeVariants(encoded)
	}
	return string(encoded), utf8.Valid(encoded)
}

// fixEmbedded repairs the parts of text that look like UTF-8 sequences of some
// encoding.
func fixEmbedded(text []rune, depth int) []rune {
	if depth == maxEmbedded {
		return text
	}
	out := make([]rune, 0, len(text))
	for i := 0; i < len(text); {
		n := 0
		if i == 0 || tableBits(text[i-1])&bitContinuationStrict == 0 {
			n = clueLength(text[i:])
		}
		if n == 0 {
			out = append(out, text[i])
			i++
			continue
		}
		part := text[i : i+n]
		if n < len(text) && isBad(part) {
			part = fixMojibake(part, depth+1)
		}
		out = append(out, part...)
		i += n
	}
	return out
}

// clueLength returns how many characters at the start of text look like UTF-8
// sequences of two to four bytes.
func clueLength(text []rune) int {
	n := 0
	for n < len(text) {
		first := tableBits(text[n])
		size := 0
		for i, bit := range [...]uint32{bitFirstOf2, bitFirstOf3, bitFirstOf4} {
			if first&bit != 0 && continues(text[n+1:], i+1) {
				size = i + 2
				break
			}
		}
		if size == 0 {
			break
		}
		n += size
	}
	return n
}

// continues says whether text begins with n characters that may continue a
// UTF-8 sequence.
func continues(text []rune, n int) bool {
	if len(text) < n {
		return false
	}
	for _, r := range text[:n] {
		if tableBits(r)&bitContinuation == 0 {
			return false
		}
	}
	return true
}
