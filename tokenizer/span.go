package tokenizer

// A span gives the code points from lo to hi, both included, the value v.
// The generated tables are sorted slices of spans that do not overlap.
type span struct {
	lo, hi rune
	v      uint8
}

// find returns the value of r in spans, or def where no span holds it.
func find(spans []span, r rune, def uint8) uint8 {
	for len(spans) > 0 { // sort.Search takes twice the time
		switch i := len(spans) / 2; {
		case r < spans[i].lo:
			spans = spans[:i]
		case r > spans[i].hi:
			spans = spans[i+1:]
		default:
			return spans[i].v
		}
	}
	return def
}

// contains says whether a span holds r.
func contains(spans []span, r rune) bool { return find(spans, r, 0) != 0 }

// A classTable gives each code point its class in a pre-tokenisation pattern.
type classTable struct {
	latin [256]uint8 // the answer for U+0000 to U+00FF, which most texts never leave
	spans []span
}

// Classes of a pre-tokenisation pattern. classOther is "neither white space,
// letter nor number"; classNone is what no alternative of the pattern matches.
const (
	classOther uint8 = iota + 1
	classLetter
	classNumber
	classSpace
	classNone
)

func newClassTable(spans []span) *classTable {
	t := &classTable{spans: spans}
	for r := range t.latin {
		t.latin[r] = find(spans, rune(r), classOther)
	}
	return t
}

func (t *classTable) class(r rune) uint8 {
	if r < 256 {
		return t.latin[r]
	}
	return find(t.spans, r, classOther)
}
