package hub

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFileLayout(t *testing.T) {
	needLinks(t)
	f := newFixture(t)
	small, large := []byte(`{"a": 1}`), pattern(300_000)
	commit := f.Add(repo, "main", map[string][]byte{"config.json": small, "sub/dir/weights.bin": large})
	c := f.client()
	f.file(c, "", "config.json", small)
	f.file(c, "main", "sub/dir/weights.bin", large)
	if _, err := c.File(t.Context(), repo, "main", "missing.txt"); !errors.Is(err, ErrEntryNotFound) {
		t.Fatalf("want ErrEntryNotFound, found %v", err)
	}
	base := "models--org--model/"
	want := map[string]string{
		".locks/" + base + f.ETag(small) + ".lock":            "",
		".locks/" + base + f.ETag(large) + ".lock":            "",
		base + ".no_exist/" + commit + "/missing.txt":         "",
		base + "blobs/" + f.ETag(small):                       string(small),
		base + "blobs/" + f.ETag(large):                       "…",
		base + "refs/main":                                    commit,
		base + "snapshots/" + commit + "/config.json":         "-> ../../blobs/" + f.ETag(small),
		base + "snapshots/" + commit + "/sub/dir/weights.bin": "-> ../../../../blobs/" + f.ETag(large),
	}
	if diff := cmp.Diff(want, tree(t, f.cfg.CacheDir)); diff != "" {
		t.Errorf("cache (-want +got):\n%s", diff)
	}
	f.noPartial()
}

func TestFileProgress(t *testing.T) {
	f := newFixture(t)
	f.Add(repo, "main", map[string][]byte{"w": pattern(300_000)})
	c := f.client()
	f.file(c, "main", "w", pattern(300_000))
	last := int64(-1)
	for i, e := range f.events {
		if e.Repo != repo || e.File != "w" || e.Total != 300_000 || e.Done < last || e.Cached {
			t.Errorf("event %d: %+v", i, e)
		}
		if e.Finished != (i == len(f.events)-1) {
			t.Errorf("event %d of %d: finished %v", i, len(f.events), e.Finished)
		}
		last = e.Done
	}
	if len(f.events) < 3 || last != 300_000 {
		t.Errorf("%d events up to %d bytes", len(f.events), last)
	}
	f.events = nil
	f.file(c, "main", "w", pattern(300_000))
	if len(f.events) != 1 || !f.events[0].Cached || !f.events[0].Finished {
		t.Errorf("cached: %+v", f.events)
	}
}

func TestFileUsesCache(t *testing.T) {
	f := newFixture(t)
	b := pattern(5000)
	commit := f.Add(repo, "main", map[string][]byte{"w": b})
	f.file(f.client(), "main", "w", b)

	t.Run("unchanged branch", func(t *testing.T) {
		before := f.count("GET", false)
		f.file(f.client(), "main", "w", b)
		if n := f.count("GET", false) - before; n != 0 {
			t.Errorf("%d downloads of a cached file", n)
		}
	})
	t.Run("commit", func(t *testing.T) {
		before := len(f.Requests())
		f.file(f.client(), commit, "w", b)
		if n := len(f.Requests()) - before; n != 0 {
			t.Errorf("%d requests for a file of a pinned commit", n)
		}
	})
	t.Run("same content in a new commit", func(t *testing.T) {
		next := f.Add(repo, "main", map[string][]byte{"w": b, "other": nil})
		before := f.count("GET", false)
		p := f.file(f.client(), "main", "w", b)
		if !strings.Contains(p, next) || f.count("GET", false) != before {
			t.Errorf("%s, %d downloads", p, f.count("GET", false)-before)
		}
	})
	t.Run("new content", func(t *testing.T) {
		f.Add(repo, "main", map[string][]byte{"w": pattern(6000)})
		f.file(f.client(), "main", "w", pattern(6000))
		f.file(f.client(), commit, "w", b)
	})
	t.Run("damaged length", func(t *testing.T) {
		blob := filepath.Join(f.cfg.CacheDir, "models--org--model", "blobs", f.ETag(pattern(6000)))
		if err := os.Truncate(blob, 10); err != nil {
			t.Fatal(err)
		}
		f.file(f.client(), "main", "w", pattern(6000))
	})
}

func TestFileOffline(t *testing.T) {
	f := newFixture(t)
	b := pattern(3000)
	commit := f.Add(repo, "main", map[string][]byte{"w": b})
	offline := f.client(func(c *Config) { c.Offline = true })
	for _, rev := range []string{"main", commit} {
		if _, err := offline.File(t.Context(), repo, rev, "w"); !errors.Is(err, ErrNotCached) {
			t.Errorf("empty cache, %s: want ErrNotCached, found %v", rev, err)
		}
	}
	if len(f.Requests()) != 0 {
		t.Fatalf("offline mode made requests: %v", f.Requests())
	}
	f.file(f.client(), "main", "w", b)
	before := len(f.Requests())
	f.file(offline, "main", "w", b)
	f.file(offline, commit, "w", b)
	if _, err := offline.File(t.Context(), repo, "main", "other"); !errors.Is(err, ErrNotCached) {
		t.Errorf("want ErrNotCached, found %v", err)
	}
	if _, err := offline.Metadata(t.Context(), repo, "main", "w"); !errors.Is(err, ErrNotCached) {
		t.Errorf("metadata: want ErrNotCached, found %v", err)
	}
	if _, _, err := offline.List(t.Context(), repo, "main"); !errors.Is(err, ErrNotCached) {
		t.Errorf("list: want ErrNotCached, found %v", err)
	}
	if len(f.Requests()) != before {
		t.Error("offline mode made requests")
	}
}

// A hub that cannot be asked is no reason to refuse what the cache holds.
func TestFileFallsBackToCache(t *testing.T) {
	f := newFixture(t)
	b := pattern(3000)
	f.Add(repo, "main", map[string][]byte{"w": b})
	f.file(f.client(), "main", "w", b)
	for name, status := range map[string]int{"down": 503, "refused": 401, "busy": 429} {
		t.Run(name, func(t *testing.T) {
			f.Fault = func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(status); return true }
			f.file(f.client(), "main", "w", b)
			if _, err := f.client().File(t.Context(), repo, "main", "other"); err == nil || errors.Is(err, ErrNotCached) {
				t.Errorf("want the hub's own refusal, found %v", err)
			}
		})
	}
	t.Run("no connection", func(t *testing.T) {
		f.Close()
		f.file(f.client(), "main", "w", b)
		_, err := f.client().File(t.Context(), repo, "main", "other")
		if !errors.Is(err, ErrUnavailable) {
			t.Errorf("want ErrUnavailable, found %v", err)
		}
	})
}

func TestFileConcurrently(t *testing.T) {
	f := newFixture(t)
	b := pattern(2 << 20)
	f.Add(repo, "main", map[string][]byte{"w": b})
	var wg sync.WaitGroup
	for range 4 {
		c := f.client() // clients of their own, as in processes of their own
		wg.Go(func() {
			p, err := c.File(t.Context(), repo, "main", "w")
			if err != nil {
				t.Error(err)
				return
			}
			if got, err := os.ReadFile(p); err != nil || string(got) != string(b) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
	wg.Wait()
	if n := f.count("GET", true); n != 1 {
		t.Errorf("%d downloads of one blob, want 1", n)
	}
	f.noPartial()
}

func TestFileWithoutSymlinks(t *testing.T) {
	f := newFixture(t)
	b := pattern(3000)
	first := f.Add(repo, "main", map[string][]byte{"w": b})
	c := f.client()
	c.symlink = func(*cache, string, string) error { return errors.ErrUnsupported }
	p := f.file(c, "main", "w", b)
	if info, err := os.Lstat(p); err != nil || !info.Mode().IsRegular() {
		t.Fatalf("want a plain file: %v %v", info, err)
	}
	// A blob that was there before is copied, since others may point to it.
	f.file(f.client(), f.Add(repo, "linked", map[string][]byte{"w": b, "x": nil}), "w", b)
	third := f.Add(repo, "main", map[string][]byte{"w": b, "y": nil})
	f.file(c, "main", "w", b)
	f.file(c, first, "w", b)
	f.file(c, third, "w", b)
	if _, err := os.Stat(filepath.Join(f.cfg.CacheDir, "models--org--model", "blobs", f.ETag(b))); err != nil {
		t.Error(err)
	}
	f.noPartial()
}

func TestFileReadOnlyCache(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere")
	}
	f := newFixture(t)
	b := pattern(3000)
	f.Add(repo, "main", map[string][]byte{"w": b})
	f.file(f.client(), "main", "w", b)
	filepath.WalkDir(f.cfg.CacheDir, func(p string, d os.DirEntry, _ error) error {
		if d.IsDir() {
			os.Chmod(p, 0o555)
			t.Cleanup(func() { os.Chmod(p, 0o755) })
		}
		return nil
	})
	f.file(f.client(), "main", "w", b)
}
