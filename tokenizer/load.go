package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// The files of a model folder that Load reads.
const (
	tokenizerFile     = "tokenizer.json"
	vocabFile         = "vocab.json"
	mergesFile        = "merges.txt"
	settingsFile      = "tokenizer_config.json"
	specialTokensFile = "special_tokens_map.json"
	addedTokensFile   = "added_tokens.json"
	modelConfigFile   = "config.json"
)

// maxFileSize is the largest tokenizer file that is read, in bytes. CLIP's and
// RoBERTa's files have 1 to 4 MB; the memory that a file takes while it is
// read is several times its size.
const maxFileSize = 8 << 20

// Load reads the tokenizer of a model folder: tokenizer.json, or else
// vocab.json and merges.txt, in the light of tokenizer_config.json,
// special_tokens_map.json, added_tokens.json and config.json where they exist.
//
// The tokenizer gives the ids of OpenCLIP's HFTokenizer; it cleans texts in
// mode [CleanWhitespace] unless [Tokenizer.WithClean] says otherwise. It must
// be a byte-level BPE of the classes CLIPTokenizer, RobertaTokenizer,
// GPT2Tokenizer or PreTrainedTokenizerFast. If no file names the class, a
// vocabulary with "</w>" is taken for CLIP's and any other for GPT-2's.
//
// Errors are of the types [FileError] and [UnsupportedError]. A missing file
// is a FileError that wraps [fs.ErrNotExist].
func Load(fsys fs.FS) (*Tokenizer, error) {
	settings, err := readSettings(fsys)
	if err != nil {
		return nil, err
	}
	data, err := readFile(fsys, tokenizerFile)
	switch {
	case err == nil:
		return loadJSON(data, settings)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	vocab, err := readFile(fsys, vocabFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &FileError{tokenizerFile, "", "it, or vocab.json and merges.txt", "neither", err}
	}
	if err != nil {
		return nil, err
	}
	merges, err := readFile(fsys, mergesFile)
	if err != nil {
		return nil, err
	}
	return loadVocab(vocab, merges, settings)
}

// readFile reads a file of at most maxFileSize bytes.
func readFile(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		found := "an error"
		if errors.Is(err, fs.ErrNotExist) {
			found = "no such file"
		}
		return nil, &FileError{name, "", "a readable file", found, err}
	}
	defer f.Close()
	var buffer bytes.Buffer
	if info, err := f.Stat(); err == nil {
		if info.Size() > maxFileSize {
			return nil, &FileError{name, "", fmt.Sprintf("at most %d bytes", maxFileSize), fmt.Sprint(info.Size()), nil}
		}
		buffer.Grow(int(max(0, info.Size())) + bytes.MinRead) // growing step by step would leave garbage of its size
	}
	if _, err := buffer.ReadFrom(io.LimitReader(f, maxFileSize+1)); err != nil {
		return nil, &FileError{name, "", "a readable file", "an error", err}
	}
	data := buffer.Bytes()
	if len(data) > maxFileSize {
		return nil, &FileError{name, "", fmt.Sprintf("at most %d bytes", maxFileSize), "more", nil}
	}
	return data, nil
}

// readJSON decodes a file into v and says whether it exists.
func readJSON(fsys fs.FS, name string, v any) (exists bool, err error) {
	data, err := readFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, decodeJSON(name, data, v)
}

func decodeJSON(name string, data []byte, v any) error {
	err := json.Unmarshal(data, v)
	if err == nil {
		return nil
	}
	if e := (*FileError)(nil); errors.As(err, &e) {
		return e
	}
	if e := (*json.UnmarshalTypeError)(nil); errors.As(err, &e) {
		return &FileError{name, e.Field, "a value of another type", "a JSON " + e.Value, err}
	}
	return &FileError{name, "", "JSON as Hugging Face writes it", "bad JSON", err}
}

// loadVocab makes the tokenizer that transformers converts from vocab.json and
// merges.txt.
func loadVocab(vocabData, mergesData []byte, s *settings) (*Tokenizer, error) {
	v, err := readVocabulary(vocabFile, "", vocabData)
	if err != nil {
		return nil, err
	}
	if s.class == "" {
		s.class = classGPT2
		if slices.ContainsFunc(v.pieces, func(p string) bool { return strings.HasSuffix(p, clipSuffix) }) {
			s.class = classCLIP
		}
	}
	isCLIP := s.class == classCLIP
	pairs, err := parseMergesText(mergesFile, mergesData, isCLIP)
	if err != nil {
		return nil, err
	}
	merges, err := v.readMerges(mergesFile, "merges", pairs)
	if err != nil {
		return nil, err
	}
	special := s.specials(s.known(nil), "", true)
	t := &Tokenizer{merges: merges, pipeline: &pipeline{}}
	unknown := ""
	switch s.class {
	case classCLIP:
		t.suffix = clipSuffix
		unknown = special.content("unk_token")
		t.pipeline.normalizers = []func(string) string{
			nfcHF, func(text string) string { return squeezeSpaces(text, " ") }, lowerHF,
		}
		t.pipeline.stages = []stage{{scan: scanHF(nil)}, {scan: scanGPT2}}
	case classRoberta, classGPT2:
		t.pipeline.stages = []stage{{scan: scanGPT2, prefixSpace: s.AddPrefixSpace}}
	default:
		return nil, &UnsupportedError{vocabFile, "tokenizer class", s.class, "one of " + strings.Join(slowClasses[:], ", ")}
	}
	if err := t.setSymbols(vocabFile, v, unknown); err != nil {
		return nil, err
	}
	if err := t.addTokens(settingsFile, v, nil, s, special); err != nil {
		return nil, err
	}
	switch s.class {
	case classCLIP:
		t.prefix, t.ending = v.named(special, "bos_token"), v.named(special, "eos_token")
	case classRoberta:
		t.prefix, t.ending = v.named(special, "cls_token"), v.named(special, "sep_token")
	case classGPT2:
		if s.AddBOSToken {
			t.prefix = v.named(special, "bos_token")
		}
	}
	return t, t.finish(v, s, special)
}

// setSymbols fills in the symbols of the bytes.
func (t *Tokenizer) setSymbols(file string, v *vocabulary, unknown string) error {
	t.unknown = noSymbol
	if id, ok := v.ids[unknown]; ok && unknown != "" {
		t.unknown = id
	}
	symbol := func(s string) int32 {
		if id, ok := v.ids[s]; ok {
			return id
		}
		return noSymbol
	}
	for b, r := range byteRunes {
		t.inner[b], t.last[b] = symbol(string(r)), symbol(string(r)+t.suffix)
		if unknown != "" && t.unknown == noSymbol && (t.inner[b] == noSymbol || t.last[b] == noSymbol) {
			return &FileError{file, "unk_token", "a symbol of the vocabulary, for byte " + fmt.Sprint(b) + " has none", quote(unknown), nil}
		}
	}
	return nil
}

// finish sets what is the same for all tokenizers that were read from files.
func (t *Tokenizer) finish(v *vocabulary, s *settings, special specialTokens) error {
	t.clean = CleanWhitespace
	t.split = (*Tokenizer).splitHF
	t.trim = s.class == classCLIP || s.class == "" && t.suffix != "" || t.wordEnds
	if !t.trim {
		t.suffix = "" // neither CLIPTokenizer's decode nor the file's decoder knows of it
	}
	t.padLeft = s.PaddingSide == "left"
	t.cutLeft = s.TruncationSide == "left"
	t.dropPad = true
	t.pieces = v.pieces
	t.texts = make([]string, len(v.pieces))
	for i, p := range v.pieces {
		t.texts[i] = symbolText(p)
	}
	pad := v.named(special, "pad_token")
	if pad == nil {
		return &FileError{settingsFile, "pad_token", "a token for padding", "none", nil}
	}
	t.pad = pad[0]
	t.sot, t.eot = noSymbol, noSymbol
	for _, name := range [...]string{"bos_token", "cls_token"} {
		if ids := v.named(special, name); ids != nil {
			t.sot = ids[0]
		}
	}
	for _, name := range [...]string{"eos_token", "sep_token"} {
		if ids := v.named(special, name); ids != nil {
			t.eot = ids[0]
		}
	}
	if len(t.prefix) > 0 {
		t.sot = t.prefix[0]
	}
	if len(t.ending) > 0 {
		t.eot = t.ending[len(t.ending)-1]
	}
	return nil
}
