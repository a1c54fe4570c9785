package weights

// Value is what a torch file holds, with the Go type for each Python type:
//
//	None            nil
//	bool            bool
//	int             int64, or *big.Int where that is too small
//	float           float64
//	complex         complex128
//	str             string
//	bytes           []byte (bytearray too)
//	tuple           Tuple (torch.Size and slice too)
//	list            *List
//	dict            *Dict (collections.OrderedDict too)
//	set, frozenset  *Set
//	torch.Tensor    Tensor (torch.nn.Parameter too)
//	torch.dtype     DType
//	torch.device    Device
//	numpy scalar    bool, int64, uint64 or float64
//
// A tree of values is finite, without cycles, at most 64 levels deep and of at
// most 2^22 nodes even when shared parts are counted each time: it can be walked
// without precautions.
type Value any

// Tuple is a Python tuple.
type Tuple []Value

// List is a Python list.
type List struct{ Items []Value }

// Set is a Python set, in the order of the file.
type Set struct{ Items []Value }

// Device is a torch.device, such as "cpu" or "cuda:0".
type Device string

// Dict is a Python dictionary: ordered, with keys that are strings, integers, floats,
// booleans or nil.
type Dict struct {
	Ordered bool // a collections.OrderedDict, as state dicts are

	keys  []Value
	vals  []Value
	index map[any]int
}

// Len returns the number of entries.
func (d *Dict) Len() int { return len(d.keys) }

// Keys returns the keys in order. The slice is the dictionary's own.
func (d *Dict) Keys() []Value { return d.keys }

// At returns entry i in order.
func (d *Dict) At(i int) (key, value Value) { return d.keys[i], d.vals[i] }

// Get returns the value of a key. An integer key is asked for as an int64 or an int.
func (d *Dict) Get(key Value) (Value, bool) {
	k, ok := hashable(key)
	if !ok {
		return nil, false
	}
	i, ok := d.index[k]
	if !ok {
		return nil, false
	}
	return d.vals[i], true
}

// Set stores a value as Python does: a key that exists keeps its place. A key of a type that
// Dict does not have is an [UnsupportedError].
func (d *Dict) Set(key, value Value) error {
	if !d.set(key, value) {
		return &UnsupportedError{What: "dictionary key", Got: typeName(key)}
	}
	return nil
}

// set stores a value as Python does: a key that exists keeps its place. It reports false
// for a key of a type that Dict does not have.
func (d *Dict) set(key, value Value) bool {
	k, ok := hashable(key)
	if !ok {
		return false
	}
	if i, ok := d.index[k]; ok {
		d.vals[i] = value
		return true
	}
	if d.index == nil {
		d.index = make(map[any]int)
	}
	d.index[k] = len(d.keys)
	d.keys = append(d.keys, key)
	d.vals = append(d.vals, value)
	return true
}

// hashable returns the map key of a dictionary key. As in Python, True is 1 and False is 0.
func hashable(key Value) (any, bool) {
	switch k := key.(type) {
	case nil, string, int64:
		return k, true
	case int:
		return int64(k), true
	case bool:
		if k {
			return int64(1), true
		}
		return int64(0), true
	case float64:
		if k == k && k >= -1<<62 && k <= 1<<62 && float64(int64(k)) == k {
			return int64(k), true
		}
		return k, k == k
	}
	return nil, false
}

// typeName names the Python type of a value, for messages.
func typeName(v Value) string {
	switch v.(type) {
	case nil:
		return "None"
	case bool:
		return "bool"
	case string:
		return "str"
	case []byte:
		return "bytes"
	case float64:
		return "float"
	case complex128:
		return "complex"
	case Tuple:
		return "tuple"
	case *List:
		return "list"
	case *Dict:
		return "dict"
	case *Set:
		return "set"
	case Tensor, Item:
		return "torch.Tensor"
	case DType:
		return "torch.dtype"
	case Device:
		return "torch.device"
	case storageRef:
		return "torch storage"
	case storageType:
		return "torch storage type"
	case global:
		return "a global"
	case *numpyDType:
		return "numpy.dtype"
	}
	return "int"
}

const (
	maxDepth = 64
	maxNodes = 1 << 22
)

// checkTree enforces what Value promises, in time linear in the number of
// distinct containers.
func checkTree(path string, root Value) error {
	w := treeWalk{path: path, size: make(map[any]uint64)}
	_, err := w.walk(root, 0)
	return err
}

type treeWalk struct {
	path string
	size map[any]uint64 // unfolded size of each container; 0 while it is being walked
}

func (w *treeWalk) walk(v Value, depth int) (uint64, error) {
	var id any
	var parts []Value
	switch c := v.(type) {
	case Tuple:
		if len(c) == 0 {
			return 1, nil
		}
		id, parts = &c[0], c
	case *List:
		id, parts = c, c.Items
	case *Set:
		id, parts = c, c.Items
	case *Dict:
		id, parts = c, c.vals
	case storageRef, storageType, global, *numpyDType:
		return 0, &UnsupportedError{Path: w.path, What: "value in a pickle", Got: "a bare " + typeName(v)}
	default:
		return 1, nil
	}
	if n, ok := w.size[id]; ok {
		if n == 0 {
			return 0, &FormatError{Path: w.path, What: "value in a pickle", Want: "a finite value", Got: "a " + typeName(v) + " that contains itself"}
		}
		return n, nil
	}
	if depth == maxDepth {
		return 0, &LimitError{Path: w.path, What: "depth of nested values", Limit: maxDepth, Got: maxDepth + 1}
	}
	w.size[id] = 0
	n := uint64(1)
	for _, p := range parts {
		k, err := w.walk(p, depth+1)
		if err != nil {
			return 0, err
		}
		if n += k; n > maxNodes {
			return 0, &LimitError{Path: w.path, What: "values, shared ones counted each time", Limit: maxNodes, Got: n}
		}
	}
	w.size[id] = n
	return n, nil
}
