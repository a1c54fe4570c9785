package weights

import (
	"bytes"
	"slices"
)

// Kind is the format of a weights file.
type Kind string

// The formats that Open tells apart.
const (
	Safetensors Kind = "safetensors"
	TorchZip    Kind = "torch zip"
	TorchLegacy Kind = "torch legacy"
)

// File is an open weights file. Its methods may be used by several goroutines at
// once; Close must come after all of them, and after the last use of a view.
type File struct {
	path    string
	kind    Kind
	m       *mapping
	tensors []Tensor
	index   map[string]int
	meta    map[string]string
	root    Value
}

// Open opens a weights file, finds out its format from its first bytes, and reads and
// checks its structure. The data of the tensors is not touched.
func Open(path string) (*File, error) {
	m, err := openMapping(path)
	if err != nil {
		return nil, err
	}
	return newFile(m)
}

// OpenBytes reads a weights file from memory, such as one embedded in the program. name
// stands for its path. data must not change while the File is in use; views point into it.
func OpenBytes(name string, data []byte) (*File, error) {
	return newFile(&mapping{path: name, data: data, size: int64(len(data))})
}

// newFile reads the structure of a mapped file; it closes the mapping if that fails.
func newFile(m *mapping) (*File, error) {
	f := &File{path: m.path, m: m}
	err := m.locked(f.read)
	if err == nil {
		err = f.attachScales()
	}
	if err != nil {
		m.close()
		return nil, err
	}
	f.index = make(map[string]int, len(f.tensors))
	for i, t := range f.tensors {
		f.index[t.Name] = i
	}
	return f, nil
}

// read chooses the format. A safetensors file begins with the length of a JSON object,
// so its ninth byte tells it from the others, whatever the length is.
func (f *File) read() error {
	data := []byte(f.m.data)
	switch {
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		f.kind = TorchZip
		return f.readZip(data)
	case len(data) >= 2 && data[0] == opProto && data[1] >= 2 && data[1] <= 5 && (len(data) < 9 || data[8] != '{'):
		f.kind = TorchLegacy
		return f.readLegacy(data)
	case len(data) > 262 && string(data[257:262]) == "ustar":
		return &UnsupportedError{Path: f.path, What: "file format", Got: "a tar archive (torch before 0.1.10)"}
	case bytes.HasPrefix(data, []byte("\x89HDF")), bytes.HasPrefix(data, []byte("GGUF")), bytes.HasPrefix(data, []byte("\x93NUMPY")):
		return &UnsupportedError{Path: f.path, What: "file format", Got: quote(string(data[:min(6, len(data))]))}
	case bytes.HasPrefix(data, []byte("version https://git-lfs")):
		return &FormatError{Path: f.path, What: "weights file", Want: "safetensors or torch data", Got: "a Git LFS pointer; the data was not downloaded"}
	}
	f.kind = Safetensors
	return f.readSafetensors(data)
}

// Path returns the path given to Open.
func (f *File) Path() string { return f.path }

// Kind returns the format found.
func (f *File) Kind() Kind { return f.kind }

// Size returns the length of the file in bytes.
func (f *File) Size() int64 { return f.m.size }

// Tensors describes all tensors, in the order of the file: by position of the data in
// a safetensors file, in state-dict order in a torch file.
func (f *File) Tensors() []Info {
	infos := make([]Info, len(f.tensors))
	for i, t := range f.tensors {
		infos[i] = t.Info
		infos[i].Shape = slices.Clone(t.Shape)
	}
	return infos
}

// Tensor returns the tensor of that name, or a [NotFoundError].
func (f *File) Tensor(name string) (Tensor, error) {
	i, ok := f.index[name]
	if !ok {
		return Tensor{}, &NotFoundError{Path: f.path, Tensor: name}
	}
	return f.tensors[i], nil
}

// Metadata returns the string pairs of a safetensors header; nil if there are none.
func (f *File) Metadata() map[string]string { return f.meta }

// Value returns everything a torch file holds as a tree: a training checkpoint has its
// epoch and its optimizer state there. It is nil for a safetensors file.
func (f *File) Value() Value { return f.root }

// Check reports, cheaply, whether the file is still as long as when it was opened. The
// error is a [FaultError].
func (f *File) Check() error { return f.m.check() }

// Guard runs fn, which reads views of the file, and returns a [FaultError] if the file
// shrank meanwhile, whether or not a lost page was touched. Other panics pass through. The
// package documentation says what goroutines started by fn have to do.
//
// What fn computed must be thrown away when Guard returns an error.
func (f *File) Guard(fn func() error) error { return f.m.guard(fn) }

// Close unmaps the file. All views become invalid. A second Close does nothing.
func (f *File) Close() error { return f.m.close() }
