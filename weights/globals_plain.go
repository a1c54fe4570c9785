package weights

import (
	"encoding/binary"
	"math"
	"strconv"
)

// The plain Python values that pickles of protocol 2 to 5 build with REDUCE.

func (u *unpickler) orderedDict(args Tuple) (Value, error) {
	if err := u.arguments("OrderedDict", args, 0, 1); err != nil {
		return nil, err
	}
	d := &Dict{Ordered: true}
	if len(args) == 0 {
		return d, nil
	}
	// Python 2 wrote the entries as a list of pairs.
	list, ok := args[0].(*List)
	if !ok {
		return nil, u.bad("OrderedDict", "a list of pairs", typeName(args[0]))
	}
	if err := u.charge(96 * len(list.Items)); err != nil {
		return nil, err
	}
	for _, item := range list.Items {
		pair, _ := item.(Tuple)
		if l, ok := item.(*List); ok {
			pair = Tuple(l.Items)
		}
		if len(pair) != 2 {
			return nil, u.bad("OrderedDict", "a list of pairs", typeName(item))
		}
		if err := u.setItems(d, pair); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (u *unpickler) size(args Tuple) (Value, error) {
	if err := u.arguments("torch.Size", args, 0, 1); err != nil || len(args) == 0 {
		return Tuple{}, err
	}
	shape, err := u.ints("torch.Size", args[0])
	if err != nil {
		return nil, err
	}
	t := make(Tuple, len(shape))
	for i, n := range shape {
		t[i] = int64(n)
	}
	return t, u.charge(24 * len(t))
}

func (u *unpickler) device(args Tuple) (Value, error) {
	if err := u.arguments("torch.device", args, 1, 2); err != nil {
		return nil, err
	}
	s, ok := args[0].(string)
	if !ok {
		return nil, u.bad("torch.device", "a string", typeName(args[0]))
	}
	if len(args) == 2 {
		i, ok := args[1].(int64)
		if !ok {
			return nil, u.bad("torch.device", "an integer as index", typeName(args[1]))
		}
		s += ":" + strconv.FormatInt(i, 10)
	}
	return Device(s), u.charge(len(s) + 8)
}

func (u *unpickler) newSet(args Tuple) (Value, error) {
	if err := u.arguments("set", args, 0, 1); err != nil || len(args) == 0 {
		return new(Set), err
	}
	switch items := args[0].(type) {
	case *List:
		return &Set{Items: items.Items}, nil
	case Tuple:
		return &Set{Items: items}, nil
	}
	return nil, u.bad("set", "a list", typeName(args[0]))
}

func (u *unpickler) complex(args Tuple) (Value, error) {
	if err := u.arguments("complex", args, 2, 2); err != nil {
		return nil, err
	}
	re, ok1 := args[0].(float64)
	im, ok2 := args[1].(float64)
	if !ok1 || !ok2 {
		return nil, u.bad("complex", "two floats", typeName(args[0])+" and "+typeName(args[1]))
	}
	return complex(re, im), nil
}

// encode is how protocol 2 writes bytes: text of which each rune is one byte.
func (u *unpickler) encode(args Tuple) (Value, error) {
	if err := u.arguments("_codecs.encode", args, 1, 2); err != nil {
		return nil, err
	}
	s, ok := args[0].(string)
	if !ok || len(args) != 2 || args[1] != Value("latin1") {
		return nil, u.bad("_codecs.encode", "a string and \"latin1\"", typeName(args[0]))
	}
	if err := u.charge(len(s)); err != nil {
		return nil, err
	}
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			return nil, u.bad("_codecs.encode", "runes below 256", quote(string(r)))
		}
		b = append(b, byte(r))
	}
	return b, nil
}

func (u *unpickler) bytes(args Tuple) (Value, error) {
	if err := u.arguments("bytearray", args, 0, 2); err != nil || len(args) == 0 {
		return []byte{}, err
	}
	if b, ok := args[0].([]byte); ok && len(args) == 1 {
		return b, nil
	}
	return u.encode(args)
}

// numpyDType is a numpy.dtype: a kind and a width, such as "f8".
type numpyDType struct{ code string }

func (u *unpickler) numpyDType(args Tuple) (Value, error) {
	if err := u.arguments("numpy.dtype", args, 1, 3); err != nil {
		return nil, err
	}
	code, ok := args[0].(string)
	if !ok {
		return nil, u.bad("numpy.dtype", "a string", typeName(args[0]))
	}
	return &numpyDType{code}, nil
}

func (u *unpickler) buildNumpyDType(d *numpyDType, state Value) error {
	t, ok := state.(Tuple)
	if !ok || len(t) < 2 {
		return u.bad("state of a numpy.dtype", "a tuple of two or more", typeName(state))
	}
	if order, ok := t[1].(string); !ok || (order != "<" && order != "|" && order != "=") {
		return &UnsupportedError{Path: u.path, What: "byte order of a numpy.dtype", Got: d.code}
	}
	return nil
}

func (u *unpickler) numpyScalar(args Tuple) (Value, error) {
	if err := u.arguments("numpy scalar", args, 2, 2); err != nil {
		return nil, err
	}
	d, ok1 := args[0].(*numpyDType)
	b, ok2 := args[1].([]byte)
	if !ok1 || !ok2 {
		return nil, u.bad("numpy scalar", "a dtype and bytes", typeName(args[0])+" and "+typeName(args[1]))
	}
	width := map[string]int{"b1": 1, "i1": 1, "u1": 1, "i2": 2, "u2": 2, "f2": 2, "i4": 4, "u4": 4, "f4": 4, "i8": 8, "u8": 8, "f8": 8}[d.code]
	if width == 0 {
		return nil, &UnsupportedError{Path: u.path, Tensor: u.tensorName(), What: "numpy type", Got: quote(d.code)}
	}
	if len(b) != width {
		return nil, u.bad("numpy scalar", plural(width, "byte"), plural(len(b), "byte"))
	}
	var raw [8]byte
	copy(raw[:], b)
	n := binary.LittleEndian.Uint64(raw[:])
	switch d.code {
	case "b1":
		return n != 0, nil
	case "f2":
		return float64(float32FromHalf(uint16(n))), nil
	case "f4":
		return float64(math.Float32frombits(uint32(n))), nil
	case "f8":
		return math.Float64frombits(n), nil
	case "u1", "u2", "u4":
		return int64(n), nil
	case "u8":
		return n, nil
	}
	shift := 64 - 8*width
	return int64(n<<shift) >> shift, nil
}
