package hub

import (
	"path/filepath"
	"strings"
	"testing"
)

// Whatever the name, what it is read as stays below the cache folder and in its
// place in an address.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"hf-hub:org/model@main", "../x", "org/model@refs/pr/1", "coca_ViT-B-32:laion2b_s13b_b90k", "mobileclip2_coca_x", "a/b@..\\c", "a/b@c?d#e%2f"} {
		f.Add(s, "open_clip_config.json")
	}
	f.Add("org/model", "a b/%2e%2e/x")
	c, err := New(Config{CacheDir: f.TempDir(), Endpoint: "https://hub.example/prefix"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name, file string) {
		s, err := parseName(name)
		if err != nil {
			return
		}
		id, err := fileID{s.repo, s.revision, file}.check()
		if err != nil {
			return
		}
		root := c.cfg.CacheDir + string(filepath.Separator)
		for _, parts := range []string{"refs/" + id.revision, snapshotName(strings.Repeat("a", 40), id.file)} {
			p := filepath.Join(c.cfg.CacheDir, repoFolder(id.repo), filepath.FromSlash(parts))
			if !strings.HasPrefix(p, root+repoFolder(id.repo)+string(filepath.Separator)) {
				t.Errorf("%q, %q: leaves the folder: %s", name, file, p)
			}
		}
		u := c.resolveURL(id)
		if u.Host != "hub.example" || u.RawQuery != "" || u.Fragment != "" || u.Path != "/prefix/"+id.repo+"/resolve/"+id.revision+"/"+id.file {
			t.Errorf("%q, %q: address %s", name, file, u)
		}
		if strings.Count(u.EscapedPath(), "/") != strings.Count("/prefix/"+id.repo+"/resolve//"+id.file, "/") {
			t.Errorf("%q, %q: a slash of the revision shows in %s", name, file, u.EscapedPath())
		}
	})
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-9/10", "bytes 5-9/*", "bytes */10", "bytes 9-0/10", "", "bytes -1-2/3", "bytes 0-0/-2", "bytes +0-1/2", "bytes 1-99999999999999999999/3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, v string) {
		from, total, ok := contentRange(v)
		if total < -1 || (ok && from < 0) {
			t.Errorf("%q: from %d, total %d, %v", v, from, total, ok)
		}
	})
}
