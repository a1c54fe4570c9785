package op

import (
	"errors"
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Builder builds one expression graph. Its methods apply operators; after
// the first error they do nothing and return nil, so that a layer reads
// like its formula and whoever asked for the graph checks [Builder.Err] once.
//
// A Builder is not safe for concurrent use.
type Builder struct {
	graph   *G.ExprGraph
	serial  uint32
	seen    map[*G.Node]string
	weights map[string]*G.Node
	inputs  []Parameter
	taps    []Tap
	scope   []string
	where   map[*G.Node]string
	err     error

	// See RecomputeBlocks.
	inBlock   bool
	forgotten map[*G.Node]bool    // results of the forward pass that are not kept
	recalled  map[*G.Node]*G.Node // what computes them again
}

// A Tap is a node with a name that a golden test or a reader may ask for,
// such as "visual.block.3".
type Tap struct {
	Name string
	Node *G.Node
}

// NewBuilder starts an empty graph.
func NewBuilder() *Builder {
	return &Builder{
		graph: G.NewGraph(), seen: map[*G.Node]string{}, weights: map[string]*G.Node{}, where: map[*G.Node]string{},
	}
}

// Graph is the graph built so far.
func (b *Builder) Graph() *G.ExprGraph { return b.graph }

// Err is the first error of all calls so far.
func (b *Builder) Err() error { return b.err }

// Fail records an error if it is the first one.
func (b *Builder) Fail(err error) {
	if b.err == nil && err != nil {
		b.err = err
	}
}

// Input adds an input of zeros with storage of its own; the caller writes
// its value before each run. Type is tensor.Float32, Int32 or Bool.
func (b *Builder) Input(name string, of tensor.Dtype, shape ...int) *G.Node {
	for _, n := range shape {
		if n <= 0 {
			b.Fail(fmt.Errorf("input %q: want positive sizes, got %v", name, shape))
			return nil
		}
	}
	return b.Bind(name, NewTensor(of, shape...))
}

// Bind adds an input that uses the given tensor in place, such as a cache.
func (b *Builder) Bind(name string, value *tensor.Dense) *G.Node {
	if b.err != nil {
		return nil
	}
	// The name enters the hash; the type does not say enough to keep two inputs apart.
	n := G.NewTensor(b.graph, value.Dtype(), value.Dims(), G.WithShape(value.Shape()...), G.WithName(name), G.WithValue(value))
	return b.own(n, name)
}

// own refuses a node that Gorgonia has merged with an earlier one. It does so
// silently when type, shape and hash agree, and a merged node has already left
// the graph, so the returned pointer is the only evidence.
func (b *Builder) own(n *G.Node, what string) *G.Node {
	if old, ok := b.seen[n]; ok {
		b.Fail(fmt.Errorf("graph: %s was merged with %s: names and hashes must be unique", what, old))
		return nil
	}
	b.seen[n] = what
	if len(b.scope) > 0 {
		b.where[n] = b.scope[len(b.scope)-1]
	}
	return n
}

// Tap names a node and returns it; an empty name is no tap.
func (b *Builder) Tap(name string, n *G.Node) *G.Node {
	if b.err == nil && name != "" {
		b.taps = append(b.taps, Tap{name, n})
	}
	return n
}

// Taps are the named nodes in the order in which they were built.
func (b *Builder) Taps() []Tap { return b.taps }

// Enter opens a named scope below the current one, and returns what closes
// it. Scopes group nodes in a drawing of the graph.
func (b *Builder) Enter(name string) (leave func()) {
	if len(b.scope) > 0 {
		name = b.scope[len(b.scope)-1] + "/" + name
	}
	b.scope = append(b.scope, name)
	return func() { b.scope = b.scope[:len(b.scope)-1] }
}

// Scope names the scope in which a node was built, outer scopes first,
// separated by slashes.
func (b *Builder) Scope(n *G.Node) string { return b.where[n] }

// core fills in what all operators share.
func (b *Builder) core(kind, attrs string, rank int, operands ...*G.Node) core {
	b.serial++
	c := core{kind: kind, attrs: attrs, serial: b.serial, out: operandType{tensor.Float32, rank}, b: b}
	for _, n := range operands {
		c.in = append(c.in, operandType{n.Dtype(), n.Dims()})
	}
	return c
}

// apply adds an operator to the graph.
func (b *Builder) apply(o Operator, operands ...*G.Node) *G.Node {
	n, err := G.ApplyOp(o, operands...)
	if err != nil {
		// Gorgonia wraps the cause in a trace; the typed error is what a caller can use.
		var shape *ShapeError
		if errors.As(err, &shape) {
			err = shape
		}
		if len(b.scope) > 0 {
			err = fmt.Errorf("%s: %w", b.scope[len(b.scope)-1], err)
		}
		b.Fail(err)
		return nil
	}
	if b.inBlock {
		b.Forget(n)
	}
	return b.own(n, o.String())
}

// usable reports whether an operator can be applied: no error so far and no
// operand missing (which is an error of its own).
func (b *Builder) usable(kind string, operands ...*G.Node) bool {
	if b.err != nil {
		return false
	}
	for i, n := range operands {
		if n == nil {
			b.Fail(fmt.Errorf("%s: operand %d is missing", kind, i))
			return false
		}
	}
	return true
}

// A Weight is a named tensor that graphs take as an input. Several graphs may
// share one; none copies it.
type Weight struct {
	Name  string
	Value *tensor.Dense // nil in a model without weights, which can only be listed

	// Of is the weight that this one is a view of, from its element At on; nil if it is none.
	Of *Weight
	At int
}

// A Parameter is a weight and the input of a graph that stands for it.
type Parameter struct {
	*Weight
	Node *G.Node
}

// Parameters lists the weights of the graph in the order in which layers
// asked for them.
func (b *Builder) Parameters() []Parameter { return b.inputs }

// Rows is a view of the rows lo to hi of a matrix, or of the elements lo to hi
// of a vector.
func (w *Weight) Rows(lo, hi int) *Weight {
	part := &Weight{Name: fmt.Sprintf("%s[%d:%d]", w.Name, lo, hi), Of: w}
	if w.Value != nil {
		shape := w.Value.Shape().Clone()
		n := volume(shape[1:])
		part.At = lo * n
		shape[0] = hi - lo
		part.Value = TensorOf(Floats(w.Value)[lo*n:hi*n:hi*n], shape...)
	}
	return part
}

// Weight is the input of this graph that stands for w; nil stays nil.
func (b *Builder) Weight(w *Weight) *G.Node {
	if w == nil || b.err != nil {
		return nil
	}
	if n, ok := b.weights[w.Name]; ok {
		return n
	}
	if w.Value == nil {
		b.Fail(fmt.Errorf("weight %s has no value", w.Name))
		return nil
	}
	n := b.Bind(w.Name, w.Value)
	b.weights[w.Name] = n
	b.inputs = append(b.inputs, Parameter{w, n})
	return n
}
