package hub

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBadNames(t *testing.T) {
	f := newFixture(t)
	paths := []string{
		"../x", "a/../../x", "..", ".", "a/./b", "/etc/passwd", "a//b", "a/", `..\x`, `a\b`, "C:/x", "C:x", "a\x00b", "a\nb", "a\x7fb",
		"x?y", "x*", "a/.. /b", "a./b", strings.Repeat("a", 513),
	}
	for _, p := range append(paths, "") {
		_, err := f.client().File(t.Context(), repo, "main", p)
		wantName(t, "file", p, err)
	}
	for _, p := range paths {
		_, err := f.client().File(t.Context(), repo, p, "w")
		wantName(t, "revision", p, err)
		_, err = f.client().Metadata(t.Context(), repo, p, "w")
		wantName(t, "revision", p, err)
		_, _, err = f.client().List(t.Context(), repo, p)
		wantName(t, "revision", p, err)
	}
	for _, r := range []string{"", "/", "a/b/c", "../x", "org/..", "org/a--b", "org/a..b", "org/.a", "org/a.", "-a/b", "org/a.git", "org/a b", "org/é",
		"org/" + strings.Repeat("a", 97), "org/a%2fb", "org/a?b", "org/a#b", "org\\b"} {
		_, err := f.client().File(t.Context(), r, "main", "w")
		wantName(t, "repository", r, err)
	}
	if len(f.Requests()) != 0 || len(tree(t, f.cfg.CacheDir)) != 0 {
		t.Errorf("a bad name left traces: %v %v", f.Requests(), tree(t, f.cfg.CacheDir))
	}
	for _, r := range []string{"gpt2", "a/b", "org/A_b-c.d", "org/" + strings.Repeat("a", 96)} {
		if err := checkRepo(r); err != nil {
			t.Error(err)
		}
	}
}

func wantName(t *testing.T, what, name string, err error) {
	t.Helper()
	var e *NameError
	if !errors.As(err, &e) || e.What != what || e.Name != name || len(err.Error()) > 400 {
		t.Errorf("%s %q: want a NameError, found %v", what, name, err)
	}
}

// A cache that somebody else could write to must not lead out of itself.
func TestLinksOutOfTheCache(t *testing.T) {
	b := pattern(4000)
	const other = "content that belongs to somebody else"
	tests := []struct {
		name    string
		path    string // of the link, below the cache folder; %c is the commit, %e the blob
		dir     bool   // it points to a folder
		offline bool
		ok      bool // it is replaced and the download succeeds
	}{
		{name: "snapshot file", path: "models--org--model/snapshots/%c/w"},
		{name: "snapshot file, offline", path: "models--org--model/snapshots/%c/w", offline: true},
		{name: "snapshot folder", path: "models--org--model/snapshots/%c", dir: true},
		{name: "snapshots", path: "models--org--model/snapshots", dir: true},
		{name: "blob", path: "models--org--model/blobs/%e"},
		{name: "blobs", path: "models--org--model/blobs", dir: true},
		{name: "partial file", path: "models--org--model/blobs/%e.incomplete", ok: true},
		{name: "ref, offline", path: "models--org--model/refs/main", offline: true},
		{name: "ref", path: "models--org--model/refs/main", ok: true},
		{name: "refs", path: "models--org--model/refs", dir: true},
		{name: "locks", path: ".locks", dir: true},
		{name: "lock", path: ".locks/models--org--model/%e.lock"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			commit := f.Add(repo, "main", map[string][]byte{"w": b})
			outside := filepath.Join(t.TempDir(), "outside")
			target := outside
			if tt.dir {
				target = filepath.Dir(outside)
			}
			write(t, outside, other)
			if tt.offline && !strings.Contains(tt.path, "refs") {
				write(t, filepath.Join(f.cfg.CacheDir, "models--org--model/refs/main"), commit)
			}
			link := filepath.Join(f.cfg.CacheDir, strings.NewReplacer("%c", commit, "%e", f.ETag(b)).Replace(tt.path))
			if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(target, link); err != nil {
				t.Skip("no symbolic links here:", err)
			}
			p, err := f.client(func(c *Config) { c.Offline = tt.offline }).File(t.Context(), repo, "main", "w")
			if tt.ok {
				if err != nil {
					t.Fatal(err)
				}
				if got, err := os.ReadFile(p); err != nil || string(got) != string(b) {
					t.Errorf("%d bytes, %v", len(got), err)
				}
			} else {
				var e *CacheError
				if !errors.As(err, &e) {
					t.Errorf("want a CacheError, found %q, %v", p, err)
				}
			}
			if got := tree(t, filepath.Dir(outside)); len(got) != 1 || got["outside"] != other {
				t.Errorf("outside of the cache: %v", got)
			}
		})
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestCorruptRefs(t *testing.T) {
	b := pattern(100)
	for name, content := range map[string]string{
		"empty":     "",
		"garbage":   "not a commit",
		"traversal": "../../../../etc",
		"long":      strings.Repeat("a", 1<<20),
		"upper":     strings.Repeat("A", 40),
		"NUL":       strings.Repeat("a", 39) + "\x00",
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			commit := f.Add(repo, "main", map[string][]byte{"w": b})
			ref := filepath.Join(f.cfg.CacheDir, "models--org--model", "refs", "main")
			write(t, ref, content)
			_, err := f.client(func(c *Config) { c.Offline = true }).File(t.Context(), repo, "main", "w")
			var e *CacheError
			if !errors.As(err, &e) || e.Path != "models--org--model/refs/main" || len(err.Error()) > 300 {
				t.Errorf("offline: want a CacheError, found %v", err)
			}
			f.Fault = func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(503); return true }
			if _, err := f.client().File(t.Context(), repo, "main", "w"); !errors.Is(err, ErrUnavailable) {
				t.Errorf("hub down: want ErrUnavailable, found %v", err)
			}
			f.Fault = nil
			f.file(f.client(), "main", "w", b)
			if got, err := os.ReadFile(ref); err != nil || string(got) != commit {
				t.Errorf("ref %q %v, want it repaired", got, err)
			}
		})
	}
	t.Run("final newline", func(t *testing.T) { // as an editor leaves it
		f := newFixture(t)
		commit := f.Add(repo, "main", map[string][]byte{"w": b})
		f.file(f.client(), "main", "w", b)
		write(t, filepath.Join(f.cfg.CacheDir, "models--org--model", "refs", "main"), commit+"\n")
		f.file(f.client(func(c *Config) { c.Offline = true }), "main", "w", b)
	})
}

// Folders and files in each other's place are errors that name the place.
func TestMisplacedFolders(t *testing.T) {
	for _, path := range []string{"models--org--model/snapshots/%c/w/x", "models--org--model/blobs", "models--org--model/snapshots", "models--org--model",
		"models--org--model/blobs/%e/x", "models--org--model/refs/main/x", "models--org--model/refs"} {
		t.Run(path, func(t *testing.T) {
			f := newFixture(t)
			b := pattern(4000)
			commit := f.Add(repo, "main", map[string][]byte{"w": b})
			write(t, filepath.Join(f.cfg.CacheDir, strings.NewReplacer("%c", commit, "%e", f.ETag(b)).Replace(path)), "x")
			_, err := f.client().File(t.Context(), repo, "main", "w")
			var e *CacheError
			if !errors.As(err, &e) || !strings.HasPrefix(e.Path, "models--org--model") {
				t.Errorf("want a CacheError, found %v", err)
			}
		})
	}
	f := newFixture(t)
	f.Add(repo, "main", map[string][]byte{"w": nil})
	write(t, filepath.Join(f.cfg.CacheDir, "file"), "x")
	var e *CacheError
	if _, err := f.client(func(c *Config) { c.CacheDir += "/file" }).File(t.Context(), repo, "main", "w"); !errors.As(err, &e) {
		t.Errorf("a file as the cache folder: want a CacheError, found %v", err)
	}
}
