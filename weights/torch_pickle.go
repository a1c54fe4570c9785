package weights

import (
	"encoding/binary"
	"math"
	"math/big"
	"unicode/utf8"
)

// pickler writes a pickle of protocol 2 in the opcodes that torch.save uses. Strings and
// globals are written once and fetched from the memo from then on.
type pickler struct {
	path  string // of the file, for errors
	b     []byte
	memo  map[string]uint32
	items []Item // the tensors met so far; each is the storage of its number
	key   string // the nearest key above, for errors
}

// classes are the names of storage classes by element type.
var classes = func() map[DType]string {
	c := make(map[DType]string)
	for name, d := range storageTypes {
		if d != "" {
			c[d] = name
		}
	}
	return c
}()

// write appends a value. The tree must have been checked by checkTree.
func (p *pickler) write(v Value) error {
	if len(p.b) > maxPickle { // shared parts are written each time
		return &LimitError{Path: p.path, Tensor: p.key, What: "bytes of data.pkl", Limit: maxPickle, Got: uint64(len(p.b))}
	}
	switch v := v.(type) {
	case nil:
		p.b = append(p.b, opNone)
	case bool:
		if v {
			p.b = append(p.b, opNewTrue)
		} else {
			p.b = append(p.b, opNewFalse)
		}
	case int:
		p.int(int64(v))
	case int64:
		p.int(v)
	case uint64:
		return p.big(new(big.Int).SetUint64(v))
	case *big.Int:
		return p.big(v)
	case float64:
		p.b = append(p.b, opBinFloat)
		p.b = binary.BigEndian.AppendUint64(p.b, math.Float64bits(v))
	case string:
		return p.string(v)
	case Tuple:
		return p.tuple(v)
	case *List:
		p.b = append(p.b, opEmptyList, opMark)
		for _, item := range v.Items {
			if err := p.write(item); err != nil {
				return err
			}
		}
		p.b = append(p.b, opAppends)
	case *Dict:
		return p.dict(v)
	case Tensor:
		item, err := v.Item("")
		if err != nil {
			return err
		}
		return p.tensor(item)
	case Item:
		return p.tensor(v)
	default:
		return &UnsupportedError{Path: p.path, Tensor: p.key, What: "value to write in a pickle", Got: "a " + typeName(v)}
	}
	return nil
}

func (p *pickler) int(n int64) {
	switch {
	case n >= 0 && n < 1<<8:
		p.b = append(p.b, opBinInt1, byte(n))
	case n >= 0 && n < 1<<16:
		p.b = append(p.b, opBinInt2)
		p.b = binary.LittleEndian.AppendUint16(p.b, uint16(n))
	case n >= math.MinInt32 && n <= math.MaxInt32:
		p.b = append(p.b, opBinInt)
		p.b = binary.LittleEndian.AppendUint32(p.b, uint32(n))
	default:
		p.b = append(p.b, opLong1, 8)
		p.b = binary.LittleEndian.AppendUint64(p.b, uint64(n))
	}
}

// big writes an integer in two's complement, with room for its sign.
func (p *pickler) big(n *big.Int) error {
	size := n.BitLen()/8 + 1
	if size > 255 {
		return &LimitError{Path: p.path, Tensor: p.key, What: "bytes of an integer to write", Limit: 255, Got: uint64(size)}
	}
	m := n
	if n.Sign() < 0 {
		m = new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), uint(8*size)))
	}
	be := m.FillBytes(make([]byte, size))
	p.b = append(p.b, opLong1, byte(size))
	for i := range be {
		p.b = append(p.b, be[size-1-i])
	}
	return nil
}

func (p *pickler) string(s string) error {
	if p.recall("s" + s) {
		return nil
	}
	if !utf8.ValidString(s) || uint64(len(s)) > math.MaxUint32 {
		return &FormatError{Path: p.path, Tensor: p.key, What: "string to write", Want: "valid UTF-8", Got: quote(s)}
	}
	p.b = append(p.b, opBinUnicode)
	p.b = binary.LittleEndian.AppendUint32(p.b, uint32(len(s)))
	p.b = append(p.b, s...)
	p.remember("s" + s)
	return nil
}

func (p *pickler) global(module, name string) {
	line := module + "\n" + name + "\n"
	if p.recall("g" + line) {
		return
	}
	p.b = append(append(p.b, opGlobal), line...)
	p.remember("g" + line)
}

// recall fetches from the memo what was written before.
func (p *pickler) recall(what string) bool {
	i, ok := p.memo[what]
	if ok && i < 256 {
		p.b = append(p.b, opBinGet, byte(i))
	} else if ok {
		p.b = append(p.b, opLongBinGet)
		p.b = binary.LittleEndian.AppendUint32(p.b, i)
	}
	return ok
}

// remember puts what was just written in the memo.
func (p *pickler) remember(what string) {
	i := uint32(len(p.memo))
	p.memo[what] = i
	if i < 256 {
		p.b = append(p.b, opBinPut, byte(i))
		return
	}
	p.b = append(p.b, opLongBinPut)
	p.b = binary.LittleEndian.AppendUint32(p.b, i)
}

func (p *pickler) tuple(t Tuple) error {
	if len(t) > 3 {
		p.b = append(p.b, opMark)
	}
	for _, item := range t {
		if err := p.write(item); err != nil {
			return err
		}
	}
	p.b = append(p.b, [...]byte{opEmptyTuple, opTuple1, opTuple2, opTuple3, opTuple}[min(len(t), 4)])
	return nil
}

func (p *pickler) dict(d *Dict) error {
	if d.Ordered {
		p.orderedDict()
	} else {
		p.b = append(p.b, opEmptyDict)
	}
	above := p.key
	defer func() { p.key = above }()
	p.b = append(p.b, opMark)
	for i := range d.Len() {
		key, value := d.At(i)
		if s, ok := key.(string); ok {
			p.key = s
		}
		if err := p.write(key); err != nil {
			return err
		}
		if err := p.write(value); err != nil {
			return err
		}
	}
	p.b = append(p.b, opSetItems)
	return nil
}

// orderedDict writes an empty one.
func (p *pickler) orderedDict() {
	p.global("collections", "OrderedDict")
	p.b = append(p.b, opEmptyTuple, opReduce)
}

// tensor writes a contiguous tensor that is the whole of a storage of its own.
func (p *pickler) tensor(item Item) error {
	if p.key != "" {
		item.Name = p.key
	}
	class, ok := classes[item.DType]
	if !ok {
		return &UnsupportedError{Path: p.path, Tensor: item.Name, What: "type in a torch file", Got: quote(string(item.DType))}
	}
	n, ok := checkedElems(item.Shape)
	if !ok || int64(n) > math.MaxInt64/int64(item.DType.Size()) {
		return &FormatError{Path: p.path, Tensor: item.Name, What: "shape", Want: "a size in bytes that fits", Got: intsString(item.Shape)}
	}
	if len(item.Shape) > maxRank {
		return &LimitError{Path: p.path, Tensor: item.Name, What: "axes of a shape", Limit: maxRank, Got: uint64(len(item.Shape))}
	}
	if len(p.items) == maxTensors {
		return &LimitError{Path: p.path, Tensor: item.Name, What: "tensors in one file", Limit: maxTensors, Got: maxTensors + 1}
	}
	p.global("torch._utils", "_rebuild_tensor_v2")
	p.b = append(p.b, opMark, opMark)
	if err := p.string("storage"); err != nil {
		return err
	}
	p.global("torch", class)
	if err := p.string(storageKey(len(p.items))); err != nil {
		return err
	}
	if err := p.string("cpu"); err != nil {
		return err
	}
	p.int(int64(n))
	p.b = append(p.b, opTuple, opBinPersID)
	p.int(0) // offset
	shape, stride := make(Tuple, len(item.Shape)), make(Tuple, len(item.Shape))
	step := 1
	for i := len(shape) - 1; i >= 0; i-- {
		shape[i], stride[i] = item.Shape[i], step
		step *= max(item.Shape[i], 1)
	}
	if err := p.tuple(shape); err != nil {
		return err
	}
	if err := p.tuple(stride); err != nil {
		return err
	}
	p.b = append(p.b, opNewFalse) // requires_grad
	p.orderedDict()               // hooks
	p.b = append(p.b, opTuple, opReduce)
	p.items = append(p.items, item)
	return nil
}
