package exec_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-e0874532/coca/internal/formula"
	"github.com/seed-e0874532/coca/internal/kernel"
	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/nn/op"
)

// random is a tensor of normal numbers.
func random(r *rand.Rand, shape ...int) *tensor.Dense {
	t := op.NewTensor(tensor.Float32, shape...)
	for i, data := 0, op.Floats(t); i < len(data); i++ {
		data[i] = float32(r.NormFloat64())
	}
	return t
}

func ids(values ...int32) []int32 { return values }

// operators builds a graph of one operator each, with odd sizes.
var operators = map[string]func(b *op.Builder, r *rand.Rand) *G.Node{
	"Linear": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.Linear(op.LinearArgs{X: b.Bind("x", random(r, 3, 5, 37)), W: b.Bind("w", random(r, 19, 37))})
	},
	"Linear with everything": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.Linear(op.LinearArgs{
			X: b.Bind("x", random(r, 23, 37)), W: b.Bind("w", random(r, 19, 37)), Bias: b.Bind("b", random(r, 19)),
			Scale: b.Bind("s", random(r, 19)), Residual: b.Bind("r", random(r, 23, 19)), Act: kernel.GELU,
		})
	},
	"Linear, projection, QuickGELU": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.Linear(op.LinearArgs{
			X: b.Bind("x", random(r, 2, 37)), W: b.Bind("w", random(r, 37, 130)), Order: kernel.InOut, Act: kernel.QuickGELU,
		})
	},
	"LayerNorm": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.LayerNorm(b.Bind("x", random(r, 2, 7, 45)), b.Bind("g", random(r, 45)), b.Bind("b", random(r, 45)), 1e-5)
	},
	"Normalize": func(b *op.Builder, r *rand.Rand) *G.Node { return b.Normalize(b.Bind("x", random(r, 3, 33))) },
	"LogSumExp": func(b *op.Builder, r *rand.Rand) *G.Node { return b.LogSumExp(b.Bind("x", random(r, 3, 133))) },
	"Attention, fused": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.Attention(op.AttentionArgs{QKV: b.Bind("x", random(r, 2, 19, 3*48)), Heads: 3})
	},
	"Attention, causal and hidden": func(b *op.Builder, r *rand.Rand) *G.Node {
		hidden := op.NewTensor(tensor.Bool, 2, 19)
		for i, h := 0, op.Bools(hidden); i < len(h); i++ {
			h[i] = i%19 != 0 && i%5 == 0
		}
		return b.Attention(op.AttentionArgs{QKV: b.Bind("x", random(r, 2, 19, 3*48)), Heads: 2, Causal: true, Hidden: b.Bind("h", hidden)})
	},
	"Attention, hidden only": func(b *op.Builder, r *rand.Rand) *G.Node {
		hidden := op.TensorOf([]bool{false, true, false, false, false, false, true, true}, 2, 4)
		return b.Attention(op.AttentionArgs{QKV: b.Bind("x", random(r, 2, 4, 3*16)), Heads: 2, Hidden: b.Bind("h", hidden)})
	},
	"Attention, crossed": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.Attention(op.AttentionArgs{Q: b.Bind("q", random(r, 2, 5, 48)), KV: b.Bind("kv", random(r, 2, 21, 96)), Heads: 4})
	},
	"Attention, pooled": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.Attention(op.AttentionArgs{Q: b.Bind("q", random(r, 6, 96)), K: b.Bind("k", random(r, 2, 21, 96)), V: b.Bind("v", random(r, 2, 21, 96)), Heads: 1})
	},
	"PackedAttention": func(b *op.Builder, r *rand.Rand) *G.Node {
		layout := op.PackedKeys{Heads: 4, HeadDim: 12, Tokens: 21}
		return b.PackedAttention(op.PackedAttentionArgs{
			Q: b.Bind("q", random(r, 3, 48)), Packed: b.PackKeys(b.Bind("kv", random(r, 2, 21, 96)), layout),
			Index: b.Bind("i", op.TensorOf(ids(1, 0, 1), 3)), Layout: layout,
		})
	},
	"AttentionWeights": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.AttentionWeights(op.AttentionArgs{QKV: b.Bind("x", random(r, 2, 19, 3*48)), Heads: 3, Causal: true})
	},
	"CachedAttention": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.CachedAttention(op.CachedAttentionArgs{
			QKV: b.Bind("x", random(r, 2, 3*48)), K: b.Bind("k", random(r, 4, 7, 48)), V: b.Bind("v", random(r, 4, 7, 48)),
			Table: b.Bind("t", op.TensorOf(ids(3, 1, -1, 0, 0, 0, 0, 3, 2, 2, 0, 1, 3, 0), 2, 7)), Pos: b.Bind("p", op.TensorOf(ids(3, 5), 2)), Heads: 3,
		})
	},
	"Patches": func(b *op.Builder, r *rand.Rand) *G.Node { return b.Patches(b.Bind("x", random(r, 2, 3, 11, 14)), 4) },
	"Embed": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.Embed(b.Bind("i", op.TensorOf(ids(4, 0, 8, 4, 1, 2), 2, 3)), b.Bind("t", random(r, 9, 21)))
	},
	"Positions, class first": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.Positions(b.Bind("x", random(r, 2, 5, 9)), b.Bind("t", random(r, 6, 9)), b.Bind("c", random(r, 9)), op.First)
	},
	"Positions, class last": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.Positions(b.Bind("x", random(r, 2, 5, 9)), b.Bind("t", random(r, 8, 9)), b.Bind("c", random(r, 9)), op.Last)
	},
	"Positions, no class": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.Positions(b.Bind("x", random(r, 2, 5, 9)), b.Bind("t", random(r, 5, 9)), nil, op.Nowhere)
	},
	"PositionAt": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.PositionAt(b.Bind("x", random(r, 3, 9)), b.Bind("t", random(r, 5, 9)), b.Bind("p", op.TensorOf(ids(4, 0, 2), 3)))
	},
	"Rows":     func(b *op.Builder, r *rand.Rand) *G.Node { return b.Rows(b.Bind("x", random(r, 2, 5, 9)), 1, 4) },
	"PickRow":  func(b *op.Builder, r *rand.Rand) *G.Node { return b.PickRow(b.Bind("x", random(r, 2, 5, 9)), 4) },
	"MeanRows": func(b *op.Builder, r *rand.Rand) *G.Node { return b.MeanRows(b.Bind("x", random(r, 2, 5, 9)), 1) },
	"ArgmaxRow": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.ArgmaxRow(b.Bind("x", random(r, 2, 4, 9)), texts(b))
	},
	"EOSRow": func(b *op.Builder, r *rand.Rand) *G.Node {
		return b.EOSRow(b.Bind("x", random(r, 2, 4, 9)), texts(b), 7)
	},
}

func texts(b *op.Builder) *G.Node {
	return b.Bind("ids", op.TensorOf(ids(1, 7, 7, 2, 3, 9, 1, 9), 2, 4))
}

func device(t testing.TB, threads int) *exec.CPU {
	t.Helper()
	d, err := exec.NewCPU(threads, exec.FP32)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// tape runs a graph on Gorgonia's TapeMachine.
func tape(t *testing.T, g *G.ExprGraph, out *G.Node) []float32 {
	t.Helper()
	m := G.NewTapeMachine(g)
	defer m.Close()
	if err := m.RunAll(); err != nil {
		t.Fatal(err)
	}
	return op.Floats(out.Value())
}

// agree compares with a tolerance for sums of products of normal numbers.
func agree(t *testing.T, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d values, want %d", len(got), len(want))
	}
	scale := 0.0
	for _, v := range want {
		scale = math.Max(scale, math.Abs(float64(v)))
	}
	for i, v := range got {
		if !(math.Abs(float64(v)-float64(want[i])) <= 1e-5*scale+1e-7) {
			t.Fatalf("value %d: got %v, want %v", i, v, want[i])
		}
	}
}

// TestTapeMachineAgreesOnOperators runs every operator's own definition on
// Gorgonia's machine and the device's kernel in a program.
func TestTapeMachineAgreesOnOperators(t *testing.T) {
	for name, build := range operators {
		t.Run(name, func(t *testing.T) {
			for _, threads := range []int{1, 2} {
				b := op.NewBuilder()
				out := build(b, rand.New(rand.NewPCG(1, 2)))
				if err := b.Err(); err != nil {
					t.Fatal(err)
				}
				want := tape(t, b.Graph(), out)
				p, err := exec.Compile(device(t, threads), out)
				if err != nil {
					t.Fatal(err)
				}
				for range 2 { // a second run must not find the first one's leftovers
					if err := p.RunAll(); err != nil {
						t.Fatal(err)
					}
					agree(t, p.Floats(out), want)
				}
			}
		})
	}
}

// small is a model whose towers have every kind of layer.
func small(t testing.TB, name string) *model.CoCa {
	t.Helper()
	data, err := os.ReadFile("../../testdata/golden/small/" + name + "/open_clip_config.json")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := model.ParseConfig(data)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.New(cfg, formula.Source(model.Tensors(cfg)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestTapeMachineAgreesOnTowers runs whole models on both machines.
func TestTapeMachineAgreesOnTowers(t *testing.T) {
	for _, name := range []string{"tiny_pool", "tiny_plain", "layer_scale", "pool_cascade", "no_cls"} {
		t.Run(name, func(t *testing.T) {
			m := small(t, name)
			g, err := m.Graph(2, 9, 8)
			if err != nil {
				t.Fatal(err)
			}
			size := m.Config.Vision.ImageSize
			copy(op.Floats(g.Image.Pixels.Value()), append(formula.Image(0, size.Height, size.Width), formula.Image(1, size.Height, size.Width)...))
			copy(op.Ints(g.Text.IDs.Value()), ids(48, 7, 3, 19, 49, 0, 0, 0, 0, 48, 5, 0, 11, 2, 30, 8, 17, 49))
			outputs := []*G.Node{g.Image.Features, g.Text.Features, g.Text.Logits}
			p, err := exec.Compile(device(t, 2), outputs...)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.RunAll(); err != nil {
				t.Fatal(err)
			}
			tape(t, g.Graph(), g.Text.Logits)
			for _, n := range outputs {
				agree(t, p.Floats(n), op.Floats(n.Value()))
			}
		})
	}
}

// TestArenaKeepsLiveValuesApart compares every intermediate as an output, which
// has memory of its own, with the same intermediate kept alive in the arena.
func TestArenaKeepsLiveValuesApart(t *testing.T) {
	m := small(t, "layer_scale")
	run := func(all bool) (map[string][]float32, int) {
		g, err := m.Graph(1, 9, 8)
		if err != nil {
			t.Fatal(err)
		}
		copy(op.Ints(g.Text.IDs.Value()), ids(48, 7, 3, 19, 49, 0, 0, 0, 0))
		copy(op.Floats(g.Image.Pixels.Value()), formula.Image(0, 12, 12))
		outputs := []*G.Node{g.Text.Logits}
		if all {
			outputs = nil
			for _, tap := range g.Taps() {
				outputs = append(outputs, tap.Node)
			}
		}
		p, err := exec.Compile(device(t, 2), outputs...)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.RunAll(); err != nil {
			t.Fatal(err)
		}
		return map[string][]float32{"logits": p.Floats(g.Text.Logits)}, p.ArenaBytes()
	}
	apart, _ := run(true)
	shared, bytes := run(false)
	agree(t, shared["logits"], apart["logits"])
	if limit := 64 << 10; bytes > limit {
		t.Errorf("arena of %d bytes, want at most %d: intermediates do not share memory", bytes, limit)
	}
}

// TestRunDoesNotAllocate covers encode and decode steps.
func TestRunDoesNotAllocate(t *testing.T) {
	m := small(t, "tiny_pool")
	g, err := m.Graph(1, 9, 8)
	if err != nil {
		t.Fatal(err)
	}
	step, err := m.StepGraph(2, m.NewState(2, 1, exec.BF16))
	if err != nil {
		t.Fatal(err)
	}
	for name, out := range map[string]*G.Node{"whole model": g.Text.Logits, "step": step.Logits} {
		p, err := exec.Compile(device(t, 2), out)
		if err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		if n := allocations(func() {
			if err := p.Run(ctx); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations a run, want 0", name, n)
		}
	}
}

func TestRunStopsWhenCancelled(t *testing.T) {
	g, err := small(t, "tiny_pool").ImageGraph(1)
	if err != nil {
		t.Fatal(err)
	}
	p, err := exec.Compile(device(t, 1), g.Features)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestBadDataIsAnError(t *testing.T) {
	b := op.NewBuilder()
	list := op.TensorOf(ids(0, 9), 2)
	out := b.Embed(b.Bind("i", list), b.Bind("t", op.NewTensor(tensor.Float32, 9, 4)))
	p, err := exec.Compile(device(t, 1), out)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.RunAll(); err == nil || !strings.Contains(err.Error(), "want 0 to 8, got 9") {
		t.Errorf("an id beyond the table: got %v", err)
	}
}

func TestCompileRefuses(t *testing.T) {
	d := device(t, 1)
	b := op.NewBuilder()
	x := b.Bind("x", op.NewTensor(tensor.Float32, 2, 2))
	if _, err := exec.Compile(d, x); err == nil {
		t.Error("an input as output: want an error")
	}
	if _, err := exec.Compile(d, nil); err == nil {
		t.Error("a missing output: want an error")
	}
	product, err := G.HadamardProd(x, x) // sums are allowed: differentiation makes them
	if err != nil {
		t.Fatal(err)
	}
	var unsupported *exec.UnsupportedError
	if _, err := exec.Compile(d, product); !errors.As(err, &unsupported) {
		t.Errorf("a foreign operator: got %v, want an UnsupportedError", err)
	}
}

// allocations is the least number of allocations a run needs over several
// tries: a worker's scratch memory grows when it first meets a large piece, and
// which worker meets it is up to the scheduler.
func allocations(f func()) float64 {
	least := testing.AllocsPerRun(2, f)
	for range 9 {
		least = min(least, testing.AllocsPerRun(2, f))
	}
	return least
}
