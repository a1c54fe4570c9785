package weights

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInt8Matrices stores matrices as int8 and back: each number may move by half a step of its row.
func TestInt8Matrices(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	floats := func(name string, shape ...int) Item {
		n := 1
		for _, d := range shape {
			n *= d
		}
		return Item{Info: Info{Name: name, DType: F32, Shape: shape}, Write: func(w io.Writer) error {
			for i := range n {
				v := float32(r.NormFloat64() * math.Exp(r.NormFloat64()))
				if name == "zeros" || i == 1 {
					v = 0
				}
				if err := binary.Write(w, binary.LittleEndian, v); err != nil {
					return err
				}
			}
			return nil
		}}
	}
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	err := WriteSafetensors(t.Context(), path("wide"), []Item{floats("module.a.weight", 7, 5), floats("module.conv.weight", 4, 3, 2, 2),
		floats("module.a.bias", 7), floats("module.scale"), floats("module.zeros", 2, 3)}, WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		src, dst string
		to       DType
	}{{"wide", "narrow", I8}, {"narrow", "again", I8}, {"narrow", "same", ""}, {"narrow", "back", F32}, {"narrow", "half", BF16}} {
		if err := Convert(t.Context(), path(step.src), path(step.dst), ConvertOptions{Precision: step.to}); err != nil {
			t.Fatalf("%s to %s: %v", step.src, step.dst, err)
		}
	}
	read := func(name, tensor string) (Tensor, []float32) {
		f, err := Open(path(name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		if len(f.Tensors()) != 5 {
			t.Errorf("%s shows %v", name, f.Tensors())
		}
		x, err := f.Tensor(tensor)
		if err != nil {
			t.Fatal(err)
		}
		v, err := x.Float32()
		if err != nil {
			t.Fatal(err)
		}
		return x, v
	}
	for _, name := range []string{"a.weight", "conv.weight", "a.bias", "scale", "zeros"} {
		_, want := read("wide", "module."+name)
		x, got := read("narrow", name)
		if matrix := len(x.Shape) > 1; matrix != (x.DType == I8) {
			t.Errorf("%s is stored as %s", name, x.DType)
		}
		rows := 1
		if len(x.Shape) > 1 {
			rows = x.Shape[0]
		}
		for row := range rows {
			w, g := want[row*len(want)/rows:][:len(want)/rows], got[row*len(want)/rows:]
			largest := 0.0
			for _, v := range w {
				largest = max(largest, math.Abs(float64(v)))
			}
			for i, v := range w {
				limit := 0.0
				if x.DType == I8 {
					limit = largest / 127 * 0.5001
				}
				if off := math.Abs(float64(v - g[i])); !(off <= limit) {
					t.Errorf("%s: %v became %v", name, v, g[i])
				}
			}
		}
		for _, other := range []string{"again", "same", "back"} {
			_, v := read(other, name)
			for i := range v {
				if v[i] != got[i] {
					t.Errorf("%s in %s: got %v, want %v", name, other, v[i], got[i])
				}
			}
		}
	}
}

func TestInt8Refusals(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, items ...Item) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := WriteSafetensors(context.Background(), path, items, WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		return path
	}
	item := func(name string, d DType, data []byte, shape ...int) Item {
		return Item{Info: Info{Name: name, DType: d, Shape: shape}, Write: func(w io.Writer) error { _, err := w.Write(data); return err }}
	}
	for _, path := range []string{
		write("short", item("a", I8, make([]byte, 6), 3, 2), item("a#scale", F32, make([]byte, 8), 2)),
		write("kind", item("a", I8, make([]byte, 6), 3, 2), item("a#scale", BF16, make([]byte, 6), 3)),
	} {
		var format *FormatError
		if f, err := Open(path); !errors.As(err, &format) || !strings.Contains(err.Error(), "a#scale") {
			t.Errorf("%s: got %v, %v", path, f, err)
		}
	}
	nan := binary.LittleEndian.AppendUint32(make([]byte, 4), math.Float32bits(float32(math.NaN())))
	path := write("nan", item("a", F32, nan, 2, 1))
	var format *FormatError
	if err := Convert(context.Background(), path, filepath.Join(dir, "out"), ConvertOptions{Precision: I8}); !errors.As(err, &format) {
		t.Errorf("a matrix that is not finite: got %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "out")); err == nil {
		t.Error("a refused conversion left a file")
	}
	f, err := Open(write("plain", item("a", I8, make([]byte, 6), 3, 2)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	x, err := f.Tensor("a")
	if err != nil {
		t.Fatal(err)
	}
	var unsupported *UnsupportedError
	if _, err := x.Float32(); !errors.As(err, &unsupported) {
		t.Errorf("integers without scales: got %v", err)
	}
}
