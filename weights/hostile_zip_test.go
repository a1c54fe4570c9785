package weights

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"fmt"
	"strconv"
	"testing"
)

// deflate compresses; 128 MB of zeros become half a megabyte.
func deflate(t testing.TB, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<16)
	for size > 0 {
		n, err := w.Write(zeros[:min(size, len(zeros))])
		if err != nil {
			t.Fatal(err)
		}
		size -= n
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func hostileZips(t testing.TB) []hostile {
	good := torchZip(t, one(tensorSpec{}))
	bad := func(name string, data []byte, says ...string) hostile {
		return hostile{"zip: " + name, data, formatError, says}
	}
	unsupported := func(name string, data []byte, says ...string) hostile {
		return hostile{"zip: " + name, data, unsupportedError, says}
	}
	limit := func(name string, data []byte, says ...string) hostile {
		return hostile{"zip: " + name, data, limitError, says}
	}
	pkl := member{name: "m/data.pkl", data: one(tensorSpec{})}
	storage := func(data []byte, set func(*zip.FileHeader)) []byte {
		return zipFile(t, pkl, member{"m/data/0", data, set})
	}
	sizes := func(compressed, plain uint64) func(*zip.FileHeader) {
		return func(h *zip.FileHeader) { h.CompressedSize64, h.UncompressedSize64 = compressed, plain }
	}
	deflated := func(plain uint64) func(*zip.FileHeader) {
		return func(h *zip.FileHeader) { h.Method, h.UncompressedSize64 = zip.Deflate, plain }
	}
	huge := one(tensorSpec{elems: 1 << 25, shape: []int64{1 << 25}})
	bomb := deflate(t, 1<<27)
	var many []member
	for i := range 50_000 {
		many = append(many, member{name: fmt.Sprintf("m/%d-%060d", i, 0)})
	}
	var short []member
	for i := range 75_000 {
		short = append(short, member{name: strconv.FormatInt(int64(i), 36)})
	}
	badLocal := bytes.Clone(good)
	badLocal[bytes.Index(good, []byte("PK\x01\x02"))+42]++ // offset of the first local header

	return []hostile{
		bad("only the first bytes", []byte("PK\x03\x04"), "zip"),
		bad("cut at the end", good[:len(good)-10], "zip directory"),
		bad("cut in the middle", good[:len(good)/2], "zip directory"),
		bad("no data.pkl", zipFile(t, member{name: "m/data/0", data: make([]byte, 16)}), "data.pkl"),
		bad("data.pkl without folder", zipFile(t, member{name: "data.pkl", data: one(tensorSpec{})}), "data.pkl"),
		bad("two data.pkl", torchZip(t, one(tensorSpec{}), member{name: "n/data.pkl"}), "m/data.pkl", "n/data.pkl"),
		bad("a name twice", torchZip(t, one(tensorSpec{}), member{name: "m/data/0"}), "m/data/0"),
		bad("storage missing", zipFile(t, pkl), `"data/0"`, "none"),
		bad("storage too short", storage(make([]byte, 15), nil), `"data/0"`, "16 bytes", "15 bytes"),
		bad("storage too long", storage(make([]byte, 20), nil), `"data/0"`, "16 bytes", "20 bytes"),
		bad("size beyond the file", storage(make([]byte, 16), sizes(1<<40, 1<<40)), `"data/0"`, "1099511627776 bytes"),
		bad("size wraps", storage(make([]byte, 16), sizes(1<<64-2, 1<<64-2)), `"data/0"`),
		bad("stored with two sizes", storage(make([]byte, 16), sizes(16, 1<<20)), `"data/0"`, "1048576 bytes"),
		bad("local header elsewhere", badLocal, "header"),
		bad("pickle member cut", zipFile(t, member{"m/data.pkl", pkl.data[:40], nil}), `"w"`, "pickle, byte"),
		bad("pickle with a tail", torchZip(t, append(one(tensorSpec{}), 0)), "data.pkl"),
		bad("empty pickle", torchZip(t, nil), "pickle"),
		bad("deflated: more than it says", storage(deflate(t, 1<<20), deflated(16)), `"data/0"`),
		bad("deflated: less than it says", storage(deflate(t, 8), deflated(16)), `"data/0"`),
		bad("deflated: no deflate data", storage([]byte("xxxxxxxx"), deflated(16)), `"data/0"`),
		limit("deflated: a bomb that says so", zipFile(t, member{name: "m/data.pkl", data: huge}, member{"m/data/0", bomb, deflated(1 << 27)}), `"data/0"`),
		bad("deflated: a bomb that does not", storage(bomb, deflated(16)), `"data/0"`),
		limit("deflated: a pickle as bomb", zipFile(t, member{"m/data.pkl", bomb, deflated(1 << 27)}), `"data.pkl"`),
		limit("pickle above the limit", zipFile(t, member{name: "m/data.pkl", data: make([]byte, maxPickle+1)}), `"data.pkl"`),
		bad("as many members as fit", zipFile(t, short...), "75000 members"),
		limit("directory above the limit", zipFile(t, many...), "directory"),
		unsupported("encrypted", storage(make([]byte, 16), func(h *zip.FileHeader) { h.Flags |= 1 }), `"data/0"`, "encrypted"),
		unsupported("other compression", storage(make([]byte, 16), func(h *zip.FileHeader) { h.Method = 14 }), `"data/0"`, "method 14"),
		unsupported("big-endian", torchZip(t, one(tensorSpec{}), member{name: "m/byteorder", data: []byte("big")}), "byte order", "big"),
		unsupported("TorchScript", torchZip(t, one(tensorSpec{}), member{name: "m/constants.pkl"}), "TorchScript"),
		bad("a path as key", torchZip(t, one(tensorSpec{key: "../../etc/passwd"})), `"data/../../etc/passwd"`),
		bad("one storage of two sizes", torchZip(t, pickle(func(a *asm) {
			a.op(opEmptyDict).str("w").tensor(tensorSpec{}).op(opSetItem)
			a.str("v").tensor(tensorSpec{class: "DoubleStorage"}).op(opSetItem)
		})), `"data/0"`, "as said before"),
		bad("view of a storage", torchZip(t, one(tensorSpec{view: func(a *asm) { a.op(opMark).str("v").int(0).int(2).op(opTuple) }})), "view"),
	}
}
