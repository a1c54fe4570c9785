package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// tokenizerJSON is the part of a tokenizer.json that ids depend on.
type tokenizerJSON struct {
	Decoder    json.RawMessage `json:"decoder"`
	Truncation *struct {
		Direction string `json:"direction"`
	} `json:"truncation"`
	Padding *struct {
		Direction string `json:"direction"`
		PadToken  string `json:"pad_token"`
	} `json:"padding"`
	AddedTokens   addedTokenList  `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Model         modelJSON       `json:"model"`
}

type fileToken struct {
	addedToken
	ID int32 `json:"id"`
}

// addedTokenList is the "added_tokens" of tokenizer.json.
type addedTokenList []fileToken

func (l *addedTokenList) UnmarshalJSON(data []byte) error {
	return eachElement(data, "added_tokens", maxAddedTokens, func(_ int, raw json.RawMessage) error {
		var token fileToken
		if err := json.Unmarshal(raw, &token); err != nil {
			return err
		}
		*l = append(*l, token)
		return nil
	})
}

// eachElement calls visit for the elements of a JSON array of tokenizer.json,
// of which there may be limit.
func eachElement(data []byte, field string, limit int, visit func(i int, raw json.RawMessage) error) error {
	if string(data) == "null" {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return &FileError{tokenizerFile, field, "an array", describe(t), err}
	}
	for i := 0; d.More(); i++ {
		if i == limit {
			return &FileError{tokenizerFile, field, fmt.Sprintf("at most %d", limit), "more", nil}
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return err
		}
		if err := visit(i, raw); err != nil {
			return err
		}
	}
	return nil
}

type modelJSON struct {
	Type          string          `json:"type"`
	Dropout       float64         `json:"dropout"`
	UnkToken      string          `json:"unk_token"`
	SubwordPrefix string          `json:"continuing_subword_prefix"`
	WordSuffix    string          `json:"end_of_word_suffix"`
	FuseUnk       bool            `json:"fuse_unk"`
	ByteFallback  bool            `json:"byte_fallback"`
	IgnoreMerges  bool            `json:"ignore_merges"`
	Vocab         json.RawMessage `json:"vocab"`
	Merges        mergeList       `json:"merges"`
}

// loadJSON makes the tokenizer of a tokenizer.json.
func loadJSON(data []byte, s *settings) (*Tokenizer, error) {
	var probe struct {
		Model struct {
			Type string `json:"type"`
		} `json:"model"`
	}
	if err := decodeJSON(tokenizerFile, data, &probe); err != nil {
		return nil, err
	}
	if typ := probe.Model.Type; typ != "" && typ != "BPE" {
		return nil, &UnsupportedError{tokenizerFile, "model", quote(typ), `"BPE"`}
	}
	var file tokenizerJSON
	if err := decodeJSON(tokenizerFile, data, &file); err != nil {
		return nil, err
	}
	if err := file.Model.check(); err != nil {
		return nil, err
	}
	added, err := file.addedTokens()
	if err != nil {
		return nil, err
	}
	v, err := readVocabulary(tokenizerFile, "model.vocab", file.Model.Vocab)
	if err != nil {
		return nil, err
	}
	t := &Tokenizer{pipeline: &pipeline{}, suffix: file.Model.WordSuffix, fuse: file.Model.FuseUnk}
	if t.merges, err = v.readMerges(tokenizerFile, "model.merges", file.Model.Merges); err != nil {
		return nil, err
	}
	if file.Model.IgnoreMerges {
		t.whole = byteWords(v)
	}
	c := componentReader{settings: s}
	if t.replace, err = c.replacements(file.Decoder, 0); err != nil {
		return nil, err
	}
	if t.wordEnds, err = c.decodesSuffix(file.Decoder, t.suffix, 0); err != nil {
		return nil, err
	}
	if t.pipeline.normalizers, err = c.normalizers(file.Normalizer, 0); err != nil {
		return nil, err
	}
	if t.pipeline.stages, err = c.stages(file.PreTokenizer); err != nil {
		return nil, err
	}
	if err := t.setSymbols(tokenizerFile, v, file.Model.UnkToken); err != nil {
		return nil, err
	}
	filePad := ""
	if p := file.Padding; p != nil {
		filePad = p.PadToken
		if s.PaddingSide == "" {
			s.PaddingSide = lowerASCII(p.Direction)
		}
	}
	if p := file.Truncation; p != nil && s.TruncationSide == "" {
		s.TruncationSide = lowerASCII(p.Direction)
	}
	special := s.specials(s.known(added), filePad, false)
	if err := t.addTokens(tokenizerFile, v, added, s, special); err != nil {
		return nil, err
	}
	if t.prefix, t.ending, err = c.template(file.PostProcessor, v, 0); err != nil {
		return nil, err
	}
	return t, t.finish(v, s, special)
}

// lowerASCII turns the "Left" and "Right" of tokenizer.json into the words of
// tokenizer_config.json.
func lowerASCII(s string) string { return lower(s) }

func (m *modelJSON) check() error {
	unsupported := func(field, found, want string) error {
		return &UnsupportedError{tokenizerFile, "model." + field, found, want}
	}
	switch {
	case m.Dropout != 0:
		return unsupported("dropout", fmt.Sprint(m.Dropout), "none")
	case m.SubwordPrefix != "":
		return unsupported("continuing_subword_prefix", quote(m.SubwordPrefix), "none")
	case m.ByteFallback:
		return unsupported("byte_fallback", "true", "false")
	case len(m.WordSuffix) > maxSymbolSize:
		return unsupported("end_of_word_suffix", quote(m.WordSuffix), fmt.Sprintf("at most %d bytes", maxSymbolSize))
	}
	return nil
}

// byteWords returns the vocabulary with the words as bytes instead of
// characters of the byte-level alphabet.
func byteWords(v *vocabulary) map[string]int32 {
	words := make(map[string]int32, len(v.ids))
	for symbol, id := range v.ids {
		if text := symbolText(symbol); isByteLevel(symbol) {
			words[text] = id
		}
	}
	return words
}

func isByteLevel(symbol string) bool {
	for _, r := range symbol {
		if _, ok := runeBytes[r]; !ok {
			return false
		}
	}
	return true
}

func (f *tokenizerJSON) addedTokens() ([]addedToken, error) {
	added := make([]addedToken, len(f.AddedTokens))
	for i, token := range f.AddedTokens {
		field := fmt.Sprintf("added_tokens[%d]", i)
		switch {
		case token.Content == "" || len(token.Content) > maxSymbolSize:
			return nil, &FileError{tokenizerFile, field + ".content", fmt.Sprintf("1 to %d bytes", maxSymbolSize), fmt.Sprint(len(token.Content)), nil}
		case token.SingleWord:
			return nil, &UnsupportedError{tokenizerFile, field + ".single_word", "true", "false"}
		}
		added[i] = token.addedToken
		added[i].id = token.ID
	}
	return added, nil
}
