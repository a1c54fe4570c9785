package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
)

const golden = "../../testdata/golden/train/tensorboard/"

// goldenEvents are those that TensorBoard's own writer wrote.
func goldenEvents(t *testing.T) (file []byte, events []event) {
	t.Helper()
	var g struct {
		File   string
		Events []struct {
			WallTime float64 `json:"wall_time"`
			Step     int64
			Scalars  []struct {
				Name  string
				Value any
			}
		}
	}
	if err := json.Unmarshal([]byte(content(t, golden+"golden.json")), &g); err != nil {
		t.Fatal(err)
	}
	events = []event{{wallTime: 1.7e9, version: "brain.Event:2"}, {wallTime: 1.7e9, step: 5, start: true}}
	for _, e := range g.Events {
		v := event{wallTime: e.WallTime, step: e.Step}
		for _, s := range e.Scalars {
			number, ok := s.Value.(float64)
			if !ok {
				number = math.Inf(1)
			}
			v.scalars = append(v.scalars, Scalar{s.Name, number})
		}
		events = append(events, v)
	}
	if len(events) != 7 {
		t.Fatalf("%d events", len(events))
	}
	return []byte(content(t, golden+g.File)), events
}

// TestEventsEqualTensorBoard: the same events give the same bytes, and the bytes the same events.
func TestEventsEqualTensorBoard(t *testing.T) {
	file, events := goldenEvents(t)
	var ours []byte
	for _, e := range events {
		ours = appendRecord(ours, e.append(nil))
	}
	if !bytes.Equal(ours, file) {
		t.Errorf("we write\n%q, TensorBoard\n%q", ours, file)
	}
	if got := parse(t, file); !reflect.DeepEqual(got, events) {
		t.Errorf("read %+v, want %+v", got, events)
	}
}

// parse reads events up to the end or a torn one.
func parse(t *testing.T, file []byte) (events []event) {
	t.Helper()
	for r := bytes.NewReader(file); ; {
		data, _, err := readRecord(r)
		if err != nil {
			return events
		}
		e, ok := parseEvent(data)
		if !ok {
			t.Errorf("no event: %q", data)
		}
		events = append(events, e)
	}
}

// folder reads all files of a folder, in the order in which TensorBoard does.
func folder(t *testing.T, dir string) (files [][]event) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		files = append(files, parse(t, []byte(content(t, filepath.Join(dir, e.Name())))))
	}
	return files
}

type result struct {
	Rank   float64 `json:"image_to_text_mean_rank"`
	Loss   float64 `json:"clip_val_loss"`
	Epoch  int     `json:"epoch"`
	Shown  []int   `json:"shown"`
	Name   string  `json:"name"`
	Hidden float64 `json:"-"`
}

// session writes steps of training, and a validation after each fourth.
func session(t *testing.T, dir string, from, to int) {
	t.Helper()
	e, err := OpenEvents(dir, from, from/4)
	if err != nil {
		t.Fatal(err)
	}
	for s := from; s < to; s++ {
		if err := e.Step(Step{Step: s, Epoch: s / 4, Loss: float64(s), LR: 0.5, LogitScale: 14}); err != nil {
			t.Fatal(err)
		}
		if s%4 == 3 {
			if err := e.Validation(s/4+1, result{Rank: 2, Loss: float64(s), Epoch: s/4 + 1}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := e.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestEventsAfterCrash: over all files, each step and each validation is there once.
func TestEventsAfterCrash(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run", "tensorboard")
	session(t, dir, 0, 11)
	tear(t, dir, 7) // in the middle of step 10's event
	session(t, dir, 6, 13)
	session(t, dir, 12, 18)
	files := folder(t, dir)
	if len(files) != 3 {
		t.Fatalf("%d files", len(files))
	}
	steps, epochs := map[float64][]int64{}, []int64(nil)
	for i, events := range files {
		if events[0].version != "brain.Event:2" {
			t.Errorf("file %d begins with %+v", i, events[0])
		}
		if i > 0 && !events[1].start {
			t.Errorf("file %d does not say that it goes on: %+v", i, events[1])
		}
		for _, e := range events {
			for _, s := range e.scalars {
				switch s.Name {
				case "train/loss":
					steps[s.Value] = append(steps[s.Value], e.step)
				case "val/clip_val_loss":
					epochs = append(epochs, e.step)
				}
			}
		}
	}
	if !slices.Equal(epochs, []int64{1, 2, 3, 4}) {
		t.Errorf("validations after %v", epochs)
	}
	for s := range 18 {
		if got := steps[float64(s)]; len(got) != 1 || got[0] != int64(s) {
			t.Errorf("step %d is recorded as %v", s, got)
		}
	}
	want := []Scalar{{"train/data_time", 0}, {"train/batch_time", 0}, {"train/samples_per_second", 0}, {"train/samples_per_second_per_gpu", 0},
		{"train/scale", 14}, {"train/lr", 0.5}, {"train/contrastive_loss", 0}, {"train/caption_loss", 0}, {"train/loss", 0}}
	if got := files[0][1].scalars; !slices.Equal(got, want) {
		t.Errorf("a step's numbers are %v, want %v", got, want)
	}
	if got := files[2][6].scalars; len(got) != 3 || got[0].Name != "val/image_to_text_mean_rank" || got[2] != (Scalar{"val/epoch", 4}) {
		t.Errorf("a validation's numbers are %v", got)
	}
}

// tear cuts bytes off the end of the only file.
func tear(t *testing.T, dir string, bytes int64) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) != 1 {
		t.Fatalf("%v, %v", names, err)
	}
	info, err := os.Stat(names[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(names[0], info.Size()-bytes); err != nil {
		t.Fatal(err)
	}
}

// TestTensorBoardReadsEvents asks TensorBoard itself, if it is there.
func TestTensorBoardReadsEvents(t *testing.T) {
	python := os.Getenv("COCA_TENSORBOARD_PYTHON")
	if python == "" {
		t.Skip("COCA_TENSORBOARD_PYTHON names no Python with the package tensorboard")
	}
	dir := t.TempDir()
	session(t, dir, 0, 11)
	tear(t, dir, 7)
	session(t, dir, 6, 13)
	out, err := exec.Command(python, "../../testdata/reference/train_tensorboard.py", "--read", dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	var seen map[string][][2]float64
	if err := json.Unmarshal(out, &seen); err != nil {
		t.Fatal(err)
	}
	var losses, validations [][2]float64
	for s := range 13 {
		losses = append(losses, [2]float64{float64(s), float64(s)})
		if s%4 == 3 {
			validations = append(validations, [2]float64{float64(s/4 + 1), float64(s)})
		}
	}
	if !slices.Equal(seen["train/loss"], losses) || !slices.Equal(seen["val/clip_val_loss"], validations) || len(seen) != 12 {
		t.Errorf("TensorBoard sees %v", seen)
	}
}

// TestOtherEventsStay: a file that is none of TensorBoard's keeps its bytes.
func TestOtherEventsStay(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, eventsName+"notes")
	write(t, path, "no events at all")
	write(t, filepath.Join(dir, "readme"), "none of ours")
	session(t, dir, 0, 2)
	if content(t, path) != "no events at all" || content(t, filepath.Join(dir, "readme")) != "none of ours" {
		t.Error("other files were changed")
	}
}

// TestBadEvents: no input makes more of an event than an error.
func TestBadEvents(t *testing.T) {
	file, _ := goldenEvents(t)
	for n := range file { // every end
		r := bytes.NewReader(file[:n])
		for {
			if _, _, err := readRecord(r); err == io.EOF || err == io.ErrUnexpectedEOF {
				break
			} else if err != nil {
				t.Fatalf("cut at %d: %v", n, err)
			}
		}
	}
	whole := len(parse(t, file))
	for n := range file { // every byte
		broken := bytes.Clone(file)
		broken[n] ^= 0x10
		if got := len(parse(t, broken)); got >= whole {
			t.Errorf("byte %d is wrong, and %d events hold their checksums", n, got)
		}
	}
	for _, message := range []string{"\x2a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "\x2a", "\x0b", "\x00\x00", "\x09abc", "\x2a\x02\x0a\x05", "\x2a\x03\x0a\x01\x0a"} {
		if e, ok := parseEvent([]byte(message)); ok {
			t.Errorf("%q is read as %+v", message, e)
		}
	}
	long := appendRecord(nil, nil)
	copy(long, "\xff\xff\xff\xff\xff\xff\xff\x7f")
	if _, _, err := readRecord(bytes.NewReader(long)); err != io.ErrUnexpectedEOF {
		t.Errorf("a record of 2⁶³ bytes: %v", err)
	}
}

func FuzzParseEvent(f *testing.F) {
	f.Add(event{wallTime: 1, step: 2, scalars: []Scalar{{"train/loss", 3}}}.append(nil))
	f.Fuzz(func(t *testing.T, data []byte) { parseEvent(data) })
}

func ExampleOpenEvents() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	events, err := OpenEvents(dir, 0, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(events.Step(Step{Step: 0, Loss: 9.5}), events.Close())
	// Output: <nil> <nil>
}
