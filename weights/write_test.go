package weights

import (
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestWriteForPython converts all golden files, in their own and in narrower types, and leaves them
// in the folder that COCA_WEIGHTS_OUT names (for testdata/reference/weights.py --check), or in a
// temporary one.
func TestWriteForPython(t *testing.T) {
	out := os.Getenv("COCA_WEIGHTS_OUT")
	if out == "" {
		out = t.TempDir()
	}
	kinds := map[string]DType{"": "", ".f32": F32, ".bf16": BF16, ".f16": F16}
	for _, name := range slices.Sorted(maps.Keys(loadGolden(t))) {
		for suffix, dtype := range kinds {
			dst := filepath.Join(out, name+suffix+".safetensors")
			err := Convert(t.Context(), filepath.Join(goldenDir, name), dst, ConvertOptions{Precision: dtype})
			if name == "newer_types.pt" {
				var unsupported *UnsupportedError
				if !errors.As(err, &unsupported) || unsupported.Tensor == "" {
					t.Errorf("%s: error %v, want an UnsupportedError that names a tensor", name, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			checkConverted(t, filepath.Join(goldenDir, name), dst, dtype)
		}
	}
}

// checkConverted compares a converted file with its source through float32: what a narrower type
// holds must be the rounding of the source.
func checkConverted(t *testing.T, src, dst string, dtype DType) {
	t.Helper()
	a, err1 := Open(src)
	b, err2 := Open(dst)
	if err := errorsOf(err1, err2); err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	if len(a.Tensors()) != len(b.Tensors()) {
		t.Errorf("%s has %d tensors, %s %d", src, len(a.Tensors()), dst, len(b.Tensors()))
	}
	if got := b.Metadata()["format"]; got != "pt" {
		t.Errorf("%s: format %q", dst, got)
	}
	for _, info := range a.Tensors() {
		x, _ := a.Tensor(info.Name)
		y, err := b.Tensor(strings.TrimPrefix(strings.TrimPrefix(info.Name, "module."), "_orig_mod."))
		if err != nil {
			t.Error(err)
			continue
		}
		if !slices.Equal(x.Shape, y.Shape) {
			t.Errorf("%s: %q has shape %v, want %v", dst, info.Name, y.Shape, x.Shape)
		}
		if !x.DType.float() || dtype == "" {
			p, err1 := x.Bytes()
			q, err2 := y.Bytes()
			if err := errorsOf(err1, err2); err != nil || !slices.Equal(p, q) || x.DType != y.DType {
				t.Errorf("%s: %q changed (%s to %s, error %v)", dst, info.Name, x.DType, y.DType, err)
			}
			continue
		}
		v, err1 := x.Float32()
		w, err2 := y.Float32()
		if err := errorsOf(err1, err2); err != nil || y.DType != dtype {
			t.Errorf("%s: %q has type %s, error %v", dst, info.Name, y.DType, err)
			continue
		}
		for i := range v {
			want := v[i]
			switch dtype {
			case F16:
				want = float32FromHalf(halfFromFloat32(want))
			case BF16:
				want = float32FromBF16(bf16FromFloat32(want))
			}
			if !sameFloat(float64(w[i]), float64(want)) {
				t.Errorf("%s: %q[%d] = %v, want %v", dst, info.Name, i, w[i], want)
			}
		}
	}
}

// TestWriteManyBlocks writes tensors longer than a block, strided and narrowed, and reads them back.
func TestWriteManyBlocks(t *testing.T) {
	const rows, cols = 700, 301
	data := make([]float32, rows*cols)
	for i := range data {
		data[i] = float32(i) * 0.37
	}
	dir := t.TempDir()
	src := filepath.Join(dir, "a.safetensors")
	long, err := Float32Item("long", []int{rows, cols}, data, F32)
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteSafetensors(t.Context(), src, []Item{long}, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	f, err := Open(src)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	x, _ := f.Tensor("long")
	// The transpose, as a torch file would hold it.
	tr, err := newTensor(src, Info{Name: "t", DType: F32, Shape: []int{cols, rows}}, x.st, 0, []int{1, cols})
	if err != nil {
		t.Fatal(err)
	}
	item, err := tr.Item(BF16)
	if err != nil {
		t.Fatal(err)
	}
	dst := filepath.Join(dir, "b.safetensors")
	var last, total int64
	progress := func(done, of int64) {
		if done < last {
			t.Errorf("progress went from %d to %d", last, done)
		}
		last, total = done, of
	}
	if err := WriteSafetensors(t.Context(), dst, []Item{item}, WriteOptions{Progress: progress}); err != nil {
		t.Fatal(err)
	}
	if last != 2*rows*cols || total != last {
		t.Errorf("progress ended at %d of %d, want %d", last, total, 2*rows*cols)
	}
	g, err := Open(dst)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	y, _ := g.Tensor("t")
	v, err := y.Float32()
	if err != nil {
		t.Fatal(err)
	}
	for i := range cols {
		for j := range rows {
			if want := float32FromBF16(bf16FromFloat32(data[j*cols+i])); v[i*rows+j] != want {
				t.Fatalf("t[%d,%d] = %v, want %v", i, j, v[i*rows+j], want)
			}
		}
	}
}

// TestConvertMemory converts 64 MB with less than 4 MB, all garbage counted.
func TestConvertMemory(t *testing.T) {
	const n = 1 << 24
	dir := t.TempDir()
	src := filepath.Join(dir, "a.safetensors")
	block := make([]byte, 1<<20)
	big := Item{Info: Info{Name: "big", DType: F32, Shape: []int{n}}, Write: func(w io.Writer) error {
		for range 4 * n / len(block) {
			if _, err := w.Write(block); err != nil {
				return err
			}
		}
		return nil
	}}
	if err := WriteSafetensors(t.Context(), src, []Item{big}, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := Convert(t.Context(), src, filepath.Join(dir, "b.safetensors"), ConvertOptions{Precision: BF16}); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
		t.Errorf("allocated %d bytes", used)
	}
}

// TestWriteFailures checks that whatever goes wrong, the old file stays and nothing is left beside it.
func TestWriteFailures(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	midway, stop := context.WithCancel(t.Context())
	bytesItem := func(name string, n int, write func(io.Writer) error) Item {
		return Item{Info: Info{Name: name, DType: U8, Shape: []int{n}}, Write: write}
	}
	zeros := func(n int) func(io.Writer) error {
		return func(w io.Writer) error { _, err := w.Write(make([]byte, n)); return err }
	}
	boom := errors.New("boom")
	tests := []struct {
		name  string
		ctx   context.Context
		items []Item
		meta  map[string]string
		want  func(error) bool
	}{
		{"cancelled", cancelled, []Item{bytesItem("a", 4, zeros(4))}, nil, func(e error) bool { return errors.Is(e, context.Canceled) }},
		{"cancelled midway", midway, []Item{bytesItem("a", 4, func(w io.Writer) error { stop(); return zeros(4)(w) })}, nil, func(e error) bool { return errors.Is(e, context.Canceled) }},
		{"too short", t.Context(), []Item{bytesItem("a", 4, zeros(3))}, nil, wrongSize(3)},
		{"too long", t.Context(), []Item{bytesItem("a", 4, zeros(5))}, nil, wrongSize(5)},
		{"too long, and hides it", t.Context(), []Item{bytesItem("a", 4, func(w io.Writer) error { zeros(5)(w); return nil })}, nil, wrongSize(5)},
		{"nothing", t.Context(), []Item{bytesItem("a", 4, func(w io.Writer) error { return nil })}, nil, wrongSize(0)},
		{"source fails", t.Context(), []Item{bytesItem("a", 4, func(io.Writer) error { return boom })}, nil, func(e error) bool { return errors.Is(e, boom) }},
		{"duplicate", t.Context(), []Item{bytesItem("a", 0, zeros(0)), bytesItem("a", 0, zeros(0))}, nil, isFormat},
		{"reserved name", t.Context(), []Item{bytesItem("__metadata__", 0, zeros(0))}, nil, isFormat},
		{"bad name", t.Context(), []Item{bytesItem("\xff", 0, zeros(0))}, nil, isFormat},
		{"bad metadata", t.Context(), nil, map[string]string{"a": "\xff"}, isFormat},
		{"negative shape", t.Context(), []Item{bytesItem("a", -1, zeros(0))}, nil, isFormat},
		{"bad type", t.Context(), []Item{{Info: Info{Name: "a", DType: "F33"}}}, nil, func(e error) bool { var u *UnsupportedError; return errors.As(e, &u) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "x.safetensors")
			if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
				t.Fatal(err)
			}
			err := WriteSafetensors(test.ctx, path, test.items, WriteOptions{Metadata: test.meta})
			if err == nil || !test.want(err) {
				t.Errorf("error %v of type %T", err, err)
			}
			if b, _ := os.ReadFile(path); string(b) != "old" {
				t.Errorf("the old file became %q", b)
			}
			if entries, _ := os.ReadDir(dir); len(entries) != 1 {
				t.Errorf("left behind: %v", entries)
			}
		})
	}
	if err := WriteSafetensors(t.Context(), t.TempDir(), nil, WriteOptions{}); !isFormat(err) {
		t.Errorf("writing onto a folder: %v", err)
	}
}

func wrongSize(got int64) func(error) bool {
	return func(err error) bool {
		var s *SizeError
		return errors.As(err, &s) && s.Tensor == "a" && s.Path != "" && s.Want == 4 && s.Got == got
	}
}

func isFormat(err error) bool { var f *FormatError; return errors.As(err, &f) }
