package weights

import (
	"bytes"
	"strings"
)

// global is the inert name of something in Python, "module name".
type global string

// storageType is a class of torch storages; DType is empty for untyped ones, which count bytes.
type storageType struct{ DType DType }

// torchTypes are the element types by the name of their torch.dtype.
var torchTypes = map[string]DType{
	"float32": F32, "float": F32, "float64": F64, "double": F64, "float16": F16, "half": F16, "bfloat16": BF16,
	"int64": I64, "long": I64, "int32": I32, "int": I32, "int16": I16, "short": I16, "int8": I8,
	"uint8": U8, "uint16": U16, "uint32": U32, "uint64": U64, "bool": Bool,
	"complex64": C64, "cfloat": C64, "complex128": C128, "cdouble": C128,
	"float8_e4m3fn": F8E4M3, "float8_e5m2": F8E5M2,
}

// storageTypes are the element types by the name of their storage class.
var storageTypes = map[string]DType{
	"FloatStorage": F32, "DoubleStorage": F64, "HalfStorage": F16, "BFloat16Storage": BF16,
	"LongStorage": I64, "IntStorage": I32, "ShortStorage": I16, "CharStorage": I8, "ByteStorage": U8, "BoolStorage": Bool,
	"ComplexFloatStorage": C64, "ComplexDoubleStorage": C128, "UntypedStorage": "",
}

// callables are the globals that reduce understands. This, torchTypes and storageTypes are
// the whole allow-list.
var callables = map[global]func(*unpickler, Tuple) (Value, error){
	"collections OrderedDict":                    (*unpickler).orderedDict,
	"torch._utils _rebuild_tensor":               (*unpickler).rebuildTensor,
	"torch._utils _rebuild_tensor_v2":            (*unpickler).rebuildTensor,
	"torch._utils _rebuild_tensor_v3":            (*unpickler).rebuildTensorV3,
	"torch._utils _rebuild_parameter":            (*unpickler).rebuildParameter,
	"torch._utils _rebuild_parameter_with_state": (*unpickler).rebuildParameter,
	"torch._tensor _rebuild_from_type_v2":        (*unpickler).rebuildFromType,
	"torch Tensor":                               (*unpickler).notCallable,
	"torch.nn.parameter Parameter":               (*unpickler).notCallable,
	"torch Size":                                 (*unpickler).size,
	"torch device":                               (*unpickler).device,
	"builtins set":                               (*unpickler).newSet,
	"builtins frozenset":                         (*unpickler).newSet,
	"builtins complex":                           (*unpickler).complex,
	"builtins slice":                             func(_ *unpickler, args Tuple) (Value, error) { return args, nil },
	"builtins bytearray":                         (*unpickler).bytes,
	"_codecs encode":                             (*unpickler).encode,
	"numpy dtype":                                (*unpickler).numpyDType,
	"numpy.core.multiarray scalar":               (*unpickler).numpyScalar,
	"numpy._core.multiarray scalar":              (*unpickler).numpyScalar,
}

// globalOp looks a global up in the allow-list. An unknown one is refused here, before
// anything could be done with it.
func (u *unpickler) globalOp(op byte) error {
	var module, name string
	if op == opGlobal {
		var err error
		if module, err = u.line(); err != nil {
			return err
		}
		if name, err = u.line(); err != nil {
			return err
		}
	} else {
		n, err := u.pop()
		if err != nil {
			return err
		}
		m, err := u.pop()
		if err != nil {
			return err
		}
		var ok1, ok2 bool
		module, ok1 = m.(string)
		name, ok2 = n.(string)
		if !ok1 || !ok2 {
			return u.bad("STACK_GLOBAL", "two strings", typeName(m)+" and "+typeName(n))
		}
	}
	v, ok := lookupGlobal(module, name)
	if !ok {
		return &UnsupportedError{Path: u.path, Tensor: u.tensorName(), What: "global in a pickle (only tensors and plain values are read)", Got: quote(module + "." + name)}
	}
	return u.pushNew(v, 48)
}

func lookupGlobal(module, name string) (Value, bool) {
	if module == "__builtin__" {
		module = "builtins" // its name in Python 2, which protocol 2 keeps
	}
	switch module {
	case "torch":
		if d, ok := torchTypes[name]; ok {
			return d, true
		}
		fallthrough
	case "torch.storage", "torch.cuda":
		if d, ok := storageTypes[name]; ok {
			return storageType{d}, true
		}
	}
	g := global(module + " " + name)
	_, ok := callables[g]
	return g, ok
}

// line reads up to a newline, at most 256 bytes.
func (u *unpickler) line() (string, error) {
	const most = 256
	rest := u.data[u.pos:min(len(u.data), u.pos+most)]
	n := bytes.IndexByte(rest, '\n')
	if n < 0 {
		return "", u.bad("GLOBAL", "a name of fewer than 256 bytes that ends with a newline", quote(string(rest)))
	}
	u.pos += n + 1
	return strings.ToValidUTF8(string(rest[:n]), "\uFFFD"), u.charge(n + 16)
}

// reduce applies a global of the list to its arguments.
func (u *unpickler) reduce(fn, args Value) (Value, error) {
	g, ok := fn.(global)
	if !ok {
		return nil, u.bad("REDUCE", "a global to apply", typeName(fn))
	}
	t, ok := args.(Tuple)
	if !ok {
		return nil, u.bad("REDUCE of "+string(g), "a tuple of arguments", typeName(args))
	}
	return callables[g](u, t)
}

// build sets the state of an object. State dicts carry their module versions that way, which
// say nothing about the tensors; numpy types carry their byte order.
func (u *unpickler) build(obj, state Value) error {
	switch o := obj.(type) {
	case *Dict:
		return nil
	case *numpyDType:
		return u.buildNumpyDType(o, state)
	}
	return &UnsupportedError{Path: u.path, Tensor: u.tensorName(), What: "pickle BUILD", Got: "state of a " + typeName(obj)}
}

func (u *unpickler) arguments(what string, args Tuple, least, most int) error {
	if len(args) < least || len(args) > most {
		return u.bad(what, "as many arguments as it has", plural(len(args), "argument"))
	}
	return nil
}
