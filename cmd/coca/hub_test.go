package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-e0874532/coca/weights/hub/hubtest"
)

// TestHub pulls a model from a local hub and uses it by its name, then again
// without a connection.
func TestHub(t *testing.T) {
	h := hubtest.New()
	defer h.Close()
	files := map[string][]byte{}
	entries, err := os.ReadDir(testdata + "models/plain")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(testdata+"models/plain", e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	h.Add("someone/plain", "main", files)
	t.Setenv("HF_ENDPOINT", h.URL)
	t.Setenv("HF_HOME", t.TempDir())
	t.Setenv("HF_TOKEN", "")
	for _, name := range []string{"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"} {
		t.Setenv(name, "")
	}
	picture := testdata + "images/two_red_circles.png"
	want := run(t, nil, "caption", "--model", testdata+"models/plain", picture).out

	r := run(t, nil, "pull", "someone/plain")
	if r.status != 0 || !strings.Contains(r.out, "models--someone--plain") {
		t.Fatalf("%+v", r)
	}
	if r = run(t, nil, "caption", "--model", "hf-hub:someone/plain", picture); r.out != want {
		t.Errorf("got %+v, want %q", r, want)
	}
	if r = run(t, nil, "caption", "--model", strings.TrimSpace(run(t, nil, "pull", "someone/plain").out), picture); r.out != want {
		t.Errorf("the folder that pull prints: got %+v, want %q", r, want)
	}
	if r = run(t, nil, "pull", "someone/else"); r.status != 1 || !strings.Contains(r.err, "someone/else") {
		t.Errorf("an unknown repository: %+v", r)
	}
	if r = run(t, nil, "caption", "--model", "hf-hub:someone/else", picture); r.status != statusUsage {
		t.Errorf("an unknown repository as model: %+v", r)
	}
	t.Setenv("HF_HUB_OFFLINE", "1")
	if r = run(t, nil, "caption", "--model", "hf-hub:someone/plain", picture); r.out != want {
		t.Errorf("offline: got %+v, want %q", r, want)
	}
}
