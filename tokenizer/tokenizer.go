package tokenizer

import (
	"slices"
	"strings"
)

// A Tokenizer encodes texts to ids and decodes ids to texts. It is immutable
// and safe for concurrent use.
type Tokenizer struct {
	clean Clean
	split func(t *Tokenizer, dst []int32, text string) []int32 // from a cleaned text to ids

	pieces  []string // symbol by id; "" where no symbol has the id
	texts   []string // bytes that the symbol stands for
	merges  *mergeTable
	inner   [256]int32       // symbol of a byte inside a word, or noSymbol
	last    [256]int32       // symbol of a word's last byte
	unknown int32            // symbol of a byte that has none; noSymbol to leave it out
	fuse    bool             // one unknown symbol for a run of such bytes
	whole   map[string]int32 // words that are looked up before any merge; usually nil

	wordEnds       bool   // the file's decoder turns suffix into a space
	suffix         string // end-of-word mark that Decode turns into a space, "</w>" or ""
	trim           bool   // Decode trims white space
	replace        [][2]string
	pipeline       *pipeline // of a Hugging Face tokenizer
	prefix, ending []int32   // special ids around a text
	sot, eot, pad  int32
	padLeft        bool // padding before the ids
	cutLeft        bool // truncation takes away the beginning
	dropPad        bool // the padding symbol is not a word of captions
}

const noSymbol = -1

// WithClean returns a tokenizer like t that cleans texts in the given mode.
func (t *Tokenizer) WithClean(mode Clean) *Tokenizer {
	u := *t
	u.clean = mode
	return &u
}

// Clean returns the cleaning mode of t.
func (t *Tokenizer) Clean() Clean { return t.clean }

// Encode returns the ids of text, cleaned, without the special ids that begin
// and end a sequence.
func (t *Tokenizer) Encode(text string) []int32 {
	text = t.clean.Text(text)
	return t.split(t, make([]int32, 0, len(text)/4+4), text)
}

// EncodeFixed returns contextLength ids: the special ids that begin a
// sequence, the ids of text, the special ids that end it, and padding. What is
// too long loses ids of the text, never the last special id. It returns nil if
// contextLength is not positive.
func (t *Tokenizer) EncodeFixed(text string, contextLength int) []int32 {
	if contextLength <= 0 {
		return nil
	}
	ids := t.Encode(text)
	if room := max(0, contextLength-len(t.prefix)-len(t.ending)); len(ids) > room {
		if t.cutLeft {
			ids = ids[len(ids)-room:]
		} else {
			ids = ids[:room]
		}
	}
	ids = slices.Concat(t.prefix, ids, t.ending)
	if len(ids) > contextLength { // there is no room for the special ids themselves
		ids = ids[:contextLength]
		ids[contextLength-1] = t.eot
	}
	padding := slices.Repeat([]int32{t.pad}, contextLength-len(ids))
	if t.padLeft {
		return append(padding, ids...)
	}
	return append(ids, padding...)
}

// Decode returns the text of ids. Special symbols appear literally, words of a
// CLIP vocabulary are followed by a space, bytes that are not UTF-8 become
// U+FFFD, and ids outside the vocabulary are left out.
func (t *Tokenizer) Decode(ids []int32) string {
	var b strings.Builder
	for _, id := range ids {
		if 0 <= id && int(id) < len(t.texts) {
			b.WriteString(t.texts[id])
		}
	}
	text := replaceInvalid(b.String())
	if t.suffix != "" {
		text = strings.ReplaceAll(text, t.suffix, " ")
	}
	for _, r := range t.replace {
		text = strings.ReplaceAll(text, r[0], r[1])
	}
	if t.trim {
		text = strings.TrimFunc(text, isSpace)
	}
	return text
}

// Caption returns the text of generated ids as a reader wants it: what stands
// before the first end of text, without starts of text and trimmed. CLIP's
// padding is id 0, which is also "!": ids must come without padding that does
// not follow an end of text.
func (t *Tokenizer) Caption(ids []int32) string {
	text := t.Decode(ids)
	if eot := t.Piece(t.eot); eot != "" {
		text, _, _ = strings.Cut(text, eot)
	}
	if sot := t.Piece(t.sot); sot != "" {
		text = strings.ReplaceAll(text, sot, "")
	}
	if pad := t.Piece(t.pad); t.dropPad && pad != "" {
		text = strings.ReplaceAll(text, pad, "")
	}
	return strings.TrimFunc(text, isSpace)
}

// Piece returns the symbol of an id as the vocabulary writes it, in the
// byte-level alphabet; "" for an id without a symbol.
func (t *Tokenizer) Piece(id int32) string {
	if id < 0 || int(id) >= len(t.pieces) {
		return ""
	}
	return t.pieces[id]
}

// SOT returns the special id that begins a sequence.
func (t *Tokenizer) SOT() int32 { return t.sot }

// EOT returns the special id that ends a sequence.
func (t *Tokenizer) EOT() int32 { return t.eot }

// Pad returns the id that fills a sequence up. CLIP's is 0, the id of "!".
func (t *Tokenizer) Pad() int32 { return t.pad }

// VocabSize returns the number of ids, the largest one plus 1.
func (t *Tokenizer) VocabSize() int { return len(t.pieces) }

// appendWord appends the ids of one word of the pre-tokenisation.
func (t *Tokenizer) appendWord(dst []int32, word string) []int32 {
	if id, ok := t.whole[word]; ok {
		return append(dst, id)
	}
	start := len(dst)
	for i := range len(word) {
		id := t.inner[word[i]]
		if i == len(word)-1 {
			id = t.last[word[i]]
		}
		if id == noSymbol {
			id = t.unknown
			if id == noSymbol || t.fuse && i > 0 && t.inner[word[i-1]] == noSymbol {
				continue
			}
		}
		dst = append(dst, id)
	}
	return dst[:start+len(t.merges.merge(dst[start:]))]
}
