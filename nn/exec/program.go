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
	sorted, err := order(outputs)
	if err != nil {
		return nil, err
	}
	p := &Program{outputs: map[*G.Node]*tensor.Dense{}}
	for _, n := range outputs {
		if n.Op() == nil {
			return nil, fmt.Errorf("graph: output %s is an input", n.Name())
		}
		p.outputs[n] = op.NewTensor(n.Dtype(), n.Shape()...)
	}
	where, size := plan(dev, sorted, p.outputs)
	p.arena = size
	if err := p.bind(dev, sorted, where, newArena(size)); err != nil {
		return nil, err
	}
	return p, nil
}

// bind asks the device for a kernel for every operator.
func (p *Program) bind(dev Device, sorted []*G.Node, where map[*G.Node]span, memory []float32) error {
	at := map[*G.Node]Operand{}
	for _, n := range sorted {
		place := Operand{Type: n.Dtype(), Shape: n.Shape()}
		switch out := p.outputs[n]; {
		case n.Op() == nil:
			if n.Value() == nil {
				return fmt.Errorf("graph: input %s has no value", n.Name())
			}
			place.Data, place.Input, place.Name = n.Value().Data(), true, n.Name()
		case out != nil:
			place.Data = out.Data()
		case n.Dtype() == tensor.Float32:
			s := where[n]
			place.Data = memory[s.at:][:n.Shape().TotalSize():s.size]
		default:
			place.Data = op.NewTensor(n.Dtype(), n.Shape()...).Data()
		}
		at[n] = place
		if n.Op() == nil {
			continue
		}
		args := operands(n)
		in, shapes := make([]Operand, len(args)), make([]tensor.Shape, len(args))
		for i, c := range args {
			in[i], shapes[i] = at[c], c.Shape()
		}
		run, err := dev.Bind(n.Op(), place, in)
		if err != nil {
			return fmt.Errorf("bind %s: %w", n.Op(), err)
		}
		s := step{run: run, node: n}
		if o, ok := n.Op().(op.Operator); ok {
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
