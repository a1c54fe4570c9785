package hub

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write golden files; needs COCA_HUB_PYTHON")

const goldenFile = "../../testdata/golden/hub/cache.json"

// entry is a file in a cache: a link, or its size and checksum.
type entry struct {
	Link   string `json:"link,omitempty"`
	Size   int64  `json:"size,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
}

// golden is what huggingface_hub left in a cache after some steps.
type golden struct {
	Versions map[string]string `json:"versions"`
	Steps    [][3]string       `json:"steps,omitempty"` // repository, revision, file
	Tree     map[string]entry  `json:"tree"`
}

// scenario fills a hub and says what is fetched from it: large and small files,
// folders, a branch with a slash, a bare commit, a tag, a file that two commits
// share, an empty one, one that does not exist, and a repository without an organisation.
func (f *fixture) scenario() (steps [][3]string, contents map[string][]byte) {
	weights, config := pattern(4000), []byte(`{"model_cfg": {}}`)
	first := map[string][]byte{"config.json": config, "weights.bin": weights, "sub/dir/vocab.json": []byte("{}"), "empty": {}}
	second := map[string][]byte{"config.json": []byte(`{"changed": true}`), "weights.bin": weights}
	f.Add(repo, "main", first)
	f.Add(repo, "v1.0", first)
	commit := f.Add(repo, "refs/pr/1", second)
	f.Add("single", "main", map[string][]byte{"merges.txt": pattern(1500)})
	steps = [][3]string{
		{repo, "main", "config.json"}, {repo, "main", "weights.bin"}, {repo, "main", "sub/dir/vocab.json"}, {repo, "main", "empty"},
		{repo, "main", "missing.json"}, {repo, "main", "sub/missing.json"},
		{repo, "v1.0", "config.json"}, {repo, "refs/pr/1", "config.json"}, {repo, commit, "weights.bin"}, {"single", "main", "merges.txt"},
	}
	contents = map[string][]byte{}
	for _, files := range []map[string][]byte{first, second, {"merges.txt": pattern(1500)}} {
		for _, b := range files {
			contents[fmt.Sprintf("%x", sha256.Sum256(b))] = b
		}
	}
	return steps, contents
}

// fetch runs the steps with this package.
func (f *fixture) fetch(c *Client, steps [][3]string) {
	f.t.Helper()
	for _, s := range steps {
		if _, err := c.File(f.t.Context(), s[0], s[1], s[2]); err != nil && !errors.Is(err, ErrEntryNotFound) {
			f.t.Fatalf("%v: %v", s, err)
		}
	}
}

func entries(t *testing.T, dir string) map[string]entry {
	t.Helper()
	out := map[string]entry{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		if target, err := os.Readlink(p); err == nil {
			out[filepath.ToSlash(rel)] = entry{Link: filepath.ToSlash(target)}
			return nil
		}
		b, err := os.ReadFile(p)
		out[filepath.ToSlash(rel)] = entry{Size: int64(len(b)), SHA256: fmt.Sprintf("%x", sha256.Sum256(b))}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func readGolden(t *testing.T) golden {
	t.Helper()
	b, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// The cache that this package writes is, name by name and byte by byte, the one
// that huggingface_hub wrote from the same hub.
func TestGoldenWrite(t *testing.T) {
	needLinks(t)
	g, f := readGolden(t), newFixture(t)
	steps, _ := f.scenario()
	if diff := cmp.Diff(g.Steps, steps); diff != "" {
		t.Fatalf("the golden file is of other steps:\n%s", diff)
	}
	f.fetch(f.client(), steps)
	if diff := cmp.Diff(g.Tree, entries(t, f.cfg.CacheDir)); diff != "" {
		t.Errorf("cache (-huggingface_hub +ours):\n%s", diff)
	}
}

// A cache as huggingface_hub wrote it is read without the hub.
func TestGoldenRead(t *testing.T) {
	g, f := readGolden(t), newFixture(t)
	steps, contents := f.scenario()
	for _, e := range g.Tree { // a ref is the one file whose content is no file of the hub
		if e.Link == "" && e.Size == 40 {
			for _, s := range steps {
				c := f.commit(s[0], s[1])
				contents[fmt.Sprintf("%x", sha256.Sum256([]byte(c)))] = []byte(c)
			}
		}
	}
	for name, e := range g.Tree {
		p := filepath.Join(f.cfg.CacheDir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if e.Link != "" {
			if err := os.Symlink(filepath.FromSlash(e.Link), p); err != nil {
				t.Skip("no symbolic links here:", err)
			}
			continue
		}
		b, ok := contents[e.SHA256]
		if !ok {
			t.Fatalf("%s: no content with this checksum", name)
		}
		write(t, p, string(b))
	}
	f.readAll(g.Tree, steps, contents)
}

// readAll reads the steps offline and compares them with the tree.
func (f *fixture) readAll(tree map[string]entry, steps [][3]string, contents map[string][]byte) {
	f.t.Helper()
	before := len(f.Requests())
	c := f.client(func(c *Config) { c.Offline = true })
	missing := 0
	for _, s := range steps {
		p, err := c.File(f.t.Context(), s[0], s[1], s[2])
		if errors.Is(err, ErrEntryNotFound) {
			missing++
			continue
		}
		if err != nil {
			f.t.Errorf("%v: %v", s, err)
			continue
		}
		b, err := os.ReadFile(p)
		rel, _ := filepath.Rel(f.cfg.CacheDir, p)
		link := tree[filepath.ToSlash(rel)].Link
		blob := filepath.ToSlash(filepath.Join(filepath.Dir(rel), filepath.FromSlash(link)))
		if err != nil || tree[blob].SHA256 != fmt.Sprintf("%x", sha256.Sum256(b)) {
			f.t.Errorf("%v: %d bytes, %v", s, len(b), err)
		}
	}
	if missing != 2 || len(f.Requests()) != before {
		f.t.Errorf("%d files known to be absent, want 2; %d requests, want none", missing, len(f.Requests())-before)
	}
}

// commit asks the hub for the commit of a revision.
func (f *fixture) commit(repo, revision string) string {
	f.t.Helper()
	_, c, err := f.client().List(f.t.Context(), repo, revision)
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

// TestPython runs huggingface_hub itself against the same hub and the same cache.
func TestPython(t *testing.T) {
	python := os.Getenv("COCA_HUB_PYTHON")
	if python == "" {
		t.Skip("COCA_HUB_PYTHON names no Python with huggingface_hub")
	}
	f := newFixture(t)
	steps, contents := f.scenario()
	run := func(command, cache string, steps [][3]string, out any) error {
		in, _ := json.Marshal(steps)
		cmd := exec.CommandContext(t.Context(), python, "../../testdata/reference/hub.py", command, cache)
		cmd.Stdin = bytes.NewReader(in)
		cmd.Env = append(os.Environ(), "HF_ENDPOINT="+f.URL, "HF_HOME="+t.TempDir(), "HF_TOKEN=", "HF_HUB_DISABLE_TELEMETRY=1", "HF_HUB_DISABLE_PROGRESS_BARS=1")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		b, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("%w: %s", err, stderr.Bytes())
		}
		return json.Unmarshal(b, out)
	}
	theirs := filepath.Join(t.TempDir(), "theirs")
	var g golden
	if err := run("fetch", theirs, steps, &g); err != nil {
		t.Fatal(err)
	}
	if *update {
		g.Steps = steps
		b, err := json.MarshalIndent(g, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		write(t, goldenFile, string(b)+"\n")
	}
	t.Run("same tree", func(t *testing.T) {
		f.fetch(f.client(), steps)
		if diff := cmp.Diff(g.Tree, entries(t, f.cfg.CacheDir)); diff != "" {
			t.Errorf("cache (-huggingface_hub +ours):\n%s", diff)
		}
	})
	t.Run("it reads ours", func(t *testing.T) {
		var got struct {
			Files, Warnings, Repos []string
		}
		if err := run("read", f.cfg.CacheDir, steps, &got); err != nil {
			t.Fatal(err)
		}
		for i, sum := range got.Files {
			_, ok := contents[sum]
			if absent := filepath.Base(steps[i][2]) == "missing.json"; absent != (sum == "known to be absent") || (!absent && !ok) {
				t.Errorf("%v: %s", steps[i], sum)
			}
		}
		if len(got.Warnings) != 0 || !slices.Equal(got.Repos, []string{repo, "single"}) {
			t.Errorf("its scan of the cache: %+v", got)
		}
	})
	t.Run("we read its", func(t *testing.T) {
		f.cfg.CacheDir = theirs
		f.readAll(g.Tree, steps, contents)
	})
	t.Run("partial files and locks are shared", func(t *testing.T) {
		w := pattern(4000)
		f.cfg.CacheDir = t.TempDir()
		f.writePart(w, w[:1234])
		unlock, err := f.client().lock(t.Context(), repo, f.ETag(w))
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- run("fetch", f.cfg.CacheDir, [][3]string{{repo, "main", "weights.bin"}}, new(golden)) }()
		select {
		case err := <-done:
			t.Errorf("it did not wait for our lock: %v", err)
		case <-time.After(4 * time.Second):
			unlock()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if got := f.ranges(); got[len(got)-1] != "bytes=1234-" {
			t.Errorf("ranges %q, want ours resumed", got)
		}
		f.file(f.client(func(c *Config) { c.Offline = true }), "main", "weights.bin", w)
	})
}
