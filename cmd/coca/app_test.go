package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const testdata = "../../testdata/"

// result is what one run of the command printed and how it ended.
type result struct {
	status   int
	out, err string
}

func run(t *testing.T, in io.Reader, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	a := &app{in: in, out: &out, err: &errs}
	status := a.run(context.Background(), args)
	return result{status, out.String(), errs.String()}
}

// keys are the keys of a JSON object in their order.
func keys(t *testing.T, line string) (list []string) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(line))
	depth := 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		default:
			if s, ok := token.(string); ok && depth == 1 {
				list = append(list, s)
				var skip json.RawMessage
				if err := d.Decode(&skip); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func TestCaption(t *testing.T) {
	picture := testdata + "images/two_red_circles.png"
	shapes := testdata + "models/shapes"
	r := run(t, nil, "caption", "--model", shapes, picture)
	if r.status != 0 || !strings.HasPrefix(r.out, "two red circles") || strings.Count(r.out, "\n") != 1 {
		t.Errorf("one picture: %+v", r)
	}
	r = run(t, nil, "caption", "--json", picture)
	if want := []string{"image", "caption", "ids", "score", "logprob"}; !slices.Equal(keys(t, r.out), want) {
		t.Errorf("keys %v, want %v", keys(t, r.out), want)
	}
	data, err := os.ReadFile(picture)
	if err != nil {
		t.Fatal(err)
	}
	r = run(t, bytes.NewReader(data), "caption", "--model", shapes, "-")
	if r.status != 0 || !strings.HasPrefix(r.out, "two red circles") {
		t.Errorf("standard input: %+v", r)
	}
}

func TestCaptionFolder(t *testing.T) {
	r := run(t, nil, "caption", "--json", testdata+"images")
	if r.status != 0 {
		t.Fatalf("%+v", r)
	}
	var names []string
	for _, line := range strings.Split(strings.TrimSpace(r.out), "\n") {
		var o captionObject
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatal(err)
		}
		names = append(names, o.Image)
	}
	if len(names) < 10 || !slices.IsSorted(names) {
		t.Errorf("want the folder's pictures in the order of their names, got %v", names)
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".json") {
			t.Errorf("%s is no picture", name)
		}
	}
}

func TestCaptionFolderRecursive(t *testing.T) {
	dir := t.TempDir()
	below := filepath.Join(dir, "below")
	if err := os.Mkdir(below, 0o755); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(testdata + "images/blue_star.png")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "a.png"), filepath.Join(below, "b.png")} {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if r := run(t, nil, "caption", "--json", dir); strings.Count(r.out, "\n") != 1 {
		t.Errorf("a folder's own pictures: %+v", r)
	}
	if r := run(t, nil, "caption", "--json", "-r", dir); strings.Count(r.out, "\n") != 2 {
		t.Errorf("with those below: %+v", r)
	}
}

func TestFailingInputs(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.png")
	if err := os.WriteFile(broken, []byte("no picture"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := run(t, nil, "caption", "--json", broken, testdata+"images/blue_star.png", filepath.Join(dir, "none.png"))
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	if r.status != 1 || len(lines) != 3 {
		t.Fatalf("%+v", r)
	}
	for i, want := range [][]string{{"image", "error"}, {"image", "caption", "ids", "score", "logprob"}, {"image", "error"}} {
		if got := keys(t, lines[i]); !slices.Equal(got, want) {
			t.Errorf("line %d: keys %v, want %v", i, got, want)
		}
	}
	if strings.Count(r.err, "\n") != 2 {
		t.Errorf("want one line for each failure, got %q", r.err)
	}
}

func TestUsage(t *testing.T) {
	picture := testdata + "images/blue_star.png"
	for _, c := range []struct {
		args []string
		want string // in the message
	}{
		{[]string{"caption"}, "at least 1 image"},
		{[]string{"nonsense"}, "nonsense"},
		{[]string{"caption", "--nonsense", picture}, "nonsense"},
		{[]string{"caption", "--model", "none/here", picture}, "none/here"},
		{[]string{"caption", "--model", "coca_ViT-B-32", picture}, "--pretrained"},
		{[]string{"caption", "--model", "coca_roberta-ViT-B-32", "--pretrained", picture, picture}, "hf_model_name"},
		{[]string{"caption", "--num-beams", "5", picture}, "num-beam"},
		{[]string{"caption", "--num-beams", "1", "--num-beam-groups", "1", picture}, "num-beams"},
		{[]string{"caption", "--seq-len", "78", picture}, "seq-len"},
		{[]string{"caption", "--seq-len", "5", picture}, "seq-len"},
		{[]string{"caption", "--generation-type", "best", picture}, "beam_search"},
		{[]string{"caption", "--profile", "4", picture}, "3.3"},
		{[]string{"caption", "--precision", "fp16", picture}, "bf16"},
		{[]string{"caption", "--device", "tpu", picture}, "cpu"},
		{[]string{"caption", "--threads", "-1", picture}, "threads"},
		{[]string{"score", "--image", picture}, "--text"},
		{[]string{"embed"}, "--image"},
		{[]string{"embed", "--text", "a", "b"}, "no arguments"},
		{[]string{"preprocess", picture}, "--out"},
		{[]string{"graph", "--depth", "4"}, "depth"},
		{[]string{"convert", "one"}, "SRC and DST"},
	} {
		r := run(t, nil, c.args...)
		if r.status != statusUsage || !strings.Contains(r.err, c.want) || strings.Count(r.err, "\n") != 1 || r.out != "" {
			t.Errorf("%v: want status 2 and a line that says %q, got %+v", c.args, c.want, r)
		}
	}
}

func TestFlagsComeFirst(t *testing.T) {
	// After the first argument, and after --, everything is a file.
	r := run(t, nil, "caption", testdata+"images/blue_star.png", "--json")
	if r.status != 1 || !strings.Contains(r.err, "--json: no such file") {
		t.Errorf("%+v", r)
	}
	r = run(t, nil, "tokenize", "--json", "--", "--json")
	if r.status != 0 || !strings.Contains(r.out, `"text":"--json"`) {
		t.Errorf("%+v", r)
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out, errs bytes.Buffer
	a := &app{out: &out, err: &errs}
	if status := a.run(ctx, []string{"caption", testdata + "images"}); status != statusInterrupted {
		t.Errorf("status %d, want %d (%s)", status, statusInterrupted, errs.String())
	}
}

func TestPromptWarning(t *testing.T) {
	r := run(t, nil, "caption", "--prompt", "a picture of", testdata+"images/blue_star.png")
	if r.status != 0 || !strings.Contains(r.err, "ignores the prompt") {
		t.Errorf("%+v", r)
	}
	r = run(t, nil, "caption", "--profile", "main", "--prompt", "a picture of", testdata+"images/blue_star.png")
	if r.status != 0 || !strings.HasPrefix(r.out, "a picture of") {
		t.Errorf("%+v", r)
	}
}

func TestEmbedAndScore(t *testing.T) {
	picture := testdata + "images/two_red_circles.png"
	r := run(t, nil, "embed", "--text", "a, b", "--image", picture, "--text", "c")
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	if r.status != 0 || len(lines) != 3 || keys(t, lines[0])[0] != "image" || !strings.Contains(lines[1], `"text":"a, b"`) {
		t.Errorf("want the image and then the texts, unsplit: %+v", r)
	}
	logits := filepath.Join(t.TempDir(), "logits.npy")
	r = run(t, nil, "score", "--json", "--logits", logits, "--image", picture, "--text", "two red circles", "--text", "a heart")
	lines = strings.Split(strings.TrimSpace(r.out), "\n")
	want := []string{"image", "text", "ids", "token_logprobs", "logprob", "similarity"}
	if r.status != 0 || len(lines) != 2 || !slices.Equal(keys(t, lines[0]), want) {
		t.Errorf("%+v", r)
	}
	data, err := os.ReadFile(logits)
	if err != nil || !bytes.HasPrefix(data, []byte("\x93NUMPY\x01\x00")) || !bytes.Contains(data[:128], []byte("'shape': (2, ")) {
		t.Errorf("logits: %q (%v)", data[:min(len(data), 128)], err)
	}
}

func TestTokenizeAndPreprocess(t *testing.T) {
	r := run(t, nil, "tokenize", "--json", "--model", "coca_ViT-L-14", "a photo of a cat")
	var o tokenizeObject
	if err := json.Unmarshal([]byte(r.out), &o); err != nil {
		t.Fatal(err)
	}
	if want := []int32{49406, 320, 1125, 539, 320, 2368, 49407, 0}; len(o.IDs) != 76 || !slices.Equal(o.IDs[:8], want) {
		t.Errorf("got %v", o.IDs)
	}
	out := filepath.Join(t.TempDir(), "pixels.npy")
	r = run(t, nil, "preprocess", "--model", "coca_ViT-B-32", "--out", out, testdata+"images/blue_star.png")
	info, err := os.Stat(out)
	if r.status != 0 || err != nil || info.Size() != 128+4*3*224*224 {
		t.Errorf("%+v, %v, %v", r, info, err)
	}
}

func TestInspectAndGraph(t *testing.T) {
	r := run(t, nil, "inspect", "--json", "--model", "coca_ViT-L-14")
	if r.status != 0 || !slices.Equal(keys(t, r.out), []string{"config", "parameters", "tensors"}) || !strings.Contains(r.out, `"parameters":638450177`) {
		t.Errorf("%+v", r.err)
	}
	r = run(t, nil, "inspect")
	if r.status != 0 || !strings.Contains(r.out, "It has never seen a photograph") || !strings.Contains(r.out, "GFLOP") {
		t.Errorf("%+v", r)
	}
	for _, depth := range []string{"1", "2", "3"} {
		for format, begin := range map[string]string{"dot": "digraph", "svg": "<svg"} {
			r = run(t, nil, "graph", "--depth", depth, "--format", format)
			if r.status != 0 || !strings.HasPrefix(r.out, begin) {
				t.Errorf("depth %s, %s: %+v", depth, format, r)
			}
		}
	}
	if r = run(t, nil, "graph", "--model", "coca_ViT-B-32"); !strings.Contains(r.out, "block ×12") {
		t.Errorf("want equal blocks merged: %s", r.out)
	}
}

func TestVerify(t *testing.T) {
	r := run(t, nil, "verify", testdata+"golden/small/tiny_pool", testdata+"golden/small/plain")
	if r.status != 0 || strings.Contains(r.out, "FAIL") || !strings.Contains(r.out, "visual.block.0") {
		t.Errorf("%+v", r)
	}
	// The same values under a tighter tolerance than float32 can hold must fail.
	dir := t.TempDir()
	for _, name := range []string{"golden.safetensors", "open_clip_config.json"} {
		data, err := os.ReadFile(testdata + "golden/small/tiny_pool/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(testdata + "golden/small/tiny_pool/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g map[string]any
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	g["tolerance"].(map[string]any)["logits"] = 1e-12
	if data, err = json.Marshal(g); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "golden.json"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	if r = run(t, nil, "verify", dir); r.status != 1 || !strings.Contains(r.out, "FAIL") {
		t.Errorf("%+v", r)
	}
	if r = run(t, nil, "verify", t.TempDir()); r.status != 1 || !strings.Contains(r.err, "golden.json") {
		t.Errorf("%+v", r)
	}
}

func TestConvert(t *testing.T) {
	dir := t.TempDir()
	picture := testdata + "images/two_red_circles.png"
	want := run(t, nil, "caption", "--model", testdata+"models/plain", picture).out
	plain, packed := filepath.Join(dir, "plain.safetensors"), filepath.Join(dir, "packed.safetensors")
	config := testdata + "models/plain/open_clip_config.json"
	// Weights outside of their folder lack its tokenizer: put it beside them.
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json"} {
		data, err := os.ReadFile(testdata + "models/plain/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if r := run(t, nil, "convert", testdata+"models/plain/open_clip_model.safetensors", plain); r.status != 0 {
		t.Fatalf("%+v", r)
	}
	if r := run(t, nil, "convert", "--pack", testdata+"models/plain", packed); r.status != 0 {
		t.Fatalf("%+v", r)
	}
	for _, path := range []string{plain, packed} {
		if got := run(t, nil, "caption", "--model", path, "--arch", config, picture); got.out != want {
			t.Errorf("%s: got %+v, want %q", path, got, want)
		}
	}
	if r := run(t, nil, "convert", picture, filepath.Join(dir, "x")); r.status != 1 || !strings.Contains(r.err, "two_red_circles.png") {
		t.Errorf("%+v", r)
	}
}

func TestHeatmapAndVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "heat.png")
	r := run(t, nil, "caption", "--heatmap", path, testdata+"images/two_red_circles.png")
	data, err := os.ReadFile(path)
	if r.status != 0 || err != nil || !bytes.HasPrefix(data, []byte("\x89PNG")) {
		t.Errorf("%+v, %v", r, err)
	}
	r = run(t, nil, "version")
	for _, want := range []string{"coca ", "3.3", "main", "instruction set"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("version: %q lacks %q", r.out, want)
		}
	}
	for _, c := range []string{"caption", "embed", "score", "tokenize", "preprocess", "inspect", "graph", "verify", "convert", "pull"} {
		if r := run(t, nil, c, "--help"); r.status != 0 || !strings.Contains(r.out, "Example") {
			t.Errorf("%s --help shows no example: %+v", c, r)
		}
	}
}

// TestArchitecturePicture keeps the README's picture equal to what the command draws.
func TestArchitecturePicture(t *testing.T) {
	want, err := os.ReadFile("../../model/architecture.svg")
	if err != nil {
		t.Fatal(err)
	}
	if r := run(t, nil, "graph", "--model", "coca_ViT-L-14", "--format", "svg"); r.out != string(want) {
		t.Error("model/architecture.svg is not what coca graph draws; see README.md for the command that makes it")
	}
}
