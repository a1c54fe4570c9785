package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// Bits of a character in mojibakeBits: the categories that ftfy sorts
// characters into that occur in mojibake, and its clues to where such a
// character may stand in UTF-8 that was read as a single-byte encoding.
const (
	bitCommon uint32 = 1 << iota
	bitC1
	bitBad
	bitLaw
	bitCurrency
	bitStart // of a quotation and the like
	bitEnd
	bitNumeric
	bitKaomoji
	bitUpperAccented
	bitLowerAccented
	bitUpperCommon
	bitLowerCommon
	bitBox
	bitFirstOf2
	bitFirstOf3
	bitFirstOf4
	bitContinuation
	bitContinuationStrict

	// Bits that are not in the table; the last two are looked up when needed.
	bitAZ  // A to Z
	bitAZa // a to z
	bitSpace
	bitWord
)

type bitSpan struct {
	lo, hi rune
	bits   uint32
}

// tableBits returns the bits of r in the table.
func tableBits(r rune) uint32 {
	for spans := mojibakeBits; len(spans) > 0; {
		switch i := len(spans) / 2; {
		case r < spans[i].lo:
			spans = spans[:i]
		case r > spans[i].hi:
			spans = spans[i+1:]
		default:
			return spans[i].bits
		}
	}
	return 0
}

// asciiBits returns the bits of a character of ASCII.
func asciiBits(r rune) uint32 {
	switch {
	case 'a' <= r && r <= 'z':
		return bitAZa
	case 'A' <= r && r <= 'Z':
		return bitAZ
	}
	return 0
}

// A badChar is one character of a sequence that suggests mojibake: any that
// has one of the bits or is one of the characters.
type badChar struct {
	bits  uint32
	chars string
}

func (b badChar) matches(r rune, bits uint32) bool {
	return bits&b.bits != 0 || b.chars != "" && strings.ContainsRune(b.chars, r) ||
		b.bits&bitSpace != 0 && isSpace(r) || b.bits&bitWord != 0 && contains(wordSpans, r)
}

const (
	accented = bitLowerAccented | bitUpperAccented
	quoting  = bitStart | bitEnd
	signs    = accented | bitBox | quoting | bitCurrency | bitNumeric | bitLaw
)

// badSequences are the sequences of characters by which ftfy recognizes text
// that was probably decoded wrongly. Those that need more than a look at each
// character by itself are in badAt.
var badSequences = [][]badChar{
	{{bits: bitC1}},
	{{bits: signs | bitBad}, {bits: bitBad}},
	{{bits: bitBad}, {bits: signs}},
	{{bits: bitAZ | bitAZa}, {bits: bitLowerCommon | bitUpperCommon}, {bits: bitBad}},
	{{bits: bitLowerAccented | bitLowerCommon | bitBox | bitEnd | bitCurrency | bitNumeric}, {bits: bitUpperAccented}},
	{{bits: bitBox | bitEnd | bitCurrency | bitNumeric}, {bits: bitLowerAccented}},
	{{bits: bitLowerAccented | bitBox | bitEnd}, {bits: bitCurrency}},
	{{bits: bitSpace}, {bits: bitUpperAccented}, {bits: bitCurrency}},
	{{bits: bitUpperAccented | bitBox}, {bits: bitNumeric | bitLaw}},
	{{bits: accented | bitBox | bitCurrency | bitEnd}, {bits: bitStart}, {bits: bitNumeric}},
	{{bits: accented | bitCurrency | bitNumeric | bitBox | bitLaw}, {bits: bitEnd}, {bits: bitStart}},
	{{bits: bitCurrency | bitNumeric | bitBox}, {bits: bitStart}},
	{{bits: bitAZa}, {bits: bitUpperAccented}, {bits: bitStart | bitCurrency}},
	{{bits: bitBox}, {bits: bitKaomoji | bitEnd}},
	{{bits: accented | bitCurrency | bitNumeric | quoting | bitLaw}, {bits: bitBox}},
	{{bits: accented}, {bits: quoting}, {bits: bitWord}},
	{{bits: bitUpperAccented}, {chars: "°"}},

	// Windows-1252, of the two-byte sequences that are common in it.
	{{chars: "ÂÃÎÐ"}, {quoting, "€œŠš¢£Ÿž\u00A0\u00AD®©°·»–—´"}},
	{{chars: "×"}, {chars: "²³"}},
	{{chars: "Ã"}, {chars: "\u00A0¡"}},
	{{bitAZa, ""}, {chars: "ÃÂ"}, {chars: " "}},
	{{bitAZa, ""}, {bits: bitSpace}, {chars: "ÃÂ"}, {chars: " "}},
	{{bitAZa | bitEnd, ".,?!"}, {chars: "Â"}, {quoting, " "}},

	// Windows-1252, of Arabic and of South Asian scripts.
	{{chars: "ØÙ"}, arabicSecond, {chars: "ØÙ"}, arabicSecond},
	{{chars: "à"}, {chars: "²µ¹¼½¾"}},

	// MacRoman.
	{{chars: "√"}, {chars: "±∂†≠®™´≤≥¥µø"}},
	{{chars: "≈"}, {chars: "°¢"}},
	{{chars: "‚"}, {chars: "Ä"}, {chars: "ìîïòôúùû†°¢π"}},
	{{chars: "‚"}, {chars: "âó"}, {chars: "àä°ê"}},

	// Windows-1251, Windows-1253 and Windows-1257.
	{{chars: "в"}, {chars: "Ђ"}},
	{{chars: "ВГРС"}, {bitC1 | bitBad | quoting | bitCurrency, "°µ"}, {chars: "ВГРС"}},
	{{chars: "β"}, {chars: "€"}, {chars: "™\u00A0Ά\u00AD®°"}},
	{{chars: "ΒΓΞΟ"}, {bitC1 | bitBad | quoting | bitCurrency, "°"}, {chars: "ΒΓΞΟ"}},
	{{chars: "ā"}, {chars: "€"}},
}

var arabicSecond = badChar{bitCommon | bitCurrency | bitBad | bitNumeric | bitStart, "ŸŠ®°µ»"}

// badByFirst holds the sequences that begin with given characters by these;
// badByBits the others.
var badByFirst, badByBits = func() (map[rune][][]badChar, [][]badChar) {
	byFirst, byBits := map[rune][][]badChar{}, [][]badChar(nil)
	for _, sequence := range badSequences {
		if sequence[0].bits != 0 {
			byBits = append(byBits, sequence)
			continue
		}
		for _, r := range sequence[0].chars {
			byFirst[r] = append(byFirst[r], sequence)
		}
	}
	return byFirst, byBits
}()

// isBad says whether text looks like mojibake: whether it holds one of the
// sequences.
func isBad(text []rune) bool {
	bits := make([]uint32, len(text))
	known := uint32(0) // each sequence has a character with one of these bits
	for i, r := range text {
		if r < utf8.RuneSelf {
			bits[i] = asciiBits(r)
		} else {
			bits[i] = tableBits(r)
			known |= bits[i] & (bitFirstOf2 - 1)
		}
	}
	if known == 0 {
		return false
	}
	for i, r := range text {
		if r < utf8.RuneSelf && i+1 < len(text) && text[i+1] < utf8.RuneSelf && !isSpace(text[i+1]) {
			continue // no sequence begins so
		}
		if badAt(text, i) {
			return true
		}
		for _, sequence := range badByBits {
			if matchesAt(sequence, text[i:], bits[i:]) {
				return true
			}
		}
		if r >= utf8.RuneSelf {
			for _, sequence := range badByFirst[r] {
				if matchesAt(sequence, text[i:], bits[i:]) {
					return true
				}
			}
		}
	}
	return false
}

func matchesAt(sequence []badChar, text []rune, bits []uint32) bool {
	if len(text) < len(sequence) {
		return false
	}
	for i, b := range sequence {
		if !b.matches(text[i], bits[i]) {
			return false
		}
	}
	return true
}

// badAt checks the sequences at text[i] that badSequences cannot express: Œ
// and œ before anything but a letter of ASCII, Â or Ã and a space at the
// beginning, and a sequence of seven with any one character in it.
func badAt(text []rune, i int) bool {
	rest := text[i:]
	switch r := text[i]; {
	case r < utf8.RuneSelf:
		return false
	case r == 'Œ' || r == 'œ':
		return len(rest) > 1 && !isASCIILetter(rest[1])
	case i == 0 && (r == 'Â' || r == 'Ã'):
		return len(rest) > 1 && rest[1] == ' '
	case r == 'Г':
		return len(rest) >= 7 && string(rest[:5]) == "ГўВЂВ" && rest[5] != '\n' && (isASCIILetter(rest[6]) || rest[6] == ' ')
	}
	return false
}

func isASCIILetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }
