package tokenizer

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// A pipeline is what a Hugging Face tokenizer does to a text before byte-pair
// encoding: it cuts out added tokens, normalizes the rest, cuts out those added
// tokens that are looked for in normalized text, and splits what remains into
// words.
type pipeline struct {
	raw, normalized *addedTokens
	normalizers     []func(string) string
	stages          []stage
}

// A stage splits each piece of text into smaller ones.
type stage struct {
	scan        scanner // nil if the piece stays whole
	gaps        bool    // what stands between two tokens is a piece, too
	prefixSpace bool    // a piece that does not begin with a space gets one first
}

func (p *pipeline) normalize(text string) string {
	for _, f := range p.normalizers {
		text = f(text)
	}
	return text
}

// splitHF appends the ids of a cleaned text.
func (t *Tokenizer) splitHF(dst []int32, text string) []int32 {
	p := t.pipeline
	p.raw.cut(text, func(piece string, id int32) {
		if id != noSymbol {
			dst = append(dst, id)
			return
		}
		p.normalized.cut(p.normalize(piece), func(piece string, id int32) {
			if id != noSymbol {
				dst = append(dst, id)
				return
			}
			p.words(p.stages, piece, func(word string) { dst = t.appendWord(dst, word) })
		})
	})
	return dst
}

// words calls visit for each word of piece.
func (p *pipeline) words(stages []stage, piece string, visit func(word string)) {
	if piece == "" {
		return
	}
	if len(stages) == 0 {
		visit(piece)
		return
	}
	s, rest := stages[0], stages[1:]
	if s.prefixSpace && piece[0] != ' ' {
		piece = " " + piece
	}
	if s.scan == nil {
		p.words(rest, piece, visit)
		return
	}
	for piece != "" {
		skip, n := s.scan(piece)
		if n == 0 {
			skip = len(piece)
		}
		if s.gaps {
			p.words(rest, piece[:skip], visit)
		}
		p.words(rest, piece[skip:skip+n], visit)
		piece = piece[skip+n:]
	}
}

// An addedToken is a string that is a token wherever it occurs.
type addedToken struct {
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"` // takes the white space before it along
	RStrip     bool   `json:"rstrip"` // and that behind it
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`

	id       int32
	explicit bool // its flags are given, not defaults
}

// addedTokens finds added tokens in a text, of those that begin at the same
// place the longest.
type addedTokens struct {
	byContent map[string]addedToken
	lengths   [256][]int // by first byte, from long to short
}

func newAddedTokens() *addedTokens { return &addedTokens{byContent: map[string]addedToken{}} }

func (a *addedTokens) add(content string, token addedToken) {
	if content == "" {
		return
	}
	a.byContent[content] = token
	first := content[0]
	if !slices.Contains(a.lengths[first], len(content)) {
		a.lengths[first] = append(a.lengths[first], len(content))
		slices.SortFunc(a.lengths[first], func(x, y int) int { return y - x })
	}
}

// match returns the token that text begins with.
func (a *addedTokens) match(text string) (token addedToken, n int) {
	for _, n := range a.lengths[text[0]] {
		if n <= len(text) {
			if token, ok := a.byContent[text[:n]]; ok {
				return token, n
			}
		}
	}
	return addedToken{}, 0
}

// cut calls visit for each piece of text that is not empty: an added token
// with its id, or text between them with noSymbol.
func (a *addedTokens) cut(text string, visit func(piece string, id int32)) {
	done := 0 // all before it has been visited
	for i := 0; i < len(text); {
		token, n := a.match(text[i:])
		if n == 0 {
			i++
			continue
		}
		start, stop := max(i, done), i+n
		if token.LStrip {
			start = max(done, len(strings.TrimRightFunc(text[:i], isSpaceHF)))
		}
		if token.RStrip {
			rest := text[stop:]
			stop += len(rest) - len(strings.TrimLeftFunc(rest, isSpaceHF))
		}
		if stop <= start { // the token before has taken it as white space
			i += n
			continue
		}
		if done < start {
			visit(text[done:start], noSymbol)
		}
		visit(text[start:stop], token.id)
		i, done = i+n, stop
	}
	if done < len(text) {
		visit(text[done:], noSymbol)
	}
}

// isSpaceHF is the \s of Hugging Face's patterns.
func isSpaceHF(r rune) bool { return hfTable.class(r) == classSpace }

// squeezeSpaces replaces each run of white space by s.
func squeezeSpaces(text, s string) string {
	var b strings.Builder
	b.Grow(len(text))
	inside := false
	for _, r := range text {
		space := isSpaceHF(r)
		switch {
		case !space && r < utf8.RuneSelf:
			b.WriteByte(byte(r))
		case !space:
			b.WriteRune(r)
		case !inside:
			b.WriteString(s)
		}
		inside = space
	}
	return b.String()
}
