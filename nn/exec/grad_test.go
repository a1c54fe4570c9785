package exec_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-e0874532/coca/internal/kernel"
	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/nn/op"
)

// differentiable builds the operators that have gradients; the result of each
// is [B, T, d] or [B, d], as scalar wants it.
var differentiable = map[string]func(b *op.Builder, r *rand.Rand) *G.Node{
	"Linear": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.Linear(op.LinearArgs{X: b.Bind("x", random(r, 2, 3, 5)), W: b.Bind("w", random(r, 7, 5)), Bias: b.Bind("b", random(r, 7))})
	},
	"Linear with everything": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.Linear(op.LinearArgs{
			X: b.Bind("x", random(r, 2, 3, 5)), W: b.Bind("w", random(r, 7, 5)), Bias: b.Bind("b", random(r, 7)),
			Scale: b.Bind("s", random(r, 7)), Residual: b.Bind("r", random(r, 2, 3, 7)), Act: kernel.GELU,
		})
	},
	"Linear, GELU": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.Linear(op.LinearArgs{X: b.Bind("x", random(r, 2, 3, 5)), W: b.Bind("w", random(r, 7, 5)), Act: kernel.GELU})
	},
	"Linear, scaled": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.Linear(op.LinearArgs{X: b.Bind("x", random(r, 2, 3, 5)), W: b.Bind("w", random(r, 7, 5)), Scale: b.Bind("s", random(r, 7))})
	},
	"Linear, projection, QuickGELU": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.Linear(op.LinearArgs{
			X: b.Bind("x", random(r, 2, 3, 5)), W: b.Bind("w", random(r, 5, 9)), Order: kernel.InOut, Act: kernel.QuickGELU,
		})
	},
	"LayerNorm": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.LayerNorm(b.Bind("x", random(r, 2, 3, 9)), b.Bind("g", random(r, 9)), b.Bind("b", random(r, 9)), 1e-5)
	},
	"Normalize": func(b *op.Builder, r *rand.Rand) *G.Node { return b.Normalize(b.Bind("x", random(r, 2, 3, 9))) },
	"Attention, fused": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.Attention(op.AttentionArgs{QKV: b.Bind("x", random(r, 2, 5, 3*6)), Heads: 3})
	},
	"Attention, causal and hidden": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.Attention(op.AttentionArgs{QKV: b.Bind("x", random(r, 2, 4, 3*6)), Heads: 2, Causal: true, Hidden: someHidden(b)})
	},
	"Attention, hidden only": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.Attention(op.AttentionArgs{QKV: b.Bind("x", random(r, 2, 4, 3*6)), Heads: 2, Hidden: someHidden(b)})
	},
	"Attention, crossed": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.Attention(op.AttentionArgs{Q: b.Bind("q", random(r, 2, 3, 6)), KV: b.Bind("kv", random(r, 2, 5, 12)), Heads: 2})
	},
	"Attention, apart": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.Attention(op.AttentionArgs{Q: b.Bind("q", random(r, 2, 3, 6)), K: b.Bind("k", random(r, 2, 5, 6)), V: b.Bind("v", random(r, 2, 5, 6)), Heads: 2})
	},
	"Attention, shared queries": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.Attention(op.AttentionArgs{Q: b.Bind("q", random(r, 3, 6)), K: b.Bind("k", random(r, 2, 5, 6)), V: b.Bind("v", random(r, 2, 5, 6)), Heads: 1})
	},
	"Attention, shared queries, crossed": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.Attention(op.AttentionArgs{Q: b.Bind("q", random(r, 3, 6)), KV: b.Bind("kv", random(r, 2, 5, 12)), Heads: 2})
	},
	"Embed": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.Embed(b.Bind("i", op.TensorOf(ids(4, 0, 8, 4, 1, 2), 2, 3)), b.Bind("t", random(r, 9, 5)))
	},
	"Positions, class first": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.Positions(b.Bind("x", random(r, 2, 3, 5)), b.Bind("t", random(r, 6, 5)), b.Bind("c", random(r, 5)), op.First)
	},
	"Positions, class last": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.Positions(b.Bind("x", random(r, 2, 3, 5)), b.Bind("t", random(r, 4, 5)), b.Bind("c", random(r, 5)), op.Last)
	},
	"Positions, class at the end": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.Positions(b.Bind("x", random(r, 2, 3, 5)), b.Bind("t", random(r, 7, 5)), b.Bind("c", random(r, 5)), op.End)
	},
	"Positions, no class": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.Positions(b.Bind("x", random(r, 2, 3, 5)), b.Bind("t", random(r, 3, 5)), nil, op.Nowhere)
	},
	"Among": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.Among(b.Bind("fixed all", random(r, 6, 5)), b.Bind("own", random(r, 2, 5)), b.Bind("at", op.TensorOf(ids(1), 1)))
	},
	"Gather": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.Gather(b.Bind("x", random(r, 2, 3, 5)), b.Bind("i", op.TensorOf(ids(5, 0, -1, 3, 0, 2), 2, 3)))
	},
	"Rows":     func(b *op.Builder, r *rand.Rand) *G.Node { return b.Rows(b.Bind("x", random(r, 2, 5, 4)), 1, 4) },
	"PickRow":  func(b *op.Builder, r *rand.Rand) *G.Node { return b.PickRow(b.Bind("x", random(r, 2, 5, 9)), 4) },
	"MeanRows": func(b *op.Builder, r *rand.Rand) *G.Node { return b.MeanRows(b.Bind("x", random(r, 2, 5, 9)), 1) },
	"ArgmaxRow": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.ArgmaxRow(b.Bind("x", random(r, 2, 4, 9)), texts(b))
	},
	"EOSRow": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.EOSRow(b.Bind("x", random(r, 2, 4, 9)), texts(b), 7)
	},
	"a node used three times": func(b *op.Builder, r *rand.Rand) *G.Node {
		x := b.Linear(op.LinearArgs{X: b.Bind("x", random(r, 2, 3, 5)), W: b.Bind("w", random(r, 5, 5))})
		y := b.Linear(op.LinearArgs{X: b.LayerNorm(x, b.Bind("g", random(r, 5)), b.Bind("b", random(r, 5)), 1e-5), W: b.Bind("w2", random(r, 5, 5)), Residual: x})
		return b.Sum(y, x)
	},
}

func someHidden(b *op.Builder) *G.Node {
	return b.Bind("h", op.TensorOf([]bool{false, true, false, false, false, false, true, true}, 2, 4))
}

// losses are scalars by themselves.
var losses = map[string]func(b *op.Builder, r *rand.Rand) *G.Node{
	"CaptionLoss": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.CaptionLoss(b.Bind("x", random(r, 2, 3, 11)), texts(b), nil, 2, 0, 7)
	},
	"CaptionLoss with z": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.CaptionLoss(b.Bind("x", random(r, 2, 3, 11)), texts(b), nil, 2, 0.3, 7)
	},
	"CaptionLoss of a part of a batch": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.CaptionLoss(b.Bind("x", random(r, 2, 3, 11)), texts(b), b.Bind("fixed others", op.TensorOf([]float32{3}, 1)), 2, 0.1, 7)
	},
	"CaptionLoss of a node": func(b *op.Builder, r *rand.Rand) *G.Node {
		x := b.Linear(op.LinearArgs{X: b.Bind("x", random(r, 2, 3, 5)), W: b.Bind("w", random(r, 5, 11)), Order: kernel.InOut})
		return b.CaptionLoss(x, texts(b), nil, 2, 0, 7)
	},
	"ContrastiveLoss": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.ContrastiveLoss(b.Bind("i", random(r, 4, 3)), b.Bind("t", random(r, 4, 3)), b.Bind("s", op.TensorOf([]float32{0.5}, 1)), 1.5)
	},
	"both losses": func(b *op.Builder, r *rand.Rand) *G.Node {
		x := b.Bind("x", random(r, 2, 3, 11))
		pooled := b.Normalize(b.PickRow(x, 0))
		return b.Sum(b.CaptionLoss(x, texts(b), nil, 2, 0, 7), b.ContrastiveLoss(pooled, b.Bind("t", random(r, 2, 11)), b.Bind("s", op.TensorOf([]float32{0.5}, 1)), 1))
	},
}

// scalar reduces a node to a loss: the captions' cross-entropy of a random
// projection, which depends on every element.
func scalar(b *op.Builder, r *rand.Rand, y *G.Node) *G.Node {
	s := y.Shape()
	d := s[len(s)-1]
	if len(s) == 2 {
		return b.ContrastiveLoss(y, b.Bind("probe", random(r, s[0], d)), b.Bind("probe scale", op.TensorOf([]float32{0.25}, 1)), 1)
	}
	targets := op.NewTensor(tensor.Int32, s[0], s[1]+1)
	for i, t := 0, op.Ints(targets); i < len(t); i++ {
		t[i] = int32(i % 3)
	}
	logits := b.Linear(op.LinearArgs{X: y, W: b.Bind("probe", random(r, 3, d))})
	return b.CaptionLoss(logits, b.Bind("targets", targets), nil, 1, 0, -1)
}

// evaluate computes nodes by the operators' own definitions.
func evaluate(t *testing.T, nodes ...*G.Node) map[*G.Node]G.Value {
	t.Helper()
	found := map[*G.Node]G.Value{}
	var visit func(n *G.Node) G.Value
	visit = func(n *G.Node) G.Value {
		if v := found[n]; v != nil {
			return v
		}
		if n.Op() == nil || n.Op().Arity() == 0 {
			return n.Value()
		}
		var in []G.Value
		for it := n.Graph().From(n.ID()); it.Next(); {
			in = append(in, visit(it.Node().(*G.Node)))
		}
		v, err := n.Op().Do(in...)
		if err != nil {
			t.Fatalf("%s: %v", n.Op(), err)
		}
		found[n] = v
		return v
	}
	for _, n := range nodes {
		visit(n)
	}
	return found
}

// inputsOf are the float32 inputs of a graph that have a gradient.
func inputsOf(g *G.ExprGraph) (list []*G.Node) {
	for _, n := range g.AllNodes() {
		if n.Op() == nil && n.Dtype() == tensor.Float32 && !strings.HasPrefix(n.Name(), "fixed ") {
			list = append(list, n)
		}
	}
	return list
}

// TestGradients compares, for every operator, the gradient nodes computed by
// the operators' own definitions with finite differences of the loss, and the
// executor's kernels with the definitions.
func TestGradients(t *testing.T) {
	builds := map[string]func(b *op.Builder, r *rand.Rand) *G.Node{}
	for name, build := range differentiable {
		builds[name] = func(b *op.Builder, r *rand.Rand) *G.Node {
			y := build(b, r)
			if b.Err() != nil {
				return nil
			}
			return scalar(b, r, y)
		}
	}
	for name, build := range losses {
		builds[name] = build
	}
	for name, build := range builds {
		t.Run(name, func(t *testing.T) {
			b := op.NewBuilder()
			loss := build(b, rand.New(rand.NewPCG(3, 4)))
			if err := b.Err(); err != nil {
				t.Fatal(err)
			}
			inputs := inputsOf(b.Graph())
			gradients := b.Gradients(loss, inputs...)
			if err := b.Err(); err != nil {
				t.Fatal(err)
			}
			want := evaluate(t, gradients...)
			for i, n := range inputs {
				differences(t, n, loss, op.Floats(want[gradients[i]]))
			}
			for _, training := range []bool{false, true} {
				d, err := exec.NewCPUWith(exec.CPUOptions{Threads: 2, Training: training})
				if err != nil {
					t.Fatal(err)
				}
				defer d.Close()
				p, err := exec.Compile(d, append([]*G.Node{loss}, gradients...)...)
				if err != nil {
					t.Fatal(err)
				}
				for range 2 {
					if err := p.RunAll(); err != nil {
						t.Fatal(err)
					}
					for i, n := range gradients {
						t.Run(fmt.Sprintf("training %v, %s", training, inputs[i].Name()), func(t *testing.T) { agree(t, p.Floats(n), op.Floats(want[n])) })
					}
				}
				if n := allocations(func() { _ = p.RunAll() }); n != 0 {
					t.Errorf("training %v: %v allocations a run, want 0", training, n)
				}
			}
		})
	}
}

// differences fails unless got is the gradient of the loss with respect to an
// input, measured by central differences. The loss is stored in float32, so the step is wide
// and the tolerance what rounding leaves.
func differences(t *testing.T, input, loss *G.Node, got []float32) {
	t.Helper()
	const step = 1.0 / 64
	at := func() float64 { return float64(op.Floats(evaluate(t, loss)[loss])[0]) }
	scale := 1e-2
	for _, v := range got {
		scale = math.Max(scale, math.Abs(float64(v)))
	}
	for i, x := range op.Floats(input.Value()) {
		data := op.Floats(input.Value())
		slope := func(h float32) float64 {
			data[i] = x + h
			up := at()
			data[i] = x - h
			down := at()
			data[i] = x
			return (up - down) / (2 * float64(h))
		}
		// Richardson: the error of two steps cancels to fourth order.
		want := (4*slope(step) - slope(2*step)) / 3
		if math.Abs(float64(got[i])-want) > 1e-3*scale {
			t.Fatalf("%s[%d]: got %v, finite differences give %v", input.Name(), i, got[i], want)
		}
	}
}
