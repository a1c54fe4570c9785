package tokenizer

import (
	"bytes"
	"compress/flate"
	_ "embed"
	"io"
	"sync"
)

// The 48,894 merges of CLIP's vocabulary in their order, each a pair of ids,
// stored as four planes (low and high bytes of the left ids, then of the right
// ones) and compressed with DEFLATE. data/NOTICE says where they come from.
//
//go:embed data/clip_merges.deflate
var clipMerges []byte

const (
	clipMergeCount = 48894
	clipSOT        = 2*256 + clipMergeCount
	clipEOT        = clipSOT + 1
	clipSuffix     = "</w>"
)

var clip = sync.OnceValue(unpackCLIP)

func unpackCLIP() *Tokenizer {
	const planes = 4
	data, err := io.ReadAll(flate.NewReader(bytes.NewReader(clipMerges)))
	if err != nil || len(data) != planes*clipMergeCount {
		panic("tokenizer: the embedded vocabulary is damaged") // a fault of the build
	}
	pair := func(i, side int) int32 {
		low := data[2*side*clipMergeCount:]
		return int32(low[i]) | int32(low[clipMergeCount+i])<<8
	}

	t := &Tokenizer{
		clean:   CleanLower,
		split:   (*Tokenizer).splitCLIP,
		pieces:  make([]string, 0, clipEOT+1),
		merges:  newMergeTable(clipMergeCount),
		unknown: noSymbol,
		suffix:  clipSuffix,
		prefix:  []int32{clipSOT},
		ending:  []int32{clipEOT},
		sot:     clipSOT,
		eot:     clipEOT,
		pad:     0,
	}
	for i, b := range byteOrder {
		t.inner[b], t.last[b] = int32(i), int32(256+i)
		t.pieces = append(t.pieces, string(byteRunes[b]))
	}
	for i := range 256 {
		t.pieces = append(t.pieces, t.pieces[i]+clipSuffix)
	}
	for i := range clipMergeCount {
		left, right := pair(i, 0), pair(i, 1)
		t.merges.add(left, right, int32(i), int32(len(t.pieces)))
		t.pieces = append(t.pieces, t.pieces[left]+t.pieces[right])
	}
	t.pieces = append(t.pieces, startOfText, endOfText)
	t.texts = make([]string, len(t.pieces))
	for i, p := range t.pieces {
		t.texts[i] = symbolText(p)
	}
	return t
}

// CLIP returns the tokenizer of OpenCLIP's CLIP and CoCa models. Its vocabulary
// is part of the program and is unpacked at the first call.
func CLIP() *Tokenizer { return clip() }

// splitCLIP appends the ids of a cleaned text.
func (t *Tokenizer) splitCLIP(dst []int32, text string) []int32 {
	for {
		skip, n := scanCLIP(text)
		if n == 0 {
			return dst
		}
		switch word := text[skip : skip+n]; word {
		case startOfText:
			dst = append(dst, clipSOT)
		case endOfText:
			dst = append(dst, clipEOT)
		default:
			dst = t.appendWord(dst, word)
		}
		text = text[skip+n:]
	}
}
