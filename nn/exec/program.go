package exec

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-e0874532/coca/nn/op"
)

// Program is a compiled graph. It satisfies gorgonia.VM. A Program owns the
// memory of its intermediates and outputs: it may be used by one goroutine at a time.
type Program struct {
	steps   []step
	outputs map[*G.Node]*tensor.Dense
	cost    op.Cost
	arena   int
}

type step struct {
	run  Kernel
	node *G.Node
	cost op.Cost
}

var _ G.VM = (*Program)(nil)

// Compile plans and binds what the outputs need. Every input must have its
// value: programs read and write the memory that inputs have now.
func Compile(dev Device, outputs ...*G.Node) (*Program, error) {
	return CompileTo(dev, nil, outputs...)
}

// CompileTo is Compile for outputs of which some are written to memory of the
// caller, such as the gradients of all weights to one slab.
func CompileTo(dev Device, memory map[*G.Node]*tensor.Dense, outputs ...*G.Node) (*Program, error) {
	return new(Arena).CompileTo(dev, memory, outputs...)
}

// Arena is memory for the intermediates of several programs that never run at the
// same time, such as one for each length of texts. What a program's run leaves in its
// outputs is its own; what it leaves in the arena, the next run of any program overwrites.
type Arena struct{ memory []float32 }

// floats gives the arena's memory, or new memory if that is too small; programs
// that have the old one keep it.
func (a *Arena) floats(size int) []float32 {
	if size > len(a.memory) {
		a.memory = newArena(size)
	}
	return a.memory[:size:size]
}

// CompileTo is the function [CompileTo] for a program whose intermediates lie in the
// arena. Compile the largest program first, so that all share its memory.
func (a *Arena) CompileTo(dev Device, memory map[*G.Node]*tensor.Dense, outputs ...*G.Node) (*Program, error) {
	g, err := view(outputs)
	if err != nil {
		return nil, err
	}
	p := &Program{outputs: map[*G.Node]*tensor.Dense{}}
	for _, n := range outputs {
		if g.operator(n) == nil {
			return nil, fmt.Errorf("graph: output %s is an input", n.Name())
		}
		shape := n.Shape()
		if len(shape) == 0 {
			shape = tensor.Shape{1} // the memory of a scalar
		}
		if given := memory[n]; given != nil {
			if given.Dtype() != n.Dtype() || given.Shape().TotalSize() != shape.TotalSize() {
				return nil, fmt.Errorf("graph: memory of output %s: want %v of shape %v, got %v of shape %v",
					n.Op(), n.Dtype(), shape, given.Dtype(), given.Shape())
			}
			p.outputs[n] = given
			continue
		}
		p.outputs[n] = op.NewTensor(n.Dtype(), shape...)
	}
	where, size := plan(dev, g, p.outputs)
	p.arena = size
	if err := p.bind(dev, g, where, a.floats(size)); err != nil {
		return nil, err
	}
	return p, nil
}

// bind asks the device for a kernel for every operator.
func (p *Program) bind(dev Device, g *graph, where map[*G.Node]span, memory []float32) error {
	at := map[*G.Node]Operand{}
	for _, n := range g.sorted {
		o, args, size := g.operator(n), g.operands(n), n.Shape().TotalSize()
		place := Operand{Type: n.Dtype(), Shape: n.Shape()}
		switch out := p.outputs[n]; {
		case o == nil:
			if n.Value() == nil {
				return fmt.Errorf("graph: input %s has no value", n.Name())
			}
			place.Data, place.Input, place.Name = n.Value().Data(), true, n.Name()
			if x, ok := place.Data.(float32); ok { // a constant
				place.Data = []float32{x}
			}
		case out != nil:
			place.Data = out.Data()
		case aliased(n, p.outputs):
			place.Data = floats(at[args[0]])[o.(*op.Part).At:][:size:size]
		case n.Dtype() == tensor.Float32:
			s := where[n]
			place.Data = memory[s.at:][:size:s.size]
		default:
			place.Data = op.NewTensor(n.Dtype(), n.Shape()...).Data()
		}
		at[n] = place
		if o == nil || aliased(n, p.outputs) {
			continue
		}
		in, shapes := make([]Operand, len(args)), make([]tensor.Shape, len(args))
		for i, c := range args {
			in[i], shapes[i] = at[c], c.Shape()
		}
		run, err := dev.Bind(o, place, in)
		if err != nil {
			return fmt.Errorf("bind %s: %w", o, err)
		}
		s := step{run: run, node: n}
		if o, ok := o.(op.Operator); ok {
			s.cost = o.Cost(n.Shape(), shapes)
		}
		p.cost = p.cost.Plus(s.cost)
		p.steps = append(p.steps, s)
	}
	return nil
}

// RunAll implements gorgonia.VM.
func (p *Program) RunAll() error { return p.Run(context.Background()) }

// Run executes the program. Between operators it looks whether ctx is done. A
// memory fault, as of a mapped file that shrank under us, is returned as a
// [FaultError]. Run does not allocate.
func (p *Program) Run(ctx context.Context) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer recoverFault(&err)
	for i := range p.steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := p.steps[i].run(); err != nil {
			return err
		}
	}
	return nil
}

// A FaultError is a memory fault while a program ran: most likely a mapped
// weight file that was truncated or whose storage failed.
type FaultError struct {
	Cause error
}

func (e *FaultError) Error() string {
	return "memory fault while running the model (was the weight file changed or truncated?): " + e.Cause.Error()
}

func (e *FaultError) Unwrap() error { return e.Cause }

// recoverFault turns a memory fault into an error; any other panic goes on.
func recoverFault(err *error) {
	switch r := recover().(type) {
	case nil:
	case error:
		// A fault at an address is a runtime.Error with an Addr method; in a
		// worker it comes wrapped with the worker's stack.
		var fault interface {
			runtime.Error
			Addr() uintptr
		}
		if !errors.As(r, &fault) {
			panic(r)
		}
		*err = &FaultError{r}
	default:
		panic(r)
	}
}

// Reset implements gorgonia.VM. A program keeps nothing that needs it.
func (p *Program) Reset() {}

// Close implements gorgonia.VM.
func (p *Program) Close() error { return nil }

// Output is the value of an output after a run. The tensor is the same for all
// runs; its contents change with each.
func (p *Program) Output(n *G.Node) *tensor.Dense { return p.outputs[n] }

// Floats is the backing slice of an output.
func (p *Program) Floats(n *G.Node) []float32 { return op.Floats(p.outputs[n]) }

// Cost is what one run takes at least, summed over the operators.
func (p *Program) Cost() op.Cost { return p.cost }

// ArenaBytes is the memory that all intermediates share.
func (p *Program) ArenaBytes() int { return 4 * p.arena }

// Len is the number of operators.
func (p *Program) Len() int { return len(p.steps) }
