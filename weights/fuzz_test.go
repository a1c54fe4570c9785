package weights

import (
	"os"
	"path/filepath"
	"runtime"
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
	for _, h := range append(hostilePickles(f), hostileTensors(f)...) {
		if len(h.data) < 4096 {
			f.Add(pickleOf(h.data))
		}
	}
	for _, name := range []string{"values.pt", "training.pt", "newer_types.pt", "zip_protocol5.pt"} {
		b, err := os.ReadFile(filepath.Join(goldenDir, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(pickleOf(b))
	}
	memory := &mapping{path: "fuzz", data: make([]byte, 1<<12), size: 1 << 12}
	f.Fuzz(func(t *testing.T, pkl []byte) {
		u := &unpickler{path: "fuzz", data: pkl, storage: func(id persistentID) (storageRef, error) {
			return storageRef{&storage{m: memory, key: id.key, bytes: min(id.bytes, 1<<12)}, id.dtype}, nil
		}}
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
