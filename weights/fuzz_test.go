package weights

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// Run the targets with -fuzzminimizetime 20x: shrinking each new input, which go test does for
// up to a minute, leaves no time for finding any.

// fuzzFile opens data and, if that works, reads every tensor. Errors must be typed, and what a
// tensor claims must be what comes out.
func fuzzFile(t *testing.T, data []byte) {
	f, err := OpenBytes("fuzz", data)
	if err != nil {
		if !typed(err) || !strings.Contains(err.Error(), "fuzz") {
			t.Fatalf("error of type %T: %v", err, err)
		}
		return
	}
	defer f.Close()
	infos := f.Tensors()
	for i, info := range infos {
		x, err := f.Tensor(info.Name)
		if err != nil {
			t.Fatal(err)
		}
		if i > 100 {
			break
		}
		b, err := x.Bytes()
		if err == nil && len(b) != info.Elems()*info.DType.Size() {
			t.Fatalf("%v has %d bytes", info, len(b))
		}
		if err != nil && !typed(err) {
			t.Fatalf("error of type %T: %v", err, err)
		}
		v, err := x.Float32()
		if err == nil && len(v) != info.Elems() {
			t.Fatalf("%v has %d floats", info, len(v))
		}
		if err != nil && !typed(err) {
			t.Fatalf("error of type %T: %v", err, err)
		}
		runtime.KeepAlive(v)
	}
	if f.Value() != nil {
		if n := countValues(f.Value()); n > maxNodes {
			t.Fatalf("%d values", n)
		}
		fuzzCheckpoint(t, f)
	}
}

// fuzzCheckpoint reads a file as a checkpoint. What is promised of the optimizer must hold.
func fuzzCheckpoint(t *testing.T, f *File) {
	c, err := f.Checkpoint()
	if err != nil {
		if !typed(err) || !strings.Contains(err.Error(), "fuzz") {
			t.Fatalf("error of type %T: %v", err, err)
		}
		return
	}
	if c.Epoch < 0 || c.GlobalStep < -1 || c.SamplesSeen < -1 || c.Bare && c.Optimizer != nil {
		t.Fatalf("%+v", c)
	}
	if c.Optimizer == nil {
		return
	}
	params := 0
	for _, g := range c.Optimizer.Groups {
		for _, n := range g.Params {
			_ = c.Optimizer.States[n]
		}
		params += len(g.Params)
	}
	if params != len(c.Optimizer.States) {
		t.Fatalf("%d states of %d parameters", len(c.Optimizer.States), params)
	}
	for _, s := range c.Optimizer.States {
		if s != nil && (s.Step < 0 || !slices.Equal(s.ExpAvg.Shape, s.ExpAvgSq.Shape)) {
			t.Fatalf("%+v", s)
		}
	}
}

// fuzzPickler writes a tree anew. What it writes must read back as the same.
func fuzzPickler(t *testing.T, v Value, read func(pkl []byte) (Value, error)) {
	p := &pickler{path: "fuzz", memo: make(map[string]uint32)}
	if err := p.write(v); err != nil {
		if !typed(err) {
			t.Fatalf("error of type %T: %v", err, err)
		}
		return
	}
	again, err := read(append(p.b, opStop))
	var limit *LimitError
	if errors.As(err, &limit) {
		return // shared parts are written each time
	}
	if err != nil {
		t.Fatal(err)
	}
	var b [2][]byte
	for i, v := range []Value{v, again} {
		q := &pickler{path: "fuzz", memo: make(map[string]uint32)}
		if err := q.write(v); err != nil {
			t.Fatal(err)
		}
		b[i] = q.b
	}
	if !bytes.Equal(b[0], b[1]) {
		t.Fatalf("%q read back as %q", b[0], b[1])
	}
}

// countValues walks a tree without precautions, as the documentation of Value allows.
func countValues(v Value) int {
	n := 1
	each := func(items []Value) {
		for _, item := range items {
			n += countValues(item)
		}
	}
	switch c := v.(type) {
	case Tuple:
		each(c)
	case *List:
		each(c.Items)
	case *Set:
		each(c.Items)
	case *Dict:
		for i := range c.Len() {
			_, item := c.At(i)
			n += countValues(item)
		}
	}
	return n
}

func addGolden(f *testing.F, patterns ...string) {
	for _, p := range patterns {
		names, err := filepath.Glob(filepath.Join(goldenDir, p))
		if err != nil || len(names) == 0 {
			f.Fatalf("no golden files %s: %v", p, err)
		}
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
}

// addHostile seeds with the bad files that are small.
func addHostile(f *testing.F, files []hostile) {
	for _, h := range files {
		if len(h.data) < 4096 {
			f.Add(h.data)
		}
	}
}

// FuzzSafetensors fuzzes the header and the data behind it; the length in front is kept right, for
// nothing gets past a wrong one. The unchanged input is tried too.
func FuzzSafetensors(f *testing.F) {
	addGolden(f, "*.safetensors")
	addHostile(f, hostileSafetensors())
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzFile(t, data)
		if i := strings.LastIndexByte(string(data), '}'); len(data) > 8 && i > 8 {
			header := data[8 : i+1]
			fuzzFile(t, append(safetensorsFile(string(header), 0), data[i+1:]...))
		}
	})
}

// FuzzPickle fuzzes the machine alone. Every storage exists.
func FuzzPickle(f *testing.F) {
	f.Add(one(tensorSpec{}))
	f.Add(one(tensorSpec{shape: []int64{1 << 20}, stride: []int64{0}})) // grows when written out
	for _, h := range append(hostilePickles(f), hostileTensors(f)...) {
		if len(h.data) < 4096 {
			f.Add(pickleOf(h.data))
		}
	}
	for _, h := range hostileCheckpoints(f) {
		f.Add(pickleOf(h.data))
	}
	for _, name := range []string{"values.pt", "training.pt", "newer_types.pt", "zip_protocol5.pt"} {
		b, err := os.ReadFile(filepath.Join(goldenDir, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(pickleOf(b))
	}
	memory := &mapping{path: "fuzz", data: make([]byte, 1<<12), size: 1 << 12}
	newUnpickler := func(pkl []byte, most int64) *unpickler {
		return &unpickler{path: "fuzz", data: pkl, storage: func(id persistentID) (storageRef, error) {
			return storageRef{&storage{m: memory, key: id.key, bytes: min(id.bytes, most)}, id.dtype}, nil
		}}
	}
	f.Fuzz(func(t *testing.T, pkl []byte) {
		u := newUnpickler(pkl, memory.size)
		v, err := u.load()
		if err == nil {
			err = checkTree("fuzz", v)
		}
		if err != nil {
			if !typed(err) {
				t.Fatalf("error of type %T: %v", err, err)
			}
			return
		}
		if n := countValues(v); n > maxNodes {
			t.Fatalf("%d values", n)
		}
		if u.spent > maxPickleMemory {
			t.Fatalf("spent %d bytes", u.spent)
		}
		// A tensor that repeats a small storage is written out in full: what is read back may
		// claim more than the memory has, and none of it is looked at.
		fuzzPickler(t, v, func(pkl []byte) (Value, error) { return newUnpickler(pkl, math.MaxInt64).load() })
	})
}

// pickleOf cuts the pickle out of an archive with stored members.
func pickleOf(archive []byte) []byte {
	f := &File{path: "x"}
	a := newArchive(f, archive)
	if a.directory() != nil {
		return nil
	}
	b, err := a.small("data.pkl", maxPickle)
	if err != nil {
		return nil
	}
	return b
}

func FuzzZip(f *testing.F) {
	addGolden(f, "*.pt")
	addHostile(f, hostileZips(f))
	addHostile(f, hostileTensors(f))
	addHostile(f, hostileCheckpoints(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4 { // nothing else is a zip archive
			data = append([]byte("PK\x03\x04"), data[4:]...)
		}
		fuzzFile(t, data)
	})
}

func FuzzLegacy(f *testing.F) {
	addGolden(f, "legacy*", "training_legacy.pt")
	addHostile(f, hostileLegacy())
	f.Add(legacyFile(legacyParts{}))
	none := []byte{}
	start := legacyParts{object: none, keys: none, data: none}
	f.Add(legacyFile(legacyParts{})[len(legacyFile(start)):])
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzFile(t, data)
		fuzzFile(t, append(legacyFile(start), data...)) // as object, keys and data
	})
}
