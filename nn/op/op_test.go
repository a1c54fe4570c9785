package op_test

import (
	"errors"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-e0874532/coca/nn/op"
)

func zeros(shape ...int) *tensor.Dense { return op.NewTensor(tensor.Float32, shape...) }

// TestShapesAreChecked names for each operator an operand that does not fit.
func TestShapesAreChecked(t *testing.T) {
	for name, c := range map[string]struct {
		build   func(b *op.Builder) *G.Node
		operand string
	}{
		"linear input": {func(b *op.Builder) *G.Node {
			return b.Linear(op.LinearArgs{X: b.Bind("x", zeros(2, 5)), W: b.Bind("w", zeros(3, 4))})
		}, "input"},
		"linear bias": {func(b *op.Builder) *G.Node {
			return b.Linear(op.LinearArgs{X: b.Bind("x", zeros(2, 4)), W: b.Bind("w", zeros(3, 4)), Bias: b.Bind("b", zeros(4))})
		}, "bias"},
		"linear residual": {func(b *op.Builder) *G.Node {
			return b.Linear(op.LinearArgs{X: b.Bind("x", zeros(2, 4)), W: b.Bind("w", zeros(3, 4)), Residual: b.Bind("r", zeros(2, 4))})
		}, "residual"},
		"layer norm": {func(b *op.Builder) *G.Node {
			return b.LayerNorm(b.Bind("x", zeros(2, 4)), b.Bind("g", zeros(4)), b.Bind("b", zeros(3)), 1e-5)
		}, "bias"},
		"attention heads": {func(b *op.Builder) *G.Node {
			return b.Attention(op.AttentionArgs{QKV: b.Bind("x", zeros(1, 2, 12)), Heads: 3})
		}, "qkv"},
		"attention mask": {func(b *op.Builder) *G.Node {
			return b.Attention(op.AttentionArgs{QKV: b.Bind("x", zeros(1, 2, 12)), Heads: 2, Hidden: b.Input("h", tensor.Bool, 1, 3)})
		}, "hidden"},
		"cross attention": {func(b *op.Builder) *G.Node {
			return b.Attention(op.AttentionArgs{Q: b.Bind("q", zeros(1, 2, 6)), KV: b.Bind("kv", zeros(1, 3, 8)), Heads: 2})
		}, "q"},
		"cache": {func(b *op.Builder) *G.Node {
			return b.CachedAttention(op.CachedAttentionArgs{
				QKV: b.Bind("x", zeros(3, 12)), K: b.Bind("k", zeros(2, 5, 8)), V: b.Bind("v", zeros(2, 5, 8)),
				Table: b.Input("t", tensor.Int32, 3, 5), Pos: b.Input("p", tensor.Int32, 3), Heads: 2,
			})
		}, "k"},
		"cache's positions": {func(b *op.Builder) *G.Node {
			return b.CachedAttention(op.CachedAttentionArgs{
				QKV: b.Bind("x", zeros(3, 12)), K: b.Bind("k", zeros(2, 5, 4)), V: b.Bind("v", zeros(2, 5, 4)),
				Table: b.Input("t", tensor.Int32, 3, 5), Pos: b.Input("p", tensor.Int32, 1), Heads: 2,
			})
		}, "pos"},
		"patches": {func(b *op.Builder) *G.Node { return b.Patches(b.Bind("x", zeros(1, 3, 3, 9)), 4) }, "pixels"},
		"positions": {func(b *op.Builder) *G.Node {
			return b.Positions(b.Bind("x", zeros(1, 4, 2)), b.Bind("t", zeros(3, 2)), nil, op.Nowhere)
		}, "table"},
		"rows": {func(b *op.Builder) *G.Node { return b.Rows(b.Bind("x", zeros(1, 4, 2)), 2, 5) }, "x"},
		"pool": {func(b *op.Builder) *G.Node { return b.PickRow(b.Bind("x", zeros(1, 4, 2)), 4) }, "x"},
	} {
		t.Run(name, func(t *testing.T) {
			b := op.NewBuilder()
			if n := c.build(b); n != nil {
				t.Fatal("want no node")
			}
			var e *op.ShapeError
			if !errors.As(b.Err(), &e) || e.Operand != c.operand || e.Want == "" {
				t.Errorf("got %v, want a ShapeError for operand %s", b.Err(), c.operand)
			}
		})
	}
}

// TestMergedNodesAreRefused shows that a node that Gorgonia merges with an
// earlier one does not go unnoticed.
func TestMergedNodesAreRefused(t *testing.T) {
	b := op.NewBuilder()
	b.Input("x", tensor.Float32, 2, 2)
	b.Input("x", tensor.Float32, 2, 2)
	if err := b.Err(); err == nil || !strings.Contains(err.Error(), "merged") {
		t.Errorf("two inputs of one name: got %v, want an error", err)
	}
}

// TestEqualOperatorsStayApart applies the same operator to the same operands
// twice: stock operators would become one node.
func TestEqualOperatorsStayApart(t *testing.T) {
	b := op.NewBuilder()
	x := b.Bind("x", zeros(2, 2))
	if one, two := b.Normalize(x), b.Normalize(x); b.Err() != nil || one == two {
		t.Errorf("got the same node twice (%v)", b.Err())
	}
}

func TestFirstErrorIsKept(t *testing.T) {
	b := op.NewBuilder()
	b.Input("x", tensor.Float32, 2, 0)
	first := b.Err()
	if first == nil {
		t.Fatal("want an error for a size of 0")
	}
	b.Normalize(nil)
	if b.Err() != first {
		t.Errorf("got %v, want the first error", b.Err())
	}
}

func TestWeightRows(t *testing.T) {
	w := &op.Weight{Name: "w", Value: op.TensorOf([]float32{0, 1, 2, 3, 4, 5}, 3, 2)}
	part := w.Rows(1, 3)
	if got := op.Floats(part.Value); len(got) != 4 || got[0] != 2 || got[3] != 5 {
		t.Errorf("rows 1 to 3: got %v", got)
	}
	b := op.NewBuilder()
	if first, again := b.Weight(w), b.Weight(w); first != again || first == b.Weight(part) || b.Err() != nil {
		t.Errorf("a weight is one input of a graph, its rows are another (%v)", b.Err())
	}
	if b.Weight(nil) != nil || b.Err() != nil {
		t.Errorf("no weight is no input (%v)", b.Err())
	}
}
