package weights

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// hostileValues are archives that build plain values from wrong arguments.
func hostileValues(t testing.TB) []hostile {
	call := func(module, name string, args func(*asm)) []byte {
		return torchZip(t, pickle(func(a *asm) {
			a.dict("w", func(a *asm) { a.tensor(tensorSpec{}) }).str("x").global(module, name).op(opMark)
			args(a)
			a.op(opTuple, opReduce, opSetItem)
		}))
	}
	bad := func(name, module, global string, args func(*asm), says ...string) hostile {
		return hostile{"value: " + name, call(module, global, args), formatError, append(says, `"x"`)}
	}
	refused := func(name, module, global string, args func(*asm), says ...string) hostile {
		return hostile{"value: " + name, call(module, global, args), unsupportedError, says}
	}
	dtype := func(code, order string) func(*asm) {
		return func(a *asm) {
			a.global("numpy", "dtype").str(code).op(opNewFalse, opNewTrue, opTuple3, opReduce)
			a.op(opMark).int(3).str(order).op(opNone, opTuple, opBuild)
		}
	}
	scalar := func(code, order, data string) func(*asm) {
		return func(a *asm) {
			dtype(code, order)(a)
			a.sized(opShortBinBytes, 1, data)
		}
	}
	nothing := func(*asm) {}
	number := func(a *asm) { a.int(1) }
	const multiarray = "numpy._core.multiarray"
	return []hostile{
		bad("set of a number", "builtins", "set", number, "set", "int"),
		bad("set of two", "builtins", "set", func(a *asm) { a.int(1).int(2) }, "2 arguments"),
		bad("complex of integers", "builtins", "complex", func(a *asm) { a.int(1).int(2) }, "complex"),
		bad("complex of one", "builtins", "complex", number, "1 argument"),
		bad("encode in UTF-8", "_codecs", "encode", func(a *asm) { a.str("a").str("utf-8") }, "latin1"),
		bad("encode of a wide rune", "_codecs", "encode", func(a *asm) { a.str("日").str("latin1") }, "256"),
		bad("encode of nothing", "_codecs", "encode", nothing, "0 arguments"),
		bad("bytearray of a number", "builtins", "bytearray", number, "latin1"),
		bad("bytearray of three", "builtins", "bytearray", func(a *asm) { a.ints().ints().ints() }, "3 arguments"),
		bad("Size of a string", "torch", "Size", func(a *asm) { a.str("4") }, "torch.Size", "str"),
		bad("Size of strings", "torch", "Size", func(a *asm) { a.op(opMark).str("4").op(opTuple) }, "torch.Size", "str"),
		bad("device of nothing", "torch", "device", nothing, "0 arguments"),
		bad("device of a number", "torch", "device", number, "torch.device", "int"),
		bad("device with a name as index", "torch", "device", func(a *asm) { a.str("cuda").str("0") }, "torch.device", "str"),
		bad("OrderedDict of a number", "collections", "OrderedDict", number, "pairs"),
		bad("OrderedDict of singles", "collections", "OrderedDict", func(a *asm) { a.op(opEmptyList).ints(1).op(opAppend) }, "pairs"),
		bad("OrderedDict of two", "collections", "OrderedDict", func(a *asm) { a.int(1).int(1) }, "2 arguments"),
		bad("numpy type of a number", "numpy", "dtype", number, "numpy.dtype"),
		bad("numpy scalar of a number", multiarray, "scalar", func(a *asm) { a.int(1).int(1) }, "numpy scalar"),
		bad("numpy scalar of another width", multiarray, "scalar", scalar("f8", "<", "1234"), "8 bytes", "4 bytes"),
		refused("numpy object", multiarray, "scalar", scalar("O8", "|", "12345678"), "O8"),
		refused("numpy big-endian", multiarray, "scalar", scalar("f8", ">", "12345678"), "byte order"),
		refused("numpy array", multiarray, "_reconstruct", nothing, "_reconstruct"),
		bad("untyped tensor without a type", "torch._utils", "_rebuild_tensor_v3", func(a *asm) {
			a.op(opNone).int(0).ints(4).ints(1).op(opNewFalse, opNone, opNone)
		}, "dtype"),
		bad("untyped tensor of six arguments", "torch._utils", "_rebuild_tensor_v3", func(a *asm) { a.op(opNone, opNone, opNone, opNone, opNone, opNone) }, "6 arguments"),
	}
}

// TestErrorTexts checks the messages that the bad files do not bring up.
func TestErrorTexts(t *testing.T) {
	cause := errors.New("cause")
	for _, test := range []struct {
		err  error
		want string
	}{
		{&FaultError{Path: "a", Size: 8, Now: 4, Err: cause}, "weights: a: mapped file changed: want 8 bytes, got 4: cause"},
		{&SizeError{Path: "a", Tensor: "t", What: "bytes", Want: 8, Got: 4}, `weights: a: tensor "t": data: want 8 bytes, got 4`},
		{&ModelDirError{Dir: "d", What: "weights file", Looked: []string{"x", "y"}}, "weights: d: no weights file: want one of x, y"},
		{&FormatError{Path: "a", What: "thing", Got: "nonsense"}, "weights: a: thing: got nonsense"},
		{&FormatError{Path: "a", What: "thing", Want: "sense"}, "weights: a: thing: want sense"},
		{&LimitError{Path: "a", Tensor: "t", What: "axes", Limit: 1, Got: 2}, `weights: a: tensor "t": axes: want at most 1, got 2`},
		{&UnsupportedError{What: "thing"}, "weights: unsupported thing"},
	} {
		if got := test.err.Error(); got != test.want {
			t.Errorf("%T: %q, want %q", test.err, got, test.want)
		}
	}
	if err := error(&FaultError{Err: cause}); !errors.Is(err, cause) {
		t.Error("FaultError hides its cause")
	}
	if _, err := Float32Item("t", []int{2}, make([]float32, 3), F32); !strings.Contains(err.Error(), "want 2 elements, got 3") {
		t.Error(err)
	}
	if _, err := Float32Item("t", []int{1 << 40, 1 << 40}, nil, F32); !isFormat(err) {
		t.Error(err)
	}
	var unsupported *UnsupportedError
	if _, err := Float32Item("t", nil, make([]float32, 1), I64); !errors.As(err, &unsupported) {
		t.Error(err)
	}
	if err := Convert(t.Context(), "none", "none", ConvertOptions{Precision: I64}); !errors.As(err, &unsupported) {
		t.Error(err)
	}
	if err := Convert(t.Context(), "none", "none", ConvertOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
