package hub

import (
	"context"
	"io"
	"io/fs"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-e0874532/coca/weights/hub/hubtest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var discard = log.New(io.Discard, "", 0)

const repo = "org/model"

// pattern returns n bytes that repeat late, so that a shifted piece shows.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*i>>3 ^ i>>8)
	}
	return b
}

// needLinks skips a test where the system gives this user no symbolic links.
func needLinks(t *testing.T) {
	t.Helper()
	if err := os.Symlink("x", filepath.Join(t.TempDir(), "link")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
}

// fixture is a hub, a client for it and what the client did.
type fixture struct {
	*hubtest.Hub
	t   *testing.T
	cfg Config

	mu     sync.Mutex
	slept  []time.Duration
	events []Progress
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	h := hubtest.New()
	t.Cleanup(h.Close)
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	f := &fixture{Hub: h, t: t}
	f.cfg = Config{
		CacheDir: t.TempDir(), Endpoint: h.URL, HTTP: &http.Client{Transport: tr},
		Sleep: func(ctx context.Context, d time.Duration) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.slept = append(f.slept, d)
			return ctx.Err()
		},
		Observer: ObserverFunc(func(p Progress) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.events = append(f.events, p)
		}),
	}
	return f
}

func (f *fixture) client(change ...func(*Config)) *Client {
	f.t.Helper()
	cfg := f.cfg
	for _, c := range change {
		c(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

// file fetches a file and compares it.
func (f *fixture) file(c *Client, revision, name string, want []byte) string {
	f.t.Helper()
	p, err := c.File(f.t.Context(), repo, revision, name)
	if err != nil {
		f.t.Fatal(err)
	}
	got, err := os.ReadFile(p)
	if err != nil {
		f.t.Fatal(err)
	}
	if string(got) != string(want) {
		f.t.Fatalf("%s: %d bytes that differ from the %d served", name, len(got), len(want))
	}
	return p
}

// count counts requests with a method; an empty method counts all.
func (f *fixture) count(method string, storage bool) int {
	n := 0
	for _, r := range f.Requests() {
		if (method == "" || r.Method == method) && r.Storage == storage {
			n++
		}
	}
	return n
}

// tree lists a folder: files with their sizes, links with their targets.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		rel = filepath.ToSlash(rel)
		if d.Type()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(p)
			out[rel] = "-> " + filepath.ToSlash(target)
			return err
		}
		b, err := os.ReadFile(p)
		if len(b) > 64 {
			b = []byte("…")
		}
		out[rel] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// noPartial fails if a file that is not whole was left, by whatever name.
func (f *fixture) noPartial() {
	f.t.Helper()
	for name := range tree(f.t, f.cfg.CacheDir) {
		if strings.Contains(name, ".incomplete") || strings.Contains(name, "tmp_") {
			f.t.Errorf("left behind: %s", name)
		}
	}
}

// noFile fails if a snapshot or blob exists.
func (f *fixture) noFile() {
	f.t.Helper()
	for name := range tree(f.t, f.cfg.CacheDir) {
		if strings.Contains(name, "/snapshots/") || (strings.Contains(name, "/blobs/") && !strings.HasSuffix(name, ".incomplete")) {
			f.t.Errorf("want no file under a final name, found %s", name)
		}
	}
}
