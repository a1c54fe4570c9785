package weights

import "encoding/binary"

func hostileLegacy() []hostile {
	bad := func(name string, p legacyParts, says ...string) hostile {
		return hostile{"legacy: " + name, legacyFile(p), formatError, says}
	}
	unsupported := func(name string, p legacyParts, says ...string) hostile {
		return hostile{"legacy: " + name, legacyFile(p), unsupportedError, says}
	}
	count := func(n uint64, data int) []byte {
		return append(binary.LittleEndian.AppendUint64(nil, n), make([]byte, data)...)
	}
	keys := func(names ...string) []byte {
		return pickle(func(a *asm) {
			a.op(opEmptyList, opMark)
			for _, n := range names {
				a.str(n)
			}
			a.op(opAppends)
		})
	}
	view := func(off, n int64) []byte {
		return one(tensorSpec{view: func(a *asm) { a.op(opMark).str("v").int(off).int(n).op(opTuple) }})
	}
	good := legacyFile(legacyParts{})
	return []hostile{
		bad("no torch file", legacyParts{magic: pickle(func(a *asm) { a.str("numpy") })}, "magic"),
		bad("other magic", legacyParts{magic: pickle(func(a *asm) { a.int(1) })}, "magic"),
		bad("other version", legacyParts{version: pickle(func(a *asm) { a.int(7) })}, "1001", "7"),
		bad("system is no dict", legacyParts{system: pickle(none)}, "system"),
		unsupported("big-endian", legacyParts{system: pickle(func(a *asm) { a.dict("little_endian", func(a *asm) { a.op(opNewFalse) }) })}, "byte order"),
		unsupported("os.system as magic", legacyParts{magic: pickle(func(a *asm) { a.global("os", "system").str("x").op(opTuple1, opReduce) })}, "os.system"),
		unsupported("os.system as keys", legacyParts{keys: pickle(func(a *asm) { a.global("os", "system").str("x").op(opTuple1, opReduce) })}, "os.system"),
		bad("keys are no list", legacyParts{keys: pickle(none)}, "keys"),
		bad("no keys", legacyParts{keys: keys()}, `"0"`),
		bad("unknown key", legacyParts{keys: keys("1")}, `"1"`),
		bad("key twice", legacyParts{keys: keys("0", "0")}, `"0"`),
		bad("another number of elements", legacyParts{data: count(5, 20)}, `"0"`, "4 elements", "5 elements"),
		bad("2^63 elements", legacyParts{data: count(1<<63, 16)}, `"0"`, "9223372036854775808 elements"),
		bad("data cut", legacyParts{data: count(4, 15)}, `"0"`, "16 bytes", "15 bytes"),
		bad("data missing", legacyParts{data: []byte{1}}, `"0"`, "end of the file"),
		bad("view beyond", legacyParts{object: view(3, 2)}, `"0"`, "view"),
		bad("view of 2^62", legacyParts{object: view(0, 1<<62)}, "view"),
		bad("one storage of two sizes", legacyParts{object: pickle(func(a *asm) {
			a.op(opEmptyDict).str("w").tensor(tensorSpec{view: none}).op(opSetItem)
			a.str("v").tensor(tensorSpec{view: none, elems: 8}).op(opSetItem)
		})}, `"0"`, "as said before"),
		{"legacy: cut in the magic", good[:8], formatError, nil},
		{"legacy: cut in the object", good[:100], formatError, nil},
	}
}
