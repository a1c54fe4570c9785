// Package exec compiles a graph of fused operators once and runs it many
// times.
//
// [Compile] sorts the part of a graph that the wanted outputs need, plans
// where every intermediate lives (values whose lifetimes do not overlap share
// memory in one arena), and binds each operator to a kernel of a [Device]. A
// [Program] then runs without allocating. It satisfies gorgonia.VM;
// Gorgonia's TapeMachine is the oracle that it is tested against.
package exec

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Operand is where one operand of an operator lives while a program runs.
type Operand struct {
	Type  tensor.Dtype
	Shape tensor.Shape

	// Data is the device's memory: []float32, []int32 or []bool on the CPU.
	Data any

	// Name is the name of an input, empty for what the program computes.
	Name string

	// Input marks an input of the graph: the program never writes it, except
	// through an operator that is made to (the caches of CachedAttention).
	Input bool
}

// A Kernel executes one operator on the operands it was bound to.
type Kernel func() error

// Device binds operators to kernels. A Device may be shared by programs, which
// then share whatever it prepares for a weight.
type Device interface {
	// Name says which device and instruction set it is, for logs and benchmarks.
	Name() string

	// Bind returns the kernel that computes out from in. The operands' memory
	// does not move afterwards; what inputs hold may change between runs,
	// except for weights (the second operand of a Linear, the table of an Embed).
	Bind(o G.Op, out Operand, in []Operand) (Kernel, error)

	// Overwrites names an input whose memory the kernel of an operator may
	// take over for its output, or −1.
	Overwrites(o G.Op) int

	// Close gives back threads and memory. No program of the device may be used afterwards.
	Close() error
}

// An UnsupportedError says that a device has no kernel for an operator.
type UnsupportedError struct {
	Device string
	Op     string
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("device %s: no kernel for operator %s", e.Device, e.Op)
}
