package weights

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"os"
	"slices"
	"unsafe"
)

// Tensor is a tensor of an open file. It is a small value and holds no data.
type Tensor struct {
	Info
	st     *storage
	first  int   // index of the first element in the storage
	stride []int // in elements; nil for row-major without gaps

	scale *Tensor // of an int8 matrix, one for each row; nil for all others
}

// storage is a run of bytes that one or more tensors look into.
type storage struct {
	m     *mapping
	key   string // name in its file, for errors
	off   int64  // bytes from the start of the mapping
	bytes int64  // length once unpacked
	// unpack is set for a compressed member and returns its bytes.
	unpack func() ([]byte, error)
}

// littleEndian tells whether the file's bytes are the machine's numbers.
var littleEndian = func() bool {
	one := uint16(1)
	return *(*byte)(unsafe.Pointer(&one)) == 1
}()

// data returns the bytes of the storage. Call it, and use its result, under locked.
func (s *storage) data() ([]byte, error) {
	if s.unpack != nil {
		return s.unpack()
	}
	return s.m.data[s.off : s.off+s.bytes], nil
}

// newTensor checks that every element of a tensor lies inside its storage.
// first and strides count elements.
func newTensor(path string, info Info, st *storage, first int, stride []int) (Tensor, error) {
	bad := func(what, want, got string) (Tensor, error) {
		return Tensor{}, &FormatError{Path: path, Tensor: info.Name, What: what, Want: want, Got: got}
	}
	n, ok := checkedElems(info.Shape)
	if !ok {
		return bad("shape", "sizes whose product fits", intsString(info.Shape))
	}
	size := info.DType.Size()
	have := int(st.bytes) / size
	if first < 0 {
		return bad("storage offset", "0 or more", intsString([]int{first}))
	}
	if stride != nil && len(stride) != len(info.Shape) {
		return bad("strides", "one for each axis of "+intsString(info.Shape), intsString(stride))
	}
	if n == 0 {
		return Tensor{Info: info, st: st}, nil
	}
	last := uint64(first)
	for i, d := range info.Shape {
		if stride == nil {
			break
		}
		if stride[i] < 0 {
			return bad("strides", "0 or more", intsString(stride))
		}
		hi, lo := bits.Mul64(uint64(d-1), uint64(stride[i]))
		sum, carry := bits.Add64(last, lo, 0)
		if hi != 0 || carry != 0 || sum > math.MaxInt {
			return bad("strides", "an extent that fits", intsString(stride)+" for shape "+intsString(info.Shape))
		}
		last = sum
	}
	if stride == nil {
		if n > have || first > have-n {
			last = math.MaxInt
		} else {
			last = uint64(first + n - 1)
		}
	}
	if last >= uint64(have) {
		return bad("extent", "elements inside the storage "+quote(st.key)+" of "+intsString([]int{have}),
			"shape "+intsString(info.Shape)+", strides "+intsString(stride)+", offset "+intsString([]int{first}))
	}
	// A stride of 0 repeats elements: a few bytes could claim any size.
	const expanded = 1 << 20
	if n > have && n > expanded {
		return Tensor{}, &LimitError{Path: path, Tensor: info.Name, What: "elements of a tensor that repeats a smaller storage", Limit: expanded, Got: uint64(n)}
	}
	if contiguous(info.Shape, stride) {
		stride = nil
	}
	stride = slices.Clone(stride)
	for i := range stride {
		if info.Shape[i] == 1 {
			stride[i] = 0 // an axis that is never stepped along may claim anything
		}
	}
	return Tensor{Info: info, st: st, first: first, stride: stride}, nil
}

// contiguous tells whether strides are those of row-major order. The stride of an axis
// of size 1 does not matter.
func contiguous(shape, stride []int) bool {
	if stride == nil {
		return true
	}
	want := 1
	for i := len(shape) - 1; i >= 0; i-- {
		if shape[i] != 1 && stride[i] != want {
			return false
		}
		want *= shape[i]
	}
	return true
}

// Bytes returns the elements in row-major order as little-endian bytes: a view of the
// mapping if they lie there so, else a copy.
func (t Tensor) Bytes() ([]byte, error) {
	var out []byte
	err := t.locked(func() error {
		data, err := t.st.data()
		if err != nil {
			return err
		}
		n := t.Elems()
		if t.stride == nil {
			size := t.DType.Size()
			out = data[t.first*size : (t.first+n)*size : (t.first+n)*size]
			return nil
		}
		out = make([]byte, n*t.DType.Size())
		t.gather(out, data, 0)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Float32 returns the elements in row-major order. An F32 tensor that is contiguous
// and aligned in a mapped file comes as a view: read-only, valid until [File.Close], and to be
// read under [File.Guard]. F16, BF16 and F64 are converted (F64 rounded to nearest even), other
// types are refused with an [UnsupportedError]. An int8 matrix, see [Convert], is multiplied out.
func (t Tensor) Float32() ([]float32, error) {
	if t.scale != nil {
		return t.floats()
	}
	var out []float32
	err := t.locked(func() error {
		data, err := t.st.data()
		if err != nil {
			return err
		}
		n := t.Elems()
		if n == 0 && t.DType.float() {
			out = []float32{}
			return nil
		}
		if t.DType == F32 && t.stride == nil && littleEndian {
			p := unsafe.Pointer(&data[t.first*4])
			if uintptr(p)%unsafe.Alignof(float32(0)) == 0 {
				out = unsafe.Slice((*float32)(p), n)
				return nil
			}
		}
		if !t.DType.float() {
			return &UnsupportedError{Path: t.path(), Tensor: t.Name, What: "conversion to float32", Got: string(t.DType)}
		}
		out = make([]float32, n)
		t.convert(out, data)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (d DType) float() bool { return d == F32 || d == F16 || d == BF16 || d == F64 }

func (t Tensor) locked(fn func() error) error {
	if t.st == nil {
		return &NotFoundError{Tensor: t.Name}
	}
	return t.st.m.locked(fn)
}

// path is the file that the tensor is in.
func (t Tensor) path() string {
	if t.st == nil {
		return ""
	}
	return t.st.m.path
}

// convert widens or rounds all elements to float32, a block at a time.
func (t Tensor) convert(out []float32, data []byte) {
	var buf [4096]byte
	size := t.DType.Size()
	for done := 0; done < len(out); {
		k := min(len(buf)/size, len(out)-done)
		b := buf[:k*size]
		t.gather(b, data, done)
		decodeFloat32(out[done:done+k], b, t.DType)
		done += k
	}
}

// decodeFloat32 converts little-endian elements of a floating type.
func decodeFloat32(out []float32, b []byte, d DType) {
	switch d {
	case F32:
		for i := range out {
			out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
	case F16:
		for i := range out {
			out[i] = float32FromHalf(binary.LittleEndian.Uint16(b[2*i:]))
		}
	case BF16:
		for i := range out {
			out[i] = float32FromBF16(binary.LittleEndian.Uint16(b[2*i:]))
		}
	case F64:
		for i := range out {
			out[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:])))
		}
	}
}

// gather copies the elements from flat row-major index on until dst is full.
func (t Tensor) gather(dst, data []byte, index int) {
	size := t.DType.Size()
	if t.stride == nil {
		copy(dst, data[(t.first+index)*size:])
		return
	}
	// Split index into one coordinate for each axis, then count them up like an odometer.
	at := make([]int, len(t.Shape))
	pos := t.first
	for i := len(t.Shape) - 1; i >= 0; i-- {
		at[i] = index % t.Shape[i]
		index /= t.Shape[i]
		pos += at[i] * t.stride[i]
	}
	last := len(at) - 1
	for len(dst) > 0 {
		n := min(t.Shape[last]-at[last], len(dst)/size)
		gatherRow(dst[:n*size], data[pos*size:], size, t.stride[last])
		dst = dst[n*size:]
		at[last] += n
		pos += n * t.stride[last]
		for i := last; at[i] == t.Shape[i] && i > 0; i-- {
			pos += t.stride[i-1] - t.Shape[i]*t.stride[i]
			at[i] = 0
			at[i-1]++
		}
	}
}

// gatherRow copies elements that stand stride elements apart.
func gatherRow(dst, data []byte, size, stride int) {
	step := stride * size
	switch {
	case stride == 1:
		copy(dst, data)
	case size == 4:
		for i, at := 0, 0; i < len(dst); i, at = i+4, at+step {
			binary.NativeEndian.PutUint32(dst[i:], binary.NativeEndian.Uint32(data[at:]))
		}
	case size == 2:
		for i, at := 0, 0; i < len(dst); i, at = i+2, at+step {
			binary.NativeEndian.PutUint16(dst[i:], binary.NativeEndian.Uint16(data[at:]))
		}
	default:
		for i, at := 0, 0; i < len(dst); i, at = i+size, at+step {
			copy(dst[i:i+size], data[at:])
		}
	}
}

// Release tells the system that the tensor's part of the mapping is not needed for now,
// for instance after it has been packed for a device. Views stay valid; what is touched again
// is read from the file again. Pages shared with neighbours stay, and so does whatever a
// compressed member was unpacked into.
func (t Tensor) Release() error {
	return t.locked(func() error {
		if t.st.unpack != nil || t.st.m.file == nil {
			return nil
		}
		page := int64(os.Getpagesize())
		from := (t.st.off + page - 1) / page * page
		to := (t.st.off + t.st.bytes) / page * page
		if from >= to {
			return nil
		}
		if err := giveBack(t.st.m.data[from:to]); err != nil {
			return fmt.Errorf("weights: %s: tensor %s: release: %w", t.st.m.path, quote(t.Name), err)
		}
		return nil
	})
}
