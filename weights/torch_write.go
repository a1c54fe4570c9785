package weights

import (
	"context"
	"io"
	"os"
	"strconv"
)

// WriteTorch writes a file that torch.load reads, also with weights_only=True: a dictionary of
// None, bool, int, *big.Int, float64, string, [Tuple], *[List], *[Dict] and, for tensors, [Tensor] or
// [Item], in any nesting that [Value] allows. A tensor in a dictionary bears its key as name in errors.
//
// The layout is torch.save's: a zip archive of stored members whose data begins at multiples of
// 64 bytes, a pickle of protocol 2. Tensors stream through; memory does not grow with them. As with
// [WriteSafetensors], path holds either what it held before or the complete new file.
//
// progress, if not nil, is called from time to time with the bytes of tensors written.
func WriteTorch(ctx context.Context, path string, root *Dict, progress func(done, total int64)) error {
	return writeTorch(ctx, path, root, progress, maxUint32)
}

func writeTorch(ctx context.Context, path string, root *Dict, progress func(done, total int64), classic uint64) error {
	if err := checkTree(path, root); err != nil {
		return err
	}
	p := &pickler{path: path, b: []byte{opProto, 2}, memo: make(map[string]uint32)}
	if err := p.write(root); err != nil {
		return err
	}
	p.b = append(p.b, opStop)
	if len(p.b) > maxPickle {
		return &LimitError{Path: path, What: "bytes of data.pkl", Limit: maxPickle, Got: uint64(len(p.b))}
	}
	return replace(path, func(f *os.File) error {
		a := newArchiveWriter(f, path)
		a.classic = classic
		w := &dataWriter{ctx: ctx, progress: progress}
		for _, item := range p.items {
			w.total += int64(item.Elems() * item.DType.Size())
		}
		for _, m := range []struct{ name, content string }{
			{"data.pkl", string(p.b)}, {".format_version", "1"}, {".storage_alignment", strconv.Itoa(recordAlignment)}, {"byteorder", "little"},
		} {
			if err := a.text(m.name, m.content); err != nil {
				return err
			}
		}
		for i, item := range p.items {
			err := a.add("data/"+storageKey(i), int64(item.Elems()*item.DType.Size()), func(to io.Writer) error {
				w.w = to
				return w.item(path, item)
			})
			if err != nil {
				return err
			}
		}
		if err := w.ended(path); err != nil {
			return err
		}
		if err := a.text("version", "3\n"); err != nil {
			return err
		}
		return a.finish()
	})
}

// storageKey is the name of the storage of a tensor.
func storageKey(i int) string { return strconv.Itoa(i) }
