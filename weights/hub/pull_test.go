package hub

import (
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const laionB = "laion/CoCa-ViT-B-32-laion2B-s13B-b90k"

// model is a repository with everything that Pull wants.
func model() map[string][]byte {
	return map[string][]byte{
		"open_clip_config.json": []byte(`{"model_cfg": {}}`), "open_clip_model.safetensors": pattern(9000), "open_clip_pytorch_model.bin": pattern(8000),
		"tokenizer.json": pattern(3000), "vocab.json": []byte("{}"), "merges.txt": []byte("#"), "README.md": []byte("#"), ".gitattributes": nil,
	}
}

// names returns the files of a pulled snapshot.
func names(t *testing.T, p Pulled) []string {
	t.Helper()
	var out []string
	for name := range tree(t, p.Dir) {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func TestPullNames(t *testing.T) {
	f := newFixture(t)
	repos := []string{"org/model", laionB, "laion/mscoco_finetuned_CoCa-ViT-L-14-laion2B-s13B-b90k",
		"apple/mobileclip2_coca_dfn2b_s13b_dci-short_s12m_context128", "apple/mobileclip2_coca_dfn2b_s13b_context77", "apple/mobileclip2_coca_new"}
	for _, r := range repos {
		f.Add(r, "main", model())
		f.Add(r, "v1.0", model())
	}
	const finetuned = "laion/mscoco_finetuned_CoCa-ViT-L-14-laion2B-s13B-b90k"
	tests := []struct{ name, repo, arch string }{
		{"org/model", "org/model", ""},
		{"hf-hub:org/model", "org/model", ""},
		{"hf-hub:org/model@v1.0", "org/model", ""},
		{"org/model@v1.0", "org/model", ""},
		{"coca_ViT-B-32:laion2b_s13b_b90k", laionB, "coca_ViT-B-32"},
		{"coca_ViT-B-32:laion2B-s13B-b90k@v1.0", laionB, "coca_ViT-B-32"},
		{"coca_vit_l_14:MSCOCO-finetuned-laion2B-s13B-b90k", finetuned, "coca_ViT-L-14"},
		{"hf-hub:" + laionB, laionB, "coca_ViT-B-32"},
		{"mobileclip2_coca_dfn2b_s13b_context77", "apple/mobileclip2_coca_dfn2b_s13b_context77", "coca_ViT-L-14"},
		{"mobileclip2-coca-dfn2b-s13b-context77", "apple/mobileclip2_coca_dfn2b_s13b_context77", "coca_ViT-L-14"},
		{"MobileCLIP2-CoCa-dfn2b-s13b-dci-short-s12m-context128", "apple/mobileclip2_coca_dfn2b_s13b_dci-short_s12m_context128", ""},
		{"hf-hub:apple/mobileclip2_coca_dfn2b_s13b_context77", "apple/mobileclip2_coca_dfn2b_s13b_context77", "coca_ViT-L-14"},
		{"mobileclip2_coca_new", "apple/mobileclip2_coca_new", ""},
	}
	for _, tt := range tests {
		p, err := f.client().Pull(t.Context(), tt.name)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if p.Repo != tt.repo || p.Arch != tt.arch || !commitHash.MatchString(p.Commit) || p.Stale {
			t.Errorf("%s: %+v", tt.name, p)
		}
		if want := []string{"merges.txt", "open_clip_config.json", "open_clip_model.safetensors", "tokenizer.json", "vocab.json"}; !slices.Equal(names(t, p), want) {
			t.Errorf("%s: files %q, want %q", tt.name, names(t, p), want)
		}
		if p.Weights != filepath.Join(p.Dir, "open_clip_model.safetensors") || p.Config != filepath.Join(p.Dir, "open_clip_config.json") {
			t.Errorf("%s: %+v", tt.name, p)
		}
	}
	p, err := f.client().PullTag(t.Context(), "coca_ViT-B-32", "laion2b_s13b_b90k")
	if err != nil || p.Repo != laionB {
		t.Errorf("PullTag: %+v %v", p, err)
	}
}

func TestPullBadNames(t *testing.T) {
	f := newFixture(t)
	for _, name := range []string{"", "coca_ViT-L-14", "coca_base:laion2b_s13b_b90k", "coca_ViT-L-14:openai", "gpt2", "hf-hub:", "a/b/c", "../x", "org/model@",
		"org/model@../x", "mobileclip2-coca-nothing", "mobileclip2_coca_..", "mobileclip2_coca_a b", "hf-hub:coca_ViT-B-32:laion2b_s13b_b90k", "./folder", "@", ":"} {
		_, err := f.client().Pull(t.Context(), name)
		var e *NameError
		if !errors.As(err, &e) {
			t.Errorf("%q: want a NameError, found %v", name, err)
		}
	}
	_, err := f.client().Pull(t.Context(), "coca_ViT-L-14")
	for _, want := range append(Names(), "hf-hub:") {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not list %s", want)
		}
	}
	if len(f.Requests()) != 0 {
		t.Errorf("requests %v", f.Requests())
	}
}

func TestTags(t *testing.T) {
	if len(Tags()) != 4 || len(Names()) != 4+21 {
		t.Errorf("%d tags, %d names", len(Tags()), len(Names()))
	}
	for _, tag := range Tags() {
		if repo, ok := Pretrained(strings.ToUpper(tag.Arch), strings.ReplaceAll(tag.Tag, "_", "-")); !ok || repo != tag.Repo {
			t.Errorf("%s: %s %v", tag.Name(), repo, ok)
		}
	}
	if _, ok := Pretrained("coca_ViT-B-32", "mscoco"); ok {
		t.Error("found a tag that is none")
	}
	for _, n := range Names() {
		s, err := parseName(n)
		if err != nil || checkRepo(s.repo) != nil {
			t.Errorf("%s: %+v %v", n, s, err)
		}
	}
	Tags()[0].Repo, Names()[0], WeightFiles()[0] = "x", "x", "x"
	if Tags()[0].Repo == "x" || Names()[0] == "x" || WeightFiles()[0] == "x" {
		t.Error("the tables can be changed from outside")
	}
}

func TestPullWeights(t *testing.T) {
	w := pattern(5000)
	tests := []struct {
		name  string
		repo  string
		files []string
		want  string // "" for ErrNoWeights
	}{
		{"safetensors first", repo, []string{"open_clip_pytorch_model.bin", "open_clip_model.safetensors"}, "open_clip_model.safetensors"},
		{"hub names before local-dir names", repo, []string{"open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin"}, "open_clip_pytorch_model.bin"},
		{"local-dir names", repo, []string{"pytorch_model.bin", "model.safetensors"}, "model.safetensors"},
		{"any", repo, []string{"z.pt", "epoch.pth", "a.txt", "sub/x.safetensors"}, "epoch.pth"},
		{"any, safetensors first", repo, []string{"a.bin", "z.safetensors"}, "z.safetensors"},
		{"no training state", repo, []string{"optimizer.bin", "training_args.bin", "weights.pt"}, "weights.pt"},
		{"a LAION repository without config", laionB, []string{"open_clip_pytorch_model.bin"}, "open_clip_pytorch_model.bin"},
		{"of the README", "apple/mobileclip2_coca_x", []string{"mobileclip2_coca.pt", "pytorch_model.bin"}, "mobileclip2_coca.pt"},
		{"shards", repo, []string{"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"}, ""},
		{"none", repo, []string{"README.md", "../../evil.bin", "sub/x.bin"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			files := map[string][]byte{}
			for _, n := range tt.files {
				files[n] = w
			}
			f.Add(tt.repo, "main", files)
			p, err := f.client().Pull(t.Context(), tt.repo)
			if tt.want == "" {
				if !errors.Is(err, ErrNoWeights) || !strings.Contains(err.Error(), tt.files[0]) {
					t.Errorf("want ErrNoWeights that lists the files, found %v", err)
				}
				f.noFile()
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := names(t, p); !slices.Equal(got, []string{tt.want}) || filepath.Base(p.Weights) != tt.want || p.Config != "" {
				t.Errorf("files %q, %+v, want only %s", got, p, tt.want)
			}
			// Again without the hub, from what the cache knows.
			for _, change := range []func(*Config){func(c *Config) { c.Offline = true }, func(c *Config) { c.Endpoint, c.Retries = "http://127.0.0.1:1", -1 }} {
				again, err := f.client(change).Pull(t.Context(), tt.repo)
				if again.Stale = false; err != nil || again != p {
					t.Errorf("again: %+v %v", again, err)
				}
			}
		})
	}
}

func TestPullFamilyConfig(t *testing.T) {
	f := newFixture(t)
	f.Add("apple/mobileclip2_coca_x_context256", "main", map[string][]byte{"config.json": []byte("{}"), "w.pt": pattern(2000)})
	p, err := f.client().Pull(t.Context(), "mobileclip2_coca_x_context256")
	if err != nil || filepath.Base(p.Config) != "config.json" || filepath.Base(p.Weights) != "w.pt" || p.Arch != "" {
		t.Errorf("%+v %v", p, err)
	}
	f.Add(repo, "main", map[string][]byte{"config.json": []byte("{}"), "model.safetensors": pattern(2000)})
	if p, err := f.client().Pull(t.Context(), repo); err != nil || p.Config != "" {
		t.Errorf("the config.json of another library was taken: %+v %v", p, err)
	}
}

func TestPullAgain(t *testing.T) {
	f := newFixture(t)
	commit := f.Add(repo, "main", model())
	c := f.client()
	first, err := c.Pull(t.Context(), repo)
	if err != nil {
		t.Fatal(err)
	}
	before := len(f.Requests())
	pinned, err := c.Pull(t.Context(), repo+"@"+commit)
	if err != nil || pinned != first {
		t.Errorf("pinned: %+v %v", pinned, err)
	}
	if n := len(f.Requests()) - before; n != 0 {
		t.Errorf("%d requests for a commit that is whole in the cache", n)
	}
	before = f.count("", true)
	if _, err := c.Pull(t.Context(), repo); err != nil {
		t.Error(err)
	}
	if n := f.count("", true) - before; n != 0 {
		t.Errorf("%d requests to the storage host for a branch that has not moved", n)
	}
}

// The branch moves after the first answer: all files are still of one commit.
func TestPullOneCommit(t *testing.T) {
	for _, first := range []string{"open_clip_config.json", "other"} { // found, and known only from the 404
		f := newFixture(t)
		files := model()
		if first == "other" {
			delete(files, "open_clip_config.json")
		}
		commit := f.Add(repo, "main", files)
		moved := false
		f.Fault = func(w http.ResponseWriter, r *http.Request) bool {
			if moved = moved || !strings.HasSuffix(r.URL.Path, "open_clip_config.json"); moved {
				f.Add(repo, "main", map[string][]byte{"open_clip_model.safetensors": pattern(10)})
			}
			return false
		}
		p, err := f.client().Pull(t.Context(), repo)
		if err != nil || p.Commit != commit || !moved {
			t.Errorf("%+v %v, want commit %s", p, err, commit)
		}
		if got := tree(t, f.cfg.CacheDir)["models--org--model/refs/main"]; got != commit {
			t.Errorf("refs/main %q, want %s", got, commit)
		}
	}
}

// A pull that fails in the middle leaves the last whole commit in use.
func TestPullKeepsRefUntilDone(t *testing.T) {
	f := newFixture(t)
	commit := f.Add(repo, "main", model())
	if _, err := f.client().Pull(t.Context(), repo); err != nil {
		t.Fatal(err)
	}
	next := model()
	next["open_clip_model.safetensors"] = pattern(9001)
	f.Add(repo, "main", next)
	f.onStorage(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) })
	if _, err := f.client().Pull(t.Context(), repo); !errors.Is(err, ErrUnavailable) {
		t.Errorf("want ErrUnavailable, found %v", err)
	}
	p, err := f.client(func(c *Config) { c.Offline = true }).Pull(t.Context(), repo)
	if err != nil || p.Commit != commit {
		t.Errorf("offline: %+v %v, want the earlier commit", p, err)
	}
}

func TestPullWithoutHub(t *testing.T) {
	f := newFixture(t)
	offline := f.client(func(c *Config) { c.Offline = true })
	if _, err := offline.Pull(t.Context(), repo); !errors.Is(err, ErrNotCached) || !strings.Contains(err.Error(), "HF_HUB_OFFLINE") {
		t.Errorf("offline, empty cache: %v", err)
	}
	f.Add(repo, "main", map[string][]byte{"open_clip_model.safetensors": pattern(2000)})
	if _, err := f.client().Pull(t.Context(), repo); err != nil {
		t.Fatal(err)
	}
	f.Fault = func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(503); return true }
	before := len(f.Requests())
	p, err := f.client(func(c *Config) { c.Retries = 1 }).Pull(t.Context(), repo)
	if err != nil || !p.Stale {
		t.Errorf("hub down: %+v %v", p, err)
	}
	if n := len(f.Requests()) - before; n != 2 {
		t.Errorf("%d requests to a hub that is down, want 2 in all", n)
	}
	if _, err := f.client(func(c *Config) { c.Retries = 1 }).Pull(t.Context(), "org/never-seen"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("hub down, empty cache: want ErrUnavailable, found %v", err)
	}
}

func TestPullRefused(t *testing.T) {
	f := newFixture(t)
	f.Add("org/gated", "main", model())
	f.Gated = map[string]bool{"org/gated": true}
	if _, err := f.client().Pull(t.Context(), "org/gated"); !errors.Is(err, ErrGated) {
		t.Errorf("found %v", err)
	}
	if _, err := f.client().Pull(t.Context(), "org/none"); !errors.Is(err, ErrRepoNotFound) {
		t.Errorf("found %v", err)
	}
	f.Add(repo, "main", model())
	if _, err := f.client().Pull(t.Context(), repo+"@v3"); !errors.Is(err, ErrRevisionNotFound) {
		t.Errorf("found %v", err)
	}
	huge := func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("X-Repo-Commit", strings.Repeat("a", 40))
		w.Header().Set("X-Linked-Etag", `"`+strings.Repeat("b", 64)+`"`)
		w.Header().Set("X-Linked-Size", "1000000000000")
		return true
	}
	f.Fault = huge
	if _, err := f.client().Pull(t.Context(), "org/huge"); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a config of 1 TB: found %v", err)
	}
}

func TestPins(t *testing.T) {
	w := pattern(5000)
	commit := strings.Repeat("c", 40)
	load := func(t *testing.T, p pin) (*fixture, *Client) {
		f := newFixture(t)
		f.AddCommit(repo, "main", commit, map[string][]byte{binWeights: w})
		c := f.client()
		c.pins = []pin{p}
		return f, c
	}
	good := pin{repo, binWeights, commit, "", int64(len(w))}
	t.Run("match", func(t *testing.T) {
		f, c := load(t, good)
		c.pins[0].sha256 = f.ETag(w)
		for range 2 { // fetched, then cached
			if _, err := c.Pull(t.Context(), repo); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("other content", func(t *testing.T) {
		f, c := load(t, good)
		c.pins[0].sha256 = strings.Repeat("0", 64)
		for range 2 {
			var sum *ChecksumError
			if _, err := c.Pull(t.Context(), repo); !errors.As(err, &sum) || sum.Want != strings.Repeat("0", 64) {
				t.Errorf("want a ChecksumError, found %v", err)
			}
			f.noFile()
		}
		// Something else that is already in the cache is found out too.
		if _, err := f.client().Pull(t.Context(), repo); err != nil {
			t.Fatal(err)
		}
		var sum *ChecksumError
		if _, err := c.Pull(t.Context(), repo+"@"+commit); !errors.As(err, &sum) {
			t.Errorf("cached: want a ChecksumError, found %v", err)
		}
	})
	t.Run("other length", func(t *testing.T) {
		f, c := load(t, good)
		c.pins[0].sha256, c.pins[0].size = f.ETag(w), 7
		var size *SizeError
		if _, err := c.Pull(t.Context(), repo); !errors.As(err, &size) {
			t.Errorf("want a SizeError, found %v", err)
		}
	})
	for _, p := range pins {
		if !commitHash.MatchString(p.commit) || !sha256Hex.MatchString(p.sha256) || !slices.ContainsFunc(pretrained, func(t Tag) bool { return t.Repo == p.repo }) {
			t.Errorf("malformed pin %+v", p)
		}
	}
}
