package tokenizer

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Tokenizer classes of transformers, without the "Fast" at their end.
const (
	classCLIP       = "CLIPTokenizer"
	classRoberta    = "RobertaTokenizer"
	classGPT2       = "GPT2Tokenizer"
	classPreTrained = "PreTrainedTokenizer"
)

var slowClasses = [...]string{classCLIP, classRoberta, classGPT2}

// specialNames are the special tokens that a tokenizer may have, in the order
// in which transformers adds those that the vocabulary lacks.
var specialNames = [...]string{"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}

// classDefaults are the special tokens of a class if no file names them.
var classDefaults = map[string]map[string]string{
	classCLIP: {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "pad_token": "<|endoftext|>"},
	classRoberta: {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "sep_token": "</s>",
		"pad_token": "<pad>", "cls_token": "<s>", "mask_token": "<mask>"},
	classGPT2: {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"},
}

// settings is what the small files of a folder say about the tokenizer.
type settings struct {
	class string // without "Fast"; "" if no file names it

	TokenizerClass     string                     `json:"tokenizer_class"`
	AddPrefixSpace     bool                       `json:"add_prefix_space"`
	AddBOSToken        bool                       `json:"add_bos_token"`
	SplitSpecialTokens bool                       `json:"split_special_tokens"`
	PaddingSide        string                     `json:"padding_side"`
	TruncationSide     string                     `json:"truncation_side"`
	AddedTokensDecoder map[string]json.RawMessage `json:"added_tokens_decoder"`

	named      map[string]*addedToken // special tokens by name; nil for one that is null
	additional []addedToken
	added      []addedToken // with their ids, in the order of these
}

// maxAddedTokens bounds the added tokens of a tokenizer.
const maxAddedTokens = 1 << 14

func readSettings(fsys fs.FS) (*settings, error) {
	s := &settings{named: map[string]*addedToken{}}
	var raw map[string]json.RawMessage
	data, err := readOptional(fsys, settingsFile)
	if err != nil {
		return nil, err
	}
	if data != nil {
		if err := decodeJSON(settingsFile, data, s); err != nil {
			return nil, err
		}
		if err := decodeJSON(settingsFile, data, &raw); err != nil {
			return nil, err
		}
	}
	if err := s.readNamed(settingsFile, raw); err != nil {
		return nil, err
	}
	if s.SplitSpecialTokens {
		return nil, &UnsupportedError{settingsFile, "split_special_tokens", "true", "false"}
	}
	if s.AddedTokensDecoder != nil {
		err = s.readDecoder()
	} else {
		err = s.readLegacy(fsys)
	}
	if err != nil {
		return nil, err
	}
	return s, s.readClass(fsys)
}

// readOptional returns nil for a file that does not exist.
func readOptional(fsys fs.FS, name string) ([]byte, error) {
	var raw json.RawMessage
	_, err := readJSON(fsys, name, &raw)
	return raw, err
}

// readClass finds the tokenizer's class as transformers' AutoTokenizer does.
func (s *settings) readClass(fsys fs.FS) error {
	var config struct {
		TokenizerClass string `json:"tokenizer_class"`
		ModelType      string `json:"model_type"`
	}
	if s.TokenizerClass == "" {
		if _, err := readJSON(fsys, modelConfigFile, &config); err != nil {
			return err
		}
		s.TokenizerClass = config.TokenizerClass
		if s.TokenizerClass == "" {
			s.TokenizerClass = map[string]string{"clip": classCLIP, "roberta": classRoberta, "gpt2": classGPT2}[config.ModelType]
		}
	}
	s.class = strings.TrimSuffix(s.TokenizerClass, "Fast")
	switch s.class {
	case "", classCLIP, classRoberta, classGPT2, classPreTrained:
		return nil
	}
	want := "one of " + strings.Join(append(slowClasses[:], classPreTrained+"Fast"), ", ")
	return &UnsupportedError{settingsFile, "tokenizer_class", quote(s.TokenizerClass), want}
}

// parseToken reads a token that is given as a string or as an object. Without
// flags of its own a special token is looked for in the raw text.
func parseToken(file, field string, raw []byte) (addedToken, error) {
	token := addedToken{Special: true}
	var err error
	if len(raw) > 0 && raw[0] == '"' {
		err = json.Unmarshal(raw, &token.Content)
	} else {
		err = json.Unmarshal(raw, &token)
	}
	if err != nil || token.Content == "" || len(token.Content) > maxSymbolSize {
		return token, &FileError{file, field, fmt.Sprintf("a token of 1 to %d bytes", maxSymbolSize), quote(string(raw)), err}
	}
	if token.SingleWord {
		return token, &UnsupportedError{file, field + ".single_word", "true", "false"}
	}
	return token, nil
}

// readNamed reads the special tokens among the entries of a file.
func (s *settings) readNamed(file string, raw map[string]json.RawMessage) error {
	for _, name := range specialNames {
		data, ok := raw[name]
		if !ok {
			continue
		}
		if string(data) == "null" {
			s.named[name] = nil
			continue
		}
		token, err := parseToken(file, name, data)
		if err != nil {
			return err
		}
		token.explicit = data[0] != '"'
		s.named[name] = &token
	}
	var list []json.RawMessage
	if data, ok := raw["additional_special_tokens"]; ok {
		if err := decodeJSON(file, data, &list); err != nil {
			return err
		}
	}
	if len(list) > maxAddedTokens {
		return &FileError{file, "additional_special_tokens", fmt.Sprintf("at most %d", maxAddedTokens), fmt.Sprint(len(list)), nil}
	}
	for i, data := range list {
		token, err := parseToken(file, fmt.Sprintf("additional_special_tokens[%d]", i), data)
		if err != nil {
			return err
		}
		token.explicit = data[0] != '"'
		s.additional = append(s.additional, token)
	}
	return nil
}

// readDecoder reads the added_tokens_decoder of tokenizer_config.json.
func (s *settings) readDecoder() error {
	if len(s.AddedTokensDecoder) > maxAddedTokens {
		return &FileError{settingsFile, "added_tokens_decoder", fmt.Sprintf("at most %d", maxAddedTokens), fmt.Sprint(len(s.AddedTokensDecoder)), nil}
	}
	for key, raw := range s.AddedTokensDecoder {
		field := "added_tokens_decoder[" + quote(key) + "]"
		id, err := strconv.ParseInt(key, 10, 32)
		if err != nil || id < 0 {
			return &FileError{settingsFile, field, "an id", quote(key), err}
		}
		token, err := parseToken(settingsFile, field, raw)
		if err != nil {
			return err
		}
		token.id, token.explicit = int32(id), true
		s.added = append(s.added, token)
	}
	slices.SortFunc(s.added, func(a, b addedToken) int { return int(a.id) - int(b.id) })
	return nil
}

// readLegacy reads special_tokens_map.json, which goes before
// tokenizer_config.json, and added_tokens.json.
func (s *settings) readLegacy(fsys fs.FS) error {
	var raw map[string]json.RawMessage
	if _, err := readJSON(fsys, specialTokensFile, &raw); err != nil {
		return err
	}
	if err := s.readNamed(specialTokensFile, raw); err != nil {
		return err
	}
	var added map[string]int32
	if _, err := readJSON(fsys, addedTokensFile, &added); err != nil {
		return err
	}
	if len(added) > maxAddedTokens {
		return &FileError{addedTokensFile, "", fmt.Sprintf("at most %d tokens", maxAddedTokens), fmt.Sprint(len(added)), nil}
	}
	for _, content := range slices.Sorted(maps.Keys(added)) {
		token := addedToken{Content: content, id: added[content], explicit: true}
		token.Special = s.isSpecial(content)
		token.Normalized = !token.Special
		if content == "" || len(content) > maxSymbolSize || token.id < 0 {
			return &FileError{addedTokensFile, "[" + quote(content) + "]", "a token and its id", fmt.Sprint(token.id), nil}
		}
		s.added = append(s.added, token)
	}
	slices.SortStableFunc(s.added, func(a, b addedToken) int { return int(a.id) - int(b.id) })
	return nil
}

// isSpecial says whether a file names the token as a special one.
func (s *settings) isSpecial(content string) bool {
	for _, token := range s.named {
		if token != nil && token.Content == content {
			return true
		}
	}
	return slices.ContainsFunc(s.additional, func(t addedToken) bool { return t.Content == content })
}
