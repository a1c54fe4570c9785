package op

import (
	"reflect"

	G "gorgonia.org/gorgonia"
)

// RecomputeBlocks makes a backward pass compute anew what [Builder.Recompute] and
// [Builder.Forget] name, instead of keeping it from the forward pass: about a third
// more work for a fraction of the memory. It is to be called before they are.
func (b *Builder) RecomputeBlocks() {
	b.forgotten, b.recalled = map[*G.Node]bool{}, map[*G.Node]*G.Node{}
}

// Recompute builds a block whose result alone is kept for the backward pass. What lies
// between its operands and its result is computed a second time when the block's gradient
// is, by nodes of their own: the plan of a program then frees the first ones at once.
func (b *Builder) Recompute(block func() *G.Node) *G.Node {
	outer := b.inBlock
	b.inBlock = true
	n := block()
	b.inBlock = outer
	delete(b.forgotten, n)
	return n
}

// Forget says that a result of [Builder.Recompute] is not kept either.
func (b *Builder) Forget(n *G.Node) *G.Node {
	if b.forgotten != nil && n != nil {
		b.forgotten[n] = true
	}
	return n
}

// recall replaces operands that were forgotten by nodes that compute them again;
// whatever a gradient reads of the forward pass must go through it.
func (b *Builder) recall(operands G.Nodes) G.Nodes {
	if len(b.forgotten) == 0 {
		return operands
	}
	list := make(G.Nodes, len(operands))
	for i, n := range operands {
		list[i] = b.recallOne(n)
	}
	return list
}

func (b *Builder) recallOne(n *G.Node) *G.Node {
	if !b.forgotten[n] || b.err != nil {
		return n
	}
	if again := b.recalled[n]; again != nil {
		return again
	}
	operands := b.recall(childrenOf(n))
	o := copyOf(n.Op().(Operator))
	o.renew()
	again := b.apply(o, operands...)
	b.recalled[n] = again
	return again
}

// copyOf is a copy of an operator, which is a pointer to a struct.
func copyOf(o Operator) Operator {
	c := reflect.New(reflect.TypeOf(o).Elem())
	c.Elem().Set(reflect.ValueOf(o).Elem())
	return c.Interface().(Operator)
}
