package weights

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/seed-e0874532/coca/internal/atomicfile"
)

// Item is a tensor to be written.
type Item struct {
	Info
	// Write writes the elements in row-major order as little-endian bytes of type DType. It is
	// called once, when the tensor's turn comes.
	Write func(w io.Writer) error
}

// WriteOptions are the further wishes of [WriteSafetensors].
type WriteOptions struct {
	Metadata map[string]string
	// Progress is called from time to time with the bytes of data written, on the same goroutine.
	Progress func(done, total int64)
}

// WriteSafetensors writes a safetensors file as the reference implementation lays
// it out: widest types first, by name within a type, the header padded to a multiple
// of 8 bytes. The data streams through; memory does not grow with it.
//
// The file is written under a temporary name beside path, synchronised to disk and renamed, so that
// path holds either what it held before or the complete new file.
func WriteSafetensors(ctx context.Context, path string, items []Item, opts WriteOptions) error {
	items, total, err := layOut(path, items)
	if err != nil {
		return err
	}
	head, err := encodeHeader(path, items, opts.Metadata)
	if err != nil {
		return err
	}
	return replace(path, func(f *os.File) error {
		if _, err := f.Write(head); err != nil {
			return fmt.Errorf("weights: %w", err)
		}
		w := &dataWriter{ctx: ctx, w: f, total: total, progress: opts.Progress}
		for _, item := range items {
			if err := w.item(path, item); err != nil {
				return err
			}
		}
		return w.ended(path)
	})
}

// replace writes a file that has its name only when it is complete and on disk.
func replace(path string, write func(f *os.File) error) error {
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() {
		return &FormatError{Path: path, What: "file to write", Want: "a regular file or none", Got: kindOf(st.Mode())}
	}
	f, err := atomicfile.Create(path)
	if err != nil {
		return fmt.Errorf("weights: %w", err)
	}
	defer f.Abandon()
	if err := write(f.File); err != nil {
		return err
	}
	if err := f.Commit(); err != nil {
		return fmt.Errorf("weights: %w", err)
	}
	return nil
}

// item writes a tensor and holds it to its size.
func (d *dataWriter) item(path string, item Item) error {
	d.want, d.got = int64(item.Elems()*item.DType.Size()), 0
	err := item.Write(d)
	if d.got > d.want || err == nil && d.got < d.want {
		return &SizeError{Path: path, Tensor: item.Name, What: "bytes", Want: d.want, Got: d.got}
	}
	if err != nil {
		return fmt.Errorf("weights: %s: tensor %s: %w", path, quote(item.Name), err)
	}
	return nil
}

// ended reports that the context ended.
func (d *dataWriter) ended(path string) error {
	if err := d.ctx.Err(); err != nil {
		return fmt.Errorf("weights: %s: %w", path, err)
	}
	return nil
}

// dataWriter counts, reports progress, and stops when the context ends or a
// tensor writes more than its size.
type dataWriter struct {
	ctx       context.Context
	w         io.Writer
	want, got int64 // bytes of the current tensor
	done      int64 // bytes of all
	total     int64
	progress  func(done, total int64)
}

func (d *dataWriter) Write(p []byte) (int, error) {
	if err := d.ctx.Err(); err != nil {
		return 0, err
	}
	if d.got += int64(len(p)); d.got > d.want {
		return 0, io.ErrShortWrite // item says what is wrong
	}
	n, err := d.w.Write(p)
	d.done += int64(n)
	if d.progress != nil {
		d.progress(d.done, d.total)
	}
	return n, err
}

// blockElems is how many elements are converted and written at a time.
const blockElems = 1 << 15

// Float32Item returns an item that writes data as F32, or rounded to nearest even as F16
// or BF16. data is read when the item is written.
func Float32Item(name string, shape []int, data []float32, dtype DType) (Item, error) {
	info := Info{Name: name, DType: dtype, Shape: shape}
	n, ok := checkedElems(shape)
	if !ok {
		return Item{}, &FormatError{Tensor: name, What: "shape", Want: "sizes whose product fits", Got: intsString(shape)}
	}
	if n != len(data) {
		return Item{}, &SizeError{Tensor: name, What: "elements", Want: int64(n), Got: int64(len(data))}
	}
	if dtype != F32 && dtype != F16 && dtype != BF16 {
		return Item{}, &UnsupportedError{Tensor: name, What: "conversion of float32", Got: "to " + string(dtype)}
	}
	return Item{Info: info, Write: func(w io.Writer) error {
		buf := make([]byte, min(n, blockElems)*dtype.Size())
		for rest := data; len(rest) > 0; {
			k := min(len(rest), blockElems)
			b := buf[:k*dtype.Size()]
			encodeFloat32(b, rest[:k], dtype)
			if _, err := w.Write(b); err != nil {
				return err
			}
			rest = rest[k:]
		}
		return nil
	}}, nil
}

// Item returns an item that writes the tensor, in its own type if dtype is empty or equal
// to it, else converted: floats to F32, F16 or BF16, by way of float32 as torch does it.
func (t Tensor) Item(dtype DType) (Item, error) {
	if dtype == "" {
		dtype = t.DType
	}
	if t.scale != nil && dtype != t.DType && dtype.float() {
		return Item{Info: Info{Name: t.Name, DType: dtype, Shape: t.Shape}, Write: func(w io.Writer) error {
			wide, err := t.floats()
			if err != nil {
				return err
			}
			out := make([]byte, len(wide)*dtype.Size())
			encodeFloat32(out, wide, dtype)
			_, err = w.Write(out)
			return err
		}}, nil
	}
	if dtype != t.DType && (!t.DType.float() || dtype != F32 && dtype != F16 && dtype != BF16) {
		return Item{}, &UnsupportedError{Path: t.path(), Tensor: t.Name, What: "conversion", Got: string(t.DType) + " to " + string(dtype)}
	}
	info := Info{Name: t.Name, DType: dtype, Shape: t.Shape}
	return Item{Info: info, Write: func(w io.Writer) error { return t.write(w, dtype) }}, nil
}

// write copies the tensor block by block: only the copying touches the mapping, so that a fault
// of a file that shrank becomes an error.
func (t Tensor) write(w io.Writer, dtype DType) error {
	n := t.Elems()
	raw := make([]byte, min(n, blockElems)*t.DType.Size())
	var wide []float32
	var out []byte
	if dtype != t.DType {
		wide = make([]float32, min(n, blockElems))
		out = make([]byte, len(wide)*dtype.Size())
	}
	for done := 0; done < n; {
		k := min(blockElems, n-done)
		b := raw[:k*t.DType.Size()]
		err := t.locked(func() error {
			data, err := t.st.data()
			if err == nil {
				t.gather(b, data, done)
			}
			return err
		})
		if err != nil {
			return err
		}
		if dtype != t.DType {
			decodeFloat32(wide[:k], b, t.DType)
			b = out[:k*dtype.Size()]
			encodeFloat32(b, wide[:k], dtype)
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
		done += k
	}
	return nil
}

// encodeFloat32 writes values as little-endian F32, F16 or BF16.
func encodeFloat32(b []byte, v []float32, d DType) {
	switch d {
	case F32:
		for i, f := range v {
			binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(f))
		}
	case F16:
		for i, f := range v {
			binary.LittleEndian.PutUint16(b[2*i:], halfFromFloat32(f))
		}
	case BF16:
		for i, f := range v {
			binary.LittleEndian.PutUint16(b[2*i:], bf16FromFloat32(f))
		}
	}
}
