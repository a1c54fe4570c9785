package weights

import (
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkFloat32 reads a matrix of the size of an MLP weight of L-14, in each type, and transposed.
func BenchmarkFloat32(b *testing.B) {
	const rows, cols = 4096, 1024
	data := make([]float32, rows*cols)
	for i := range data {
		data[i] = float32(i%511) / 512
	}
	for _, d := range []DType{F32, F16, BF16} {
		item, err := Float32Item("x", []int{rows, cols}, data, d)
		path := filepath.Join(b.TempDir(), "x.safetensors")
		if err := errorsOf(err, WriteSafetensors(b.Context(), path, []Item{item}, WriteOptions{})); err != nil {
			b.Fatal(err)
		}
		f, err := Open(path)
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		x, _ := f.Tensor("x")
		transposed, err := newTensor(path, Info{Name: "t", DType: d, Shape: []int{cols, rows}}, x.st, 0, []int{1, cols})
		if err != nil {
			b.Fatal(err)
		}
		for name, t := range map[string]Tensor{"": x, "/transposed": transposed} {
			b.Run(string(d)+name, func(b *testing.B) {
				b.SetBytes(4 * rows * cols)
				for b.Loop() {
					if _, err := t.Float32(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkOpen opens the files of the reference.
func BenchmarkOpen(b *testing.B) {
	for _, name := range []string{"plain.safetensors", "zip_protocol2.pt", "legacy_protocol2.bin", "training.pt"} {
		path := filepath.Join(goldenDir, name)
		if _, err := os.Stat(path); err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f, err := Open(path)
				if err != nil {
					b.Fatal(err)
				}
				f.Close()
			}
		})
	}
}
