package weights

import (
	"bytes"
	"math/big"
	"strings"
	"testing"
)

// hostilePickles are archives whose pickles attack the machine that runs them.
func hostilePickles(t testing.TB) []hostile {
	zipped := func(name string, want any, pkl []byte, says ...string) hostile {
		return hostile{"pickle: " + name, torchZip(t, pkl), want, says}
	}
	bad := func(name string, program func(*asm), says ...string) hostile {
		return zipped(name, formatError, pickle(program), says...)
	}
	refused := func(name string, program func(*asm), says ...string) hostile {
		return zipped(name, unsupportedError, pickle(program), says...)
	}
	limit := func(name string, program func(*asm), says ...string) hostile {
		return zipped(name, limitError, pickle(program), says...)
	}
	call := func(module, name, arg string) func(*asm) {
		return func(a *asm) { a.global(module, name).str(arg).op(opTuple1, opReduce) }
	}
	repeat := func(n int, b ...byte) func(*asm) {
		return func(a *asm) { a.Write(bytes.Repeat(b, n)) }
	}
	const size = maxPickle - 4
	return []hostile{
		// Execution.
		refused("os.system", call("os", "system", "touch owned"), `"os.system"`),
		refused("posix.system", call("posix", "system", "touch owned"), `"posix.system"`),
		refused("subprocess.Popen", call("subprocess", "Popen", "sh"), `"subprocess.Popen"`),
		refused("eval", call("__builtin__", "eval", "1"), `"__builtin__.eval"`),
		refused("exec", call("builtins", "exec", "1"), `"builtins.exec"`),
		refused("getattr", call("builtins", "getattr", "x"), `"builtins.getattr"`),
		refused("torch.load", call("torch", "load", "x"), `"torch.load"`),
		refused("torch.hub", call("torch.hub", "load", "x"), `"torch.hub.load"`),
		refused("numpy.load", call("numpy", "load", "x"), `"numpy.load"`),
		refused("attribute of a listed module", call("collections", "namedtuple", "x"), `"collections.namedtuple"`),
		refused("dotted name", call("torch", "_utils._rebuild_tensor_v2.__globals__", "x"), "__globals__"),
		refused("in the middle of a state dict", func(a *asm) {
			a.dict("w", func(a *asm) { a.tensor(tensorSpec{}) }).str("x").global("nt", "system").str("dir").op(opTuple1, opReduce, opSetItem)
		}, `"nt.system"`),
		refused("STACK_GLOBAL", func(a *asm) { a.str("os").str("system").op(opStackGlobal) }, `"os.system"`),
		refused("STACK_GLOBAL by memo", func(a *asm) {
			a.str("os").op(opBinPut, 0).str("system").op(opBinPut, 1, opPop, opPop, opBinGet, 0, opBinGet, 1, opStackGlobal)
		}, `"os.system"`),
		refused("a long global", func(a *asm) {
			a.str(strings.Repeat("m", 1<<20)).str(strings.Repeat("n", 1<<20)).op(opStackGlobal)
		}, "global"),
		refused("INST", func(a *asm) { a.op(opMark, 'i').WriteString("os\nsystem\n") }, "0x69"),
		refused("OBJ", func(a *asm) { a.op(opMark).str("x").op('o') }, "0x6f"),
		refused("NEWOBJ", func(a *asm) { a.global("collections", "OrderedDict").op(opEmptyTuple, 0x81) }, "0x81"),
		refused("NEWOBJ_EX", func(a *asm) { a.op(0x92) }, "0x92"),
		refused("EXT1", func(a *asm) { a.op(0x82, 1) }, "0x82"),
		refused("PERSID", func(a *asm) { a.op('P').WriteString("0\n") }, "0x50"),
		refused("LONG as text", func(a *asm) { a.op('L').WriteString("1L\n") }, "0x4c"),
		refused("NEXT_BUFFER", func(a *asm) { a.op(0x97) }, "0x97"),
		refused("protocol 1", func(a *asm) { a.op(opProto, 1) }, "protocol: 1"),
		refused("protocol 6", func(a *asm) { a.op(opProto, 6) }, "protocol: 6"),
		refused("persistent id of another kind", func(a *asm) {
			a.op(opMark).str("module").str("cls").str("file").str("source").op(opNone, opTuple, opBinPersID)
		}, "persistent id"),
		bad("REDUCE of a string", func(a *asm) { a.str("os.system").str("x").op(opTuple1, opReduce) }, "REDUCE", "str"),
		bad("REDUCE of a list of arguments", func(a *asm) { a.global("collections", "OrderedDict").op(opEmptyList, opReduce) }, "OrderedDict", "list"),
		refused("BUILD of a list", func(a *asm) { a.op(opEmptyList, opEmptyDict, opBuild) }, "BUILD", "list"),
		refused("a bare global", func(a *asm) {
			a.dict("w", func(a *asm) { a.tensor(tensorSpec{}) }).str("x").global("collections", "OrderedDict").op(opSetItem)
		}, "global"),

		// Form.
		zipped("no STOP", formatError, []byte{opProto, 2, opNone}, "byte 3"),
		bad("STOP without a value", func(a *asm) {}, "STOP", "0 values"),
		bad("two values", func(a *asm) { a.op(opNone, opNone) }, "2 values"),
		bad("a mark left", func(a *asm) { a.op(opNone, opMark) }, "1 marks"),
		bad("pop of nothing", func(a *asm) { a.op(opPop) }, "stack"),
		bad("pop of a mark", func(a *asm) { a.op(opNone, opMark, opPop) }, "stack"),
		bad("tuple without a mark", func(a *asm) { a.op(opTuple) }, "mark"),
		bad("tuple of too little", func(a *asm) { a.op(opNone, opTuple3) }, "stack"),
		bad("memo entry missing", func(a *asm) { a.op(opLongBinGet, 0xff, 0xff, 0xff, 0xff) }, "entry 4294967295"),
		bad("memo of nothing", func(a *asm) { a.op(opMemoize) }, "stack"),
		bad("GLOBAL without an end", func(a *asm) { a.op(opGlobal).WriteString(strings.Repeat("a", 1000)) }, "GLOBAL"),
		bad("SETITEM on a list", func(a *asm) { a.op(opEmptyList, opNone, opNone, opSetItem) }, "list"),
		bad("APPEND to a dict", func(a *asm) { a.op(opEmptyDict, opNone, opAppend) }, "dict"),
		bad("ADDITEMS to a list", func(a *asm) { a.op(opEmptyList, opMark, opNone, opAddItems) }, "list"),
		bad("odd SETITEMS", func(a *asm) { a.op(opEmptyDict, opMark, opNone, opSetItems) }, "pairs"),
		refused("a tuple as key", func(a *asm) { a.op(opEmptyDict, opEmptyTuple, opNone, opSetItem) }, "key", "tuple"),
		bad("string is no UTF-8", func(a *asm) { a.str("\xff\xfe") }, "UTF-8"),
		bad("string beyond the end", func(a *asm) { a.op(opBinUnicode, 0xff, 0xff, 0xff, 0x7f) }, "2147483647 bytes"),
		bad("string of 2^63", func(a *asm) { a.op(opBinUnicode8, 0, 0, 0, 0, 0, 0, 0, 0x80) }, "9223372036854775808 bytes"),
		bad("bytes of 2^64-1", func(a *asm) { a.op(opBinBytes8).Write(bytes.Repeat([]byte{0xff}, 8)) }, "18446744073709551615 bytes"),
		bad("integer beyond the end", func(a *asm) { a.op(opLong1, 200, 1, 2, 3) }, "200 bytes"),
		limit("integer of 2 GB", func(a *asm) { a.op(opLong4, 0, 0, 0, 0x7f) }, "integer"),
		limit("integer of negative length", func(a *asm) { a.op(opLong4, 0xff, 0xff, 0xff, 0xff) }, "integer"),
		limit("integer of 1 MB", func(a *asm) { a.sized(opLong4, 4, strings.Repeat("\x7f", 1<<20)) }, "integer"),

		// Memory.
		limit("16 MB of None", repeat(size, opNone), "memory"),
		limit("16 MB of marks", repeat(size, opMark), "memory"),
		limit("16 MB of lists", repeat(size, opEmptyList), "memory"),
		limit("16 MB of dicts", repeat(size, opEmptyDict), "memory"),
		limit("16 MB of memo", func(a *asm) { a.op(opNone); repeat(size-1, opMemoize)(a) }, "memory"),
		limit("memo of high numbers", func(a *asm) {
			a.op(opNone)
			for i := range size / 5 {
				a.op(opLongBinPut, byte(i), byte(i>>8), byte(i>>16), 0xff)
			}
		}, "memory"),
		limit("16 MB of push and pop", repeat(size/2, opNone, opPop), "memory"),
		limit("one string again and again", func(a *asm) {
			a.str(strings.Repeat("a", 1<<20)).op(opBinPut, 0, opPop)
			for range 1 << 10 { // each call would copy a megabyte
				a.global("_codecs", "encode").op(opBinGet, 0).str("latin1").op(opTuple2, opReduce, opPop)
			}
		}, "memory"),
		limit("one list again and again", func(a *asm) {
			a.op(opEmptyList, opMark)
			for range 10_000 {
				a.op(opNone, opNone, opTuple2)
			}
			a.op(opAppends, opBinPut, 0, opPop)
			for range 1 << 10 { // each call would make a dictionary of the list
				a.global("collections", "OrderedDict").op(opBinGet, 0, opTuple1, opReduce, opPop)
			}
		}, "memory"),
		bad("16 MB of frames", repeat(size/9, opFrame, 0, 0, 0, 0, 0, 0, 0, 0), "STOP"),

		// Shape of the values.
		limit("deep lists", func(a *asm) {
			a.dict("w", func(a *asm) { a.tensor(tensorSpec{}) }).str("x")
			repeat(100_000, opEmptyList)(a)
			repeat(99_999, opAppend)(a)
			a.op(opSetItem)
		}, "depth"),
		limit("deep tuples", func(a *asm) {
			a.op(opEmptyDict).str("x").op(opNone)
			repeat(150_000, opTuple1)(a)
			a.op(opSetItem)
		}, "depth"),
		limit("a billion laughs", func(a *asm) {
			a.op(opEmptyDict).str("x").op(opNone, opBinPut, 0)
			repeat(40, opBinGet, 0, opTuple2, opBinPut, 0)(a) // each a pair of the last
			a.op(opSetItem)
		}, "values"),
		bad("a list in itself", func(a *asm) {
			a.op(opEmptyDict).str("x").op(opEmptyList, opBinPut, 0, opBinGet, 0, opAppend, opSetItem)
		}, "contains itself"),
		bad("a dict in itself", func(a *asm) { a.op(opEmptyDict, opBinPut, 0).str("x").op(opBinGet, 0, opSetItem) }, "contains itself"),
		bad("no dict", func(a *asm) { a.op(opEmptyList) }, "dictionary", "list"),
		bad("a lone tensor", func(a *asm) { a.tensor(tensorSpec{}) }, "dictionary", "torch.Tensor"),
		bad("no tensor", func(a *asm) { a.dict("model", func(a *asm) { a.dict("w", func(a *asm) { a.tensor(tensorSpec{}) }) }) }, `"model"`),
		bad("an empty dict", func(a *asm) { a.op(opEmptyDict) }, "tensors"),
		bad("state_dict is no dict", func(a *asm) { a.dict("state_dict", func(a *asm) { a.op(opEmptyList) }) }, "state_dict", "list"),
		bad("a tensor named by a number", func(a *asm) { a.op(opEmptyDict).int(7).tensor(tensorSpec{}).op(opSetItem) }, "name", "int"),
	}
}

// hostileTensors are archives that describe tensors that cannot be.
func hostileTensors(t testing.TB) []hostile {
	with := func(name string, want any, s tensorSpec, says ...string) hostile {
		return hostile{"tensor: " + name, torchZip(t, one(s)), want, append(says, `"w"`)}
	}
	args := func(name string, want any, program func(*asm), says ...string) hostile {
		return hostile{"tensor: " + name, torchZip(t, pickle(func(a *asm) { a.dict("w", program) })), want, append(says, `"w"`)}
	}
	storage := func(a *asm) *asm {
		return a.op(opMark).str("storage").global("torch", "FloatStorage").str("0").str("cpu").int(4).op(opTuple, opBinPersID)
	}
	rebuild := func(rest func(*asm)) func(*asm) {
		return func(a *asm) {
			storage(a.global("torch._utils", "_rebuild_tensor_v2").op(opMark))
			rest(a)
			a.op(opTuple, opReduce)
		}
	}
	const most = 1<<63 - 1
	return []hostile{
		with("beyond its storage", formatError, tensorSpec{shape: []int64{5}}, "extent", "[5]"),
		with("offset beyond", formatError, tensorSpec{offset: 1}, "extent"),
		with("offset of 2^63-1", formatError, tensorSpec{offset: most}, "extent"),
		with("negative offset", formatError, tensorSpec{offset: -1}, "offset"),
		with("negative size", formatError, tensorSpec{shape: []int64{-4}}, "shape", "-4"),
		with("negative stride", formatError, tensorSpec{stride: []int64{-1}}, "strides", "-1"),
		with("stride beyond", formatError, tensorSpec{stride: []int64{2}}, "extent"),
		with("stride overflows", formatError, tensorSpec{shape: []int64{3}, stride: []int64{most}}, "strides"),
		with("strides overflow in sum", formatError, tensorSpec{shape: []int64{2, 2, 2}, stride: []int64{most, most, 2}}, "strides"),
		with("shape overflows", formatError, tensorSpec{shape: []int64{1 << 32, 1 << 32}, stride: []int64{0, 0}}, "shape"),
		with("shape overflows beside a zero", formatError, tensorSpec{shape: []int64{0, 1 << 32, 1 << 32}, stride: []int64{0, 0, 0}}, "shape"),
		with("strides of another rank", formatError, tensorSpec{shape: []int64{2, 2}}, "strides"),
		with("a terabyte by stride 0", limitError, tensorSpec{shape: []int64{1 << 38}, stride: []int64{0}}, "repeats"),
		with("a terabyte by small strides", limitError, tensorSpec{shape: []int64{2, 2, 1 << 36}, stride: []int64{1, 1, 0}}, "repeats"),
		with("seventeen axes", limitError, tensorSpec{shape: make([]int64, 17), stride: make([]int64, 17)}, "axes"),
		with("negative storage", formatError, tensorSpec{elems: -1}, "persistent id"),
		with("storage of 2^62 elements", formatError, tensorSpec{elems: 1 << 62}, "persistent id"),
		with("size is a big integer", formatError, tensorSpec{size: func(a *asm) { a.op(opMark).big(new(big.Int).Lsh(big.NewInt(1), 70)).op(opTuple) }}, "shape", "1180591620717411303424"),
		with("size is a float", formatError, tensorSpec{size: func(a *asm) { a.op(opBinFloat, 0, 0, 0, 0, 0, 0, 0, 0) }}, "shape", "float"),
		with("untyped storage", formatError, tensorSpec{class: "UntypedStorage", elems: 16}, "untyped"),
		with("quantised storage", unsupportedError, tensorSpec{class: "QInt8Storage"}, "QInt8Storage"),
		args("too few arguments", formatError, rebuild(func(a *asm) { a.int(0) }), "2 arguments"),
		args("too many arguments", formatError, rebuild(func(a *asm) { a.op(opNone, opNone, opNone, opNone, opNone, opNone, opNone) }), "8 arguments"),
		args("no storage", formatError, func(a *asm) {
			a.global("torch._utils", "_rebuild_tensor_v2").op(opMark, opNone).int(0).ints(4).ints(1).op(opTuple, opReduce)
		}, "None"),
		args("conjugated", unsupportedError, rebuild(func(a *asm) {
			a.int(0).ints(4).ints(1).op(opNewFalse, opEmptyDict).dict("conj", func(a *asm) { a.op(opNewTrue) })
		}), "conj"),
		args("attributes by an unlisted function", formatError, func(a *asm) {
			a.global("torch._tensor", "_rebuild_from_type_v2").op(opMark).global("torch", "Size").global("torch", "Tensor").op(opEmptyTuple, opEmptyDict, opTuple, opReduce)
		}, "function"),
		args("attributes of another class", formatError, func(a *asm) {
			a.global("torch._tensor", "_rebuild_from_type_v2").op(opMark).global("torch._utils", "_rebuild_tensor_v2").global("torch", "Size").op(opEmptyTuple, opEmptyDict, opTuple, opReduce)
		}, "Parameter"),
		args("attributes within attributes", formatError, func(a *asm) {
			a.global("torch._tensor", "_rebuild_from_type_v2").op(opBinPut, 0, opMark, opBinGet, 0).global("torch", "Tensor").op(opEmptyTuple, opEmptyDict, opTuple, opReduce)
		}, "function"),
		args("class called", unsupportedError, func(a *asm) { a.global("torch", "Tensor").op(opEmptyTuple, opReduce) }, "class"),
		args("parameter of a number", formatError, func(a *asm) {
			a.global("torch._utils", "_rebuild_parameter").int(1).op(opNewTrue, opEmptyDict, opTuple3, opReduce)
		}, "parameter"),
		args("persistent id is a string", formatError, func(a *asm) { a.str("storage").op(opBinPersID) }, "persistent id"),
		args("persistent id of a class that is a string", formatError, func(a *asm) {
			a.op(opMark).str("storage").str("FloatStorage").str("0").str("cpu").int(4).op(opTuple, opBinPersID)
		}, "storage type"),
	}
}
