package weights

import (
	"fmt"
	"math/big"
	"unicode/utf8"
)

// step runs one opcode.
func (u *unpickler) step(op byte) error {
	switch op {
	case opProto:
		v, err := u.uint(1)
		if err == nil && (v < 2 || v > 5) {
			return &UnsupportedError{Path: u.path, What: "pickle protocol", Got: fmt.Sprint(v)}
		}
		return err
	case opFrame: // a hint about buffering; its length binds nothing
		_, err := u.take(8)
		return err
	case opMark:
		u.marks = append(u.marks, len(u.stack))
		return u.charge(24)
	case opPop:
		_, err := u.pop()
		return err
	case opPopMark:
		_, err := u.popMark()
		return err
	case opNone:
		return u.push(nil)
	case opNewTrue:
		return u.push(true)
	case opNewFalse:
		return u.push(false)
	case opBinInt, opBinInt1, opBinInt2, opLong1, opLong4, opBinFloat:
		return u.number(op)
	case opBinString, opShortBinString, opBinUnicode, opShortBinUnicode, opBinUnicode8,
		opBinBytes, opShortBinBytes, opBinBytes8, opByteArray8:
		return u.text(op)
	case opBinPut, opLongBinPut, opMemoize, opBinGet, opLongBinGet:
		return u.memoOp(op)
	case opEmptyTuple, opTuple, opTuple1, opTuple2, opTuple3:
		return u.tuple(op)
	case opEmptyList:
		return u.pushNew(new(List), 24)
	case opEmptyDict:
		return u.pushNew(new(Dict), 64)
	case opEmptySet:
		return u.pushNew(new(Set), 24)
	case opAppend, opAppends, opAddItems, opFrozenSet, opSetItem, opSetItems:
		return u.fill(op)
	case opGlobal, opStackGlobal:
		return u.globalOp(op)
	case opBinPersID:
		id, err := u.pop()
		if err != nil {
			return err
		}
		ref, err := u.persistent(id)
		if err != nil {
			return err
		}
		return u.pushNew(ref, 128)
	case opReduce:
		args, err := u.pop()
		if err != nil {
			return err
		}
		fn, err := u.pop()
		if err != nil {
			return err
		}
		v, err := u.reduce(fn, args)
		if err != nil {
			return err
		}
		return u.pushNew(v, 64)
	case opBuild:
		state, err := u.pop()
		if err != nil {
			return err
		}
		obj, err := u.top()
		if err != nil {
			return err
		}
		return u.build(obj, state)
	}
	return &UnsupportedError{Path: u.path, Tensor: u.tensorName(), What: "pickle opcode", Got: fmt.Sprintf("%#02x at byte %d", op, u.pos-1)}
}

func (u *unpickler) pushNew(v Value, size int) error {
	if err := u.charge(size); err != nil {
		return err
	}
	return u.push(v)
}

func (u *unpickler) number(op byte) error {
	switch op {
	case opBinFloat:
		return u.float()
	case opBinInt:
		v, err := u.uint(4)
		if err != nil {
			return err
		}
		return u.push(int64(int32(v)))
	case opBinInt1, opBinInt2:
		v, err := u.uint(int(1 + (op-opBinInt1)/(opBinInt2-opBinInt1)))
		if err != nil {
			return err
		}
		return u.push(int64(v))
	}
	width := 1
	if op == opLong4 {
		width = 4
	}
	n, err := u.uint(width)
	if err != nil {
		return err
	}
	if n > maxInt {
		return &LimitError{Path: u.path, What: "bytes of an integer in a pickle", Limit: maxInt, Got: n}
	}
	b, err := u.take(int(n))
	if err != nil {
		return err
	}
	if err := u.charge(len(b) + 32); err != nil {
		return err
	}
	return u.push(twosComplement(b))
}

// twosComplement reads a little-endian signed integer of any width.
func twosComplement(b []byte) Value {
	be := make([]byte, len(b))
	for i, c := range b {
		be[len(b)-1-i] = c
	}
	v := new(big.Int).SetBytes(be)
	if len(b) > 0 && b[len(b)-1] >= 0x80 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	if v.IsInt64() {
		return v.Int64()
	}
	return v
}

// text reads strings and byte strings.
func (u *unpickler) text(op byte) error {
	var width int
	switch op {
	case opShortBinString, opShortBinUnicode, opShortBinBytes:
		width = 1
	case opBinString, opBinUnicode, opBinBytes:
		width = 4
	default:
		width = 8
	}
	b, err := u.sized(width)
	if err != nil {
		return err
	}
	switch op {
	case opBinBytes, opShortBinBytes, opBinBytes8, opByteArray8:
		return u.push(append([]byte{}, b...))
	}
	if !utf8.Valid(b) {
		return u.bad("string", "valid UTF-8", quote(string(b[:min(len(b), 200)])))
	}
	return u.push(string(b))
}

func (u *unpickler) memoOp(op byte) error {
	if op == opMemoize {
		return u.put(uint64(len(u.memo)))
	}
	width := 1
	if op == opLongBinGet || op == opLongBinPut {
		width = 4
	}
	i, err := u.uint(width)
	if err != nil {
		return err
	}
	if op == opBinPut || op == opLongBinPut {
		return u.put(i)
	}
	return u.get(i)
}

func (u *unpickler) tuple(op byte) error {
	if op == opTuple {
		items, err := u.popMark()
		if err != nil {
			return err
		}
		return u.push(Tuple(items))
	}
	n := 0
	if op != opEmptyTuple {
		n = int(op-opTuple1) + 1
	}
	t := make(Tuple, n)
	for i := n - 1; i >= 0; i-- {
		v, err := u.pop()
		if err != nil {
			return err
		}
		t[i] = v
	}
	return u.pushNew(t, 24+16*n)
}

// fill adds to a list, set or dictionary.
func (u *unpickler) fill(op byte) error {
	var items []Value
	var err error
	switch op {
	case opAppend, opSetItem:
		n := 1
		if op == opSetItem {
			n = 2
		}
		items = make([]Value, n)
		for i := n - 1; i >= 0; i-- {
			if items[i], err = u.pop(); err != nil {
				return err
			}
		}
	default:
		if items, err = u.popMark(); err != nil {
			return err
		}
	}
	if op == opFrozenSet {
		return u.pushNew(&Set{Items: items}, 24)
	}
	target, err := u.top()
	if err != nil {
		return err
	}
	if err := u.charge(32 * len(items)); err != nil {
		return err
	}
	switch c := target.(type) {
	case *List:
		if op == opAppend || op == opAppends {
			c.Items = append(c.Items, items...)
			return nil
		}
	case *Set:
		if op == opAddItems {
			c.Items = append(c.Items, items...)
			return nil
		}
	case *Dict:
		if op == opSetItem || op == opSetItems {
			return u.setItems(c, items)
		}
	}
	return u.bad("adding items", "a container of the fitting type", typeName(target))
}

func (u *unpickler) setItems(d *Dict, items []Value) error {
	if len(items)%2 != 0 {
		return u.bad("SETITEMS", "pairs", plural(len(items), "value"))
	}
	if err := u.charge(64 * len(items) / 2); err != nil {
		return err
	}
	for i := 0; i < len(items); i += 2 {
		if !d.set(items[i], items[i+1]) {
			return &UnsupportedError{Path: u.path, What: "dictionary key", Got: typeName(items[i])}
		}
	}
	return nil
}
