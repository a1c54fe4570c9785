package record

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// lines are records of steps, such as a log holds.
func lines(steps ...int) string {
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, `{"step":%d,"epoch":%d,"loss":1.5}`+"\n", s, s/4)
	}
	return b.String()
}

// TestLogAfterCrash: what a run finds when it goes on, and what the log then says.
func TestLogAfterCrash(t *testing.T) {
	for name, c := range map[string]struct {
		found string
		step  int
		want  string
	}{
		"none":                   {"", 0, ""},
		"all before":             {lines(0, 1, 2), 3, lines(0, 1, 2)},
		"steps to do again":      {lines(0, 1, 2, 3, 4), 3, lines(0, 1, 2)},
		"from the begin":         {lines(0, 1), 0, ""},
		"torn":                   {lines(0, 1) + `{"step":2,"ep`, 3, lines(0, 1)},
		"torn, whole but no end": {lines(0, 1) + strings.TrimSpace(lines(2)), 3, lines(0, 1)},
		"torn, to do again":      {lines(0, 1, 2, 3) + `{"st`, 2, lines(0, 1)},
		"torn first":             {`{"ste`, 1, ""},
		"zeros of a lost write":  {lines(0) + strings.Repeat("\x00", 500), 1, lines(0)},
		"some steps only":        {lines(0, 100, 200), 150, lines(0, 100)},
		"without a step":         {lines(0) + "{}\n" + lines(1), 5, lines(0)},
		"keys in another order":  {`{"loss":2,"step":0}` + "\n", 1, `{"loss":2,"step":0}` + "\n"},
		"unknown keys":           {`{"step":0,"more":[1]}` + "\n", 1, `{"step":0,"more":[1]}` + "\n"},
	} {
		path := filepath.Join(t.TempDir(), "train.jsonl")
		if c.found != "" {
			write(t, path, c.found)
		}
		var seen []int
		l, err := OpenLog(path, StepsBefore(c.step, func(s Step) { seen = append(seen, s.Step) }))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := content(t, path); got != c.want {
			t.Errorf("%s: %q stays, want %q", name, got, c.want)
		}
		if len(seen) != strings.Count(c.want, "\n") {
			t.Errorf("%s: steps %v were told", name, seen)
		}
		if err := l.Append(Step{Step: c.step, Loss: 0.5}); err != nil {
			t.Error(err)
		}
		if err := errors.Join(l.Sync(), l.Close()); err != nil {
			t.Error(err)
		}
		want := c.want + fmt.Sprintf(`{"step":%d,"epoch":0,"loss":0.5,"contrastive_loss":0,"caption_loss":0,"lr":0,"logit_scale":0,"samples_per_second":0,"data_time":0,"batch_time":0}`+"\n", c.step)
		if got := content(t, path); got != want {
			t.Errorf("%s: the log is %q, want %q", name, got, want)
		}
	}
}

// TestLogLeavesOtherFiles: what is no log is refused and not touched.
func TestLogLeavesOtherFiles(t *testing.T) {
	for name, found := range map[string]string{
		"text":      "my notes\n" + lines(0),
		"a number":  lines(0) + "5\n",
		"null":      "null\n",
		"long line": `{"step":0,"x":"` + strings.Repeat("x", maxLine) + "\"}\n",
	} {
		path := filepath.Join(t.TempDir(), "file")
		write(t, path, found)
		_, err := OpenLog(path, StepsBefore(5, nil))
		var e *Error
		if !errors.As(err, &e) || e.Path != path {
			t.Errorf("%s: %v, want an Error", name, err)
		}
		if content(t, path) != found {
			t.Errorf("%s: the file was changed", name)
		}
	}
	if _, err := OpenLog(t.TempDir(), StepsBefore(0, nil)); err == nil {
		t.Error("a folder is opened")
	}
}

func TestEpochsTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.jsonl")
	write(t, path, `{"x":1,"epoch":1}`+"\n"+`{"x":2,"epoch":2}`+"\n"+`{"x":3,"epoch":3}`+"\n")
	l, err := OpenLog(path, EpochsTo(2))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if got := content(t, path); strings.Count(got, "\n") != 2 {
		t.Errorf("%q stays", got)
	}
}

// TestAppendTakesBack: a write that fails leaves whole lines only.
func TestAppendTakesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, err := OpenLog(path, EpochsTo(0))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(func() {}); err == nil {
		t.Error("a function is written")
	}
	l.Close()
	if err := l.Append(1); err == nil {
		t.Error("a closed log takes a line")
	}
	if got := content(t, path); got != "" {
		t.Errorf("the log is %q", got)
	}
}

func ExampleOpenLog() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "train.jsonl")
	// A run recorded three steps and was killed; its checkpoint is that after step 1.
	os.WriteFile(path, []byte("{\"step\":0}\n{\"step\":1}\n{\"step\":2}\n{\"st"), 0o666)
	log, err := OpenLog(path, StepsBefore(2, nil))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer log.Close()
	data, err := os.ReadFile(path)
	fmt.Printf("%s%v\n", data, err)
	// Output:
	// {"step":0}
	// {"step":1}
	// <nil>
}
