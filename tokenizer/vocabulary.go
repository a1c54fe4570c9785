package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Limits of a vocabulary. CLIP's and RoBERTa's have 50,000 symbols; the limits
// keep what a hostile file takes while it is read below 64 MB.
const (
	maxSymbols    = 1 << 17
	maxSymbolSize = 1 << 10 // bytes
	maxIDGap      = 1 << 16 // ids without a symbol
)

// A vocabulary maps the symbols of a model to ids and back.
type vocabulary struct {
	ids    map[string]int32
	pieces []string // by id; "" where no symbol has it
}

// readVocabulary reads a JSON object of symbols and ids. An id must be given
// once, be at least 0, and not leave a large gap; a symbol must occur once.
func readVocabulary(file, field string, data []byte) (*vocabulary, error) {
	fail := func(symbol, want, found string, err error) (*vocabulary, error) {
		where := field
		if symbol != "" {
			where += "[" + quote(symbol) + "]"
		}
		return nil, &FileError{file, where, want, found, err}
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fail("", "an object of symbols and ids", describe(t), err)
	}
	entries := min(bytes.Count(data, []byte(":")), maxSymbols) // or a few less
	v := &vocabulary{ids: make(map[string]int32, entries)}
	largest := int64(-1)
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return fail("", "a symbol", "bad JSON", err)
		}
		symbol := t.(string) // the decoder has checked that a key is a string
		if symbol == "" || len(symbol) > maxSymbolSize {
			return fail(symbol, fmt.Sprintf("symbols of 1 to %d bytes", maxSymbolSize), fmt.Sprint(len(symbol)), nil)
		}
		if t, err = d.Token(); err != nil {
			return fail(symbol, "an id", "bad JSON", err)
		}
		number, _ := t.(json.Number)
		id, err := number.Int64()
		if err != nil || id < 0 || id >= maxSymbols+maxIDGap {
			return fail(symbol, fmt.Sprintf("an id from 0 to %d", maxSymbols+maxIDGap-1), describe(t), nil)
		}
		if _, ok := v.ids[symbol]; ok {
			return fail(symbol, "each symbol once", "it again", nil)
		}
		if len(v.ids) == maxSymbols {
			return fail("", fmt.Sprintf("at most %d symbols", maxSymbols), "more", nil)
		}
		v.ids[symbol] = int32(id)
		largest = max(largest, id)
	}
	if _, err := d.Token(); err != nil {
		return fail("", "the end of the object", "bad JSON", err)
	}
	if len(v.ids) == 0 {
		return fail("", "symbols", "none", nil)
	}
	if gap := largest + 1 - int64(len(v.ids)); gap > maxIDGap {
		return fail("", fmt.Sprintf("at most %d ids without a symbol", maxIDGap), fmt.Sprint(gap), nil)
	}
	v.pieces = make([]string, largest+1)
	for symbol, id := range v.ids {
		if other := v.pieces[id]; other != "" {
			return fail(max(symbol, other), "an id of its own", fmt.Sprintf("%d, which %s has too", id, quote(min(symbol, other))), nil)
		}
		v.pieces[id] = symbol
	}
	return v, nil
}

// describe names a JSON token in an error.
func describe(t json.Token) string {
	switch t := t.(type) {
	case nil:
		return "null or nothing"
	case string:
		return quote(t)
	case json.Delim:
		return quote(t.String())
	}
	return quote(fmt.Sprint(t))
}

// readMerges enters the merges, pairs of symbols in the order of their ranks.
func (v *vocabulary) readMerges(file, field string, pairs [][2]string) (*mergeTable, error) {
	t := newMergeTable(len(pairs))
	for i, pair := range pairs {
		left, okLeft := v.ids[pair[0]]
		right, okRight := v.ids[pair[1]]
		merged, okMerged := v.ids[pair[0]+pair[1]]
		for _, part := range [...]struct {
			symbol string
			ok     bool
		}{{pair[0], okLeft}, {pair[1], okRight}, {pair[0] + pair[1], okMerged}} {
			if !part.ok {
				return nil, &FileError{file, fmt.Sprintf("%s[%d]", field, i), "a merge of symbols of the vocabulary", quote(part.symbol), nil}
			}
		}
		t.add(left, right, int32(i), merged)
	}
	return t, nil
}

// splitPair splits a merge as merges.txt writes it.
func splitPair(line string) (pair [2]string, ok bool) {
	left, right, found := strings.Cut(line, " ")
	if !found || left == "" || right == "" || strings.Contains(right, " ") {
		return pair, false
	}
	return [2]string{left, right}, true
}

// parseMergesText reads merges.txt: a line of comment, then one merge to a
// line. As in the reference what follows the last line feed is ignored, and a
// CLIP tokenizer uses the first 48,894 merges only.
func parseMergesText(file string, data []byte, clip bool) ([][2]string, error) {
	if n := bytes.Count(data, []byte("\n")); n > maxSymbols {
		return nil, &FileError{file, "", fmt.Sprintf("at most %d lines", maxSymbols), fmt.Sprint(n), nil}
	}
	lines := strings.Split(string(data), "\n")
	if clip {
		lines = strings.Split(strings.TrimFunc(string(data), isSpace), "\n")
		lines = lines[1:min(len(lines), clipMergeCount+1)]
	} else {
		lines = lines[1:max(1, len(lines)-1)]
	}
	pairs := make([][2]string, 0, len(lines))
	for i, line := range lines {
		pair, ok := splitPair(strings.TrimSuffix(line, "\r"))
		if !ok {
			return nil, &FileError{file, fmt.Sprintf("line %d", i+2), "two symbols with a space between", quote(line), nil}
		}
		pairs = append(pairs, pair)
	}
	return pairs, nil
}

// mergeList is the "merges" of tokenizer.json: strings of two symbols with a
// space between, or arrays of two symbols.
type mergeList [][2]string

func (m *mergeList) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return &FileError{tokenizerFile, "model.merges", "an array", describe(t), err}
	}
	*m = make(mergeList, 0, min(bytes.Count(data, []byte(","))+1, maxSymbols))
	for i := 0; d.More(); i++ {
		if i == maxSymbols {
			return &FileError{tokenizerFile, "model.merges", fmt.Sprintf("at most %d", maxSymbols), "more", nil}
		}
		pair, err := readMerge(d)
		if err != nil {
			return &FileError{tokenizerFile, fmt.Sprintf("model.merges[%d]", i), "two symbols", err.Error(), nil}
		}
		*m = append(*m, pair)
	}
	return nil
}

// readMerge reads one merge, without the garbage of decoding it as a value of
// its own.
func readMerge(d *json.Decoder) (pair [2]string, err error) {
	t, err := d.Token()
	if err != nil {
		return pair, err
	}
	if s, ok := t.(string); ok {
		if pair, ok = splitPair(s); !ok {
			err = errors.New(quote(s))
		}
		return pair, err
	}
	if t != json.Delim('[') {
		return pair, errors.New(describe(t))
	}
	for i := range pair {
		t, err := d.Token()
		if err != nil {
			return pair, err
		}
		s, ok := t.(string)
		if !ok || s == "" {
			return pair, errors.New(describe(t))
		}
		pair[i] = s
	}
	if t, err = d.Token(); err == nil && t != json.Delim(']') {
		err = errors.New("more: " + describe(t))
	}
	return pair, err
}
