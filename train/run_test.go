package train_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/train"
	"github.com/seed-e0874532/coca/train/record"
	"github.com/seed-e0874532/coca/weights"
)

// tensorsOf reads all tensors of a checkpoint.
func tensorsOf(t testing.TB, dir string) map[string][]float32 {
	t.Helper()
	f, err := weights.Open(filepath.Join(dir, "open_clip_model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[string][]float32{}
	for _, info := range f.Tensors() {
		tensor, err := f.Tensor(info.Name)
		if err != nil {
			t.Fatal(err)
		}
		v, err := tensor.Float32()
		if err != nil {
			t.Fatal(err)
		}
		all[info.Name] = slices.Clone(v)
	}
	return all
}

// TestLockedTensorsStay trains parts of a model, from the same start, and
// looks which tensors of the checkpoint changed.
func TestLockedTensorsStay(t *testing.T) {
	base, csv, start := tiny(t), table(t), t.TempDir()
	o := options(csv, start)
	o.Epochs = 1
	runTo(t, base, o, 0)
	pretrained := filepath.Join(start, "checkpoints", "epoch_1")
	before := tensorsOf(t, pretrained)
	for _, c := range []struct {
		name   string
		set    func(o *train.Options)
		locked func(tensor string) bool
	}{
		{"nothing", func(*train.Options) {}, func(string) bool { return false }},
		{"image", func(o *train.Options) { o.LockImage = true }, func(n string) bool { return strings.HasPrefix(n, "visual.") }},
		{"text", func(o *train.Options) { o.LockText = true }, func(n string) bool { return strings.HasPrefix(n, "text.") }},
		{"all but two patterns", func(o *train.Options) { o.TrainOnly = []string{"text_decoder.*.mlp.*", "logit_scale"} },
			func(n string) bool {
				return n != "logit_scale" && !(strings.HasPrefix(n, "text_decoder.") && strings.Contains(n, ".mlp."))
			}},
		{"muon, of the decoder", func(o *train.Options) { o.TrainOnly, o.Optimizer = []string{"text_decoder.*"}, train.OptMuon },
			func(n string) bool { return !strings.HasPrefix(n, "text_decoder.") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			o := options(csv, dir)
			o.Epochs = 1
			c.set(&o)
			b, err := train.OpenBase(base)
			if err != nil {
				t.Fatal(err)
			}
			tr, err := train.New(b, pretrained, o)
			if err != nil {
				t.Fatal(err)
			}
			defer tr.Close()
			if err := tr.Run(context.Background()); err != nil {
				t.Fatal(err)
			}
			locked := 0
			for name, values := range tensorsOf(t, filepath.Join(dir, "checkpoints", "epoch_1")) {
				same := slices.Equal(values, before[name])
				if c.locked(name) {
					locked++
				}
				// Nothing depends on this one.
				if name == "text_decoder.text_projection" {
					continue
				}
				if same != c.locked(name) {
					t.Errorf("%s: unchanged is %v, want %v", name, same, c.locked(name))
				}
			}
			if c.name != "nothing" && locked == 0 {
				t.Error("nothing is locked")
			}
		})
	}
}

// TestCheckpointsOfEpochs holds which checkpoints remain after a run.
func TestCheckpointsOfEpochs(t *testing.T) {
	base, csv := tiny(t), table(t)
	for _, c := range []struct {
		name string
		set  func(o *train.Options)
		want []string
	}{
		{"each epoch", func(o *train.Options) { o.SaveFrequency = 1 }, []string{"epoch_1", "epoch_2", "epoch_3"}},
		{"each second and the last", func(o *train.Options) { o.SaveFrequency = 2 }, []string{"epoch_2", "epoch_3"}},
		{"the last", func(o *train.Options) { o.SaveFrequency = 0 }, []string{"epoch_3"}},
		{"most recent", func(o *train.Options) { o.SaveFrequency, o.SaveMostRecent = 0, true }, []string{"epoch_3", "epoch_latest"}},
		{"not the previous", func(o *train.Options) { o.SaveFrequency, o.DeletePrevious = 1, true }, []string{"epoch_3"}},
		{"within epochs", func(o *train.Options) { o.SaveFrequency, o.SaveSteps = 0, 2 }, []string{"epoch_3"}},
		{"at all times", func(o *train.Options) { o.SaveFrequency, o.SaveInterval = 0, 1 }, []string{"epoch_3"}},
		{"for OpenCLIP", func(o *train.Options) { o.SaveFrequency, o.ExportTorch = 2, true }, []string{"epoch_2", "epoch_2.pt", "epoch_3", "epoch_3.pt"}},
		{"for OpenCLIP, not the previous", func(o *train.Options) { o.SaveFrequency, o.ExportTorch, o.DeletePrevious = 2, true, true }, []string{"epoch_3", "epoch_3.pt"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			o := options(csv, dir)
			o.SaveInterval = 0
			c.set(&o)
			saves := 0
			o.Saved = func(string) { saves++ }
			runTo(t, base, o, 0)
			entries, err := os.ReadDir(filepath.Join(dir, "checkpoints"))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range entries {
				got = append(got, e.Name())
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if want := map[string]int{"within epochs": 8, "at all times": 15}[c.name]; want != 0 && saves != want {
				t.Errorf("saved %d times, want %d", saves, want)
			}
		})
	}
}

// TestValidation compares a validation with the losses that training itself
// sees of the same pairs, whole pictures and weights of 1.
func TestValidation(t *testing.T) {
	base, dir := tiny(t), t.TempDir()
	csv := filepath.Join(t.TempDir(), "square.csv")
	rows := "filepath\ttitle\n../nothing.png\tnothing\n"
	for _, name := range []string{"green_ring_above_orange_heart.jpg", "orange_square.png", "row_triangle_star_cross.png", "small_blue_star_top_right.png"} {
		rows += "../testdata/images/" + name + "\t" + strings.ReplaceAll(name, "_", " ") + "\n"
	}
	if err := os.WriteFile(csv, []byte(rows), 0o644); err != nil {
		t.Fatal(err)
	}
	o := options(csv, dir)
	o.Val, o.ValFrequency, o.ValCaptions, o.Batch, o.LR = train.DataOptions{Path: csv}, 2, 3, 4, 0
	o.Data.Augment.Crop.Scale, o.Data.Augment.Crop.Ratio = [2]float64{1, 1}, [2]float64{1, 1}
	o.Losses = model.LossWeights{Contrastive: 1, Caption: 1}
	var found []*train.Validation
	o.Validated = func(v *train.Validation) error { found = append(found, v); return nil }
	var logged []train.Record
	o.Log = func(r train.Record) { logged = append(logged, r) }
	b, err := train.OpenBase(base)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := train.New(b, "", o)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if err := tr.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(found) != 2 || found[0].Epoch != 2 || found[1].Epoch != 3 || found[0].Samples != 4 || len(found[0].Shown) != 3 {
		t.Fatalf("validations: %+v", found)
	}
	if v, r := found[0], logged[0]; math.Abs(v.CLIPLoss-r.Contrastive) > 1e-5 || math.Abs(v.GenerativeLoss-r.Caption) > 1e-5 {
		t.Errorf("validation found %v and %v, training %v and %v", v.CLIPLoss, v.GenerativeLoss, r.Contrastive, r.Caption)
	}
	raw, err := os.ReadFile(filepath.Join(dir, record.ResultsName))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	var keys map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &keys); err != nil || len(lines) != 2 {
		t.Fatalf("%s: %v", raw, err)
	}
	for _, k := range []string{"image_to_text_mean_rank", "text_to_image_R@10", "clip_val_loss", "val_generative_loss", "epoch", "num_samples"} {
		if _, ok := keys[k]; !ok {
			t.Errorf("results lack %s", k)
		}
	}
}

// TestValidationByBatches compares batches that leave a smaller one over with the mean that
// OpenCLIP defines, and a run that only validates with one that trains.
func TestValidationByBatches(t *testing.T) {
	base, csv, dir := tiny(t), table(t), t.TempDir()
	validate := func(batch int) *train.Validation {
		o := options("", t.TempDir())
		o.Val, o.Batch = train.DataOptions{Path: csv}, batch
		var found *train.Validation
		o.Validated = func(v *train.Validation) error { found = v; return nil }
		b, err := train.OpenBase(base)
		if err != nil {
			t.Fatal(err)
		}
		tr, err := train.New(b, "", o)
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		if err := tr.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		return found
	}
	all, five := validate(16), validate(5)
	if all.Samples != 16 || five.Samples != 16 || !(five.CLIPLoss < all.CLIPLoss) {
		t.Errorf("contrastive loss %v in batches of 5, %v of all %d", five.CLIPLoss, all.CLIPLoss, all.Samples)
	}
	if all.RetrievalMetrics != five.RetrievalMetrics || all.ImageMeanRank < 1 || all.ImageR10 == 0 {
		t.Errorf("retrieval %+v in batches of 5, %+v of all", five.RetrievalMetrics, all.RetrievalMetrics)
	}
	if one := validate(1); one.CLIPLoss != 0 {
		t.Errorf("contrastive loss %v of single pairs, want 0", one.CLIPLoss)
	}
	if _, err := os.Stat(filepath.Join(dir, "checkpoints")); !errors.Is(err, os.ErrNotExist) {
		t.Error("a validation wrote checkpoints")
	}
}

// TestDiverged holds a run with an absurd rate to an error, and its checkpoints to finite numbers.
func TestDiverged(t *testing.T) {
	base, csv, dir := tiny(t), table(t), t.TempDir()
	o := options(csv, dir)
	o.LR, o.Warmup, o.ClipNorm, o.SaveFrequency, o.Epochs = 1e30, 0, 0, 1, 50
	b, err := train.OpenBase(base)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := train.New(b, "", o)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	var diverged *train.DivergedError
	if err := tr.Run(context.Background()); !errors.As(err, &diverged) {
		t.Fatalf("got %v, want a DivergedError", err)
	}
	if !strings.Contains(diverged.Error(), "finite loss") {
		t.Error(diverged)
	}
}

// TestInterruptedValidation stops a run at the last step of an epoch, before
// its validation, and goes on: every epoch is validated once, and the run ends like one that
// nothing disturbed.
func TestInterruptedValidation(t *testing.T) {
	base, csv, straight, broken := tiny(t), table(t), t.TempDir(), t.TempDir()
	o := options(csv, straight)
	o.Val = train.DataOptions{Path: csv}
	runTo(t, base, o, 0)
	o.Dir, o.Resume = broken, "latest"
	runTo(t, base, o, 5) // of 15
	runTo(t, base, o, 15)
	runTo(t, base, o, 0)
	same(t, straight, broken, "epoch_3")
	a, err := os.ReadFile(filepath.Join(straight, record.ResultsName))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(broken, record.ResultsName))
	if err != nil || string(a) != string(b) || strings.Count(string(a), "\n") != 3 {
		t.Errorf("results differ (%v):\n%s\n%s", err, a, b)
	}
}

// TestAccumulationIsOneBatch compares a step of three batches of five with one of fifteen. (Adam's
// first step is the gradient's sign times the rate, so that ε is large here to show sizes.)
func TestAccumulationIsOneBatch(t *testing.T) {
	base, csv := tiny(t), table(t)
	for _, weights := range []model.LossWeights{{Contrastive: 1, Caption: 2}, {Contrastive: 0, Caption: 1}} {
		var logs [2][]train.Record
		var tensors [2]map[string][]float32
		for i, accum := range []int{1, 3} {
			dir := t.TempDir()
			o := options(csv, dir)
			o.Batch, o.Accum, o.Epochs, o.Losses, o.ClipNorm = 15/accum, accum, 2, weights, 0
			o.AdamW.Eps, o.LR, o.Warmup, o.TrainOnly = 1, 1, 0, []string{"[^l]*"} // the scale's gradient comes three times
			o.Log = func(r train.Record) { logs[i] = append(logs[i], r) }
			b, err := train.OpenBase(base)
			if err != nil {
				t.Fatal(err)
			}
			tr, err := train.New(b, "", o)
			if err != nil {
				t.Fatal(err)
			}
			defer tr.Close()
			if err := tr.Run(context.Background()); err != nil {
				t.Fatal(err)
			}
			tensors[i] = tensorsOf(t, filepath.Join(dir, "checkpoints", "epoch_2"))
		}
		if len(logs[0]) != 2 || len(logs[1]) != 2 {
			t.Fatalf("%d and %d steps, want 2", len(logs[0]), len(logs[1]))
		}
		for i, a := range logs[0] {
			if b := logs[1][i]; math.Abs(a.Loss-b.Loss) > 1e-4*a.Loss || math.Abs(a.Contrastive-b.Contrastive) > 1e-4*a.Loss {
				t.Errorf("%v, step %d: losses %v, %v of one batch, %v, %v of three", weights, i, a.Loss, a.Contrastive, b.Loss, b.Contrastive)
			}
		}
		for name, a := range tensors[0] {
			for i, v := range tensors[1][name] {
				if d := math.Abs(float64(v - a[i])); !(d <= 1e-4) {
					t.Errorf("%v, %s[%d]: off by %g", weights, name, i, d)
					break
				}
			}
		}
	}
}

// TestResumeAccumulated stops a run whose steps have several batches, the last of an epoch too few.
func TestResumeAccumulated(t *testing.T) {
	base, csv, straight, broken := tiny(t), table(t, "missing.png\tnothing"), t.TempDir(), t.TempDir()
	o := options(csv, straight)
	o.Batch, o.Accum, o.Optimizer = 3, 2, train.OptMuon // 5 batches an epoch
	runTo(t, base, o, 0)
	if n := len(losses(t, straight)); n != 6 {
		t.Fatalf("the log has %d lines, want 6", n)
	}
	o.Dir, o.Resume = broken, "latest"
	for _, stop := range []int{1, 2, 5, 0} {
		runTo(t, base, o, stop)
	}
	same(t, straight, broken, "epoch_3")
}

// TestCheckpointingAndDropout trains with activations that are computed anew,
// which changes no bit, and with patches left out, which does, and which a run that goes on repeats.
func TestCheckpointingAndDropout(t *testing.T) {
	base, csv := tiny(t), table(t)
	train1 := func(share float64, set func(o *train.Options), stops ...int) string {
		t.Helper()
		dir := t.TempDir()
		for _, stop := range append(stops, 0) {
			o := options(csv, dir)
			o.Epochs, o.Resume = 1, "latest"
			set(&o)
			b, err := train.OpenBase(base)
			if err != nil {
				t.Fatal(err)
			}
			if err := b.SetPatchDropout(share); err != nil {
				t.Fatal(err)
			}
			runBase(t, b, o, stop)
		}
		return dir
	}
	plain := train1(0, func(*train.Options) {})
	again := train1(0, func(o *train.Options) { o.Checkpointing = true })
	same(t, plain, again, "epoch_1")
	dropped := train1(0.5, func(*train.Options) {})
	if slices.Equal(losses(t, plain), losses(t, dropped)) {
		t.Error("patch dropout changes nothing")
	}
	same(t, dropped, train1(0.5, func(*train.Options) {}, 2), "epoch_1")
	accumulated := train1(0.5, func(o *train.Options) { o.Accum = 2 })
	if n := len(losses(t, accumulated)); n != 2 {
		t.Errorf("%d steps of two batches, want 2", n)
	}
}
