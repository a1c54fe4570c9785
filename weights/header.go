package weights

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parseHeader reads the JSON of a safetensors header. It accepts what the reference
// implementation writes and refuses, beyond what that one refuses on reading: duplicate
// names, white space before the object, unknown fields, and sizes above the limits of this package.
func parseHeader(path string, b []byte) (*header, error) {
	p := &headerParser{path: path, h: new(header)}
	if len(b) == 0 || b[0] != '{' {
		return nil, p.bad("safetensors header", "{ as its first byte", quote(string(b[:min(len(b), 8)])))
	}
	if !utf8.Valid(b) {
		return nil, p.bad("safetensors header", "valid UTF-8", "an invalid sequence")
	}
	p.dec = json.NewDecoder(bytes.NewReader(b))
	p.dec.UseNumber()
	if err := p.object(); err != nil {
		return nil, err
	}
	if rest := bytes.TrimLeft(b[p.dec.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return nil, p.bad("end of the safetensors header", "spaces", quote(string(rest)))
	}
	return p.h, nil
}

type headerParser struct {
	path   string
	tensor string
	dec    *json.Decoder
	h      *header
}

func (p *headerParser) bad(what, want, got string) error {
	return &FormatError{Path: p.path, Tensor: p.tensor, What: what, Want: want, Got: got}
}

// token returns the next JSON token.
func (p *headerParser) token() (json.Token, error) {
	t, err := p.dec.Token()
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil, p.bad("safetensors header", "a complete JSON object", "its end too early")
	}
	if err != nil {
		return nil, p.bad("safetensors header", "JSON", err.Error())
	}
	return t, nil
}

// delim requires one of the four JSON brackets.
func (p *headerParser) delim(what string, want json.Delim) error {
	t, err := p.token()
	if err != nil {
		return err
	}
	if t != want {
		return p.bad(what, want.String(), tokenString(t))
	}
	return nil
}

func (p *headerParser) string(what string) (string, error) {
	t, err := p.token()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", p.bad(what, "a string", tokenString(t))
	}
	// The decoder writes U+FFFD for half of a surrogate pair, which no name contains.
	if strings.ContainsRune(s, utf8.RuneError) {
		return "", p.bad(what, "valid Unicode", quote(s))
	}
	return s, nil
}

// object reads the whole header.
func (p *headerParser) object() error {
	if err := p.delim("safetensors header", '{'); err != nil {
		return err
	}
	seen := make(map[string]bool)
	for p.dec.More() {
		p.tensor = ""
		name, err := p.string("name in the safetensors header")
		if err != nil {
			return err
		}
		if seen[name] {
			return p.bad("safetensors header", "each name once", quote(name)+" twice")
		}
		seen[name] = true
		if name == metadataName {
			err = p.metadata()
		} else {
			p.tensor = name
			err = p.entry(name)
		}
		if err != nil {
			return err
		}
	}
	p.tensor = ""
	return p.delim("safetensors header", '}')
}

func (p *headerParser) metadata() error {
	if err := p.delim("__metadata__", '{'); err != nil {
		return err
	}
	p.h.metadata = make(map[string]string)
	for p.dec.More() {
		key, err := p.string("key of __metadata__")
		if err != nil {
			return err
		}
		if _, ok := p.h.metadata[key]; ok {
			return p.bad("__metadata__", "each key once", quote(key)+" twice")
		}
		if len(p.h.metadata) == maxMetadata {
			return &LimitError{Path: p.path, What: "keys of __metadata__", Limit: maxMetadata, Got: maxMetadata + 1}
		}
		if p.h.metadata[key], err = p.string("__metadata__ value of " + quote(key)); err != nil {
			return err
		}
	}
	return p.delim("__metadata__", '}')
}

// entry reads {"dtype": …, "shape": […], "data_offsets": [b, e]}, in any order.
func (p *headerParser) entry(name string) error {
	if len(p.h.entries) == maxTensors {
		return &LimitError{Path: p.path, Tensor: name, What: "tensors in one file", Limit: maxTensors, Got: maxTensors + 1}
	}
	if err := p.delim("entry", '{'); err != nil {
		return err
	}
	e := headerEntry{Info: Info{Name: name}}
	seen := make(map[string]bool, 3)
	for p.dec.More() {
		field, err := p.string("field name")
		if err != nil {
			return err
		}
		if seen[field] {
			return p.bad("entry", "each field once", quote(field)+" twice")
		}
		seen[field] = true
		switch field {
		case "dtype":
			err = p.dtype(&e)
		case "shape":
			err = p.shape(&e)
		case "data_offsets":
			err = p.offsets(&e)
		default:
			err = p.bad("entry", "dtype, shape and data_offsets", "a field "+quote(field))
		}
		if err != nil {
			return err
		}
	}
	for _, field := range [...]string{"dtype", "shape", "data_offsets"} {
		if !seen[field] {
			return p.bad("entry", "a field "+field, "none")
		}
	}
	p.h.entries = append(p.h.entries, e)
	return p.delim("entry", '}')
}

func (p *headerParser) dtype(e *headerEntry) error {
	s, err := p.string("dtype")
	if err != nil {
		return err
	}
	e.DType = DType(s)
	if readable(e.DType) {
		return nil
	}
	switch e.DType {
	case F8E4M3, F8E5M2, C64, "F4", "F6_E2M3", "F6_E3M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ":
		return &UnsupportedError{Path: p.path, Tensor: e.Name, What: "dtype", Got: s}
	}
	return p.bad("dtype", "a safetensors type name", quote(s))
}

// readable tells which types safetensors files may hold here: those of the library that
// reads them.
func readable(d DType) bool {
	switch d {
	case Bool, U8, I8, U16, I16, F16, BF16, U32, I32, F32, U64, I64, F64:
		return true
	}
	return false
}

func (p *headerParser) shape(e *headerEntry) error {
	if err := p.delim("shape", '['); err != nil {
		return err
	}
	e.Shape = []int{}
	for p.dec.More() {
		if len(e.Shape) == maxRank {
			return &LimitError{Path: p.path, Tensor: e.Name, What: "axes of a shape", Limit: maxRank, Got: maxRank + 1}
		}
		n, err := p.natural("shape")
		if err != nil {
			return err
		}
		if n != uint64(int(n)) || int(n) < 0 {
			return p.bad("shape", "sizes that fit", strconv.FormatUint(n, 10))
		}
		e.Shape = append(e.Shape, int(n))
	}
	return p.delim("shape", ']')
}

func (p *headerParser) offsets(e *headerEntry) (err error) {
	if err := p.delim("data_offsets", '['); err != nil {
		return err
	}
	if e.begin, err = p.natural("data_offsets"); err != nil {
		return err
	}
	if e.end, err = p.natural("data_offsets"); err != nil {
		return err
	}
	return p.delim("data_offsets", ']')
}

// natural reads a number written as digits only.
func (p *headerParser) natural(what string) (uint64, error) {
	t, err := p.token()
	if err != nil {
		return 0, err
	}
	s, ok := t.(json.Number)
	if !ok {
		return 0, p.bad(what, "a natural number", tokenString(t))
	}
	n, err := strconv.ParseUint(string(s), 10, 64)
	if err != nil {
		return 0, p.bad(what, "a natural number below 2^64", quote(string(s)))
	}
	return n, nil
}

func tokenString(t json.Token) string {
	if s, ok := t.(string); ok {
		return "the string " + quote(s)
	}
	if t == nil {
		return "null"
	}
	return fmt.Sprint(t)
}
