package coca

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	"github.com/seed-e0874532/coca/internal/kernel"
	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/weights"
)

// Weights may be stored as the device wants them, so that nothing has to be
// converted or packed at start: in bfloat16, or as packed panels. A packed file
// is a safetensors file whose metadata says so; in place of the tensor NAME it
// holds
//
//	NAME#words       F32, the panels of package kernel, any word of 4 bytes
//	NAME#scale       F32, int8 only
//	NAME#correction  I32, int8 only
//	NAME#columns     F32, where exec.Treatment has them
//	NAME#common      F32, where exec.Treatment has it
//
// where NAME may be rows of a tensor, as "attn.in_proj_weight[768:2304]".
//
// Version 1 of the layout has one precision for all weights and neither columns
// nor common; it is written where that is so, and read for ever.
const (
	metaFormat     = "coca.panels"     // version of the layout
	metaPrecision  = "coca.precision"  // fp32, bf16 or int8
	metaPrecisions = "coca.precisions" // JSON, version 2: the precision of each NAME that has another
	metaAttention  = "coca.attention"  // the precision of attention, if it is not the usual one
	metaShapes     = "coca.shapes"     // JSON: the shape of each tensor that is packed
	uniformFormat  = "1"
	panelFormat    = "2"

	wordsSuffix      = "#words"
	scaleSuffix      = "#scale"
	correctionSuffix = "#correction"
	columnsSuffix    = "#columns"
	commonSuffix     = "#common"
)

// A PackError says that a packed file was made for something else.
type PackError struct {
	Path string
	What string
	Want string
	Got  string
}

func (e *PackError) Error() string {
	return fmt.Sprintf("%s: packed weights: %s: want %s, got %s", e.Path, e.What, e.Want, e.Got)
}

// packing is what the metadata of a packed file says.
type packing struct {
	precision Precision
	others    map[string]Precision // of the weights that have another
	attention *Precision           // nil: the usual one
	shapes    map[string][]int
}

// readPacking reads the metadata of a file; nil for one that is not packed.
func readPacking(f *weights.File) (*packing, error) {
	meta := f.Metadata()
	version, ok := meta[metaFormat]
	if !ok {
		return nil, nil
	}
	if version != uniformFormat && version != panelFormat {
		return nil, &PackError{f.Path(), "format version", uniformFormat + " or " + panelFormat, version}
	}
	var p packing
	var err error
	if p.precision, err = ParsePrecision(meta[metaPrecision]); err != nil {
		return nil, &PackError{f.Path(), "precision", "fp32, bf16 or int8", strconv.Quote(meta[metaPrecision])}
	}
	if err := json.Unmarshal([]byte(meta[metaShapes]), &p.shapes); err != nil {
		return nil, &PackError{f.Path(), "shapes", "a JSON object", err.Error()}
	}
	if version == panelFormat {
		if p.others, err = readPrecisions(meta[metaPrecisions]); err != nil {
			return nil, &PackError{f.Path(), "precisions", "a JSON object of fp32, bf16 or int8", err.Error()}
		}
	}
	if name, ok := meta[metaAttention]; ok {
		attention, err := ParsePrecision(name)
		if err != nil || attention == exec.Int8 {
			return nil, &PackError{f.Path(), "precision of attention", "fp32 or bf16", strconv.Quote(name)}
		}
		p.attention = &attention
	}
	for name, shape := range p.shapes {
		n := 1
		for _, d := range shape {
			if d <= 0 || int64(n) > f.Size()/int64(d) { // a weight takes at least a byte
				return nil, &PackError{f.Path(), "shape of " + name, "positive sizes of a weight within the file", fmt.Sprint(shape)}
			}
			n *= d
		}
	}
	return &p, nil
}

// readPrecisions reads the precisions of single weights.
func readPrecisions(text string) (map[string]Precision, error) {
	var names map[string]string
	if err := json.Unmarshal([]byte(text), &names); err != nil {
		return nil, err
	}
	others := map[string]Precision{}
	for name, value := range names {
		p, err := ParsePrecision(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		others[name] = p
	}
	return others, nil
}

// prepared gives the device weights that are stored as it wants them.
func (s *fileSource) prepared(name string, out, in int, order kernel.Order) (*exec.Prepared, error) {
	if s.pack != nil {
		return s.preparedPanels(name, out, in)
	}
	base, lo, hi := cutRows(name)
	if _, ok := s.direct(base); !ok {
		return nil, nil
	}
	all, _ := s.halves(base)
	if hi > 0 {
		row := len(all) / s.tensors[base].Shape[0]
		all = all[lo*row : hi*row]
	}
	return &exec.Prepared{Matrix: kernel.NewMatrixBF16(all[:out*in], out, in, order)}, nil
}

// halves views the bytes of a bfloat16 tensor, if the machine can use them as they are.
func (s *fileSource) halves(name string) ([]uint16, bool) {
	data, err := s.tensors[name].Bytes()
	if err != nil || !littleEndian || uintptr(unsafe.Pointer(unsafe.SliceData(data)))%2 != 0 {
		return nil, false // Float32 reports what is wrong with it
	}
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(data))), len(data)/2), true
}

// preparedPanels finds the stored panels of a weight, nil for one that is not packed.
func (s *fileSource) preparedPanels(name string, out, in int) (*exec.Prepared, error) {
	if base, _, _ := cutRows(name); s.pack.shapes[base] == nil {
		return nil, nil
	}
	w := kernel.Panels{Precision: s.pack.precision, Out: out, In: in}
	if p, ok := s.pack.others[name]; ok {
		w.Precision = p
	}
	var err error
	if w.Words, err = s.floats(name + wordsSuffix); err != nil {
		return nil, err
	}
	if w.Precision == exec.Int8 {
		if w.Scale, err = s.floats(name + scaleSuffix); err != nil {
			return nil, err
		}
		correction, err := s.floats(name + correctionSuffix)
		if err != nil {
			return nil, err
		}
		w.Correction = unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(correction))), len(correction))
	}
	m, err := kernel.NewMatrixPanels(w)
	if err != nil {
		return nil, &PackError{s.path, name, "panels of its shape", err.Error()}
	}
	p := &exec.Prepared{Matrix: m}
	if p.Columns, err = s.inputs(name+columnsSuffix, in); err != nil {
		return nil, err
	}
	p.Common, err = s.inputs(name+commonSuffix, in)
	return p, err
}

// inputs are numbers of a packed weight, one for each input, nil if it has none.
func (s *fileSource) inputs(name string, in int) ([]float32, error) {
	if _, ok := s.packed[name]; !ok {
		return nil, nil
	}
	x, err := s.floats(name)
	if err == nil && len(x) != in {
		err = &PackError{s.path, name, fmt.Sprintf("%d numbers", in), strconv.Itoa(len(x))}
	}
	return x, err
}

// floats views the bytes of a tensor of 4-byte elements, without converting them.
func (s *fileSource) floats(name string) ([]float32, error) {
	t, ok := s.packed[name]
	if !ok {
		return nil, &PackError{s.path, name, "a tensor of this name", "none"}
	}
	data, err := t.Bytes()
	if err != nil {
		return nil, err
	}
	if t.DType.Size() != 4 || uintptr(unsafe.Pointer(unsafe.SliceData(data)))%4 != 0 || !littleEndian {
		return nil, &PackError{s.path, name, "aligned 4-byte elements on a little-endian machine", string(t.DType)}
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(data))), len(data)/4), nil
}

// released gives the pages of a weight back that was copied into panels.
func (s *fileSource) released(name string) {
	base, _, _ := cutRows(name)
	if t, ok := s.tensors[base]; ok && s.pack == nil {
		_ = t.Release() // a hint: what is touched again comes back from the file
	}
}

// cutRows splits NAME[lo:hi]; hi is 0 if the name has no rows.
func cutRows(name string) (base string, lo, hi int) {
	base, rows, ok := strings.Cut(name, "[")
	if !ok {
		return name, 0, 0
	}
	if _, err := fmt.Sscanf(rows, "%d:%d]", &lo, &hi); err != nil {
		return name, 0, 0
	}
	return base, lo, hi
}

// littleEndian reports the byte order of this machine.
var littleEndian = func() bool {
	one := uint16(1)
	return *(*byte)(unsafe.Pointer(&one)) == 1
}()
