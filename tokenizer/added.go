package tokenizer

import (
	"fmt"
	"slices"
)

// specialTokens are a tokenizer's special tokens by name, as in specialNames.
type specialTokens map[string]addedToken

func (s specialTokens) content(name string) string { return s[name].Content }

// specials resolves the special tokens: what the files name, or else the
// defaults of the class. known are the added tokens of tokenizer.json, whose
// flags go before; filePad is the padding token of that file, if it has one.
// converted says that the tokenizer is made from vocab.json and merges.txt,
// where transformers looks for special tokens in the normalized text.
func (s *settings) specials(known []addedToken, filePad string, converted bool) specialTokens {
	out := specialTokens{}
	for _, name := range specialNames {
		token, given := s.named[name]
		switch {
		case given && token == nil:
			continue
		case !given:
			content := classDefaults[s.class][name]
			if content == "" && name == "pad_token" {
				content = filePad
			}
			if content == "" {
				continue
			}
			token = &addedToken{Content: content, Special: true}
		}
		t := *token
		if !t.explicit {
			mask := name == "mask_token" && s.class == classRoberta
			t.explicit = converted || mask
			t.LStrip = mask
			t.Normalized = converted && !mask
		}
		if i := slices.IndexFunc(known, func(k addedToken) bool { return k.Content == t.Content }); i >= 0 {
			t = known[i]
			t.explicit = true
		}
		out[name] = t
	}
	return out
}

// known returns the added tokens whose flags go before those of special tokens
// of the same content.
func (s *settings) known(fromFile []addedToken) []addedToken {
	if s.AddedTokensDecoder != nil {
		return s.added
	}
	return slices.Concat(fromFile, s.added) // the order does not matter: contents differ or flags agree
}

// addTokens enters the added tokens into the vocabulary and the pipeline:
// those of tokenizer.json, those of the other files, and the special tokens. A
// token that the vocabulary lacks gets the next id.
func (t *Tokenizer) addTokens(file string, v *vocabulary, fromFile []addedToken, s *settings, special specialTokens) error {
	all := map[string]addedToken{}
	order := []string{}
	size, largest := int32(len(v.ids)), int32(-1)
	add := func(token addedToken, wantID bool) error {
		id, ok := v.ids[token.Content]
		if !ok {
			id = max(size, largest+1)
			if int(id) >= maxSymbols+maxIDGap {
				return &FileError{file, "added token " + quote(token.Content), fmt.Sprintf("an id below %d", maxSymbols+maxIDGap), fmt.Sprint(id), nil}
			}
			for int(id) >= len(v.pieces) {
				v.pieces = append(v.pieces, "")
			}
			if other := v.pieces[id]; other != "" {
				return &FileError{file, "added token " + quote(token.Content), "an id of its own", fmt.Sprintf("%d, which %s has", id, quote(other)), nil}
			}
			v.ids[token.Content], v.pieces[id] = id, token.Content
		}
		if wantID && token.id != id {
			return &FileError{file, "added token " + quote(token.Content), fmt.Sprintf("id %d", id), fmt.Sprint(token.id), nil}
		}
		token.id = id
		largest = max(largest, id)
		if _, ok := all[token.Content]; !ok {
			order = append(order, token.Content)
		}
		all[token.Content] = token
		return nil
	}
	for _, list := range [...][]addedToken{fromFile, s.added} {
		for _, token := range list {
			token.Special = token.Special || s.isSpecial(token.Content)
			if err := add(token, true); err != nil {
				return err
			}
		}
	}
	specials := make([]addedToken, 0, len(specialNames)+len(s.additional))
	for _, name := range specialNames {
		if token, ok := special[name]; ok {
			specials = append(specials, token)
		}
	}
	specials = append(specials, s.additional...)
	seen := map[string]bool{}
	for _, token := range specials {
		_, known := all[token.Content]
		if seen[token.Content] || known && !token.explicit {
			continue
		}
		seen[token.Content] = true
		token.Special = true
		if err := add(token, false); err != nil {
			return err
		}
	}
	t.pipeline.raw, t.pipeline.normalized = newAddedTokens(), newAddedTokens()
	for _, content := range order {
		token := all[content]
		if token.Normalized {
			t.pipeline.normalized.add(t.pipeline.normalize(content), token)
		} else {
			t.pipeline.raw.add(content, token)
		}
	}
	return nil
}

// named returns the id of a special token, or nil.
func (v *vocabulary) named(special specialTokens, name string) []int32 {
	if id, ok := v.ids[special.content(name)]; ok {
		return []int32{id}
	}
	return nil
}
