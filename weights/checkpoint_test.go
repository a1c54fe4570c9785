package weights

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestCheckpointOfTorch reads checkpoints that torch wrote.
func TestCheckpointOfTorch(t *testing.T) {
	for _, name := range []string{"training.pt", "training_legacy.pt"} {
		c, f, err := OpenTorchCheckpoint(filepath.Join(goldenDir, name))
		if err != nil {
			t.Fatal(err)
		}
		if c.Bare || c.Epoch != 2 || c.Name != "tiny-run" || c.Scaler == nil || c.GlobalStep != -1 || c.SamplesSeen != -1 || c.Average != nil {
			t.Errorf("%s: %+v", name, c)
		}
		if len(c.StateDict) == 0 || strings.HasPrefix(c.StateDict[0].Name, "module.") || !strings.HasPrefix(f.Tensors()[0].Name, "module.") {
			t.Errorf("%s: state dict %v of %v", name, c.StateDict, f.Tensors())
		}
		o := c.Optimizer
		if o == nil || len(o.Groups) != 2 || len(o.States) != len(c.StateDict) {
			t.Fatalf("%s: optimizer %+v", name, o)
		}
		for i, g := range o.Groups {
			if g.LR != 5e-4 || g.Beta1 != 0.9 || g.Beta2 != 0.98 || g.Eps != 1e-6 || g.WeightDecay != []float64{0, 0.2}[i] || !g.DecoupledDecay || g.AMSGrad || g.Maximize || g.Options.Len() < 10 {
				t.Errorf("%s: group %d: %+v", name, i, g)
			}
			for _, n := range g.Params {
				s := o.States[n]
				if s == nil || s.Step != 2 || (len(s.ExpAvg.Shape) < 2) != (i == 0) || !slices.Equal(s.ExpAvg.Shape, s.ExpAvgSq.Shape) {
					t.Errorf("%s: parameter %d: %+v", name, n, s)
				}
			}
		}
		f.Close()
	}
	c, f, err := OpenTorchCheckpoint(filepath.Join(goldenDir, "orig_mod.pt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if !c.Bare || len(c.StateDict) != 3 || c.StateDict[0].Name != "linear.weight" || c.Optimizer != nil {
		t.Errorf("bare state dict: %+v", c)
	}
	if _, _, err := OpenTorchCheckpoint(filepath.Join(goldenDir, "plain.safetensors")); !isFormat(err) || !strings.Contains(err.Error(), "torch") {
		t.Errorf("safetensors: %v", err)
	}
}

// TestCheckpointVariants reads what other releases of torch and OpenCLIP write differently.
func TestCheckpointVariants(t *testing.T) {
	root := checkpointOf(t, func(root, optimizer, group, state *Dict) {
		root.set("global_step", 12)
		root.set("samples_seen", 360)
		root.set("name", nil)
		root.set("state_dict_ema", dictOf(t, "module.w", floats(t, []int{2}, F32, 5, 6), "n_averaged", 3))
		state.set("step", 7) // torch before 1.12
		group.set("lr", floats(t, nil, F32, 0.25))
		group.set("betas", &List{Items: []Value{0, 0.5}})
		group.set("group_name", "no_wd")
		for _, key := range []string{"amsgrad", "maximize", "decoupled_weight_decay"} {
			group.set(key, nil)
		}
	})
	path := writeFile(t, root)
	c, f, err := OpenTorchCheckpoint(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if c.GlobalStep != 12 || c.SamplesSeen != 360 || c.Name != "" || len(c.Average) != 1 || c.Average[0].Name != "w" {
		t.Errorf("%+v", c)
	}
	g := c.Optimizer.Groups[0]
	if g.LR != 0.25 || g.Beta1 != 0 || g.Beta2 != 0.5 || g.Name != "no_wd" || !g.DecoupledDecay || c.Optimizer.States[0].Step != 7 {
		t.Errorf("%+v, %+v", g, c.Optimizer.States[0])
	}
	if c.Optimizer.States[1] != nil {
		t.Error("a parameter without gradient has a state")
	}
}

// checkpointOf is the file of a small checkpoint, after a change.
func checkpointOf(t testing.TB, change func(root, optimizer, group, state *Dict)) []byte {
	t.Helper()
	pair := func() Item { return floats(t, []int{2}, F32, 1, 2) }
	state := dictOf(t, "step", floats(t, nil, F32, 3), "exp_avg", pair(), "exp_avg_sq", pair())
	group := dictOf(t, "lr", 0.5, "betas", Tuple{0.9, 0.98}, "eps", 1e-6, "weight_decay", 0.0, "amsgrad", false, "maximize", false,
		"decoupled_weight_decay", true, "params", &List{Items: []Value{0, 1}})
	optimizer := dictOf(t, "state", dictOf(t, 0, state), "param_groups", &List{Items: []Value{group}})
	root := dictOf(t, "epoch", 4, "name", "run", "state_dict", dictOf(t, "w", pair(), "v", pair()), "optimizer", optimizer)
	change(root, optimizer, group, state)
	path := filepath.Join(t.TempDir(), "checkpoint.pt")
	if err := WriteTorch(t.Context(), path, root, nil); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// hostileCheckpoints are bad checkpoints in good torch files.
func hostileCheckpoints(t testing.TB) []hostile {
	var all []hostile
	add := func(name string, want any, says string, change func(root, optimizer, group, state *Dict)) {
		all = append(all, hostile{"checkpoint: " + name, checkpointOf(t, change), want, []string{says}})
	}
	in := func(which int, key string, value Value) func(root, optimizer, group, state *Dict) {
		return func(root, optimizer, group, state *Dict) {
			[]*Dict{root, optimizer, group, state}[which].set(key, value)
		}
	}
	const root, optimizer, group, state = 0, 1, 2, 3
	matrix := floats(t, []int{1, 2}, F32, 1, 2)
	wide := floats(t, []int{4096}, F32, make([]float32, 4096)...)
	for _, c := range []struct {
		where int
		key   string
		name  string
		value Value
		want  any
		says  string
	}{
		{root, "epoch", "as text", "4", formatError, "epoch"},
		{root, "epoch", "below 0", -1, formatError, "-1"},
		{root, "epoch", "huge", int64(math.MaxInt64), formatError, "epoch"},
		{root, "epoch", "a fraction", 1.5, formatError, "epoch"},
		{root, "epoch", "no number", math.NaN(), formatError, "epoch"},
		{root, "epoch", "a tensor", matrix, formatError, "torch.Tensor"},
		{root, "name", "a number", 3, formatError, "name"},
		{root, "global_step", "below 0", -2, formatError, "global_step"},
		{root, "samples_seen", "as text", "many", formatError, "samples_seen"},
		{root, "scaler", "a list", new(List), formatError, "scaler"},
		{root, "state_dict_ema", "a list", new(List), formatError, "state_dict_ema"},
		{root, "state_dict_ema", "with a number as name", dictOf(t, 1, matrix), formatError, "state_dict_ema"},
		{root, "optimizer", "a list", new(List), formatError, "optimizer"},
		{root, "optimizer", "empty", new(Dict), formatError, "param_groups"},
		{optimizer, "param_groups", "a dictionary", new(Dict), formatError, "param_groups"},
		{optimizer, "param_groups", "of numbers", &List{Items: []Value{1}}, formatError, "param_groups[0]"},
		{optimizer, "param_groups", "none", new(List), formatError, "key of a state"},
		{optimizer, "state", "a list", new(List), formatError, "optimizer: state"},
		{optimizer, "state", "of a text", dictOf(t, "a", new(Dict)), formatError, "key of a state"},
		{optimizer, "state", "of a number too high", dictOf(t, 2, new(Dict)), formatError, "below 2"},
		{optimizer, "state", "of a number below 0", dictOf(t, -1, new(Dict)), formatError, "below 2"},
		{optimizer, "state", "a number", dictOf(t, 0, 1), formatError, "state[0]"},
		{optimizer, "state", "of SGD", dictOf(t, 0, dictOf(t, "momentum_buffer", matrix)), unsupportedError, "exp_avg"},
		{group, "betas", "of SGD", nil, unsupportedError, "betas"},
		{group, "betas", "three", Tuple{0.1, 0.2, 0.3}, unsupportedError, "betas"},
		{group, "betas", "of text", Tuple{"a", 0.2}, formatError, "first beta"},
		{group, "lr", "as text", "fast", formatError, "lr"},
		{group, "lr", "of two elements", matrix, formatError, "lr"},
		{group, "lr", "of many elements", wide, formatError, "one element"},
		{group, "eps", "none", nil, formatError, "eps"},
		{group, "weight_decay", "a list", new(List), formatError, "weight_decay"},
		{group, "amsgrad", "a number", 1, formatError, "amsgrad"},
		{group, "group_name", "a number", 1, formatError, "group_name"},
		{group, "params", "a number", 1, formatError, "params"},
		{group, "params", "twice", &List{Items: []Value{0, 0}}, formatError, "once"},
		{group, "params", "with a gap", &List{Items: []Value{0, 2}}, formatError, "once"},
		{group, "params", "tensors", &List{Items: []Value{matrix}}, formatError, "params"},
		{group, "params", "huge", &List{Items: []Value{int64(1 << 60)}}, formatError, "params"},
		{state, "step", "none", nil, formatError, "step"},
		{state, "step", "of two elements", matrix, formatError, "[1 2]"},
		{state, "step", "below 0", floats(t, nil, F32, -1), formatError, "step"},
		{state, "step", "a fraction", floats(t, nil, F32, 1.5), formatError, "step"},
		{state, "step", "no number", floats(t, nil, F32, float32(math.NaN())), formatError, "step"},
		{state, "step", "endless", floats(t, nil, F32, float32(math.Inf(1))), formatError, "step"},
		{state, "exp_avg", "none", nil, unsupportedError, "exp_avg"},
		{state, "exp_avg", "of another shape", matrix, formatError, "[1 2]"},
		{state, "exp_avg", "of integers", Item{Info{"", I32, []int{2}}, matrix.Write}, unsupportedError, "I32"},
	} {
		add(c.key+" "+c.name, c.want, c.says, in(c.where, c.key, c.value))
	}
	add("without state_dict", formatError, "state_dict", func(root, _, _, _ *Dict) {
		*root = *dictOf(t, "epoch", 1, "w", matrix)
	})
	many := new(List)
	for i := range maxTensors + 1 {
		many.Items = append(many.Items, i)
	}
	add("too many parameters", limitError, "parameters", in(group, "params", many))
	return append(all, bigStep(t))
}

// bigStep has a step count in a storage of a megabyte: were it compressed, it would have
// to be unpacked for each parameter.
func bigStep(t testing.TB) hostile {
	pkl := pickle(func(a *asm) {
		step := tensorSpec{elems: 1 << 18, shape: []int64{}, stride: []int64{}}
		a.op(opEmptyDict, opMark).str("epoch").int(1).str("state_dict").dict("w", func(a *asm) { a.tensor(tensorSpec{elems: 1 << 18}) })
		a.str("optimizer").op(opEmptyDict, opMark)
		a.str("state").op(opEmptyDict, opMark).int(0).op(opEmptyDict, opMark).str("step").tensor(step)
		a.str("exp_avg").tensor(tensorSpec{elems: 1 << 18}).str("exp_avg_sq").tensor(tensorSpec{elems: 1 << 18}).op(opSetItems, opSetItems)
		a.str("param_groups").op(opEmptyList, opEmptyDict, opMark).str("betas").op(opMark).int(0).int(0).op(opTuple)
		for _, key := range []string{"lr", "eps", "weight_decay"} {
			a.str(key).int(0)
		}
		a.str("params").op(opEmptyList).int(0).op(opAppend, opSetItems, opAppend, opSetItems, opSetItems)
	})
	return hostile{"checkpoint: step in a large storage", zipFile(t, member{name: "m/data.pkl", data: pkl}, member{name: "m/data/0", data: make([]byte, 1<<20)}), limitError, []string{"step"}}
}

// TestHostileCheckpoints is TestHostileFiles for checkpoints: opening them works.
func TestHostileCheckpoints(t *testing.T) {
	for _, h := range hostileCheckpoints(t) {
		f, err := Open(writeFile(t, h.data))
		if err != nil {
			t.Errorf("%s: %v", h.name, err)
			continue
		}
		if _, err := f.Checkpoint(); !errors.As(err, h.want) {
			t.Errorf("%s: error of type %T, want %T: %v", h.name, err, h.want, err)
		}
		f.Close()
	}
}
