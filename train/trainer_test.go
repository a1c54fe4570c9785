package train_test

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-e0874532/coca/train"
	"github.com/seed-e0874532/coca/train/data"
	"github.com/seed-e0874532/coca/train/record"
)

// tiny is a folder with the config of a very small model and a tokenizer, and
// no weights.
func tiny(t testing.TB) string {
	t.Helper()
	const plain = "../testdata/models/plain/"
	dir := t.TempDir()
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json"} {
		copyFile(t, plain+name, filepath.Join(dir, name))
	}
	config := `{"model_cfg": {"embed_dim": 16, "custom_text": true,
		"vision_cfg": {"image_size": 16, "patch_size": 8, "width": 16, "head_width": 8, "layers": 2,
			"attentional_pool": true, "attn_pooler_queries": 3, "attn_pooler_heads": 2, "output_tokens": true},
		"text_cfg": {"context_length": 14, "vocab_size": 553, "width": 16, "heads": 2, "layers": 1, "embed_cls": true,
			"output_tokens": true, "hf_tokenizer_name": "tokenizer.json"},
		"multimodal_cfg": {"context_length": 14, "vocab_size": 553, "width": 16, "heads": 2, "layers": 1, "attn_pooler_heads": 2}}}`
	if err := os.WriteFile(filepath.Join(dir, "open_clip_config.json"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// table writes a CSV of the test pictures, and of further rows, and returns its path.
func table(t testing.TB, further ...string) string {
	t.Helper()
	raw, err := os.ReadFile("../testdata/images/captions.json")
	if err != nil {
		t.Fatal(err)
	}
	captions := map[string]string{}
	if err := json.Unmarshal(raw, &captions); err != nil {
		t.Fatal(err)
	}
	var rows []string
	for name, text := range captions {
		path, err := filepath.Abs("../testdata/images/" + name)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, path+"\t"+text)
	}
	slices.Sort(rows)
	rows = append([]string{"filepath\ttitle"}, append(rows, further...)...)
	path := filepath.Join(t.TempDir(), "pairs.csv")
	if err := os.WriteFile(path, []byte(strings.Join(rows, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// options of a short run of the tiny model on a table.
func options(csv, dir string) train.Options {
	o := train.Defaults("tiny")
	o.Data = train.DataOptions{Path: csv, Augment: data.Augment{Crop: data.DefaultCrop}}
	o.Batch, o.Epochs, o.Warmup, o.LR, o.Threads, o.LogEvery = 3, 3, 2, 3e-3, 2, 1
	o.Dir, o.SaveFrequency, o.ClipNorm = dir, 0, 1
	return o
}

// runTo trains until a number of steps is done over all, or to the end.
func runTo(t testing.TB, base string, o train.Options, steps int) {
	t.Helper()
	b, err := train.OpenBase(base)
	if err != nil {
		t.Fatal(err)
	}
	runBase(t, b, o, steps)
}

// runBase is runTo for an open base.
func runBase(t testing.TB, b *train.Base, o train.Options, steps int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	o.Log = func(r train.Record) {
		if r.Step.Step+1 == steps {
			cancel()
		}
	}
	tr, err := train.New(b, "", o)
	if err != nil {
		t.Fatal(err)
	}
	err = tr.Run(ctx)
	if steps == 0 && err != nil || steps > 0 && !errors.Is(err, context.Canceled) {
		t.Fatalf("run to step %d: %v", steps, err)
	}
	if err := tr.Close(); err != nil {
		t.Fatal(err)
	}
}

// same compares two folders of a run: the last checkpoint byte by byte, and the log but for its times.
func same(t testing.TB, a, b, epoch string) {
	t.Helper()
	for _, name := range []string{"open_clip_model.safetensors", "optimizer.safetensors", "training.json", "open_clip_config.json"} {
		x, err := os.ReadFile(filepath.Join(a, "checkpoints", epoch, name))
		if err != nil {
			t.Fatal(err)
		}
		y, err := os.ReadFile(filepath.Join(b, "checkpoints", epoch, name))
		if err != nil {
			t.Fatal(err)
		}
		if string(x) != string(y) {
			t.Errorf("%s differs", name)
		}
	}
	x, y := losses(t, a), losses(t, b)
	if !slices.Equal(x, y) {
		t.Errorf("the logs differ:\n%s\n\n%s", strings.Join(x, "\n"), strings.Join(y, "\n"))
	}
}

// losses are the lines of a log without what is measured.
func losses(t testing.TB, dir string) (lines []string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, record.StepsName))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		var r train.Record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		lines = append(lines, fmt.Sprint(r.Step.Step, r.Epoch, r.Loss, r.Contrastive, r.Caption, r.LR, r.LogitScale))
	}
	return lines
}

// TestResumeIsExact trains straight through, and again with stops at all sorts
// of steps, and compares every value of model and optimizer bit for bit.
func TestResumeIsExact(t *testing.T) {
	base := tiny(t)
	csv := table(t, "missing.png\tnothing", "gone.png\tnothing")
	for _, opt := range []string{train.OptAdamW, train.OptMuon} {
		t.Run(opt, func(t *testing.T) {
			straight, broken := t.TempDir(), t.TempDir()
			o := options(csv, straight)
			o.Optimizer = opt
			runTo(t, base, o, 0)
			if n := len(losses(t, straight)); n < 15 {
				t.Fatalf("the log has %d lines", n)
			}
			o = options(csv, broken)
			o.Optimizer, o.Resume = opt, "latest"
			for _, stop := range []int{1, 4, 5, 7, 11, 14, 0} { // also at the end of an epoch and at its begin; step 6 there is not, as two samples are broken
				runTo(t, base, o, stop)
			}
			same(t, straight, broken, "epoch_3")
		})
	}
}

// shards writes the test pictures into tar shards, and a broken sample, and returns their pattern.
func shards(t testing.TB) string {
	t.Helper()
	raw, err := os.ReadFile(table(t))
	if err != nil {
		t.Fatal(err)
	}
	dir, rows := t.TempDir(), strings.Split(string(raw), "\n")[1:]
	for i := range 2 {
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%d.tar", i)))
		if err != nil {
			t.Fatal(err)
		}
		w := tar.NewWriter(f)
		add := func(name string, data []byte) {
			if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(data)), Mode: 0o644}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(data); err != nil {
				t.Fatal(err)
			}
		}
		add("broken.png", []byte("no picture"))
		add("broken.txt", []byte("nothing"))
		for j, row := range rows[i*len(rows)/2 : (i+1)*len(rows)/2] {
			path, text, _ := strings.Cut(row, "\t")
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			add(fmt.Sprint(j, filepath.Ext(path)), data)
			add(fmt.Sprint(j, ".txt"), []byte(text))
		}
		if err := errors.Join(w.Close(), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "{0..1}.tar")
}

// TestResumeOfShards is TestResumeIsExact for shards, in epochs of more samples than they hold.
func TestResumeOfShards(t *testing.T) {
	base, pattern, straight, broken := tiny(t), shards(t), t.TempDir(), t.TempDir()
	o := options(pattern, straight)
	o.Data.Samples, o.Epochs = 20, 2 // rounded up to 21, not counting those that are broken
	runTo(t, base, o, 0)
	if n := len(losses(t, straight)); n != 14 {
		t.Fatalf("the log has %d lines, want 14", n)
	}
	o.Dir, o.Resume = broken, "latest"
	for _, stop := range []int{3, 5, 8, 0} {
		runTo(t, base, o, stop)
	}
	same(t, straight, broken, "epoch_2")
}

// TestResumeOfAPath goes on from a checkpoint that is named, under another name.
func TestResumeOfAPath(t *testing.T) {
	base, csv, straight, other := tiny(t), table(t), t.TempDir(), t.TempDir()
	o := options(csv, straight)
	o.SaveFrequency = 1
	runTo(t, base, o, 0)
	o.Dir, o.Resume = other, filepath.Join(straight, "checkpoints", "epoch_1")
	runTo(t, base, o, 0)
	a, err := os.ReadFile(filepath.Join(straight, "checkpoints", "epoch_3", "open_clip_model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(other, "checkpoints", "epoch_3", "open_clip_model.safetensors"))
	if err != nil || string(a) != string(b) {
		t.Errorf("the models differ (%v)", err)
	}
	if n := len(losses(t, other)); n != 10 {
		t.Errorf("the log has %d lines, want those of two epochs", n)
	}
}

// TestSeedMatters guards the tests above: runs of two seeds differ.
func TestSeedMatters(t *testing.T) {
	base, csv, a, b := tiny(t), table(t), t.TempDir(), t.TempDir()
	o := options(csv, a)
	runTo(t, base, o, 0)
	o.Dir, o.Seed = b, 1
	runTo(t, base, o, 0)
	if slices.Equal(losses(t, a), losses(t, b)) {
		t.Error("the seed changes nothing")
	}
}

// TestOverfits trains for real: the losses of a few pairs fall to next to nothing.
func TestOverfits(t *testing.T) {
	base, csv, dir := tiny(t), table(t), t.TempDir()
	o := options(csv, dir)
	o.Batch, o.Epochs, o.Warmup, o.LR, o.Optimizer, o.Scheduler = 16, 100, 10, 5e-3, train.OptMuon, train.Cosine
	first, last := 0.0, 0.0
	b, err := train.OpenBase(base)
	if err != nil {
		t.Fatal(err)
	}
	o.Log = func(r train.Record) {
		if r.Step.Step == 0 {
			first = r.Loss
		}
		last = r.Loss
	}
	tr, err := train.New(b, "", o)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if err := tr.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Logf("loss from %.3f to %.3f", first, last)
	if first < 12 || last > 4 {
		t.Errorf("loss went from %v to %v", first, last)
	}
}

// TestResumeOfOtherSettings refuses to go on within an epoch with what would
// make it another one, and does so at an epoch's end.
func TestResumeOfOtherSettings(t *testing.T) {
	base, csv, dir := tiny(t), table(t), t.TempDir()
	o := options(csv, dir)
	o.SaveFrequency = 1
	runTo(t, base, o, 7) // within the second epoch
	for _, c := range []struct {
		name, resume string
		set          func(o *train.Options)
		want         string // part of the error
	}{
		{"batch", "latest", func(o *train.Options) { o.Batch = 4 }, "--batch-size 3"},
		{"seed", "latest", func(o *train.Options) { o.Seed = 4 }, "--seed 0"},
		{"optimizer", "latest", func(o *train.Options) { o.Optimizer = train.OptMuon }, "--opt muon"},
		{"tensors", "latest", func(o *train.Options) { o.LockImage = true }, "optimizer state"},
		{"the same", "latest", func(*train.Options) {}, ""},
		{"batch at the end", "epoch_1", func(o *train.Options) { o.Batch, o.Seed = 4, 4 }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := options(csv, dir)
			o.Resume = c.resume
			if c.resume != "latest" {
				o.Resume, o.Dir = filepath.Join(dir, "checkpoints", c.resume), t.TempDir()
			}
			c.set(&o)
			b, err := train.OpenBase(base)
			if err != nil {
				t.Fatal(err)
			}
			tr, err := train.New(b, "", o)
			if err == nil {
				defer tr.Close()
			}
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}
