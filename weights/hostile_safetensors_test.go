package weights

import (
	"encoding/binary"
	"fmt"
	"strings"
)

func hostileSafetensors() []hostile {
	const entry = `{"dtype":"F32","shape":[1],"data_offsets":[0,4]}`
	one := func(shape, offsets string) string {
		return `{"a":{"dtype":"F32","shape":` + shape + `,"data_offsets":` + offsets + `}}`
	}
	length := func(n uint64, rest string) []byte {
		return append(binary.LittleEndian.AppendUint64(nil, n), rest...)
	}
	many := func(n int, f func(i int) string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = f(i)
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	bad := func(name, header string, n int, says ...string) hostile {
		return hostile{"safetensors: " + name, safetensorsFile(header, n), formatError, says}
	}
	limit := func(name, header string, n int, says ...string) hostile {
		return hostile{"safetensors: " + name, safetensorsFile(header, n), limitError, says}
	}
	return []hostile{
		{"empty file", nil, formatError, []string{"0 bytes"}},
		{"seven bytes", make([]byte, 7), formatError, []string{"7 bytes"}},
		{"header length 0", make([]byte, 64), formatError, []string{"header"}},
		{"header length 2^64-1", length(1<<64-1, "{}"), formatError, []string{"18446744073709551615 bytes", "2 bytes"}},
		{"header beyond the file", length(3, "{}"), formatError, []string{"3 bytes", "2 bytes"}},
		{"header above the limit", safetensorsFile("{"+strings.Repeat(" ", maxHeader)+"}", 0), limitError, []string{"header"}},
		{"web page", []byte("<!DOCTYPE html><html><body>404 not found</body></html>"), formatError, []string{"header"}},
		{"Git LFS pointer", []byte("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"), formatError, []string{"Git LFS"}},
		{"HDF5", append([]byte("\x89HDF\r\n\x1a\n"), make([]byte, 600)...), unsupportedError, []string{"HDF"}},
		{"tar", append(append(make([]byte, 257), "ustar"...), make([]byte, 600)...), unsupportedError, []string{"tar"}},
		bad("bad JSON", `{"a":}`, 0, "JSON"),
		bad("unterminated string", `{"a`, 0, "early"),
		bad("unterminated object", `{"a":`+entry, 4, "early"),
		bad("null", `null`, 0, "null"),
		bad("leading space", ` {"a":`+entry+`}`, 4, "first byte"),
		bad("text behind", `{"a":`+entry+`}x`, 4, "end"),
		bad("invalid UTF-8", "{\"a\xff\":"+entry+"}", 4, "UTF-8"),
		bad("lone surrogate", `{"\ud800":`+entry+`}`, 4, "Unicode"),
		bad("duplicate name", `{"a":`+entry+`,"a":`+entry+`}`, 4, `"a" twice`),
		bad("duplicate name by escape", `{"a":`+entry+`,"\u0061":`+entry+`}`, 4, `"a" twice`),
		bad("duplicate field", `{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4, `"a"`, `"dtype" twice`),
		bad("unknown field", `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":0}}`, 4, `"a"`, `"x"`),
		bad("no shape", `{"a":{"dtype":"F32","data_offsets":[0,4]}}`, 4, `"a"`, "shape"),
		bad("no offsets", `{"a":{"dtype":"F32","shape":[1]}}`, 4, `"a"`, "data_offsets"),
		bad("entry is a number", `{"a":1}`, 0, `"a"`),
		bad("unknown type", `{"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}}`, 4, `"a"`, "F33"),
		{"safetensors: 8-bit float", safetensorsFile(`{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}`, 1), unsupportedError, []string{`"a"`, "F8_E4M3"}},
		bad("overlap", `{"a":`+entry+`,"b":`+entry+`}`, 4, `"b"`, "overlap"),
		bad("contained", `{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 12, `"b"`, "overlap"),
		bad("gap", `{"a":`+entry+`,"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}`, 12, `"b"`, "gap"),
		bad("out of range", one("[2]", "[0,8]"), 4, `"a"`, "4 bytes"),
		bad("far out of range", one("[1]", "[18446744073709551612,18446744073709551615]"), 4, `"a"`),
		bad("data left over", one("[1]", "[0,4]"), 8, "4 bytes", "8 bytes"),
		bad("offsets reversed", one("[1]", "[4,0]"), 4, `"a"`, "begin"),
		bad("offsets do not fit the shape", one("[3]", "[0,4]"), 4, `"a"`, "12 bytes"),
		bad("three offsets", one("[1]", "[0,4,4]"), 4, `"a"`, "data_offsets"),
		bad("negative offset", one("[1]", "[-4,0]"), 4, `"a"`, "-4"),
		bad("negative size", one("[-1]", "[0,4]"), 4, `"a"`, "-1"),
		bad("fraction", one("[1.5]", "[0,4]"), 4, `"a"`, "1.5"),
		bad("size of 2^64", one("[18446744073709551616]", "[0,4]"), 4, `"a"`, "18446744073709551616"),
		bad("shape overflows", one("[4294967296,4294967296]", "[0,0]"), 0, `"a"`, "shape"),
		bad("bytes overflow", one("[4611686018427387904]", "[0,0]"), 0, `"a"`, "shape"),
		bad("shape overflows beside a zero", one("[0,4294967296,4294967296]", "[0,0]"), 0, `"a"`, "shape"),
		bad("wrapping to a small size", one("[2305843009213693953,2]", "[0,8]"), 8, `"a"`),
		limit("seventeen axes", one("["+strings.Repeat("1,", 16)+"1]", "[0,4]"), 4, `"a"`, "axes"),
		limit("a million axes", one("["+strings.Repeat("1,", 1_000_000)+"1]", "[0,4]"), 4, `"a"`, "axes"),
		bad("a million brackets", one(strings.Repeat("[", 1_000_000), "[0,4]"), 4, `"a"`, "shape"),
		bad("brackets as a name", strings.Repeat(`{"a":`, 300_000), 0),
		bad("a long name", `{"`+strings.Repeat("a", 1_500_000)+`":1}`, 0, "…"),
		limit("too many tensors", many(maxTensors+1, func(i int) string {
			return fmt.Sprintf(`"%d":{"dtype":"U8","shape":[],"data_offsets":[%d,%d]}`, i, i, i+1)
		}), maxTensors+1, "tensors"),
		bad("most tensors, all wrong", many(maxTensors, func(i int) string {
			return fmt.Sprintf(`"%d":{"dtype":"U8","shape":[],"data_offsets":[0,1]}`, i)
		}), 1, "overlap"),
		bad("most tensors, wrong at the end", many(maxTensors, func(i int) string {
			return fmt.Sprintf(`"%d":{"dtype":"U8","shape":[],"data_offsets":[%d,%d]}`, i, i, i+1)
		}), maxTensors-1, "offsets"),
		limit("too much metadata", `{"__metadata__":`+many(maxMetadata+1, func(i int) string { return fmt.Sprintf(`"%d":""`, i) })+`}`, 0, "__metadata__"),
		bad("metadata is a number", `{"__metadata__":{"k":1}}`, 0, "__metadata__", `"k"`),
		bad("metadata key twice", `{"__metadata__":{"k":"","k":""}}`, 0, `"k" twice`),
		bad("metadata twice", `{"__metadata__":{},"__metadata__":{}}`, 0, "__metadata__"),
		bad("metadata null", `{"__metadata__":null}`, 0, "__metadata__"),
	}
}
