package coca

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"unsafe"

	"github.com/seed-e0874532/coca/nn"
	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/weights"
)

// WritePacked writes the model's weights as the device keeps them, so that
// loading maps them as they are. See [Load]. Progress may be nil.
func (m *Model) WritePacked(ctx context.Context, path string, progress func(done, total int64)) error {
	cpu, ok := m.run.Device().(*exec.CPU)
	if !ok {
		return fmt.Errorf("pack: want a model on the CPU, got one on %s", m.Device())
	}
	if m.file == nil {
		return fmt.Errorf("pack: want a model that was loaded from a file")
	}
	return m.guard(func() error {
		if err := m.run.CompileAll(ctx); err != nil {
			return err
		}
		shapes, others := map[string][]int{}, map[string]string{}
		format := uniformFormat
		var items []weights.Item
		for _, w := range cpu.Matrices() {
			base, _, _ := cutRows(w.Name)
			shape, err := m.shapeOf(base)
			if err != nil {
				return err
			}
			shapes[base] = shape
			t := w.Treatment
			if t.Precision != m.precision {
				others[w.Name] = precisionName(t.Precision)
			}
			if t.Precision != m.precision || t.Columns != nil || t.Common != nil {
				format = panelFormat
			}
			items = append(items, panelItems(cpu, w)...)
		}
		for _, t := range m.run.Model.Tensors() {
			if shapes[t.Name] != nil {
				continue
			}
			item, err := m.plainItem(t)
			if err != nil {
				return err
			}
			items = append(items, item)
		}
		list, err := json.Marshal(shapes)
		if err != nil {
			return err
		}
		meta := map[string]string{metaFormat: format, metaPrecision: precisionName(m.precision), metaShapes: string(list)}
		if a := cpu.Attention(); a != exec.UsualAttention(m.precision) {
			meta[metaAttention] = precisionName(a)
		}
		if format == panelFormat {
			names, err := json.Marshal(others)
			if err != nil {
				return err
			}
			meta[metaPrecisions] = string(names)
		}
		return weights.WriteSafetensors(ctx, path, items, weights.WriteOptions{Metadata: meta, Progress: progress})
	})
}

func precisionName(p Precision) string {
	return map[Precision]string{exec.FP32: "fp32", exec.BF16: "bf16", exec.Int8: "int8"}[p]
}

func (m *Model) shapeOf(name string) ([]int, error) {
	for _, t := range m.run.Model.Tensors() {
		if t.Name == name {
			return t.Shape, nil
		}
	}
	return nil, fmt.Errorf("pack: the device has a weight %q that is no tensor of the model", name)
}

// plainItem is a tensor that is no weight of a linear map, in the type that it
// is stored in, if that is a type of ours.
func (m *Model) plainItem(t nn.Info) (weights.Item, error) {
	data, err := m.tensors.Float32(t.Name)
	if err != nil {
		return weights.Item{}, err
	}
	shape, _ := m.tensors.Shape(t.Name)
	dtype := m.tensors.tensors[t.Name].DType
	if dtype != weights.F16 && dtype != weights.BF16 {
		dtype = weights.F32
	}
	return weights.Float32Item(t.Name, shape, data, dtype)
}

// panelItems are the tensors that hold a packed weight. It is packed when its
// turn comes.
func panelItems(cpu *exec.CPU, w *exec.Matrix) []weights.Item {
	panels := w.Panels(cpu.Pool())
	items := []weights.Item{words(w.Name+wordsSuffix, weights.F32, panels.Words)}
	if panels.Precision == exec.Int8 {
		items = append(items, words(w.Name+scaleSuffix, weights.F32, panels.Scale),
			words(w.Name+correctionSuffix, weights.I32, panels.Correction))
	}
	if w.Treatment.Columns != nil {
		items = append(items, words(w.Name+columnsSuffix, weights.F32, w.Treatment.Columns))
	}
	if w.Treatment.Common != nil {
		items = append(items, words(w.Name+commonSuffix, weights.F32, w.Treatment.Common))
	}
	return items
}

// words is a tensor of one axis whose elements are stored bit for bit.
func words[T float32 | int32](name string, dtype weights.DType, data []T) weights.Item {
	return weights.Item{
		Info: weights.Info{Name: name, DType: dtype, Shape: []int{len(data)}},
		Write: func(w io.Writer) error {
			if !littleEndian {
				return fmt.Errorf("pack: want a little-endian machine")
			}
			_, err := w.Write(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), 4*len(data)))
			return err
		},
	}
}
