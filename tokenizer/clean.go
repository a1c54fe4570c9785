package tokenizer

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A Clean is a way to clean a text before it is split into tokens.
type Clean uint8

// The cleaning modes of OpenCLIP. All of them repair the text as ftfy does,
// resolve HTML character references twice, and turn each run of white space
// into one space.
const (
	CleanLower        Clean = iota // and lower-case; CLIP's own mode
	CleanWhitespace                // and keep the case; the mode of Hugging Face tokenizers
	CleanCanonicalize              // and delete ASCII punctuation, "_" becoming a space, and lower-case
)

var cleanNames = [...]string{"lower", "whitespace", "canonicalize"}

// String returns the name that OpenCLIP's configurations use.
func (c Clean) String() string {
	if int(c) < len(cleanNames) {
		return cleanNames[c]
	}
	return fmt.Sprintf("Clean(%d)", uint8(c))
}

// ParseClean returns the mode of an OpenCLIP configuration's "clean" entry.
func ParseClean(name string) (Clean, error) {
	for i, n := range cleanNames {
		if n == name {
			return Clean(i), nil
		}
	}
	return 0, &CleanError{Name: name}
}

// A CleanError names a cleaning mode that does not exist.
type CleanError struct{ Name string }

func (e *CleanError) Error() string {
	return fmt.Sprintf("tokenizer: clean mode: want one of %s, found %q", strings.Join(cleanNames[:], ", "), e.Name)
}

// Text returns text as mode c cleans it. Bytes that are not UTF-8 count as
// U+FFFD, one each.
func (c Clean) Text(text string) string {
	if isPlain(text) {
		text = collapseSpaces(text) // the repair would change nothing
	} else {
		text = toValidUTF8(text)
		text = unescapeHTML(unescapeHTML(fixText(text)))
		text = collapseSpaces(text)
	}
	switch c {
	case CleanWhitespace:
		return text
	case CleanCanonicalize:
		return collapseSpaces(lower(deletePunctuation(text)))
	}
	return lower(text)
}

// isPlain says whether neither ftfy nor HTML unescaping can change text, but
// for its kinds of white space: printable ASCII without "&", and TAB, LF, FF
// and CR.
func isPlain(text string) bool {
	for i := range len(text) {
		if plainASCII[text[i]] == 0 {
			return false
		}
	}
	return true
}

// plainASCII tells the bytes that isPlain accepts.
var plainASCII = func() (t [256]uint8) {
	for c := ' '; c <= '~'; c++ {
		t[c] = 1
	}
	t['\t'], t['\n'], t['\f'], t['\r'] = 1, 1, 1, 1
	t['&'] = 0
	return t
}()

// toValidUTF8 replaces each byte that is not part of a character by U+FFFD.
func toValidUTF8(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	return string([]rune(text))
}

// isSpace is Python's str.isspace.
func isSpace(r rune) bool {
	if r < utf8.RuneSelf {
		return r == ' ' || '\t' <= r && r <= '\r' || 0x1C <= r && r <= 0x1F
	}
	return (r < 0x100 || r >= 0x1680 && r <= 0x3000) && contains(pythonSpaces, r)
}

// collapseSpaces joins the words of text by single spaces.
func collapseSpaces(text string) string {
	if !needsCollapse(text) {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	pending := false
	for _, r := range text {
		if isSpace(r) {
			pending = b.Len() > 0
			continue
		}
		if pending {
			b.WriteByte(' ')
			pending = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

// needsCollapse says whether text has white space other than single spaces
// between words.
func needsCollapse(text string) bool {
	last := ' ' // as if a space stood before the text
	for _, r := range text {
		if r == ' ' && last == ' ' || r != ' ' && isSpace(r) {
			return true
		}
		last = r
	}
	return last == ' ' && text != ""
}

// deletePunctuation turns "_" into a space and deletes the other punctuation
// characters of ASCII.
func deletePunctuation(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '_':
			return ' '
		case '!' <= r && r <= '/', ':' <= r && r <= '@', '[' <= r && r <= '`', '{' <= r && r <= '~':
			return -1
		}
		return r
	}, text)
}
