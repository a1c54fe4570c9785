package weights

import (
	"context"
	"io"
	"strings"
)

// ConvertOptions are the choices of [Convert].
type ConvertOptions struct {
	// Precision is the type in which tensors of a floating type are stored: F32, F16, BF16,
	// or I8: those of two and more axes as int8 matrices, integers with a scale for each index
	// along the first axis (see [Tensor.Float32]), the others as F32. Empty keeps each tensor's own.
	Precision DType
	// Metadata is stored in the header, beside "format": "pt", by which other programs know
	// tensors in torch's layout.
	Metadata map[string]string
	// Progress is called from time to time with the bytes of data written.
	Progress func(done, total int64)
}

// Convert rewrites a weights file of any readable kind as a safetensors file. Names and
// values are kept; what is nested under "state_dict" is unwrapped, and the prefixes "module."
// and "_orig_mod." are taken off. Whatever in a checkpoint is not a tensor of the state dict is left
// out. Memory does not grow with the file.
func Convert(ctx context.Context, src, dst string, opts ConvertOptions) error {
	switch opts.Precision {
	case "", F32, F16, BF16, I8:
	default:
		return &UnsupportedError{Path: dst, What: "precision of a safetensors file", Got: quote(string(opts.Precision))}
	}
	f, err := Open(src)
	if err != nil {
		return err
	}
	defer f.Close()
	names := make([]string, len(f.tensors))
	for i, t := range f.tensors {
		names[i] = t.Name
	}
	var items []Item
	for i, name := range unwrapNames(names) {
		t := f.tensors[i]
		list, err := t.items(opts.Precision)
		if err != nil {
			return err
		}
		for _, item := range list {
			item.Name = name + strings.TrimPrefix(item.Name, t.Name)
			item.Write = thenRelease(item.Write, t)
			items = append(items, item)
		}
	}
	meta := map[string]string{"format": "pt"}
	for k, v := range opts.Metadata {
		meta[k] = v
	}
	return WriteSafetensors(ctx, dst, items, WriteOptions{Metadata: meta, Progress: opts.Progress})
}

// items store a tensor in a precision; it takes two for an int8 matrix.
func (t Tensor) items(precision DType) ([]Item, error) {
	switch {
	case !t.DType.float() && t.scale == nil: // indices and masks stay what they are
		precision = ""
	case t.scale != nil && (precision == "" || precision == I8):
		data, err := t.Item("")
		if err != nil {
			return nil, err
		}
		scale, err := t.scale.Item("")
		return []Item{data, scale}, err
	case precision == I8 && len(t.Shape) >= 2:
		return t.matrixItems(), nil
	case precision == I8:
		precision = F32
	}
	item, err := t.Item(precision)
	return []Item{item}, err
}

// thenRelease gives the pages of a tensor back once it is written, so that the resident memory stays small
// too.
func thenRelease(write func(io.Writer) error, t Tensor) func(io.Writer) error {
	return func(w io.Writer) error {
		if err := write(w); err != nil {
			return err
		}
		return t.Release()
	}
}
