// Package draw draws expression graphs: it merges nodes by their scopes to a
// wanted depth and writes the rest as Graphviz DOT or as SVG.
package draw

import (
	"fmt"
	"regexp"
	"sort"
	"strings"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-e0874532/coca/nn/op"
)

// Depths of a drawing.
const (
	Towers    = 1 // one box per tower
	Stages    = 2 // equal blocks of a tower merged into one box
	Operators = 3 // every operator
)

// Graph is a drawing: boxes and the arrows between them, in an order in which
// values are computed.
type Graph struct {
	Boxes  []Box
	Arrows []Arrow
}

// Box is one node of a drawing.
type Box struct {
	Label []string // lines of text
	Tower string   // for the colour: the outermost scope, "" outside of all
	Input bool
}

// Arrow leads from one box to another, by their numbers.
type Arrow struct{ From, To int }

var numbered = regexp.MustCompile(`\.\d+$`)

// New draws what the outputs of a builder's graph need. Weights are left out.
func New(b *op.Builder, inputs, outputs []*G.Node, depth int) (*Graph, error) {
	if depth < Towers || depth > Operators {
		return nil, fmt.Errorf("depth: want %d to %d, got %d", Towers, Operators, depth)
	}
	c := collapser{b: b, depth: depth, box: map[string]int{}, of: map[*G.Node]int{}, seen: map[Arrow]bool{}, members: map[int]map[string]bool{}}
	for _, n := range inputs {
		c.of[n] = c.add("input "+n.Name(), Box{Label: []string{n.Name(), shape(n)}, Input: true})
	}
	for _, n := range outputs {
		c.visit(n)
	}
	for i, names := range c.members {
		if len(names) > 1 {
			c.g.Boxes[i].Label[0] += fmt.Sprintf(" ×%d", len(names))
		}
	}
	sort.Slice(c.g.Arrows, func(i, j int) bool {
		a, b := c.g.Arrows[i], c.g.Arrows[j]
		return a.From < b.From || a.From == b.From && a.To < b.To
	})
	return &c.g, nil
}

// collapser merges nodes while it walks a graph.
type collapser struct {
	g       Graph
	b       *op.Builder
	depth   int
	box     map[string]int // by the name of what is merged
	of      map[*G.Node]int
	seen    map[Arrow]bool
	members map[int]map[string]bool // the scopes that a box stands for
}

func (c *collapser) add(key string, b Box) int {
	if i, ok := c.box[key]; ok {
		return i
	}
	c.g.Boxes = append(c.g.Boxes, b)
	c.box[key] = len(c.g.Boxes) - 1
	return len(c.g.Boxes) - 1
}

// visit draws a node after its operands and returns its box, −1 for a weight.
func (c *collapser) visit(n *G.Node) int {
	if i, ok := c.of[n]; ok {
		return i
	}
	if n.Op() == nil {
		c.of[n] = -1
		return -1
	}
	var from []int
	for it := n.Graph().From(n.ID()); it.Next(); {
		if i := c.visit(it.Node().(*G.Node)); i >= 0 {
			from = append(from, i)
		}
	}
	to := c.place(n)
	c.of[n] = to
	for _, i := range from {
		if a := (Arrow{i, to}); i != to && !c.seen[a] {
			c.seen[a] = true
			c.g.Arrows = append(c.g.Arrows, a)
		}
	}
	return to
}

// place finds or makes the box of an operator.
func (c *collapser) place(n *G.Node) int {
	scope := c.b.Scope(n)
	tower, rest, inner := strings.Cut(scope, "/")
	switch {
	case scope != "" && c.depth == Towers:
		return c.output(c.add(scope[:len(tower)], Box{Label: []string{tower, ""}, Tower: tower}), n)
	case inner && c.depth == Stages:
		stage := tower + "/" + numbered.ReplaceAllString(rest, "")
		i := c.add(stage, Box{Label: []string{stage[len(tower)+1:], ""}, Tower: tower})
		if c.members[i] == nil {
			c.members[i] = map[string]bool{}
		}
		c.members[i][scope] = true
		return c.output(i, n)
	}
	label := []string{n.Op().String(), shape(n)}
	if inner {
		label = append([]string{rest}, label...)
	}
	return c.add(fmt.Sprint("node ", n.ID()), Box{Label: label, Tower: tower})
}

// output notes the shape of the last operator of a merged box.
func (c *collapser) output(i int, n *G.Node) int {
	if n.Dtype() == tensor.Float32 { // a mask is not what a reader wants to see
		c.g.Boxes[i].Label[1] = shape(n)
	}
	return i
}

func shape(n *G.Node) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint([]int(n.Shape())), "[]"), " ", "×")
}
