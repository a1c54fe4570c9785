package tokenizer

import (
	_ "embed"
	"strings"
	"sync"
	"unicode/utf8"
)

// The named character references of HTML5, one to a line: the name, with its
// ";" if it has one, and the code points. A name after "^" is one that only
// ftfy knows: the upper-cased form of a lower-case name.
//
//go:embed data/entities.txt
var entityData string

type entityTables struct {
	html map[string]string // HTML5's names
	ftfy map[string]string // the names ending in ";", and their upper-case forms
}

var entities = sync.OnceValue(func() *entityTables {
	t := &entityTables{html: make(map[string]string, 2300), ftfy: make(map[string]string, 3600)}
	for line := range strings.Lines(entityData) {
		fields := strings.Fields(line)
		var value strings.Builder
		for _, f := range fields[1:] {
			value.WriteRune(hexRune(f))
		}
		name, upper := strings.CutPrefix(fields[0], "^")
		if !upper {
			t.html[name] = value.String()
		}
		if strings.HasSuffix(name, ";") {
			t.ftfy[name] = value.String()
		}
	}
	return t
})

// Limits of the references that are looked up, in characters after the "&":
// html.unescape's named ones and all of ftfy's.
const (
	maxHTMLName   = 32
	maxFtfyEntity = 24
)

// unescapeHTML resolves the character references of text by HTML5's rules, as
// Python's html.unescape does: names with and without ";", the longest known
// name that begins an unknown one, Windows-1252 for the numbers 128 to 159.
func unescapeHTML(text string) string {
	if strings.IndexByte(text, '&') < 0 {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	for {
		i := strings.IndexByte(text, '&')
		if i < 0 {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(text[:i])
		text = text[i:]
		value, n := htmlReference(text)
		b.WriteString(value)
		text = text[n:]
	}
}

// htmlReference resolves the reference that text, which starts with "&",
// begins with. It returns what stands for the first n bytes of text.
func htmlReference(text string) (value string, n int) {
	if strings.HasPrefix(text, "&#") {
		if value, n, ok := numericReference(text); ok {
			return value, n
		}
		return "&", 1
	}
	end, count := 1, 0
	for end < len(text) && count < maxHTMLName && !strings.ContainsRune("\t\n\f <&#;", rune(text[end])) {
		_, size := utf8.DecodeRuneInString(text[end:])
		end += size
		count++
	}
	if count == 0 {
		return "&", 1
	}
	if end < len(text) && text[end] == ';' {
		end++
	}
	names := entities().html
	for ; end > 2; end-- { // no name has fewer than two characters
		if value, ok := names[text[1:end]]; ok {
			return value, end
		}
	}
	return "&", 1
}

// numericReference resolves "&#123;" and "&#x7B;" at the start of text, with
// or without the ";".
func numericReference(text string) (value string, n int, ok bool) {
	n = len("&#")
	base := 10
	if n < len(text) && (text[n] == 'x' || text[n] == 'X') {
		base = 16
		n++
	}
	const tooLarge = 0x110000
	first, number := n, 0
	for ; n < len(text); n++ {
		d := digit(text[n])
		if d >= base {
			break
		}
		number = min(number*base+d, tooLarge)
	}
	if n == first {
		return "", 0, false
	}
	if n < len(text) && text[n] == ';' {
		n++
	}
	return numericValue(number), n, true
}

// digit returns the value of a hexadecimal digit, or 16.
func digit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return 16
}

// numericValue returns the text of a numeric reference: U+FFFD for 0, for
// surrogates and beyond Unicode, nothing for control characters and
// noncharacters.
func numericValue(number int) string {
	switch {
	case number == 0, number > utf8.MaxRune, 0xD800 <= number && number <= 0xDFFF:
		return "\uFFFD"
	case number == '\t', number == '\n', number == '\f', number == '\r':
		return string(rune(number))
	case 0x80 <= number && number <= 0x9F:
		return string(windows1252Rune(rune(number)))
	case number < ' ', number == 0x7F, 0xFDD0 <= number && number <= 0xFDEF, number&0xFFFE == 0xFFFE:
		return ""
	}
	return string(rune(number))
}

// windows1252Rune returns what the byte r, 0x80 to 0x9F, is in Windows-1252.
func windows1252Rune(r rune) rune {
	return windows1252Runes[r-0x80]
}

var windows1252Runes = [32]rune([]rune(windows1252))

// unescapeFtfy resolves the references that ftfy does: those that end in ";"
// and have at most 24 letters and digits. If deep is set, it also resolves
// what a resolved "&" begins, so that the result holds no reference any more.
func unescapeFtfy(text string, deep bool) string {
	i := strings.IndexByte(text, '&')
	if i < 0 {
		return text
	}
	var b strings.Builder
	for ; i >= 0; i = strings.IndexByte(text, '&') {
		value, n := ftfyReference(text[i:])
		if n == 0 {
			value, n = "&", 1
		}
		for deep && value == "&" {
			rest := text[i+n:]
			next, m := ftfyReference("&" + rest[:min(len(rest), maxFtfyEntity+2)])
			if m == 0 {
				break
			}
			value, n = next, n+m-1
		}
		b.WriteString(text[:i])
		b.WriteString(value)
		text = text[i+n:]
	}
	b.WriteString(text)
	return b.String()
}

// ftfyReference resolves the reference at the start of text; n is 0 if there
// is none.
func ftfyReference(text string) (value string, n int) {
	n = 1
	numeric := n < len(text) && text[n] == '#'
	if numeric {
		n++
	}
	first := n
	for n < len(text) && n-first <= maxFtfyEntity && isASCIIAlnum(text[n]) {
		n++
	}
	if n == first || n-first > maxFtfyEntity || n == len(text) || text[n] != ';' {
		return "", 0
	}
	n++
	if numeric {
		value, used, ok := numericReference(text)
		if !ok || used != n || value == ";" { // ftfy takes a ";" in the result for one that was left over
			return "", 0
		}
		return value, n
	}
	value, ok := entities().ftfy[text[1:n]]
	if !ok {
		return "", 0
	}
	return value, n
}

func isASCIIAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
