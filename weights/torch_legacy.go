package weights

import (
	"encoding/binary"
	"fmt"
	"math/big"
)

// The stream that torch.save wrote before version 1.6, and still does on request: a magic
// number, a protocol version, the properties of the machine, the object, and the keys of its
// storages, each a pickle; then for each key the number of elements and the elements.

// legacyMagic is the number 0x1950a86a20f9469cfc6c.
var legacyMagic, _ = new(big.Int).SetString("1950a86a20f9469cfc6c", 16)

const legacyVersion = 1001

type legacyStream struct {
	f     *File
	u     *unpickler
	known map[string]*legacyStorage
	views []legacyView
}

type legacyStorage struct {
	st   *storage
	unit int64 // bytes of an element
	read bool
}

type legacyView struct {
	st     *storage
	parent *legacyStorage
	off    int64
}

func (f *File) readLegacy(data []byte) error {
	l := &legacyStream{f: f, known: make(map[string]*legacyStorage)}
	l.u = &unpickler{path: f.path, data: data, storage: l.storage}
	if err := l.preamble(); err != nil {
		return err
	}
	root, err := l.u.load()
	if err != nil {
		return err
	}
	keys, err := l.u.load()
	if err != nil {
		return err
	}
	if err := l.storages(keys); err != nil {
		return err
	}
	return f.setRoot(root)
}

// preamble reads the three pickles before the object.
func (l *legacyStream) preamble() error {
	bad := func(what, want string, got Value) error {
		return &FormatError{Path: l.f.path, What: what, Want: want, Got: typeName(got) + " " + intText(got)}
	}
	magic, err := l.u.load()
	if err != nil {
		return err
	}
	if n, ok := magic.(*big.Int); !ok || n.Cmp(legacyMagic) != 0 {
		return bad("pickle that is no zip archive", "the magic number of torch.save first", magic)
	}
	version, err := l.u.load()
	if err != nil {
		return err
	}
	if version != Value(int64(legacyVersion)) {
		return bad("protocol version", fmt.Sprint(legacyVersion), version)
	}
	system, err := l.u.load()
	if err != nil {
		return err
	}
	d, ok := system.(*Dict)
	if !ok {
		return bad("system properties", "a dictionary", system)
	}
	if little, ok := d.Get("little_endian"); ok && little != Value(true) {
		return &UnsupportedError{Path: l.f.path, What: "byte order", Got: "not little-endian"}
	}
	return nil
}

// storage notes a storage whose place in the file is not known yet.
func (l *legacyStream) storage(id persistentID) (storageRef, error) {
	s := l.known[id.key]
	if s == nil {
		s = &legacyStorage{st: &storage{m: l.f.m, key: id.key, bytes: id.bytes}, unit: 1}
		if id.dtype != "" {
			s.unit = int64(id.dtype.Size())
		}
		l.known[id.key] = s
	}
	if s.st.bytes != id.bytes {
		return storageRef{}, &FormatError{Path: l.f.path, What: "storage " + quote(id.key), Want: plural64(uint64(s.st.bytes), "byte") + ", as said before", Got: plural64(uint64(id.bytes), "byte")}
	}
	if id.view == nil {
		return storageRef{s.st, id.dtype}, nil
	}
	st := &storage{m: l.f.m, key: id.key, bytes: id.view.bytes}
	l.views = append(l.views, legacyView{st, s, id.view.off})
	return storageRef{st, id.dtype}, l.u.charge(128)
}

// storages finds the data that follows the pickles.
func (l *legacyStream) storages(keys Value) error {
	list, ok := keys.(*List)
	if !ok {
		return &FormatError{Path: l.f.path, What: "keys of the storages", Want: "a list", Got: typeName(keys)}
	}
	data, pos := l.u.data, int64(l.u.pos)
	for _, k := range list.Items {
		key, _ := k.(string)
		s := l.known[key]
		if s == nil || s.read {
			return &FormatError{Path: l.f.path, What: "keys of the storages", Want: "each storage of the pickle once", Got: typeName(k) + " " + quote(key)}
		}
		bad := func(want, got string) error {
			return &FormatError{Path: l.f.path, What: "storage " + quote(key), Want: want, Got: got}
		}
		if int64(len(data))-pos < 8 {
			return bad("its number of elements", "the end of the file")
		}
		n := binary.LittleEndian.Uint64(data[pos:])
		pos += 8
		if n != uint64(s.st.bytes/s.unit) {
			return bad(plural64(uint64(s.st.bytes/s.unit), "element")+", as the pickle says", plural64(n, "element"))
		}
		if s.st.bytes > int64(len(data))-pos {
			return bad(plural64(uint64(s.st.bytes), "byte"), plural64(uint64(int64(len(data))-pos), "byte")+" to the end of the file")
		}
		s.st.off, s.read = pos, true
		pos += s.st.bytes
	}
	for key, s := range l.known {
		if !s.read {
			return &FormatError{Path: l.f.path, What: "keys of the storages", Want: "storage " + quote(key), Got: "a list without it"}
		}
	}
	for _, v := range l.views {
		v.st.off = v.parent.st.off + v.off
	}
	return nil
}
