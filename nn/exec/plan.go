package exec

import (
	"fmt"
	"sort"
	"unsafe"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-e0874532/coca/internal/kernel"
	"github.com/seed-e0874532/coca/nn/op"
)

// graph is the part of an expression graph that outputs need, as a program
// runs it.
type graph struct {
	sorted []*G.Node // operands before operators

	// activations are the linear maps that need not be computed, because the
	// same map without its activation is in the graph: an activation of that node
	// is enough. A gradient needs the map's result before the activation.
	activations map[*G.Node]*G.Node
}

// view sorts the part of a graph that the outputs need.
func view(outputs []*G.Node) (*graph, error) {
	g := &graph{activations: map[*G.Node]*G.Node{}}
	sorted, err := g.order(outputs)
	if err != nil {
		return nil, err
	}
	// Maps with neither scale nor residual, by their operands.
	key := func(n *G.Node) (name string, act kernel.Activation, ok bool) {
		o, ok := n.Op().(*op.Linear)
		if !ok || o.Scale || o.Residual {
			return "", 0, false
		}
		for _, c := range operands(n) {
			name += fmt.Sprint(c.ID(), " ")
		}
		return name + fmt.Sprint(o.Order), o.Act, true
	}
	plain := map[string]*G.Node{}
	for _, n := range sorted {
		if name, act, ok := key(n); ok && act == kernel.None {
			plain[name] = n
		}
	}
	for _, n := range sorted {
		if name, act, ok := key(n); ok && act != kernel.None && plain[name] != nil {
			g.activations[n] = plain[name]
		}
	}
	g.sorted, err = g.order(outputs)
	return g, err
}

// operands are what a node is computed from.
func (g *graph) operands(n *G.Node) []*G.Node {
	if z := g.activations[n]; z != nil {
		return []*G.Node{z}
	}
	return operands(n)
}

// operator is how a node is computed, nil for an input or a constant.
func (g *graph) operator(n *G.Node) G.Op {
	if g.activations[n] != nil {
		return op.NewActivation(n.Op().(*op.Linear).Act, n.Dims())
	}
	if n.Op() == nil || n.Value() != nil && n.Op().Arity() == 0 {
		return nil
	}
	return n.Op()
}

// order lists the nodes that the outputs need, operands before operators.
func (g *graph) order(outputs []*G.Node) ([]*G.Node, error) {
	const visiting, done = 1, 2
	state := map[*G.Node]int{}
	var sorted []*G.Node
	var visit func(n *G.Node) error
	visit = func(n *G.Node) error {
		switch state[n] {
		case done:
			return nil
		case visiting:
			return fmt.Errorf("graph: node %s depends on itself", n.Name())
		}
		state[n] = visiting
		for _, c := range g.operands(n) {
			if err := visit(c); err != nil {
				return err
			}
		}
		state[n] = done
		sorted = append(sorted, n)
		return nil
	}
	for _, n := range outputs {
		if n == nil {
			return nil, fmt.Errorf("graph: an output is missing")
		}
		if err := visit(n); err != nil {
			return nil, err
		}
	}
	return sorted, nil
}

// operands are the children of a node in the order of the operator's operands.
func operands(n *G.Node) []*G.Node {
	var list []*G.Node
	for it := n.Graph().From(n.ID()); it.Next(); {
		list = append(list, it.Node().(*G.Node))
	}
	return list
}

// owner is the node whose memory a node lies in: a part of a vector lies in the
// vector, unless it is an output.
func owner(n *G.Node, outputs map[*G.Node]*tensor.Dense) *G.Node {
	for aliased(n, outputs) {
		n = operands(n)[0]
	}
	return n
}

func aliased(n *G.Node, outputs map[*G.Node]*tensor.Dense) bool {
	_, part := n.Op().(*op.Part)
	return part && outputs[n] == nil
}

// plan assigns every float32 intermediate a span of the arena and returns the
// arena's size in floats. Values whose lifetimes overlap never share floats; an
// operator that can work in place takes over the memory of an operand that nobody
// needs afterwards. Outputs have memory of their own.
func plan(dev Device, g *graph, outputs map[*G.Node]*tensor.Dense) (where map[*G.Node]span, size int) {
	lastUse := map[*G.Node]int{}
	for i, n := range g.sorted {
		for _, c := range g.operands(n) {
			lastUse[owner(c, outputs)] = i
		}
	}
	var a arena
	where = map[*G.Node]span{}
	live := map[*G.Node]bool{} // owns its span
	for i, n := range g.sorted {
		if g.operator(n) == nil || aliased(n, outputs) {
			continue
		}
		args := g.operands(n)
		if outputs[n] == nil && n.Dtype() == tensor.Float32 {
			live[n] = true
			if c := overwritten(dev, g, n); c != nil && live[c] && lastUse[c] == i {
				where[n], live[c] = where[c], false
			} else {
				where[n] = a.take(n.Shape().TotalSize())
			}
		}
		release := func(c *G.Node) {
			if live[c] {
				a.give(where[c])
				live[c] = false
			}
		}
		for _, c := range args {
			if c = owner(c, outputs); lastUse[c] == i {
				release(c)
			}
		}
		if _, used := lastUse[n]; !used {
			release(n)
		}
	}
	return where, a.size
}

// overwritten is the operand whose memory the operator may take over, if it
// has the size of the result and is not another operand as well.
func overwritten(dev Device, g *graph, n *G.Node) *G.Node {
	k, args := dev.Overwrites(g.operator(n)), g.operands(n)
	if k < 0 || k >= len(args) || args[k].Shape().TotalSize() != n.Shape().TotalSize() {
		return nil
	}
	for i, c := range args {
		if i != k && c == args[k] {
			return nil
		}
	}
	return args[k]
}

// newArena allocates floats that start on a cache line.
func newArena(size int) []float32 {
	memory := make([]float32, size+lineFloats)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(memory)))/4) & (lineFloats - 1)
	return memory[skip:][:size]
}

// A span is a piece of the arena, in floats.
type span struct{ at, size int }

// arena hands out spans and takes them back; it keeps no memory itself.
type arena struct {
	free []span // sorted, never adjacent
	size int    // high-water mark
}

// lineFloats keeps spans apart by whole cache lines, so that kernels start
// aligned and threads do not share lines.
const lineFloats = 16

// take reserves n floats: the smallest hole that fits, else new room at the end.
func (a *arena) take(n int) span {
	n = (n + lineFloats - 1) / lineFloats * lineFloats
	best := -1
	for i, s := range a.free {
		if s.size >= n && (best < 0 || s.size < a.free[best].size) {
			best = i
		}
	}
	if best >= 0 {
		s := &a.free[best]
		taken := span{s.at, n}
		s.at, s.size = s.at+n, s.size-n
		if s.size == 0 {
			a.free = append(a.free[:best], a.free[best+1:]...)
		}
		return taken
	}
	// A hole at the very end grows instead of staying behind.
	at := a.size
	if k := len(a.free) - 1; k >= 0 && a.free[k].at+a.free[k].size == a.size {
		at, a.free = a.free[k].at, a.free[:k]
	}
	a.size = at + n
	return span{at, n}
}

// give returns a span.
func (a *arena) give(s span) {
	i := sort.Search(len(a.free), func(i int) bool { return a.free[i].at > s.at })
	a.free = append(a.free, span{})
	copy(a.free[i+1:], a.free[i:])
	a.free[i] = s
	if i+1 < len(a.free) && s.at+s.size == a.free[i+1].at {
		a.free[i].size += a.free[i+1].size
		a.free = append(a.free[:i+1], a.free[i+2:]...)
	}
	if i > 0 && a.free[i-1].at+a.free[i-1].size == a.free[i].at {
		a.free[i-1].size += a.free[i].size
		a.free = append(a.free[:i], a.free[i+1:]...)
	}
}
