package weights

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Limits of a pickle. The state dict of CoCa L-14 is a pickle of 99 kB and costs 1.9 MB by the
// estimate of charge; with AdamW's state, 285 kB and 7.5 MB.
const (
	maxPickleMemory = 24 << 20
	maxInt          = 1024 // bytes of one integer
)

// unpickler runs pickles. It is a machine of a stack and a memo that makes plain Go
// values; where a pickle asks for a global it gets an inert name from a fixed list (see
// globals.go), and where it applies one, reduce builds a value. Nothing is called.
type unpickler struct {
	path  string
	data  []byte
	pos   int
	spent int // estimated bytes allocated so far, over all pickles of the file
	stack []Value
	marks []int // stack heights
	memo  map[uint32]Value

	// storage makes the storage that a persistent id names.
	storage func(id persistentID) (storageRef, error)
}

func (u *unpickler) bad(what, want, got string) error {
	return &FormatError{Path: u.path, Tensor: u.tensorName(), What: fmt.Sprintf("pickle, byte %d: %s", u.pos, what), Want: want, Got: got}
}

// tensorName guesses, for an error, the name of the tensor being built: the nearest string
// below, which is its key in a dictionary.
func (u *unpickler) tensorName() string {
	for i := len(u.stack) - 1; i >= 0 && i >= len(u.stack)-8; i-- {
		if s, ok := u.stack[i].(string); ok && s != "storage" {
			return s
		}
	}
	return ""
}

// key returns the top of the stack if it is a string: the key under which a value that is just
// being built will be stored.
func (u *unpickler) key() string {
	if len(u.stack) == 0 {
		return ""
	}
	s, _ := u.stack[len(u.stack)-1].(string)
	return s
}

// charge counts memory before it is allocated. Nothing is ever given back, so that
// it bounds the work too.
func (u *unpickler) charge(n int) error {
	u.spent += n
	if u.spent > maxPickleMemory {
		return &LimitError{Path: u.path, What: "memory for the values of a pickle", Limit: maxPickleMemory, Got: uint64(u.spent)}
	}
	return nil
}

// load runs one pickle, from pos to its STOP.
func (u *unpickler) load() (Value, error) {
	u.stack, u.marks, u.memo = nil, nil, make(map[uint32]Value)
	for {
		op, err := u.take(1)
		if err != nil {
			return nil, err
		}
		if err := u.charge(2); err != nil {
			return nil, err
		}
		if op[0] == opStop {
			if len(u.marks) > 0 || len(u.stack) != 1 {
				return nil, u.bad("STOP", "one value", fmt.Sprintf("%d values, %d marks", len(u.stack), len(u.marks)))
			}
			return u.stack[0], nil
		}
		if err := u.step(op[0]); err != nil {
			return nil, err
		}
	}
}

// take returns the next n bytes.
func (u *unpickler) take(n int) ([]byte, error) {
	if n > len(u.data)-u.pos {
		return nil, u.bad("operand", plural(n, "byte"), plural(len(u.data)-u.pos, "byte"))
	}
	b := u.data[u.pos : u.pos+n]
	u.pos += n
	return b, nil
}

// uint reads a little-endian number of n bytes.
func (u *unpickler) uint(n int) (uint64, error) {
	b, err := u.take(n)
	if err != nil {
		return 0, err
	}
	var v [8]byte
	copy(v[:], b)
	return binary.LittleEndian.Uint64(v[:]), nil
}

// sized reads a length of n bytes and as many bytes as it says.
func (u *unpickler) sized(n int) ([]byte, error) {
	size, err := u.uint(n)
	if err != nil {
		return nil, err
	}
	if size > uint64(len(u.data)-u.pos) {
		return nil, u.bad("operand", plural64(size, "byte"), plural(len(u.data)-u.pos, "byte"))
	}
	if err := u.charge(int(size) + 16); err != nil {
		return nil, err
	}
	return u.take(int(size))
}

func (u *unpickler) push(v Value) error {
	u.stack = append(u.stack, v)
	return u.charge(40)
}

// pop takes the top value; a mark is a floor.
func (u *unpickler) pop() (Value, error) {
	floor := 0
	if len(u.marks) > 0 {
		floor = u.marks[len(u.marks)-1]
	}
	if len(u.stack) <= floor {
		return nil, u.bad("stack", "a value", "none")
	}
	v := u.stack[len(u.stack)-1]
	u.stack[len(u.stack)-1] = nil
	u.stack = u.stack[:len(u.stack)-1]
	return v, nil
}

// popMark takes all values above the top mark, which it removes.
func (u *unpickler) popMark() ([]Value, error) {
	if len(u.marks) == 0 {
		return nil, u.bad("stack", "a mark", "none")
	}
	at := u.marks[len(u.marks)-1]
	u.marks = u.marks[:len(u.marks)-1]
	if err := u.charge(16 * (len(u.stack) - at)); err != nil {
		return nil, err
	}
	items := append([]Value(nil), u.stack[at:]...)
	clear(u.stack[at:])
	u.stack = u.stack[:at]
	return items, nil
}

// top returns the top value without taking it.
func (u *unpickler) top() (Value, error) {
	v, err := u.pop()
	if err == nil {
		u.stack = append(u.stack, v)
	}
	return v, err
}

func (u *unpickler) put(index uint64) error {
	v, err := u.top()
	if err != nil {
		return err
	}
	u.memo[uint32(index)] = v
	return u.charge(64)
}

func (u *unpickler) get(index uint64) error {
	v, ok := u.memo[uint32(index)]
	if !ok {
		return u.bad("memo", "an entry that exists", fmt.Sprintf("entry %d", index))
	}
	return u.push(v)
}

// float reads the one big-endian operand of pickles.
func (u *unpickler) float() error {
	b, err := u.take(8)
	if err != nil {
		return err
	}
	return u.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
}
