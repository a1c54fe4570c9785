package weights

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"math/big"
	"testing"
)

// asm assembles pickles for tests, opcode by opcode.
type asm struct{ bytes.Buffer }

// pickle runs a program between PROTO 2 and STOP.
func pickle(program func(*asm)) []byte {
	var a asm
	a.op(opProto, 2)
	program(&a)
	a.op(opStop)
	return a.Bytes()
}

func (a *asm) op(b ...byte) *asm { a.Write(b); return a }

// sized writes an opcode, a length of width bytes, and the bytes.
func (a *asm) sized(op byte, width int, s string) *asm {
	a.WriteByte(op)
	a.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(s)))[:width])
	a.WriteString(s)
	return a
}

func (a *asm) str(s string) *asm { return a.sized(opBinUnicode, 4, s) }

func (a *asm) global(module, name string) *asm {
	a.op(opGlobal)
	a.WriteString(module + "\n" + name + "\n")
	return a
}

func (a *asm) int(n int64) *asm {
	if n >= 0 && n < 256 {
		return a.op(opBinInt1, byte(n))
	}
	return a.sized(opLong1, 1, string(binary.LittleEndian.AppendUint64(nil, uint64(n))))
}

func (a *asm) big(n *big.Int) *asm {
	be := n.Bytes()
	le := make([]byte, len(be)+1) // the last byte keeps it positive
	for i, b := range be {
		le[len(be)-1-i] = b
	}
	return a.sized(opLong1, 1, string(le))
}

func (a *asm) ints(ns ...int64) *asm {
	a.op(opMark)
	for _, n := range ns {
		a.int(n)
	}
	return a.op(opTuple)
}

// tensorSpec describes a tensor as a pickle does. The zero value of its optional parts is a
// plain F32 tensor of four elements in the storage "0".
type tensorSpec struct {
	class  string // "FloatStorage" if empty
	key    string // "0" if empty
	elems  int64  // 4 if 0
	offset int64
	shape  []int64 // [4] if nil
	stride []int64 // [1] if nil
	view   func(*asm)
	size   func(*asm) // instead of shape
}

func (a *asm) tensor(s tensorSpec) *asm {
	if s.class == "" {
		s.class = "FloatStorage"
	}
	if s.key == "" {
		s.key = "0"
	}
	if s.elems == 0 {
		s.elems = 4
	}
	if s.shape == nil {
		s.shape = []int64{4}
	}
	if s.stride == nil {
		s.stride = []int64{1}
	}
	a.global("torch._utils", "_rebuild_tensor_v2").op(opMark)
	a.op(opMark).str("storage").global("torch", s.class).str(s.key).str("cpu").int(s.elems)
	if s.view != nil {
		s.view(a)
	}
	a.op(opTuple, opBinPersID).int(s.offset)
	if s.size != nil {
		s.size(a)
	} else {
		a.ints(s.shape...)
	}
	a.ints(s.stride...).op(opNewFalse)
	a.global("collections", "OrderedDict").op(opEmptyTuple, opReduce)
	return a.op(opTuple, opReduce)
}

// dict writes {name: value}.
func (a *asm) dict(name string, value func(*asm)) *asm {
	a.op(opEmptyDict).str(name)
	value(a)
	return a.op(opSetItem)
}

// one is the pickle of {"w": tensor}.
func one(s tensorSpec) []byte {
	return pickle(func(a *asm) { a.dict("w", func(a *asm) { a.tensor(s) }) })
}

// member is a member of an archive.
type member struct {
	name string
	data []byte
	set  func(*zip.FileHeader) // changes the header; with it, data is written as it is
}

func zipFile(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		h := &zip.FileHeader{Name: m.name, Method: zip.Store}
		create := w.CreateHeader
		if m.set != nil {
			h.CompressedSize64, h.UncompressedSize64 = uint64(len(m.data)), uint64(len(m.data))
			m.set(h)
			create = w.CreateRaw
		}
		f, err := create(h)
		if err == nil {
			_, err = f.Write(m.data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// torchZip is an archive of a pickle and a storage "0" of 16 bytes, and more.
func torchZip(t testing.TB, pkl []byte, more ...member) []byte {
	t.Helper()
	all := append([]member{{name: "m/data.pkl", data: pkl}, {name: "m/data/0", data: make([]byte, 16)}}, more...)
	return zipFile(t, all...)
}

// legacyParts are the parts of a stream; nil ones are as they should be.
type legacyParts struct {
	magic, version, system, object, keys []byte
	data                                 []byte
}

func legacyFile(p legacyParts) []byte {
	or := func(b, def []byte) []byte {
		if b != nil {
			return b
		}
		return def
	}
	var f bytes.Buffer
	f.Write(or(p.magic, pickle(func(a *asm) { a.big(legacyMagic) })))
	f.Write(or(p.version, pickle(func(a *asm) { a.op(opBinInt2, 0xe9, 0x03) })))
	f.Write(or(p.system, pickle(func(a *asm) { a.dict("little_endian", func(a *asm) { a.op(opNewTrue) }) })))
	f.Write(or(p.object, one(tensorSpec{view: none})))
	f.Write(or(p.keys, pickle(func(a *asm) { a.op(opEmptyList).str("0").op(opAppend) })))
	f.Write(or(p.data, append(binary.LittleEndian.AppendUint64(nil, 4), make([]byte, 16)...)))
	return f.Bytes()
}

func none(a *asm) { a.op(opNone) }
