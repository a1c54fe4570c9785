package exec

import (
	G "gorgonia.org/gorgonia"

	"github.com/seed-e0874532/coca/nn/op"
)

// gather binds the operators that take rows by their numbers, and give gradients back to them.
func (d *CPU) gather(o G.Op, out Operand, in []Operand) (Kernel, error) {
	y, x, rows := floats(out), floats(in[0]), ints(in[1])
	switch o := o.(type) {
	case *op.Gather:
		_, width := rowsAndWidth(in[0])
		return func() error { return o.Run(y, x, rows, width) }, nil
	case *op.GatherGrad:
		return func() error { return o.Run(y, x, rows) }, nil
	}
	return nil, &UnsupportedError{d.Name(), o.String()}
}
