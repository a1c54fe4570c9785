package weights

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestGatherAgainstIndexing compares random strided tensors, read from random positions on,
// with plain indexing.
func TestGatherAgainstIndexing(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	types := []DType{U8, F16, F32, F64, C128}
	memory := make([]byte, 1<<14)
	for i := range memory {
		memory[i] = byte(rnd.Uint32())
	}
	m := &mapping{path: "memory", data: memory, size: int64(len(memory))}
	for range 3000 {
		d := types[rnd.IntN(len(types))]
		rank := rnd.IntN(5)
		shape, stride := make([]int, rank), make([]int, rank)
		n := 1
		for i := range shape {
			shape[i], stride[i] = 1+rnd.IntN(5), rnd.IntN(40)
			n *= shape[i]
			if shape[i] == 1 {
				stride[i] = rnd.Int() // never used
			}
		}
		st := &storage{m: m, key: "0", bytes: int64(len(memory))}
		x, err := newTensor("memory", Info{Name: "x", DType: d, Shape: shape}, st, rnd.IntN(50), stride)
		if err != nil {
			t.Fatal(err)
		}
		all, err := x.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		size := d.Size()
		for flat := range n {
			pos, rest := x.first, flat
			for i := rank - 1; i >= 0; i-- {
				if c := rest % shape[i]; c > 0 {
					pos += c * stride[i]
				}
				rest /= shape[i]
			}
			want := memory[pos*size : (pos+1)*size]
			if got := all[flat*size : (flat+1)*size]; string(got) != string(want) {
				t.Fatalf("%s %v, strides %v, offset %d: element %d is %x, want %x", d, shape, stride, x.first, flat, got, want)
			}
		}
		from := rnd.IntN(n)
		part := make([]byte, (1+rnd.IntN(n-from))*size)
		x.gather(part, memory, from)
		if string(part) != string(all[from*size:from*size+len(part)]) {
			t.Fatalf("%s %v, strides %v: %d bytes from element %d differ", d, shape, stride, len(part), from)
		}
	}
}

// TestMisaligned reads F32 at every offset of an address.
func TestMisaligned(t *testing.T) {
	for pad := range 4 {
		header := fmt.Sprintf(`{"p":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]},"x":{"dtype":"F32","shape":[2],"data_offsets":[%d,%d]}}`, pad, pad, pad, pad+8)
		data := safetensorsFile(header, pad+8)
		binary.LittleEndian.PutUint32(data[len(data)-4:], 0x3fc00000)
		f, err := OpenBytes("memory", data)
		if err != nil {
			t.Fatal(err)
		}
		x, err := f.Tensor("x")
		if err != nil {
			t.Fatal(err)
		}
		if v, err := x.Float32(); err != nil || len(v) != 2 || v[0] != 0 || v[1] != 1.5 {
			t.Errorf("pad %d: %v, %v", pad, v, err)
		}
	}
}
