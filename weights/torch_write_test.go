package weights

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// dictOf makes a dictionary of keys and values in turn.
func dictOf(t testing.TB, entries ...Value) *Dict {
	t.Helper()
	d := new(Dict)
	for i := 0; i < len(entries); i += 2 {
		if err := d.Set(entries[i], entries[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func floats(t testing.TB, shape []int, dtype DType, v ...float32) Item {
	t.Helper()
	item, err := Float32Item("", shape, v, dtype)
	if err != nil {
		t.Fatal(err)
	}
	return item
}

// sample is a checkpoint with a value of every kind that can be written.
func sample(t testing.TB) *Dict {
	huge := new(big.Int).Lsh(big.NewInt(-3), 200)
	ordered := dictOf(t, "a.weight", floats(t, []int{2, 3}, F32, 1, 2, 3, 4, 5, 6), "a.bias", floats(t, []int{2}, BF16, 0.5, -3), "half", floats(t, []int{1, 2}, F16, 7, 8))
	ordered.Ordered = true
	long := new(List)
	for i := range 300 { // more strings than a byte can number
		long.Items = append(long.Items, strings.Repeat("s", i), i)
	}
	return dictOf(t,
		"epoch", 3, "name", "läuft 🙂", "state_dict", ordered,
		"none", nil, "true", true, "false", false,
		"ints", &List{Items: []Value{0, 255, 256, 65535, 65536, -1, math.MaxInt32, math.MinInt32, int64(math.MaxInt64), int64(math.MinInt64)}},
		"big", &List{Items: []Value{huge, new(big.Int).Neg(huge), new(big.Int).Lsh(big.NewInt(1), 63), uint64(math.MaxUint64)}},
		"floats", &List{Items: []Value{0.0, math.Copysign(0, -1), 1e-8, math.Inf(1)}},
		"tuples", Tuple{Tuple{}, Tuple{1}, Tuple{1, 2}, Tuple{1, 2, 3}, Tuple{1, 2, 3, 4}},
		"scalar", floats(t, nil, F32, 20), "empty", floats(t, []int{0, 5}, F32),
		7, "an integer as key", 1.5, "a float", nil, "none", "nested", dictOf(t, "list", &List{Items: []Value{&List{}, new(Dict)}}),
		"again", "läuft 🙂", "long", long)
}

// same compares what was written with what was read, by Python's lights.
func same(t *testing.T, at string, want, got Value) {
	t.Helper()
	each := func(want, got []Value) {
		if len(want) != len(got) {
			t.Errorf("%s: %d values, want %d", at, len(got), len(want))
			return
		}
		for i := range want {
			same(t, at+"["+storageKey(i)+"]", want[i], got[i])
		}
	}
	switch w := want.(type) {
	case int:
		want = int64(w)
	case uint64:
		want = new(big.Int).SetUint64(w)
	case Tuple:
		g, ok := got.(Tuple)
		if !ok {
			t.Errorf("%s: %v, want a tuple", at, got)
		}
		each(w, g)
		return
	case *List:
		g, ok := got.(*List)
		if !ok {
			t.Fatalf("%s: %v, want a list", at, got)
		}
		each(w.Items, g.Items)
		return
	case *Dict:
		g, ok := got.(*Dict)
		if !ok || g.Ordered != w.Ordered {
			t.Fatalf("%s: %v, want a dictionary, ordered %v", at, got, w.Ordered)
		}
		each(w.Keys(), g.Keys())
		for i := range min(w.Len(), g.Len()) {
			key, value := w.At(i)
			name, _ := key.(string)
			same(t, at+"."+name, value, g.vals[i])
		}
		return
	case Tensor:
		item, err := w.Item("")
		if err != nil {
			t.Fatal(err)
		}
		want = item
	}
	if w, ok := want.(Item); ok {
		g, ok := got.(Tensor)
		if !ok || g.DType != w.DType || !(len(g.Shape) == 0 && len(w.Shape) == 0 || reflect.DeepEqual(g.Shape, w.Shape)) {
			t.Fatalf("%s: %v, want %v", at, got, w.Info)
		}
		var b bytes.Buffer
		if err := w.Write(&b); err != nil {
			t.Fatal(err)
		}
		have, err := g.Bytes()
		if err != nil || !bytes.Equal(have, b.Bytes()) {
			t.Errorf("%s: other bytes (%v)", at, err)
		}
		return
	}
	if f, ok := want.(float64); ok {
		g, ok := got.(float64)
		if !ok || math.Float64bits(f) != math.Float64bits(g) {
			t.Errorf("%s: %v, want %v", at, got, want)
		}
		return
	}
	if !reflect.DeepEqual(want, got) {
		t.Errorf("%s: %v (%T), want %v (%T)", at, got, got, want, want)
	}
}

// TestWriteTorch writes values of every kind, with classic records and as if every size
// and offset were beyond 32 bits, and reads them back.
func TestWriteTorch(t *testing.T) {
	for _, classic := range []uint64{maxUint32, 300, 0} {
		path := filepath.Join(t.TempDir(), "epoch_3.pt")
		var last, total int64
		err := writeTorch(t.Context(), path, sample(t), func(d, n int64) { last, total = d, n }, classic)
		if err != nil {
			t.Fatal(err)
		}
		if want := int64(6*4 + 2*2 + 2*2 + 4); last != want || total != want {
			t.Errorf("progress ends with %d of %d, want %d", last, total, want)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if f.Kind() != TorchZip || len(f.Tensors()) != 3 {
			t.Errorf("kind %s with %d tensors", f.Kind(), len(f.Tensors()))
		}
		same(t, "", sample(t), f.Value())
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		checkArchive(t, path)
	}
}

// checkArchive reads an archive with the standard library, which compares
// checksums, and looks at the alignment of the data.
func checkArchive(t *testing.T, path string) {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, m := range z.File {
		off, err := m.DataOffset()
		if err != nil || off%recordAlignment != 0 || m.Method != zip.Store || !strings.HasPrefix(m.Name, "epoch_3/") {
			t.Errorf("%s: at %d, method %d (%v)", m.Name, off, m.Method, err)
		}
		r, err := m.Open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
		r.Close()
	}
}

// TestWriteTorchErrors asks for what cannot be written: a typed error that names it,
// the old file as it was, nothing left beside it.
func TestWriteTorchErrors(t *testing.T) {
	cycle := new(List)
	cycle.Items = []Value{cycle}
	deep := Value(nil)
	for range maxDepth + 1 {
		deep = &List{Items: []Value{deep}}
	}
	short := floats(t, []int{2}, F32, 1, 2)
	short.Write = func(w io.Writer) error { _, err := w.Write(make([]byte, 7)); return err }
	long := floats(t, []int{2}, F32, 1, 2)
	long.Write = func(w io.Writer) error { _, err := w.Write(make([]byte, 9)); return err }
	broken := errors.New("broken")
	failing := floats(t, []int{1}, F32, 1)
	failing.Write = func(io.Writer) error { return broken }
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx   context.Context
		value Value
		want  any
		says  string
	}{
		"cycle":            {value: cycle, want: formatError, says: "itself"},
		"deep":             {value: deep, want: limitError, says: "depth"},
		"set":              {value: new(Set), want: unsupportedError, says: "weight"},
		"bytes":            {value: []byte{1}, want: unsupportedError, says: "bytes"},
		"bad text":         {value: "\xff", want: formatError, says: "UTF-8"},
		"huge integer":     {value: new(big.Int).Lsh(big.NewInt(1), 3000), want: limitError, says: "weight"},
		"type":             {value: Item{Info: Info{DType: "U24"}}, want: unsupportedError, says: "U24"},
		"shape":            {value: Item{Info: Info{DType: F32, Shape: []int{-1}}}, want: formatError, says: "[-1]"},
		"overflow":         {value: Item{Info: Info{DType: F64, Shape: []int{math.MaxInt / 2}}}, want: formatError, says: "bytes that fits"},
		"too short":        {value: short, want: new(*SizeError), says: "want 8 bytes, got 7"},
		"too long":         {value: long, want: new(*SizeError), says: "want 8 bytes, got 9"},
		"failing":          {value: failing, says: "broken"},
		"cancelled":        {ctx: ended, value: floats(t, []int{1}, F32, 1), says: "canceled"},
		"cancelled, small": {ctx: ended, value: 1, says: "canceled"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "old.pt")
		if err := os.WriteFile(path, []byte("old"), 0o666); err != nil {
			t.Fatal(err)
		}
		ctx := c.ctx
		if ctx == nil {
			ctx = t.Context()
		}
		err := WriteTorch(ctx, path, dictOf(t, "weight", c.value), nil)
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v, want one that says %q", name, err, c.says)
		}
		if c.want != nil && !errors.As(err, c.want) {
			t.Errorf("%s: error of type %T, want %T", name, err, c.want)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != "old" {
			t.Errorf("%s: the old file holds %q (%v)", name, b, err)
		}
		if left, _ := os.ReadDir(dir); len(left) != 1 {
			t.Errorf("%s: left %v", name, left)
		}
	}
	if err := WriteTorch(t.Context(), t.TempDir(), new(Dict), nil); !isFormat(err) {
		t.Errorf("folder: %v", err)
	}
	if err := new(Dict).Set(Tuple{}, 1); !errors.As(err, unsupportedError) {
		t.Errorf("a tuple as key: %v", err)
	}
}

// TestWriteTorchStreams writes 64 MB with little memory.
func TestWriteTorchStreams(t *testing.T) {
	zeros := floats(t, []int{16 << 20}, F32, make([]float32, 16<<20)...)
	path := filepath.Join(t.TempDir(), "large.pt")
	root := dictOf(t, "large", zeros)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := WriteTorch(t.Context(), path, root, nil); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 && !raceEnabled {
		t.Errorf("allocated %d bytes", used)
	}
}

// TestWriteTorchForPython writes the torch files among the goldens anew and compares them with
// themselves. It leaves them in the folder that COCA_TORCH_OUT names, for
// testdata/reference/train_torch.py, or in a temporary one. With COCA_FULL, one of more than 4 GB too.
func TestWriteTorchForPython(t *testing.T) {
	out := os.Getenv("COCA_TORCH_OUT")
	if out == "" {
		out = t.TempDir()
	}
	for _, name := range []string{"weights/zip_protocol2.pt", "weights/legacy_protocol2.bin", "weights/deflated.pt", "weights/nested.pt", "weights/training.pt", "weights/training_legacy.pt", "weights/attributes.pt", "train/epoch_1.pt"} {
		f, err := Open("../testdata/golden/" + name)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(out, strings.ReplaceAll(name, "/", "-"))
		if err := WriteTorch(t.Context(), path, f.Value().(*Dict), nil); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		g, err := Open(path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		same(t, name, f.Value(), g.Value())
		g.Close()
		f.Close()
	}
	if os.Getenv("COCA_FULL") == "" {
		return
	}
	n := 1100 << 20 // of 4 bytes
	large := Item{Info: Info{DType: F32, Shape: []int{n}}, Write: func(w io.Writer) error {
		block := make([]byte, 1<<20)
		for i := range n >> 18 {
			block[0] = byte(i)
			if _, err := w.Write(block); err != nil {
				return err
			}
		}
		return nil
	}}
	root := dictOf(t, "large", large, "after", floats(t, []int{2}, F32, 1, 2))
	path := filepath.Join(out, "large.pt")
	if err := WriteTorch(t.Context(), path, root, nil); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	same(t, "after", dictOf(t, "after", floats(t, []int{2}, F32, 1, 2)).vals[0], f.Value().(*Dict).vals[1])
	b, err := f.tensors[0].Bytes()
	if err != nil || len(b) != 4*n || b[4*n-1<<20] != byte(n>>18-1) {
		t.Errorf("%d bytes (%v)", len(b), err)
	}
}
