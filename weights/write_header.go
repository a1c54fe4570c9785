package weights

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// layOut checks the items, sorts them into the order of the file and adds up their bytes.
func layOut(path string, items []Item) ([]Item, int64, error) {
	if len(items) > maxTensors {
		return nil, 0, &LimitError{Path: path, What: "tensors in one file", Limit: maxTensors, Got: uint64(len(items))}
	}
	items = slices.Clone(items)
	total := int64(0)
	for _, it := range items {
		bad := func(what, want, got string) error {
			return &FormatError{Path: path, Tensor: it.Name, What: what, Want: want, Got: got}
		}
		if !readable(it.DType) {
			return nil, 0, &UnsupportedError{Path: path, Tensor: it.Name, What: "type in a safetensors file", Got: quote(string(it.DType))}
		}
		n, ok := checkedElems(it.Shape)
		if !ok || int64(n) > (math.MaxInt64-total)/int64(it.DType.Size()) {
			return nil, 0, bad("shape", "a size in bytes that fits", intsString(it.Shape))
		}
		if len(it.Shape) > maxRank {
			return nil, 0, &LimitError{Path: path, Tensor: it.Name, What: "axes of a shape", Limit: maxRank, Got: uint64(len(it.Shape))}
		}
		if it.Name == metadataName || !validText(it.Name) {
			return nil, 0, bad("name", "valid UTF-8 other than "+metadataName, quote(it.Name))
		}
		total += int64(n * it.DType.Size())
	}
	slices.SortStableFunc(items, func(a, b Item) int {
		if a.DType != b.DType {
			return b.DType.rank() - a.DType.rank()
		}
		return strings.Compare(a.Name, b.Name)
	})
	seen := make(map[string]bool, len(items))
	for _, it := range items {
		if seen[it.Name] {
			return nil, 0, &FormatError{Path: path, Tensor: it.Name, What: "names", Want: "each once", Got: "two"}
		}
		seen[it.Name] = true
	}
	return items, total, nil
}

// metadataName is the one name in a header that is not a tensor's.
const metadataName = "__metadata__"

// encodeHeader writes the length and the JSON of a header, in the order of the items.
func encodeHeader(path string, items []Item, metadata map[string]string) ([]byte, error) {
	if len(metadata) > maxMetadata {
		return nil, &LimitError{Path: path, What: "keys of __metadata__", Limit: maxMetadata, Got: uint64(len(metadata))}
	}
	b := make([]byte, headerLenBytes, 256+128*len(items))
	b = append(b, '{')
	if len(metadata) > 0 {
		b = append(b, `"__metadata__":{`...)
		keys := make([]string, 0, len(metadata))
		for k, v := range metadata {
			if !validText(k) || !validText(v) {
				return nil, &FormatError{Path: path, What: metadataName, Want: "valid UTF-8", Got: quote(k) + ": " + quote(v)}
			}
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for i, k := range keys {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, k)
			b = append(b, ':')
			b = appendJSON(b, metadata[k])
		}
		b = append(b, "},"...)
	}
	at := 0
	for _, it := range items {
		end := at + it.Elems()*it.DType.Size()
		b = appendJSON(b, it.Name)
		b = append(b, `:{"dtype":"`...)
		b = append(b, it.DType...)
		b = append(b, `","shape":[`...)
		for i, d := range it.Shape {
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(b, int64(d), 10)
		}
		b = fmt.Appendf(b, `],"data_offsets":[%d,%d]},`, at, end)
		at = end
	}
	if b[len(b)-1] == ',' {
		b = b[:len(b)-1]
	}
	b = append(b, '}')
	for len(b)%8 != 0 {
		b = append(b, ' ')
	}
	n := uint64(len(b) - headerLenBytes)
	if n > maxHeader {
		return nil, &LimitError{Path: path, What: "length of the safetensors header", Limit: maxHeader, Got: n}
	}
	binary.LittleEndian.PutUint64(b, n)
	return b, nil
}

// validText tells whether parseHeader would take the string back.
func validText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, utf8.RuneError) }

// appendJSON writes a JSON string with no more escapes than JSON requires, as the reference does.
func appendJSON(b []byte, s string) []byte {
	short := map[byte]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`}
	b = append(b, '"')
	for i := range len(s) {
		c := s[i]
		if e, ok := short[c]; ok {
			b = append(b, e...)
		} else if c < 0x20 {
			b = fmt.Appendf(b, `\u%04x`, c)
		} else {
			b = append(b, c)
		}
	}
	return append(b, '"')
}
