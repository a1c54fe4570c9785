package weights

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

const goldenDir = "../testdata/golden/weights"

// goldenTensor is what torch said of a tensor.
type goldenTensor struct {
	DType   string
	Shape   []int
	Bytes   string
	Float32 *string
}

type goldenFile struct {
	Tensors  [][2]json.RawMessage // name and goldenTensor, in order
	Metadata map[string]string
	Value    json.RawMessage
}

func loadGolden(t testing.TB) map[string]goldenFile {
	t.Helper()
	var all struct{ Files map[string]goldenFile }
	readJSON(t, "expected.json", &all)
	if len(all.Files) < 15 {
		t.Fatalf("expected.json lists %d files", len(all.Files))
	}
	return all.Files
}

func readJSON(t testing.TB, name string, v any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(goldenDir, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

// TestGolden reads files of the real torch and safetensors: order, names, types, shapes and
// every bit.
func TestGolden(t *testing.T) {
	files := loadGolden(t)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		t.Run(name, func(t *testing.T) {
			want := files[name]
			f, err := Open(filepath.Join(goldenDir, name))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			infos := f.Tensors()
			if len(infos) != len(want.Tensors) {
				t.Errorf("%d tensors, want %d", len(infos), len(want.Tensors))
			}
			for i, pair := range want.Tensors {
				var key string
				var g goldenTensor
				if err := errorsOf(json.Unmarshal(pair[0], &key), json.Unmarshal(pair[1], &g)); err != nil {
					t.Fatal(err)
				}
				if i < len(infos) && infos[i].Name != key {
					t.Errorf("tensor %d is %q, want %q", i, infos[i].Name, key)
				}
				got, err := f.Tensor(key)
				if err != nil {
					t.Error(err)
					continue
				}
				compareTensor(t, key, got, g)
			}
			compareInMemory(t, f)
			if !maps.Equal(f.Metadata(), want.Metadata) {
				t.Errorf("metadata %q, want %q", f.Metadata(), want.Metadata)
			}
			if want.Value != nil {
				compareValue(t, "value", f.Value(), want.Value)
			}
		})
	}
}

// compareInMemory reads the same file from memory, at an odd address.
func compareInMemory(t *testing.T, f *File) {
	t.Helper()
	b, err := os.ReadFile(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	odd := append(make([]byte, 1, len(b)+1), b...)[1:]
	g, err := OpenBytes("memory", odd)
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range f.Tensors() {
		x, _ := f.Tensor(info.Name)
		y, err := g.Tensor(info.Name)
		if err != nil {
			t.Error(err)
			continue
		}
		p, err1 := x.Float32()
		q, err2 := y.Float32()
		if (err1 == nil) != (err2 == nil) || !slices.Equal(p, q) {
			t.Errorf("%q in memory: %v (%v), want %v (%v)", info.Name, q, err2, p, err1)
		}
	}
	if err := errorsOf(g.Check(), g.Guard(func() error { return nil }), g.Close()); err != nil {
		t.Error(err)
	}
	if x, err := g.Tensor(g.Tensors()[0].Name); err != nil {
		t.Error(err)
	} else if _, err := x.Bytes(); err == nil {
		t.Error("readable after Close")
	}
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func compareTensor(t *testing.T, key string, got Tensor, want goldenTensor) {
	t.Helper()
	if string(got.DType) != want.DType || !slices.Equal(got.Shape, want.Shape) {
		t.Errorf("%q is %s %v, want %s %v", key, got.DType, got.Shape, want.DType, want.Shape)
		return
	}
	b, err := got.Bytes()
	if err != nil {
		t.Error(err)
	} else if hex.EncodeToString(b) != want.Bytes {
		t.Errorf("%q has bytes %x, want %s", key, b, want.Bytes)
	}
	v, err := got.Float32()
	if want.Float32 == nil {
		var unsupported *UnsupportedError
		if !asError(err, &unsupported) || unsupported.Tensor == "" {
			t.Errorf("%q of type %s as float32: error %v, want an UnsupportedError", key, want.DType, err)
		}
		return
	}
	if err != nil {
		t.Error(err)
		return
	}
	raw := make([]byte, 4*len(v))
	encodeFloat32(raw, v, F32)
	if hex.EncodeToString(raw) != *want.Float32 {
		t.Errorf("%q as float32 is %x, want %s", key, raw, *want.Float32)
	}
}

// compareValue compares a value with the JSON that the script's plain() makes of it.
func compareValue(t *testing.T, at string, got Value, want json.RawMessage) {
	t.Helper()
	var tagged map[string]json.RawMessage
	if json.Unmarshal(want, &tagged) != nil || tagged == nil {
		var simple any
		if err := json.Unmarshal(want, &simple); err != nil {
			t.Fatal(err)
		}
		if got != simple {
			t.Errorf("%s is %v, want %v", at, got, simple)
		}
		return
	}
	for tag, body := range tagged {
		compareTagged(t, at, got, tag, body)
	}
}

func compareTagged(t *testing.T, at string, got Value, tag string, body json.RawMessage) {
	t.Helper()
	list := func(items []Value) {
		var want []json.RawMessage
		mustUnmarshal(t, body, &want)
		if len(items) != len(want) {
			t.Errorf("%s has %d items, want %d", at, len(items), len(want))
			return
		}
		for i := range want {
			compareValue(t, fmt.Sprintf("%s[%d]", at, i), items[i], want[i])
		}
	}
	text := func() (s string) { mustUnmarshal(t, body, &s); return s }
	ok := true
	switch g := got.(type) {
	case Tensor:
		var want goldenTensor
		mustUnmarshal(t, body, &want)
		compareTensor(t, at, g, want)
	case *Dict:
		var pairs [][2]json.RawMessage
		mustUnmarshal(t, body, &pairs)
		if ok = tag == "dict" && g.Len() == len(pairs); !ok {
			break
		}
		for i, p := range pairs {
			k, v := g.At(i)
			compareValue(t, at+" key", k, p[0])
			compareValue(t, fmt.Sprintf("%s.%v", at, k), v, p[1])
			if byKey, found := g.Get(k); !found || typeName(byKey) != typeName(v) {
				t.Errorf("%s.Get(%v) finds %v, %v", at, k, byKey, found)
			}
		}
	case Tuple:
		ok = tag == "tuple"
		list(g)
	case *List:
		ok = tag == "list"
		list(g.Items)
	case *Set:
		var ints []int64
		mustUnmarshal(t, body, &ints)
		ok = tag == "set" && len(ints) == len(g.Items)
		for i := range ints {
			ok = ok && g.Items[i] == Value(ints[i])
		}
	case []byte:
		ok = tag == "bytes" && hex.EncodeToString(g) == text()
	case DType:
		ok = tag == "dtype" && string(g) == text()
	case Device:
		ok = tag == "device" && string(g) == text()
	case complex128:
		var parts [2]float64
		mustUnmarshal(t, body, &parts)
		ok = tag == "complex" && g == complex(parts[0], parts[1])
	case int64:
		ok = tag == "int" && strconv.FormatInt(g, 10) == text()
	case *big.Int:
		ok = tag == "int" && g.String() == text()
	case float64:
		want, err := strconv.ParseFloat(text(), 64) // Python's float.hex; "inf" too
		ok = tag == "float" && err == nil && math.Float64bits(want) == math.Float64bits(g)
	default:
		ok = false
	}
	if !ok {
		t.Errorf("%s is %v of type %T, want %s %s", at, got, got, tag, body)
	}
}

func mustUnmarshal(t *testing.T, b []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
}

// TestRewriteIsIdentical writes the tensors of the reference's files again: every byte must be as
// the reference wrote it.
func TestRewriteIsIdentical(t *testing.T) {
	for _, name := range []string{"plain.safetensors", "metadata.safetensors"} {
		src := filepath.Join(goldenDir, name)
		f, err := Open(src)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var items []Item
		for _, info := range f.Tensors() {
			tensor, err := f.Tensor(info.Name)
			if err != nil {
				t.Fatal(err)
			}
			item, err := tensor.Item("")
			if err != nil {
				t.Fatal(err)
			}
			items = append(items, item)
		}
		slices.Reverse(items) // the writer sorts
		dst := filepath.Join(t.TempDir(), name)
		if err := WriteSafetensors(t.Context(), dst, items, WriteOptions{Metadata: f.Metadata()}); err != nil {
			t.Fatal(err)
		}
		got, err1 := os.ReadFile(dst)
		want, err2 := os.ReadFile(src)
		if err := errorsOf(err1, err2); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs:\n got %q\nwant %q", name, got, want)
		}
	}
}

// TestHeadersAgainstReference opens headers on which the reference reader gave its verdict. What
// it refuses is refused here; what is refused beyond that is listed.
func TestHeadersAgainstReference(t *testing.T) {
	stricter := []string{"duplicate name", "leading space", "overflow after zero", "unknown field", "entry as array",
		"metadata null", "metadata key twice", "8-bit float", "complex"}
	var all struct {
		Headers []struct {
			Name, Header, Reference string
			Data                    int
		}
	}
	readJSON(t, "headers.json", &all)
	if len(all.Headers) < 50 {
		t.Fatalf("%d headers", len(all.Headers))
	}
	for _, h := range all.Headers {
		path := writeFile(t, safetensorsFile(h.Header, h.Data))
		f, err := Open(path)
		if err == nil {
			for _, info := range f.Tensors() {
				tensor, terr := f.Tensor(info.Name)
				if terr == nil {
					_, terr = tensor.Bytes()
				}
				if terr != nil {
					t.Errorf("%s: %v", h.Name, terr)
				}
			}
			f.Close()
		} else if !typed(err) {
			t.Errorf("%s: error %v of type %T", h.Name, err, err)
		}
		refused := h.Reference != "" || slices.Contains(stricter, h.Name)
		if (err != nil) != refused {
			t.Errorf("%s: got %v, reference %q", h.Name, err, h.Reference)
		}
	}
}
