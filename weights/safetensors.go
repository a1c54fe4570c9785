package weights

import (
	"encoding/binary"
	"sort"

	"github.com/nlpodyssey/safetensors"
)

// Limits of a safetensors header. A CoCa L-14 has 773 tensors and a header of 83 kB; the
// format itself allows 100 MB, which costs gigabytes once decoded.
const (
	maxHeader      = 2 << 20
	maxTensors     = 1 << 15
	maxMetadata    = 1 << 12
	maxRank        = 16
	headerLenBytes = 8
)

// readSafetensors checks the header strictly (see parseHeader), then lets the safetensors
// library cut the mapping into views.
func (f *File) readSafetensors(data []byte) error {
	if len(data) < headerLenBytes+2 {
		return &FormatError{Path: f.path, What: "file", Want: "a safetensors header or a torch archive", Got: plural(len(data), "byte")}
	}
	n := binary.LittleEndian.Uint64(data)
	rest := uint64(len(data) - headerLenBytes)
	if n > rest {
		return &FormatError{Path: f.path, What: "length of the safetensors header", Want: "at most the " + plural(int(rest), "byte") + " that follow", Got: plural64(n, "byte")}
	}
	if n > maxHeader {
		return &LimitError{Path: f.path, What: "length of the safetensors header", Limit: maxHeader, Got: n}
	}
	header, err := parseHeader(f.path, data[headerLenBytes:headerLenBytes+n])
	if err != nil {
		return err
	}
	start := headerLenBytes + int64(n)
	if err := header.checkLayout(f.path, rest-n); err != nil {
		return err
	}
	views, err := safetensors.Deserialize(data)
	if err != nil {
		return &FormatError{Path: f.path, What: "safetensors header", Got: err.Error()}
	}
	f.meta = header.metadata
	f.tensors = make([]Tensor, 0, len(header.entries))
	for _, e := range header.entries {
		view, ok := views.Tensor(e.Name)
		if !ok || view.DataLen() != e.end-e.begin {
			return &FormatError{Path: f.path, Tensor: e.Name, What: "safetensors entry", Want: plural64(e.end-e.begin, "byte"), Got: plural64(view.DataLen(), "byte")}
		}
		st := &storage{m: f.m, key: e.Name, off: start + int64(e.begin), bytes: int64(view.DataLen())}
		t, err := newTensor(f.path, e.Info, st, 0, nil)
		if err != nil {
			return err
		}
		f.tensors = append(f.tensors, t)
	}
	return nil
}

// header is a checked safetensors header; its entries are in order of their data.
type header struct {
	metadata map[string]string
	entries  []headerEntry
}

type headerEntry struct {
	Info
	begin, end uint64 // bytes after the header
}

// checkLayout sorts the entries by position and requires what the reference
// implementation requires: each tensor begins where the one before ends, its length is that of
// its shape, and the last one ends with the file. Alignment is not required; what is misaligned is
// copied when it is read.
func (h *header) checkLayout(path string, size uint64) error {
	sort.SliceStable(h.entries, func(i, j int) bool {
		a, b := h.entries[i], h.entries[j]
		return a.begin < b.begin || a.begin == b.begin && a.end < b.end
	})
	at := uint64(0)
	for _, e := range h.entries {
		bad := func(what, want, got string) error {
			return &FormatError{Path: path, Tensor: e.Name, What: what, Want: want, Got: got}
		}
		n, ok := checkedElems(e.Shape)
		if !ok || n > int(^uint(0)>>1)/e.DType.Size() {
			return bad("shape", "a size in bytes that fits", intsString(e.Shape))
		}
		want := uint64(n * e.DType.Size())
		switch {
		case e.begin > e.end:
			return bad("data_offsets", "begin before end", offsetsString(e))
		case e.begin < at:
			return bad("data_offsets", "no overlap: a begin of "+plural64(at, "byte"), offsetsString(e))
		case e.begin > at:
			return bad("data_offsets", "no gap: a begin of "+plural64(at, "byte"), offsetsString(e))
		case e.end > size:
			return bad("data_offsets", "an end within the "+plural64(size, "byte")+" of data", offsetsString(e))
		case e.end-e.begin != want:
			return bad("data_offsets", plural64(want, "byte")+" for "+string(e.DType)+" "+intsString(e.Shape), plural64(e.end-e.begin, "byte"))
		}
		at = e.end
	}
	if at != size {
		return &FormatError{Path: path, What: "data of the safetensors file", Want: plural64(at, "byte"), Got: plural64(size, "byte")}
	}
	return nil
}
