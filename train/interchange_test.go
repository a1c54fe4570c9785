package train_test

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"path/filepath"
	"slices"
	"testing"

	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn"
	"github.com/seed-e0874532/coca/train"
	"github.com/seed-e0874532/coca/weights"
)

const goldenCheckpoint = "../testdata/golden/train/epoch_1.pt"

// resumeCase is the run that wrote the golden checkpoint after its first epoch.
func resumeCase(t *testing.T) *stepsCase {
	t.Helper()
	var c stepsCase
	readGolden(t, "resume.json", &c)
	return &c
}

// checkpointSource gives the weights of a checkpoint.
type checkpointSource struct {
	nn.List
	tensors map[string]weights.Tensor
}

func (s checkpointSource) Float32(name string) ([]float32, error) { return s.tensors[name].Float32() }

func open(t testing.TB, path string) (*weights.Checkpoint, nn.Source) {
	t.Helper()
	c, f, err := weights.OpenTorchCheckpoint(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	src := checkpointSource{tensors: map[string]weights.Tensor{}}
	for _, x := range c.StateDict {
		src.List = append(src.List, nn.Info{Name: x.Name, Shape: x.Shape})
		src.tensors[x.Name] = x
	}
	return c, src
}

// resumed is a runner that takes up a checkpoint. The constants it is given are wrong: those of
// the checkpoint count.
func resumed(t *testing.T, c *stepsCase, path string) (*runner, *weights.Checkpoint) {
	t.Helper()
	checkpoint, src := open(t, path)
	o := c.parse(t)
	o.AdamW = train.AdamWConfig{Beta1: 0.5, Beta2: 0.5, Eps: 1, WeightDecay: 7}
	r := newRunner(t, c, o, src)
	if err := r.optimizer.SetTorch(checkpoint.Optimizer); err != nil {
		t.Fatal(err)
	}
	return r, checkpoint
}

// save writes a runner's state.
func (r *runner) save(t *testing.T, path string, epoch int, lr float64) {
	t.Helper()
	tensors := model.Tensors(r.cfg)
	err := train.WriteTorchCheckpoint(t.Context(), path, train.TorchCheckpoint{
		Epoch: epoch, Name: "whole", Tensors: tensors, Values: r.p.Source(nil), Optimizer: r.optimizer, LR: lr,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestResumeFromOpenCLIP goes on from open_clip_train's checkpoint along its losses.
func TestResumeFromOpenCLIP(t *testing.T) {
	c := resumeCase(t)
	r, checkpoint := resumed(t, c, goldenCheckpoint)
	if checkpoint.Epoch != 1 || checkpoint.Name != "whole" {
		t.Errorf("epoch %d of %q", checkpoint.Epoch, checkpoint.Name)
	}
	if got, want := r.optimizer.Config(), c.parse(t).AdamW; got != want {
		t.Errorf("constants %+v, want %+v", got, want)
	}
	r.steps(t, len(c.Batches), len(c.Steps))
	r.compareWeights(t)
}

// TestCheckpointEqualsOpenCLIPs takes open_clip_train's checkpoint up and writes it anew: everything in
// the two files must be equal, key for key in order, value for value, bit for bit.
func TestCheckpointEqualsOpenCLIPs(t *testing.T) {
	c := resumeCase(t)
	r, checkpoint := resumed(t, c, goldenCheckpoint)
	path := filepath.Join(t.TempDir(), "epoch_1.pt")
	r.save(t, path, 1, checkpoint.Optimizer.Groups[0].LR)
	want, err := weights.Open(goldenCheckpoint)
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	got, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	w, g := describe(t, "", want.Value(), nil), describe(t, "", got.Value(), nil)
	for i := range max(len(w), len(g)) {
		if i >= len(w) || i >= len(g) || w[i] != g[i] {
			t.Fatalf("entry %d: got %q, want %q", i, g[i:min(i+1, len(g))], w[i:min(i+1, len(w))])
		}
	}
	if len(w) < 500 {
		t.Errorf("%d entries", len(w))
	}
}

// describe lists everything in a tree on a line each.
func describe(t *testing.T, at string, v weights.Value, lines []string) []string {
	switch v := v.(type) {
	case *weights.Dict:
		lines = append(lines, fmt.Sprintf("%s: dictionary, ordered %v", at, v.Ordered))
		for i := range v.Len() {
			key, value := v.At(i)
			lines = describe(t, fmt.Sprintf("%s.%v", at, key), value, lines)
		}
	case weights.Tuple:
		lines = append(lines, at+": tuple")
		for i, item := range v {
			lines = describe(t, fmt.Sprintf("%s[%d]", at, i), item, lines)
		}
	case *weights.List:
		lines = append(lines, at+": list")
		for i, item := range v.Items {
			lines = describe(t, fmt.Sprintf("%s[%d]", at, i), item, lines)
		}
	case weights.Tensor:
		b, err := v.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%s: %s%v %x", at, v.DType, v.Shape, b))
	case *big.Int:
		t.Fatal("a large integer")
	default:
		lines = append(lines, fmt.Sprintf("%s: %T %v", at, v, v))
	}
	return lines
}

// TestTorchResumeIsExact writes a checkpoint in the middle of a run, takes it up and
// compares the rest with that of the run: every bit must be equal.
func TestTorchResumeIsExact(t *testing.T) {
	c := resumeCase(t)
	whole := newRunner(t, c, c.parse(t), nil)
	half := len(c.Batches)
	whole.steps(t, 0, half)
	path := filepath.Join(t.TempDir(), "epoch_1.pt")
	whole.save(t, path, 1, whole.schedule.Rate(half-1))
	whole.steps(t, half, len(c.Steps))
	rest, _ := resumed(t, c, path)
	rest.steps(t, half, len(c.Steps))
	if !slices.Equal(whole.p.Values, rest.p.Values) {
		t.Error("other weights")
	}
	w, r := whole.optimizer.State(), rest.optimizer.State()
	for i := range w {
		if w[i].Step != r[i].Step || !slices.Equal(w[i].ExpAvg, r[i].ExpAvg) || !slices.Equal(w[i].ExpAvgSq, r[i].ExpAvgSq) {
			t.Errorf("%s: other moments", w[i].Name)
		}
	}
}

// TestCheckpointWithoutGradients keeps a parameter that never had a gradient without a state, as
// PyTorch does; and an optimizer that PyTorch lacks is left out.
func TestCheckpointWithoutGradients(t *testing.T) {
	c := resumeCase(t)
	c.Flags = append(slices.Clone(c.Flags), "--coca-contrastive-loss-weight", "0")
	r := newRunner(t, c, c.parse(t), nil)
	r.feed(r.step.Graph, 0)
	if err := r.step.RunAll(); err != nil {
		t.Fatal(err)
	}
	r.optimizer.Step(1e-3)
	path := filepath.Join(t.TempDir(), "epoch_1.pt")
	r.save(t, path, 1, 1e-3)
	checkpoint, _ := open(t, path)
	without := 0
	plain, decayed := r.optimizer.Groups()
	for i, name := range append(plain, decayed...) {
		if got, want := checkpoint.Optimizer.States[i] == nil, r.p.Lookup(name).Gradient == nil; got != want {
			t.Errorf("%s: state missing %v, want %v", name, got, want)
		} else if want {
			without++
		}
	}
	if without == 0 {
		t.Error("every parameter had a gradient")
	}
	err := train.WriteTorchCheckpoint(t.Context(), path, train.TorchCheckpoint{Tensors: model.Tensors(r.cfg), Values: r.p.Source(nil)})
	if err != nil {
		t.Fatal(err)
	}
	if checkpoint, _ := open(t, path); checkpoint.Optimizer != nil || checkpoint.Bare || len(checkpoint.StateDict) != len(r.p.All) {
		t.Errorf("%+v", checkpoint)
	}
}

// TestSetTorchErrors takes up what does not fit: a typed error, and the optimizer as it was.
func TestSetTorchErrors(t *testing.T) {
	c := resumeCase(t)
	checkpoint, src := open(t, goldenCheckpoint)
	good := checkpoint.Optimizer
	r := newRunner(t, c, c.parse(t), src)
	if err := r.optimizer.SetTorch(good); err != nil {
		t.Fatal(err)
	}
	before := fmt.Sprint(r.optimizer.Config(), r.optimizer.State())
	config := new(*train.ConfigError)
	for name, change := range map[string]func(o *weights.Optimizer){
		"no groups": func(o *weights.Optimizer) { o.Groups = nil },
		"one group": func(o *weights.Optimizer) { o.Groups = o.Groups[:1]; o.States = o.States[:len(o.Groups[0].Params)] },
		"other sizes": func(o *weights.Optimizer) {
			o.Groups[0].Params, o.Groups[1].Params = o.Groups[1].Params, o.Groups[0].Params
		},
		"another shape":   func(o *weights.Optimizer) { o.States[3], o.States[60] = o.States[60], o.States[3] },
		"amsgrad":         func(o *weights.Optimizer) { o.Groups[1].AMSGrad = true },
		"maximize":        func(o *weights.Optimizer) { o.Groups[0].Maximize = true },
		"Adam":            func(o *weights.Optimizer) { o.Groups[0].DecoupledDecay = false },
		"two betas":       func(o *weights.Optimizer) { o.Groups[1].Beta1 = 0.5 },
		"a bad beta":      func(o *weights.Optimizer) { o.Groups[0].Beta1, o.Groups[1].Beta1 = 1, 1 },
		"a bad decay":     func(o *weights.Optimizer) { o.Groups[0].WeightDecay = -1 },
		"decay no number": func(o *weights.Optimizer) { o.Groups[0].WeightDecay = math.NaN() },
	} {
		o := &weights.Optimizer{Groups: slices.Clone(good.Groups), States: slices.Clone(good.States)}
		change(o)
		if err := r.optimizer.SetTorch(o); !errors.As(err, config) {
			t.Errorf("%s: error of type %T: %v", name, err, err)
		}
		if after := fmt.Sprint(r.optimizer.Config(), r.optimizer.State()); after != before {
			t.Errorf("%s: the optimizer changed", name)
		}
	}
}

// TestResumeFromDevelopmentHead goes on from a checkpoint of OpenCLIP's development head, whose
// groups are others: positions do not decay there, nor do they from then on here.
func TestResumeFromDevelopmentHead(t *testing.T) {
	var c stepsCase
	readGolden(t, "main_resume.json", &c)
	r, checkpoint := resumed(t, &c, "../testdata/golden/train/main_epoch_2.pt")
	from := 2 * len(c.Batches)
	if checkpoint.Epoch != 2 || checkpoint.GlobalStep != from || checkpoint.SamplesSeen != 3*from {
		t.Errorf("%+v", checkpoint)
	}
	r.steps(t, from, len(c.Steps))
	r.compareWeights(t)
}
