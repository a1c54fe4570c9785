package weights

import "math"

// storageRef is a storage as a pickle refers to it, with the type of its elements
// (empty: untyped).
type storageRef struct {
	st    *storage
	dtype DType
}

// persistentID is the checked tuple by which a pickle names a storage.
type persistentID struct {
	dtype DType  // empty for an untyped storage
	key   string // unique in the file
	bytes int64
	view  *storageView // legacy files: the part of the storage that is meant
}

// storageView is a part of a storage, in bytes.
type storageView struct{ off, bytes int64 }

// persistent checks ("storage", type, key, location, elements[, view]).
func (u *unpickler) persistent(id Value) (storageRef, error) {
	fail := func(want string, got Value) (storageRef, error) {
		return storageRef{}, u.bad("persistent id", want, typeName(got))
	}
	t, ok := id.(Tuple)
	if !ok || len(t) < 5 || len(t) > 6 {
		return fail("a tuple of 5 or 6", id)
	}
	if kind, _ := t[0].(string); kind != "storage" {
		return storageRef{}, &UnsupportedError{Path: u.path, What: "persistent id", Got: "not a storage"}
	}
	typ, ok := t[1].(storageType)
	if !ok {
		return fail("a storage type", t[1])
	}
	key, ok := t[2].(string)
	if !ok {
		return fail("a string as key", t[2])
	}
	unit := int64(1)
	if typ.DType != "" {
		unit = int64(typ.DType.Size())
	}
	count := func(v Value) (int64, bool) {
		n, ok := v.(int64)
		if !ok || n < 0 || n > math.MaxInt64/unit {
			return 0, false
		}
		return n * unit, true
	}
	p := persistentID{dtype: typ.DType, key: key}
	if p.bytes, ok = count(t[4]); !ok {
		return fail("a number of elements that fits", t[4])
	}
	if len(t) == 6 && t[5] != nil {
		v, ok := t[5].(Tuple)
		if !ok || len(v) != 3 {
			return fail("a view of key, offset and size", t[5])
		}
		off, ok1 := count(v[1])
		n, ok2 := count(v[2])
		if !ok1 || !ok2 || off > p.bytes || n > p.bytes-off {
			return storageRef{}, u.bad("view of storage "+quote(key), "a part of its "+plural64(uint64(p.bytes), "byte"), "another")
		}
		p.view = &storageView{off, n}
	}
	return u.storage(p)
}

// rebuildTensor takes (storage, offset, size, stride[, requires_grad, hooks[, metadata]]).
func (u *unpickler) rebuildTensor(args Tuple) (Value, error) {
	if err := u.arguments("rebuilding a tensor", args, 4, 7); err != nil {
		return nil, err
	}
	if len(args) == 7 {
		if err := u.plainBits(args[6]); err != nil {
			return nil, err
		}
	}
	ref, ok := args[0].(storageRef)
	if !ok {
		return nil, u.bad("rebuilding a tensor", "a storage", typeName(args[0]))
	}
	if ref.dtype == "" {
		return nil, u.bad("rebuilding a tensor", "a typed storage", "an untyped one")
	}
	return u.tensor(ref, ref.dtype, args)
}

// rebuildTensorV3 takes (storage, offset, size, stride, requires_grad, hooks, dtype[, metadata]).
func (u *unpickler) rebuildTensorV3(args Tuple) (Value, error) {
	if err := u.arguments("rebuilding a tensor", args, 7, 8); err != nil {
		return nil, err
	}
	if len(args) == 8 {
		if err := u.plainBits(args[7]); err != nil {
			return nil, err
		}
	}
	ref, ok1 := args[0].(storageRef)
	d, ok2 := args[6].(DType)
	if !ok1 || !ok2 {
		return nil, u.bad("rebuilding a tensor", "a storage and a dtype", typeName(args[0])+" and "+typeName(args[6]))
	}
	return u.tensor(ref, d, args)
}

// plainBits refuses tensors whose data is to be conjugated or negated on reading.
func (u *unpickler) plainBits(metadata Value) error {
	if d, ok := metadata.(*Dict); ok {
		for _, k := range []string{"conj", "neg"} {
			if on, _ := d.Get(k); on == Value(true) {
				return &UnsupportedError{Path: u.path, Tensor: u.tensorName(), What: "lazily transformed tensor", Got: k}
			}
		}
	}
	return nil
}

func (u *unpickler) tensor(ref storageRef, d DType, args Tuple) (Value, error) {
	first, ok := args[1].(int64)
	if !ok || first < 0 || first > math.MaxInt {
		return nil, u.bad("storage offset", "0 or more", typeName(args[1]))
	}
	shape, err := u.ints("shape", args[2])
	if err != nil {
		return nil, err
	}
	stride, err := u.ints("strides", args[3])
	if err != nil {
		return nil, err
	}
	if err := u.charge(160 + 16*len(shape)); err != nil {
		return nil, err
	}
	return asValue(newTensor(u.path, Info{Name: u.key(), DType: d, Shape: shape}, ref.st, int(first), stride))
}

func asValue(t Tensor, err error) (Value, error) {
	if err != nil {
		return nil, err
	}
	return t, nil
}

// rebuildParameter takes (tensor, requires_grad, hooks[, state]).
func (u *unpickler) rebuildParameter(args Tuple) (Value, error) {
	if err := u.arguments("rebuilding a parameter", args, 3, 4); err != nil {
		return nil, err
	}
	t, ok := args[0].(Tensor)
	if !ok {
		return nil, u.bad("rebuilding a parameter", "a tensor", typeName(args[0]))
	}
	return t, nil
}

// rebuildFromType takes (function, class, arguments, state): a tensor on which Python code has
// set attributes, which are left out.
func (u *unpickler) rebuildFromType(args Tuple) (Value, error) {
	if err := u.arguments("rebuilding a tensor with attributes", args, 4, 4); err != nil {
		return nil, err
	}
	class, _ := args[1].(global)
	inner, ok := args[2].(Tuple)
	if !ok || class != "torch Tensor" && class != "torch.nn.parameter Parameter" {
		return nil, u.bad("rebuilding a tensor with attributes", "torch.Tensor or Parameter and a tuple", typeName(args[1])+" and "+typeName(args[2]))
	}
	switch args[0] {
	case Value(global("torch._utils _rebuild_tensor_v2")):
		return u.rebuildTensor(inner)
	case Value(global("torch._utils _rebuild_tensor_v3")):
		return u.rebuildTensorV3(inner)
	case Value(global("torch._utils _rebuild_parameter")):
		return u.rebuildParameter(inner)
	}
	return nil, u.bad("rebuilding a tensor with attributes", "a function that rebuilds tensors", typeName(args[0]))
}

// notCallable stands for classes that are only named.
func (u *unpickler) notCallable(Tuple) (Value, error) {
	return nil, &UnsupportedError{Path: u.path, Tensor: u.tensorName(), What: "pickle REDUCE", Got: "of a tensor class"}
}

// ints reads a shape or strides: a tuple or list of sizes.
func (u *unpickler) ints(what string, v Value) ([]int, error) {
	items, ok := v.(Tuple)
	if l, isList := v.(*List); isList {
		items, ok = Tuple(l.Items), true
	}
	if !ok {
		return nil, u.bad(what, "a tuple of integers", typeName(v))
	}
	if len(items) > maxRank {
		return nil, &LimitError{Path: u.path, Tensor: u.tensorName(), What: "axes in " + what, Limit: maxRank, Got: uint64(len(items))}
	}
	out := make([]int, len(items))
	for i, item := range items {
		n, ok := item.(int64)
		if !ok || n < 0 || n > math.MaxInt {
			return nil, u.bad(what, "integers of 0 or more that fit", typeName(item)+" "+intText(item))
		}
		out[i] = int(n)
	}
	return out, nil
}
