package tokenizer

import (
	"strings"
	"unicode/utf8"
)

const (
	// maxSegment is ftfy's max_decode_length, in characters: longer lines are
	// repaired in pieces of this length.
	maxSegment = 1_000_000

	// ftfy repeats its steps until they change nothing, which takes time
	// quadratic in the depth of nested entities. After shallowRounds rounds
	// nested entities are resolved at once, and after maxRounds the text is
	// taken as it is; no text that is not made for it comes near either.
	shallowRounds = 20
	maxRounds     = 100
)

// fixText repairs text as ftfy.fix_text does with its default options. Each
// line is repaired by itself, and from the first line on that contains "<"
// entities are left as they are.
func fixText(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	entities := true
	for text != "" {
		n := strings.IndexByte(text, '\n') + 1
		if n == 0 {
			n = len(text)
		}
		segment := firstRunes(text[:n], maxSegment)
		text = text[len(segment):]
		if strings.IndexByte(segment, '<') >= 0 {
			entities = false
		}
		b.WriteString(fixSegment(segment, entities))
	}
	return b.String()
}

// firstRunes returns the first n characters of text.
func firstRunes(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for i := range text {
		if n == 0 {
			return text[:i]
		}
		n--
	}
	return text
}

func fixSegment(text string, entities bool) string {
	for round := range maxRounds {
		before := text
		if entities {
			text = unescapeFtfy(text, round >= shallowRounds)
		}
		text = fixEncoding(text)
		text = fixCharacters(text)
		text = removeEscapes(text)
		text = removeControls(text)
		text = nfc(text)
		if text == before {
			break
		}
	}
	return text
}

// fixCharacters makes those of ftfy's changes that look at one character at a
// time, and unifies line breaks. Its order is ftfy's: C1 controls become
// Windows-1252 characters, ligatures are taken apart, full-width and
// half-width forms get their usual width, quotes become straight.
func fixCharacters(text string) string {
	if !needsCharacterFix(text) {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	for i, r := range text {
		if 0x80 <= r && r <= 0x9F {
			r = windows1252Rune(r)
		}
		switch {
		case r == '\n' && i > 0 && text[i-1] == '\r':
			// the CR has already become a LF
		case r == '\r', r == '\u2028', r == '\u2029':
			b.WriteByte('\n')
		case r < utf8.RuneSelf:
			b.WriteByte(byte(r))
		case r == '\u02BC', '\u2018' <= r && r <= '\u201B':
			b.WriteByte('\'')
		case '\u201C' <= r && r <= '\u201F':
			b.WriteByte('"')
		case r == '\u3000':
			b.WriteByte(' ')
		case 0xFF01 <= r && r < 0xFF01+rune(len(widthForms)) && widthForms[r-0xFF01] != "":
			b.WriteString(widthForms[r-0xFF01])
		default:
			if s := ligature(r); s != "" {
				b.WriteString(s)
			} else {
				b.WriteRune(r)
			}
		}
	}
	return b.String()
}

// needsCharacterFix says whether text holds anything that fixCharacters
// changes.
func needsCharacterFix(text string) bool {
	for _, r := range text {
		switch {
		case r < 0x80:
			if r == '\r' {
				return true
			}
		case r <= 0x9F, r == '\u02BC', '\u2018' <= r && r <= '\u201F',
			r == '\u2028', r == '\u2029', r == '\u3000', 0xFB00 <= r && r < 0xFFF0,
			r < 0x250 && ligature(r) != "":
			return true
		}
	}
	return false
}

// ligature returns the letters of a Latin ligature or digraph, or "".
func ligature(r rune) string {
	switch {
	case r == '\u0149':
		return "'n" // ʼn, whose first character is a quote to be made straight
	case r == '\u0132', r == '\u0133':
		return [...]string{"IJ", "ij"}[r-'\u0132']
	case '\u01C4' <= r && r <= '\u01CC':
		return [...]string{"DŽ", "Dž", "dž", "LJ", "Lj", "lj", "NJ", "Nj", "nj"}[r-'\u01C4']
	case '\u01F1' <= r && r <= '\u01F3':
		return [...]string{"DZ", "Dz", "dz"}[r-'\u01F1']
	case '\uFB00' <= r && r <= '\uFB06':
		return [...]string{"ff", "fi", "fl", "ffi", "ffl", "ſt", "st"}[r-'\uFB00']
	}
	return ""
}

const escape = 0x1B

// removeEscapes deletes terminal escape sequences: ESC, "[", decimal digits of
// any script and semicolons, and a letter of ASCII.
func removeEscapes(text string) string {
	i := strings.IndexByte(text, escape)
	if i < 0 {
		return text
	}
	var b strings.Builder
	for ; i >= 0; i = strings.IndexByte(text, escape) {
		b.WriteString(text[:i])
		n := escapeLength(text[i:])
		if n == 0 {
			b.WriteByte(escape)
			n = 1
		}
		text = text[i+n:]
	}
	b.WriteString(text)
	return b.String()
}

// escapeLength returns the length of the escape sequence that text begins
// with, or 0.
func escapeLength(text string) int {
	const start = "\x1b["
	if !strings.HasPrefix(text, start) {
		return 0
	}
	for i, r := range text[len(start):] {
		switch {
		case r == ';' || contains(decimalSpans, r):
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z':
			return len(start) + i + 1
		default:
			return 0
		}
	}
	return 0
}

// removeControls deletes the control characters that ftfy does.
func removeControls(text string) string {
	if strings.IndexFunc(text, isRemoved) < 0 {
		return text
	}
	return strings.Map(func(r rune) rune {
		if isRemoved(r) {
			return -1
		}
		return r
	}, text)
}

func isRemoved(r rune) bool {
	switch {
	case r < ' ':
		return r != '\t' && r != '\n' && r != '\f' && r != '\r'
	case r < 0x7F:
		return false
	}
	return r == 0x7F || 0x206A <= r && r <= 0x206F || r == 0xFEFF || 0xFFF9 <= r && r <= 0xFFFC
}
