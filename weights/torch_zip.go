package weights

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
)

// Limits of torch archives.
const (
	// maxDirectory bounds what is read to find the members of an archive: some 40,000
	// names of usual length.
	maxDirectory = 4 << 20
	// maxPickle bounds the bytes of data.pkl.
	maxPickle = 16 << 20
	// A compressed member may unpack to maxRatio times its size (weights hardly compress at
	// all), or to smallMember if that is more. Deflate itself reaches 1032.
	maxRatio    = 64
	smallMember = 1 << 20
)

// archive is the zip file that torch.save writes: one folder with data.pkl, data/KEY for each
// storage, byteorder and small things.
type archive struct {
	f       *File
	data    []byte
	members map[string]*zip.File // by name within the folder

	mu     sync.Mutex
	name   string // the member unpacked last, and its bytes
	cached []byte
}

func newArchive(f *File, data []byte) *archive {
	return &archive{f: f, data: data, members: make(map[string]*zip.File)}
}

func (f *File) readZip(data []byte) error {
	a := newArchive(f, data)
	if err := a.directory(); err != nil {
		return err
	}
	pkl, err := a.small("data.pkl", maxPickle)
	if err != nil {
		return err
	}
	if _, ok := a.members["byteorder"]; ok {
		order, err := a.small("byteorder", 64)
		if err != nil {
			return err
		}
		if string(order) != "little" {
			return &UnsupportedError{Path: f.path, What: "byte order", Got: quote(string(order))}
		}
	}
	storages := make(map[string]*storage)
	u := &unpickler{path: f.path, data: pkl, storage: func(id persistentID) (storageRef, error) {
		st, err := a.storage(storages, id)
		return storageRef{st, id.dtype}, err
	}}
	root, err := u.load()
	if err != nil {
		return err
	}
	if u.pos != len(pkl) {
		return &FormatError{Path: f.path, What: "data.pkl", Want: "its end at byte " + fmt.Sprint(u.pos), Got: plural(len(pkl), "byte")}
	}
	return f.setRoot(root)
}

// directory lists the members of the archive's one folder.
func (a *archive) directory() error {
	path := a.f.path
	limited := &limitedReaderAt{r: bytes.NewReader(a.data), left: maxDirectory}
	r, err := zip.NewReader(limited, int64(len(a.data)))
	if limited.left < 0 {
		return &LimitError{Path: path, What: "bytes of the zip directory", Limit: maxDirectory, Got: maxDirectory + 1}
	}
	if err != nil {
		return &FormatError{Path: path, What: "zip directory", Got: err.Error()}
	}
	limited.unlimited = true // from here on, reads are of members whose sizes are checked
	folder, found := "", false
	for _, f := range r.File {
		dir, base, ok := strings.Cut(f.Name, "/")
		if !ok || base != "data.pkl" {
			continue
		}
		if found {
			return &FormatError{Path: path, What: "zip directory", Want: "one data.pkl", Got: quote(folder+"data.pkl") + " and " + quote(f.Name)}
		}
		folder, found = dir+"/", true
	}
	if !found {
		return &FormatError{Path: path, What: "zip directory", Want: "FOLDER/data.pkl, as torch.save writes it", Got: plural(len(r.File), "member") + " without it"}
	}
	for _, f := range r.File {
		name, ok := strings.CutPrefix(f.Name, folder)
		if !ok {
			continue
		}
		if a.members[name] != nil {
			return &FormatError{Path: path, What: "zip directory", Want: "each name once", Got: quote(f.Name) + " twice"}
		}
		a.members[name] = f
	}
	if a.members["constants.pkl"] != nil {
		return &UnsupportedError{Path: path, What: "TorchScript archive", Got: "constants.pkl in it; save the state dict instead"}
	}
	return nil
}

// locate checks a member's sizes against the file and returns where its data begins.
func (a *archive) locate(name string) (*zip.File, int64, error) {
	z := a.members[name]
	if z == nil {
		return nil, 0, &FormatError{Path: a.f.path, What: "zip archive", Want: "a member " + quote(name), Got: "none"}
	}
	bad := func(what, want, got string) (*zip.File, int64, error) {
		return nil, 0, &FormatError{Path: a.f.path, What: "zip member " + quote(name) + ": " + what, Want: want, Got: got}
	}
	if z.Flags&1 != 0 {
		return nil, 0, &UnsupportedError{Path: a.f.path, What: "zip member " + quote(name), Got: "it is encrypted"}
	}
	off, err := z.DataOffset()
	if err != nil {
		return bad("local header", "", err.Error())
	}
	if room := uint64(len(a.data)) - uint64(off); off < 0 || off > int64(len(a.data)) || z.CompressedSize64 > room {
		return bad("size", "data within the file of "+plural(len(a.data), "byte"), plural64(z.CompressedSize64, "byte")+fmt.Sprintf(" at %d", off))
	}
	switch z.Method {
	case zip.Store:
		if z.CompressedSize64 != z.UncompressedSize64 {
			return bad("size of a stored member", plural64(z.CompressedSize64, "byte"), plural64(z.UncompressedSize64, "byte"))
		}
	case zip.Deflate:
		limit := max(smallMember, z.CompressedSize64*maxRatio)
		if z.UncompressedSize64 > limit {
			return nil, 0, &LimitError{Path: a.f.path, What: "unpacked size of the zip member " + quote(name), Limit: limit, Got: z.UncompressedSize64}
		}
	default:
		return nil, 0, &UnsupportedError{Path: a.f.path, What: "compression of the zip member " + quote(name), Got: fmt.Sprintf("method %d", z.Method)}
	}
	return z, off, nil
}

// small returns a member of at most limit bytes.
func (a *archive) small(name string, limit uint64) ([]byte, error) {
	z, off, err := a.locate(name)
	if err != nil {
		return nil, err
	}
	if z.UncompressedSize64 > limit {
		return nil, &LimitError{Path: a.f.path, What: "size of the zip member " + quote(name), Limit: limit, Got: z.UncompressedSize64}
	}
	if z.Method == zip.Store {
		return a.data[off : off+int64(z.UncompressedSize64)], nil
	}
	return a.inflate(name, z)
}

// inflate unpacks a member. Its memory grows with what really comes out, up to the size that
// the directory gives.
func (a *archive) inflate(name string, z *zip.File) ([]byte, error) {
	bad := func(err error) error {
		return &FormatError{Path: a.f.path, What: "zip member " + quote(name), Want: plural64(z.UncompressedSize64, "byte"), Got: err.Error()}
	}
	r, err := z.Open()
	if err != nil {
		return nil, bad(err)
	}
	defer r.Close()
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(r, int64(z.UncompressedSize64)+1))
	if err != nil {
		return nil, bad(err)
	}
	if uint64(n) != z.UncompressedSize64 {
		return nil, bad(fmt.Errorf("%d bytes", n))
	}
	return b.Bytes(), nil
}

// storage returns the storage of a persistent id; tensors that share one get the same.
func (a *archive) storage(known map[string]*storage, id persistentID) (*storage, error) {
	name := "data/" + id.key
	if id.view != nil {
		return nil, &FormatError{Path: a.f.path, What: "storage " + quote(name), Want: "no view in a zip archive", Got: "one"}
	}
	if st := known[id.key]; st != nil {
		if st.bytes != id.bytes {
			return nil, &FormatError{Path: a.f.path, What: "storage " + quote(name), Want: plural64(uint64(st.bytes), "byte") + ", as said before", Got: plural64(uint64(id.bytes), "byte")}
		}
		return st, nil
	}
	z, off, err := a.locate(name)
	if err != nil {
		return nil, err
	}
	// A storage may end with a few bytes that make no whole element.
	unit := uint64(1)
	if id.dtype != "" {
		unit = uint64(id.dtype.Size())
	}
	if z.UncompressedSize64 < uint64(id.bytes) || z.UncompressedSize64-uint64(id.bytes) >= unit {
		return nil, &FormatError{Path: a.f.path, What: "storage " + quote(name), Want: plural64(uint64(id.bytes), "byte") + ", as the pickle says", Got: plural64(z.UncompressedSize64, "byte")}
	}
	st := &storage{m: a.f.m, key: name, off: off, bytes: id.bytes}
	if z.Method != zip.Store {
		st.unpack = func() ([]byte, error) { return a.unpack(name, z, id.bytes) }
	}
	known[id.key] = st
	return st, nil
}

// unpack inflates a storage and remembers the last one, for the tensors that share it.
func (a *archive) unpack(name string, z *zip.File, size int64) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cached == nil || a.name != name {
		a.name, a.cached = "", nil
		b, err := a.inflate(name, z)
		if err != nil {
			return nil, err
		}
		a.name, a.cached = name, b
	}
	return a.cached[:size], nil
}

// limitedReaderAt bounds the bytes read in all, until it is told not to. Only then may several
// goroutines use it.
type limitedReaderAt struct {
	r         io.ReaderAt
	left      int64
	unlimited bool
}

var errDirectory = errors.New("zip directory too large")

func (l *limitedReaderAt) ReadAt(p []byte, off int64) (int, error) {
	if l.unlimited {
		return l.r.ReadAt(p, off)
	}
	if l.left -= int64(len(p)); l.left < 0 {
		return 0, errDirectory
	}
	return l.r.ReadAt(p, off)
}
