package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-e0874532/coca/train"
	"github.com/seed-e0874532/coca/train/record"
)

// asCommand makes the test binary behave like the command, for tests that
// have to kill it.
const asCommand = "COCA_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	os.Exit(m.Run())
}

// child is the command as a process of its own.
func child(args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), asCommand+"=1")
	return c
}

// trainingSet writes a model folder without weights and a CSV of the test pictures.
func trainingSet(t testing.TB) (model, csv string) {
	t.Helper()
	dir := t.TempDir()
	model, csv = filepath.Join(dir, "model"), filepath.Join(dir, "pairs.csv")
	if err := os.Mkdir(model, 0o755); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{csv: []byte("filepath\ttitle\n"), filepath.Join(model, "open_clip_config.json"): []byte(
		`{"model_cfg": {"embed_dim": 16, "custom_text": true,
		"vision_cfg": {"image_size": 16, "patch_size": 8, "width": 16, "head_width": 8, "layers": 1,
			"attentional_pool": true, "attn_pooler_queries": 3, "attn_pooler_heads": 2, "output_tokens": true},
		"text_cfg": {"context_length": 14, "vocab_size": 553, "width": 16, "heads": 2, "layers": 1, "embed_cls": true,
			"output_tokens": true, "hf_tokenizer_name": "tokenizer.json"},
		"multimodal_cfg": {"context_length": 14, "vocab_size": 553, "width": 16, "heads": 2, "layers": 1, "attn_pooler_heads": 2}}}`)}
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json"} {
		data, err := os.ReadFile(testdata + "models/plain/" + name)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Join(model, name)] = data
	}
	raw, err := os.ReadFile(testdata + "images/captions.json")
	if err != nil {
		t.Fatal(err)
	}
	captions := map[string]string{}
	if err := json.Unmarshal(raw, &captions); err != nil {
		t.Fatal(err)
	}
	var rows []string
	for name, text := range captions {
		path, err := filepath.Abs(testdata + "images/" + name)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, path+"\t"+text+"\n")
	}
	slices.Sort(rows)
	files[csv] = append(files[csv], strings.Join(rows, "")...)
	for path, data := range files {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return model, csv
}

// lastModel is the weights file of the last epoch.
func lastModel(t testing.TB, logs, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(logs, name, "checkpoints", "epoch_6", "open_clip_model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestTrainSurvivesKills kills a training run again and again at random
// moments, goes on each time, and compares the weights at the end with those of a run
// that nothing disturbed.
func TestTrainSurvivesKills(t *testing.T) {
	kills := 6
	if os.Getenv("COCA_FULL") != "" {
		kills = 50
	}
	model, csv := trainingSet(t)
	logs := t.TempDir()
	args := func(name string) []string {
		return []string{"train", "--model", model, "--train-data", csv, "--batch-size", "3", "--epochs", "6", "--lr", "3e-3", "--warmup", "3", "--opt", "muon",
			"--threads", "1", "--logs", logs, "--name", name, "--resume", "latest", "--save-every-n-steps", "2", "--save-frequency", "2", "--log-every-n-steps", "1"}
	}
	began := time.Now()
	if out, err := child(args("undisturbed")...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	took := time.Since(began)
	want := lastModel(t, logs, "undisturbed")
	random := rand.New(rand.NewPCG(1, 2))
	steps := map[int]bool{} // where runs went on
	for run, killed := 0, 0; killed < kills; run++ {
		name := fmt.Sprint("killed", run)
		for {
			c := child(args(name)...)
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			if killed < kills {
				time.Sleep(time.Duration(random.Float64() * float64(took)))
				if c.Process.Kill() == nil {
					killed++
				}
			}
			err := c.Wait()
			if err == nil {
				break
			}
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() >= 0 {
				t.Fatalf("%s, after %d kills: %v", name, killed, err)
			}
			if p := furthest(t, logs, name); p != nil {
				steps[p.Step] = true
			}
		}
		if lastModel(t, logs, name) != want {
			t.Fatalf("%s: the weights differ from those of the undisturbed run", name)
		}
		if n := strings.Count(readText(t, filepath.Join(logs, name, record.StepsName)), "\n"); n != 30 {
			t.Errorf("%s: the log has %d lines, want one for each of 30 steps", name, n)
		}
		if left, _ := filepath.Glob(filepath.Join(logs, name, "checkpoints", ".scrap*")); len(left) > 0 {
			t.Errorf("%s: left behind %v", name, left)
		}
	}
	t.Logf("%d kills; runs went on from %d different steps", kills, len(steps))
}

// furthest is the position of the checkpoint that a run would go on from, nil if there is none.
func furthest(t testing.TB, logs, name string) (best *train.Position) {
	paths, err := filepath.Glob(filepath.Join(logs, name, "checkpoints", "epoch_*", "training.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		var p train.Position
		if err := json.Unmarshal([]byte(readText(t, path)), &p); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if best == nil || p.Step > best.Step {
			best = &p
		}
	}
	return best
}

func readText(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestTrainStopsOnInterrupt interrupts a run: it leaves a checkpoint and ends with status 130.
func TestTrainStopsOnInterrupt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no interrupts to send")
	}
	model, csv := trainingSet(t)
	logs := t.TempDir()
	c := child("train", "--model", model, "--train-data", csv, "--batch-size", "3", "--epochs", "10000", "--logs", logs, "--name", "a",
		"--save-frequency", "0", "--save-interval", "0", "--log-every-n-steps", "1", "--threads", "1")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(logs, "a", record.StepsName)
	for range 1000 {
		time.Sleep(10 * time.Millisecond)
		if data, err := os.ReadFile(log); err == nil && strings.Count(string(data), "\n") > 6 {
			break
		}
	}
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := c.Wait(); !errors.As(err, &exit) || exit.ExitCode() != statusInterrupted {
		t.Errorf("ended with %v, want status %d", err, statusInterrupted)
	}
	p := furthest(t, logs, "a")
	if lines := strings.Count(readText(t, log), "\n"); p == nil || p.Step != lines || lines < 7 {
		t.Errorf("the checkpoint is at %+v, the log has %d lines", p, lines)
	}
}

// TestTrainDescribes holds the captions that a validation prints to those of
// the command caption with the checkpoint of the same epoch.
func TestTrainDescribes(t *testing.T) {
	model, csv := trainingSet(t)
	logs := t.TempDir()
	r := run(t, nil, "train", "--model", model, "--train-data", csv, "--val-data", csv, "--val-captions", "3", "--batch-size", "4", "--epochs", "1",
		"--logs", logs, "--name", "a", "--warmup", "1", "--lr", "1e-3")
	if r.status != 0 {
		t.Fatalf("%+v", r)
	}
	checkpoint := filepath.Join(logs, "a", "checkpoints", "epoch_1")
	if strings.TrimSpace(r.out) != checkpoint {
		t.Errorf("printed %q, want the path of the checkpoint", r.out)
	}
	shown := 0
	for _, line := range strings.Split(r.err, "\n") {
		picture, rest, ok := strings.Cut(strings.TrimSpace(line), `: "`)
		if !ok {
			continue
		}
		shown++
		text, _, _ := strings.Cut(rest, `" (given: "`)
		if c := run(t, nil, "caption", "--model", checkpoint, picture); c.status != 0 || strings.TrimSpace(c.out) != text {
			t.Errorf("%s: the validation says %q, coca caption %+v", picture, text, c)
		}
	}
	if shown != 3 {
		t.Errorf("%d pictures were described, want 3:\n%s", shown, r.err)
	}
	if !strings.Contains(r.err, "image to text: R@1") || !strings.Contains(readText(t, filepath.Join(logs, "a", record.ResultsName)), `"image_to_text_R@1":`) {
		t.Errorf("no retrieval:\n%s", r.err)
	}
}
