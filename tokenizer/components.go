package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
)

// The patterns of Split components that are known, as their files write them.
const (
	clipPattern = `'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`
	gpt2Pattern = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
)

// Limits of nested and repeated components.
const (
	maxDepth      = 8
	maxComponents = 64
)

// A component is a normalizer, pre-tokenizer or post-processor of a
// tokenizer.json; a field that its type does not have is left zero.
type component struct {
	Type           string          `json:"type"`
	Normalizers    componentList   `json:"normalizers"`
	PreTokenizers  componentList   `json:"pretokenizers"`
	Processors     componentList   `json:"processors"`
	Decoders       componentList   `json:"decoders"`
	Pattern        pattern         `json:"pattern"`
	Content        string          `json:"content"`
	Behavior       string          `json:"behavior"`
	Invert         bool            `json:"invert"`
	AddPrefixSpace *bool           `json:"add_prefix_space"`
	UseRegex       *bool           `json:"use_regex"`
	Sep            json.RawMessage `json:"sep"`
	CLS            json.RawMessage `json:"cls"`
	Single         []templatePiece `json:"single"`
	SpecialTokens  map[string]struct {
		IDs []int32 `json:"ids"`
	} `json:"special_tokens"`
}

// A componentList is a list of at most maxComponents components.
type componentList []json.RawMessage

func (l *componentList) UnmarshalJSON(data []byte) error {
	return eachElement(data, "components", maxComponents, func(_ int, raw json.RawMessage) error {
		*l = append(*l, raw)
		return nil
	})
}

type pattern struct {
	String *string `json:"String"`
	Regex  *string `json:"Regex"`
}

func (p pattern) describe() string {
	switch {
	case p.String != nil:
		return "string " + quote(*p.String)
	case p.Regex != nil:
		return "regex " + quote(*p.Regex)
	}
	return "no pattern"
}

type templatePiece struct {
	SpecialToken *struct {
		ID string `json:"id"`
	} `json:"SpecialToken"`
	Sequence *struct {
		ID string `json:"id"`
	} `json:"Sequence"`
}

// A componentReader reads the components of a tokenizer.json.
type componentReader struct {
	settings *settings
	count    int
}

// read decodes a component; it returns nil for one that is null or missing.
func (c *componentReader) read(kind string, raw []byte, depth int) (*component, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	if c.count++; c.count > maxComponents || depth > maxDepth {
		return nil, &UnsupportedError{tokenizerFile, kind, "more, or nested deeper", fmt.Sprintf("at most %d components, %d deep", maxComponents, maxDepth)}
	}
	var x component
	return &x, decodeJSON(tokenizerFile, raw, &x)
}

func unsupported(kind string, x *component, want string) error {
	return &UnsupportedError{tokenizerFile, kind, quote(x.Type), want}
}

func (c *componentReader) normalizers(raw []byte, depth int) ([]func(string) string, error) {
	const kind = "normalizer"
	x, err := c.read(kind, raw, depth)
	if x == nil || err != nil {
		return nil, err
	}
	switch x.Type {
	case "Sequence":
		var list []func(string) string
		for _, raw := range x.Normalizers {
			more, err := c.normalizers(raw, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, more...)
		}
		return list, nil
	case "NFC":
		return []func(string) string{nfcHF}, nil
	case "Lowercase":
		return []func(string) string{lowerHF}, nil
	case "Replace":
		f, err := x.replace()
		return []func(string) string{f}, err
	}
	return nil, unsupported(kind, x, "Sequence, NFC, Lowercase or Replace")
}

func (x *component) replace() (func(string) string, error) {
	content := x.Content
	switch p := x.Pattern; {
	case len(content) > 16: // what grows a text is bounded
	case p.Regex != nil && *p.Regex == `\s+`:
		return func(text string) string { return squeezeSpaces(text, content) }, nil
	case p.String != nil && *p.String != "":
		return func(text string) string { return strings.ReplaceAll(text, *p.String, content) }, nil
	}
	return nil, &UnsupportedError{tokenizerFile, "normalizer Replace", x.Pattern.describe() + " by " + quote(content), `regex "\\s+" or a string, by at most 16 bytes`}
}

// stages reads the pre-tokenizer, which must end with a ByteLevel.
func (c *componentReader) stages(raw []byte) ([]stage, error) {
	const kind = "pre_tokenizer"
	x, err := c.read(kind, raw, 0)
	if err != nil {
		return nil, err
	}
	if x == nil {
		return nil, &UnsupportedError{tokenizerFile, kind, "none", "ByteLevel or a Sequence that ends with it"}
	}
	if x.Type == "ByteLevel" && c.settings.class == classCLIP {
		return nil, unsupported(kind, x, "a Sequence for a CLIPTokenizer")
	}
	if x.Type == "ByteLevel" { // transformers lets tokenizer_config.json decide, here only
		x.AddPrefixSpace = &c.settings.AddPrefixSpace
		return []stage{x.byteLevel()}, nil
	}
	if x.Type != "Sequence" {
		return nil, unsupported(kind, x, "ByteLevel or a Sequence that ends with it")
	}
	var stages []stage
	for i, raw := range x.PreTokenizers {
		y, err := c.read(kind, raw, 1)
		if err != nil {
			return nil, err
		}
		isLast := i == len(x.PreTokenizers)-1
		switch {
		case y != nil && y.Type == "Split" && !isLast:
			s, err := y.split()
			if err != nil {
				return nil, err
			}
			stages = append(stages, s)
		case y != nil && y.Type == "ByteLevel" && isLast:
			return append(stages, y.byteLevel()), nil
		case y == nil:
			return nil, unsupported(kind, x, "components that are not null")
		default:
			return nil, unsupported(kind, y, "Split, and a ByteLevel at the end")
		}
	}
	return nil, unsupported(kind, x, "a Sequence that ends with a ByteLevel")
}

func (x *component) byteLevel() stage {
	s := stage{prefixSpace: x.AddPrefixSpace == nil || *x.AddPrefixSpace}
	if x.UseRegex == nil || *x.UseRegex {
		s.scan = scanGPT2
	}
	return s
}

func (x *component) split() (stage, error) {
	const kind = "pre_tokenizer Split"
	var s stage
	if p := x.Pattern; p.Regex != nil && *p.Regex == gpt2Pattern {
		s.scan = scanGPT2
	} else if literals, ok := p.clip(); ok {
		s.scan = scanHF(literals)
	} else {
		return s, &UnsupportedError{tokenizerFile, kind, p.describe(), "the pattern of CLIP or of GPT-2"}
	}
	switch {
	case x.Behavior == "Removed" && x.Invert:
	case x.Behavior == "Isolated":
		s.gaps = true
	default:
		return s, &UnsupportedError{tokenizerFile, kind, fmt.Sprintf("behavior %s, invert %t", quote(x.Behavior), x.Invert), "Removed and inverted, or Isolated"}
	}
	return s, nil
}

// clip reports whether p is CLIP's pattern, and the strings that it matches
// before anything else: files made of the original vocabulary begin with
// <\|startoftext\|>|<\|endoftext\|>|.
func (p pattern) clip() (literals []string, ok bool) {
	if p.Regex == nil {
		return nil, false
	}
	head, ok := strings.CutSuffix(*p.Regex, clipPattern)
	if !ok || head == "" {
		return nil, ok
	}
	var one strings.Builder
	for i := 0; i < len(head); i++ {
		switch c := head[i]; {
		case c == '|':
			// The scanner looks for literals only where a "<" stands.
			if !strings.HasPrefix(one.String(), "<") {
				return nil, false
			}
			literals = append(literals, one.String())
			one.Reset()
		case c == '\\' && i+1 < len(head) && strings.IndexByte(`|\.[](){}*+?^$<>_-/`, head[i+1]) >= 0:
			i++
			one.WriteByte(head[i])
		case strings.IndexByte(`\.[](){}*+?^$`, c) >= 0:
			return nil, false
		default:
			one.WriteByte(c)
		}
	}
	return literals, one.Len() == 0
}

// decodesSuffix reports whether a decoder turns the end-of-word suffix of
// symbols into a space: a Replace of it by a space, or by what a ByteLevel then
// reads as one, or a BPEDecoder. Decoders change no ids, so those of other types are passed over.
func (c *componentReader) decodesSuffix(raw []byte, suffix string, depth int) (bool, error) {
	x, err := c.read("decoder", raw, depth)
	if x == nil || err != nil || suffix == "" {
		return false, err
	}
	switch x.Type {
	case "BPEDecoder":
		return true, nil
	case "Replace":
		return x.Pattern.String != nil && *x.Pattern.String == suffix && (x.Content == " " || x.Content == "Ġ"), nil
	case "Sequence":
		for _, raw := range x.Decoders {
			if ok, err := c.decodesSuffix(raw, suffix, depth+1); ok || err != nil {
				return ok, err
			}
		}
	}
	return false, nil
}

// replacements are what a decoder replaces in a text once its symbols are bytes
// again: the Replace parts with a plain pattern behind a ByteLevel, as pairs of old and new. One
// that would lengthen texts is passed over: a few of them could make any text endless.
func (c *componentReader) replacements(raw []byte, depth int) (pairs [][2]string, err error) {
	x, err := c.read("decoder", raw, depth)
	if x == nil || err != nil || x.Type != "Sequence" {
		return nil, err
	}
	joined := false
	for _, raw := range x.Decoders {
		part, err := c.read("decoder", raw, depth+1)
		if part == nil || err != nil {
			return nil, err
		}
		switch {
		case part.Type == "ByteLevel":
			joined = true
		case joined && part.Type == "Replace" && part.Pattern.String != nil && len(part.Content) <= len(*part.Pattern.String) && *part.Pattern.String != "":
			pairs = append(pairs, [2]string{*part.Pattern.String, part.Content})
		}
	}
	return pairs, nil
}

// template reads the post-processor: the ids that stand before and behind a text.
func (c *componentReader) template(raw []byte, v *vocabulary, depth int) (before, behind []int32, err error) {
	const kind = "post_processor"
	x, err := c.read(kind, raw, depth)
	if x == nil || err != nil {
		return nil, nil, err
	}
	switch x.Type {
	case "ByteLevel": // changes offsets only
		return nil, nil, nil
	case "RobertaProcessing", "BertProcessing":
		if before, err = v.pair(kind+".cls", x.CLS); err != nil {
			return nil, nil, err
		}
		behind, err = v.pair(kind+".sep", x.Sep)
		return before, behind, err
	case "TemplateProcessing":
		return x.template(v)
	case "Sequence":
		for _, raw := range x.Processors {
			outer, end, err := c.template(raw, v, depth+1)
			switch {
			case err != nil:
				return nil, nil, err
			case len(outer)+len(end) == 0:
			case len(before)+len(behind) > 0: // the second would enclose each special id of the first
				return nil, nil, unsupported(kind, x, "one processor that adds special ids")
			default:
				before, behind = outer, end
			}
		}
		return before, behind, nil
	}
	return nil, nil, unsupported(kind, x, "RobertaProcessing, BertProcessing, TemplateProcessing, ByteLevel or Sequence")
}

// pair reads a special token as [content, id].
func (v *vocabulary) pair(field string, raw []byte) ([]int32, error) {
	var parts []any
	if err := json.Unmarshal(raw, &parts); err == nil && len(parts) == 2 {
		if id, ok := parts[1].(float64); ok && id >= 0 && id < float64(len(v.pieces)) && id == float64(int32(id)) {
			return []int32{int32(id)}, nil
		}
	}
	return nil, &FileError{tokenizerFile, field, fmt.Sprintf("a token and an id below %d", len(v.pieces)), quote(string(raw)), nil}
}

func (x *component) template(v *vocabulary) (before, behind []int32, err error) {
	const field = "post_processor.single"
	ids := &before
	for i, piece := range x.Single {
		where := fmt.Sprintf("%s[%d]", field, i)
		switch {
		case piece.Sequence != nil && piece.Sequence.ID == "A" && ids == &before:
			ids = &behind
		case piece.SpecialToken != nil:
			token, ok := x.SpecialTokens[piece.SpecialToken.ID]
			if !ok {
				return nil, nil, &FileError{tokenizerFile, where, "a token of post_processor.special_tokens", quote(piece.SpecialToken.ID), nil}
			}
			for _, id := range token.IDs {
				if id < 0 || int(id) >= len(v.pieces) {
					return nil, nil, &FileError{tokenizerFile, where, fmt.Sprintf("an id below %d", len(v.pieces)), fmt.Sprint(id), nil}
				}
			}
			if *ids = append(*ids, token.IDs...); len(*ids) > maxComponents {
				return nil, nil, &FileError{tokenizerFile, where, fmt.Sprintf("at most %d special ids", maxComponents), "more", nil}
			}
		default:
			return nil, nil, &FileError{tokenizerFile, where, "a special token, or the sequence A once", "something else", nil}
		}
	}
	if ids == &before {
		return nil, nil, &FileError{tokenizerFile, field, "the sequence A", "none", nil}
	}
	return before, behind, nil
}
