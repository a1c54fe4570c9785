package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCOCO2CSV makes a CSV of a file and of standard input.
func TestCOCO2CSV(t *testing.T) {
	const captions = `{"images":[{"id":1,"file_name":"a.jpg"}],"annotations":[{"image_id":1,"caption":"a \"cat\""},{"image_id":1,"caption":"one\n"}]}`
	dir := t.TempDir()
	in, out := filepath.Join(dir, "captions.json"), filepath.Join(dir, "out.csv")
	if err := os.WriteFile(in, []byte(captions), 0o666); err != nil {
		t.Fatal(err)
	}
	want := "filepath\ttitle\n" + filepath.Join("pictures", "a.jpg") + "\t\"a \"\"cat\"\"\"\n" + filepath.Join("pictures", "a.jpg") + "\t\"one\n\"\n"
	status, stdout, stderr := runDataCommand(t, "", "coco2csv", "--images", "pictures", in, out)
	got, err := os.ReadFile(out)
	if status != statusOK || stdout != "" || stderr != out+": 2 captions\n" || err != nil || string(got) != want {
		t.Errorf("status %d, %q, %q; the file is %q, %v, want %q", status, stdout, stderr, got, err, want)
	}
	status, stdout, _ = runDataCommand(t, captions, "coco2csv", "-", "-")
	if status != statusOK || stdout != strings.ReplaceAll(want, "pictures"+string(filepath.Separator), "") {
		t.Errorf("standard input: status %d, %q", status, stdout)
	}
	// What fails leaves the file that was there.
	status, _, stderr = runDataCommand(t, `{"images":[]}`, "coco2csv", "-", out)
	if again, _ := os.ReadFile(out); status != statusSomeFailed || !strings.Contains(stderr, "standard input: annotations: want a list, found none") || string(again) != want {
		t.Errorf("no annotations: status %d, %q, the file is %q", status, stderr, again)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
	for _, args := range [][]string{{"coco2csv", in}, {"coco2csv", in, out, "more"}, {"coco2json"}, {"coco2csv", "--root", "x", in, out}} {
		if status, _, stderr := runDataCommand(t, "", args...); status != statusUsage {
			t.Errorf("%v: status %d, %q", args, status, stderr)
		}
	}
	if status, _, stderr := runDataCommand(t, "", "coco2csv", filepath.Join(dir, "nothing"), out); status == statusOK || !strings.Contains(stderr, "nothing") {
		t.Errorf("no such file: status %d, %q", status, stderr)
	}
}

func runDataCommand(t *testing.T, in string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, err strings.Builder
	a := &app{in: strings.NewReader(in), out: &out, err: &err}
	status = a.run(t.Context(), append([]string{"data"}, args...))
	return status, out.String(), err.String()
}
