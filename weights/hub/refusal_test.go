package hub

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRefusals(t *testing.T) {
	f := newFixture(t)
	f.Add(repo, "main", map[string][]byte{"w": pattern(100)})
	f.Add("org/private", "main", map[string][]byte{"w": pattern(100)})
	f.Add("org/gated", "main", map[string][]byte{"w": pattern(100)})
	f.Private = map[string]string{"org/private": "hf_good"}
	f.Gated = map[string]bool{"org/gated": true}
	tests := []struct {
		repo, revision, file, token string
		kind                        error
		status                      int
		advice                      string
	}{
		{repo, "main", "none", "", ErrEntryNotFound, 404, ""},
		{repo, "v9", "w", "", ErrRevisionNotFound, 404, "branch, a tag or a commit"},
		{"org/none", "main", "w", "", ErrRepoNotFound, 404, "check the name"},
		{"org/private", "main", "w", "", ErrRepoNotFound, 401, "HF_TOKEN"},
		{"org/private", "main", "w", "hf_bad", ErrUnauthorized, 401, "HF_TOKEN is valid"},
		{"org/gated", "main", "w", "", ErrGated, 403, "/org/gated and set HF_TOKEN"},
		{"org/gated", "main", "w", "hf_good", ErrGated, 403, "account of this HF_TOKEN"},
	}
	for _, tt := range tests {
		_, err := f.client(func(c *Config) { c.Token = tt.token }).File(t.Context(), tt.repo, tt.revision, tt.file)
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, tt.kind) || e.Status != tt.status || e.Repo != tt.repo || e.Revision != tt.revision || e.File != tt.file {
			t.Errorf("%+v: found %#v", tt, err)
			continue
		}
		if !strings.Contains(err.Error(), tt.advice) || strings.Contains(err.Error(), "\n") {
			t.Errorf("want one line with %q, found %q", tt.advice, err)
		}
		if tt.token != "" && strings.Contains(err.Error(), tt.token) {
			t.Errorf("the error shows the token: %q", err)
		}
	}
	if len(f.slept) != 0 {
		t.Errorf("final refusals were retried: %v", f.slept)
	}
	p, err := f.client(func(c *Config) { c.Token = "hf_good" }).File(t.Context(), "org/private", "", "w")
	if err != nil || p == "" {
		t.Errorf("private with its token: %v", err)
	}
}

// Refusals of mirrors that send no error codes, and messages that are hostile.
func TestBareRefusals(t *testing.T) {
	tests := map[int]error{401: ErrUnauthorized, 403: ErrUnauthorized, 404: ErrEntryNotFound, 418: ErrProtocol, 204: ErrProtocol}
	for status, kind := range tests {
		f := newFixture(t)
		f.Fault = func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("X-Error-Message", "see\u202e"+strings.Repeat("x", 5000))
			w.WriteHeader(status)
			return true
		}
		_, err := f.client().File(t.Context(), repo, "", "w")
		if !errors.Is(err, kind) || strings.ContainsRune(err.Error(), 0x202e) || len(err.Error()) > 500 {
			t.Errorf("%d: want %v in a short line, found %q", status, kind, err)
		}
	}
	f := newFixture(t)
	f.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("X-Error-Message", "Access to this resource is disabled.")
		w.WriteHeader(403)
		return true
	}
	if _, err := f.client().File(t.Context(), repo, "", "w"); !errors.Is(err, ErrDisabled) {
		t.Errorf("want ErrDisabled, found %v", err)
	}
}

func TestRetries(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := []struct {
		name   string
		status int
		after  string
		fails  int
		want   []time.Duration
	}{
		{"503", 503, "", 3, []time.Duration{1e9, 2e9, 4e9}},
		{"500 to the limit of the back-off", 500, "", 5, []time.Duration{1e9, 2e9, 4e9, 8e9, 8e9}},
		{"408", 408, "", 1, []time.Duration{1e9}},
		{"429 seconds", 429, "7", 2, []time.Duration{7e9, 7e9}},
		{"429 date", 429, now.Add(9 * time.Second).Format(http.TimeFormat), 1, []time.Duration{9e9}},
		{"429 far too long", 429, "99999999999", 1, []time.Duration{maxRetryAfter}},
		{"429 shorter than the back-off", 429, "1", 2, []time.Duration{1e9, 2e9}},
		{"429 in the past", 429, now.Add(-time.Hour).Format(http.TimeFormat), 1, []time.Duration{1e9}},
		{"429 nonsense", 429, "soon", 1, []time.Duration{1e9}},
		{"429 negative", 429, "-4", 1, []time.Duration{1e9}},
	}
	for _, tt := range tests {
		for _, method := range []string{"HEAD", "GET"} {
			t.Run(tt.name+" "+method, func(t *testing.T) {
				f := newFixture(t)
				b := pattern(700)
				f.Add(repo, "main", map[string][]byte{"w": b})
				left := tt.fails
				f.Fault = func(w http.ResponseWriter, r *http.Request) bool {
					if r.Method != method || left == 0 {
						return false
					}
					left--
					if tt.after != "" {
						w.Header().Set("Retry-After", tt.after)
					}
					w.WriteHeader(tt.status)
					return true
				}
				c := f.client()
				c.now = func() time.Time { return now }
				f.file(c, "main", "w", b)
				if !slices.Equal(f.slept, tt.want) {
					t.Errorf("waits %v, want %v", f.slept, tt.want)
				}
			})
		}
	}
}

func TestRetriesEnd(t *testing.T) {
	for status, kind := range map[int]error{429: ErrRateLimited, 502: ErrUnavailable} {
		f := newFixture(t)
		f.Fault = func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(status); return true }
		_, err := f.client(func(c *Config) { c.Retries = 2 }).File(t.Context(), repo, "", "w")
		if !errors.Is(err, kind) || len(f.slept) != 2 {
			t.Errorf("%d: %v after %d waits, want %v after 2", status, err, len(f.slept), kind)
		}
	}
}

func TestTokenStaysAtHome(t *testing.T) {
	f := newFixture(t)
	large, small := pattern(5000), pattern(50)
	f.Add("org/private", "main", map[string][]byte{"large": large, "small": small})
	f.Private = map[string]string{"org/private": "hf_secret"}
	c := f.client(func(c *Config) { c.Token = "hf_secret" })
	for _, name := range []string{"large", "small"} {
		if _, err := c.File(t.Context(), "org/private", "main", name); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range f.Requests() {
		if r.Storage && r.Authorization != "" {
			t.Errorf("%s %s: the storage host saw the token", r.Method, r.Path)
		}
		if !r.Storage && r.Authorization != "Bearer hf_secret" {
			t.Errorf("%s %s: the hub did not see the token", r.Method, r.Path)
		}
	}
	if f.count("GET", true) != 1 {
		t.Errorf("%d downloads from the storage host, want 1", f.count("GET", true))
	}
}

func TestRedirects(t *testing.T) {
	b := pattern(3000)
	t.Run("renamed repository", func(t *testing.T) {
		f := newFixture(t)
		f.Add("org/new", "main", map[string][]byte{"w": b})
		f.Renamed = map[string]string{repo: "org/new"}
		f.file(f.client(), "main", "w", b)
	})
	t.Run("expired address", func(t *testing.T) {
		f := newFixture(t)
		f.Add(repo, "main", map[string][]byte{"w": b})
		calls := 0
		f.onStorage(func(w http.ResponseWriter, r *http.Request) {
			if calls++; calls == 1 {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			cut(w, r, b, len(b))
		})
		f.file(f.client(), "main", "w", b)
	})
	bad := map[string]string{
		"endless":    "self",
		"no address": "",
		"scheme":     "file:///etc/passwd",
		"nonsense":   "http:///x",
	}
	for name, location := range bad {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.Fault = func(w http.ResponseWriter, r *http.Request) bool {
				if location == "self" {
					w.Header().Set("Location", r.URL.String())
				} else if location != "" {
					w.Header().Set("Location", location)
				}
				w.WriteHeader(http.StatusFound)
				return true
			}
			_, err := f.client().File(t.Context(), repo, "main", "w")
			if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "redirect") {
				t.Errorf("found %v", err)
			}
			if n := len(f.Requests()); n > maxRedirects || len(f.slept) > 0 {
				t.Errorf("%d requests, %d waits", n, len(f.slept))
			}
		})
	}
	t.Run("no way back to http", func(t *testing.T) {
		s := httptest.NewTLSServer(http.RedirectHandler("http://127.0.0.1:1/x", http.StatusFound))
		defer s.Close()
		c, err := New(Config{CacheDir: t.TempDir(), Endpoint: s.URL, HTTP: s.Client(), Retries: -1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Metadata(t.Context(), repo, "", "w"); err == nil || !strings.Contains(err.Error(), "want https as before") {
			t.Errorf("found %v", err)
		}
	})
	t.Run("unknown certificate", func(t *testing.T) {
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.Config.ErrorLog = discard
		s.StartTLS()
		defer s.Close()
		f := newFixture(t)
		if _, err := f.client(func(c *Config) { c.Endpoint = s.URL }).File(t.Context(), repo, "", "w"); !errors.Is(err, ErrUnavailable) || len(f.slept) > 0 {
			t.Errorf("want one failed attempt, found %v after %d waits", err, len(f.slept))
		}
	})
}

func TestErrorsHideSignedAddresses(t *testing.T) {
	f := newFixture(t)
	f.Add(repo, "main", map[string][]byte{"w": pattern(3000)})
	f.onStorage(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	_, err := f.client(func(c *Config) { c.Retries = -1 }).File(t.Context(), repo, "main", "w")
	if err == nil || strings.Contains(err.Error(), "Signature") {
		t.Errorf("found %v", err)
	}
}

// A mirror is any endpoint, also one below a path.
func TestMirror(t *testing.T) {
	f := newFixture(t)
	b := pattern(3000)
	f.Add(repo, "refs/pr/1", map[string][]byte{"a b/w#1.bin": b})
	origin, err := url.Parse(f.URL)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.EscapedPath())
		rest, ok := strings.CutPrefix(r.URL.EscapedPath(), "/mirror/hf")
		if !ok {
			http.Error(w, "outside", http.StatusTeapot)
			return
		}
		http.Redirect(w, r, origin.String()+rest, http.StatusPermanentRedirect)
	}))
	defer mirror.Close()
	c := f.client(func(c *Config) { c.Endpoint, c.Token = mirror.URL+"/mirror/hf/", "hf_secret" })
	f.file(c, "refs/pr/1", "a b/w#1.bin", b)
	if want := "/mirror/hf/org/model/resolve/refs%2Fpr%2F1/a%20b/w%231.bin"; !slices.Contains(paths, want) {
		t.Errorf("paths %q, want %s", paths, want)
	}
	for _, r := range f.Requests() {
		if r.Authorization != "" {
			t.Errorf("%s: a host that is not the endpoint saw the token", r.Path)
		}
	}
}

func TestNotAHub(t *testing.T) {
	const commit = "0123456789012345678901234567890123456789"
	tests := map[string]http.Header{
		"login page":      {},
		"short commit":    {"X-Repo-Commit": {"abc"}, "Etag": {`"x"`}},
		"commit is path":  {"X-Repo-Commit": {"../../../../etc"}, "Etag": {`"x"`}},
		"etag is path":    {"X-Repo-Commit": {commit}, "Etag": {`"../../x"`}},
		"etag is dots":    {"X-Repo-Commit": {commit}, "Etag": {`".."`}},
		"etag with slash": {"X-Repo-Commit": {commit}, "X-Linked-Etag": {`"a/b"`}},
		"etag too long":   {"X-Repo-Commit": {commit}, "Etag": {`"` + strings.Repeat("a", 300) + `"`}},
		"bad size":        {"X-Repo-Commit": {commit}, "X-Linked-Etag": {`"a"`}, "X-Linked-Size": {"-5"}, "Transfer-Encoding": {"chunked"}},
	}
	for name, header := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.Fault = func(w http.ResponseWriter, r *http.Request) bool {
				for k, v := range header {
					w.Header()[k] = v
				}
				return true
			}
			_, err := f.client().File(t.Context(), repo, "main", "w")
			if !errors.Is(err, ErrProtocol) {
				t.Errorf("want ErrProtocol, found %v", err)
			}
			if got := tree(t, f.cfg.CacheDir); len(got) != 0 {
				t.Errorf("the cache is not empty: %v", got)
			}
		})
	}
	t.Run("other commit", func(t *testing.T) {
		f := newFixture(t)
		f.Add(repo, "main", map[string][]byte{"w": nil})
		f.Fault = func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("X-Repo-Commit", commit)
			w.Header().Set("ETag", `"x"`)
			return true
		}
		if _, err := f.client().File(t.Context(), repo, strings.Repeat("f", 40), "w"); !errors.Is(err, ErrProtocol) {
			t.Errorf("want ErrProtocol, found %v", err)
		}
	})
	t.Run("compressed", func(t *testing.T) {
		f := newFixture(t)
		f.Add(repo, "main", map[string][]byte{"w": pattern(3000)})
		f.onStorage(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write([]byte("x"))
		})
		if _, err := f.client().File(t.Context(), repo, "main", "w"); !errors.Is(err, ErrProtocol) {
			t.Errorf("want ErrProtocol, found %v", err)
		}
	})
}

func TestTooLarge(t *testing.T) {
	f := newFixture(t)
	f.Add(repo, "main", map[string][]byte{"w": pattern(3000)})
	_, err := f.client(func(c *Config) { c.MaxFileSize = 2999 }).File(t.Context(), repo, "", "w")
	if !errors.Is(err, ErrTooLarge) || f.count("GET", true) != 0 {
		t.Errorf("want ErrTooLarge before anything is fetched, found %v", err)
	}
}

func TestList(t *testing.T) {
	f := newFixture(t)
	commit := f.Add(repo, "main", map[string][]byte{"a": nil, "b/c": nil})
	files, got, err := f.client().List(t.Context(), repo, "")
	if err != nil || got != commit || !slices.Equal(files, []string{"a", "b/c"}) {
		t.Errorf("%q %s %v", files, got, err)
	}
	if _, _, err := f.client().List(t.Context(), "org/none", ""); !errors.Is(err, ErrRepoNotFound) {
		t.Errorf("found %v", err)
	}
	bad := map[string]struct {
		body []byte
		kind error
	}{
		"endless":     {bytes.Repeat([]byte("["), maxListing+10), ErrTooLarge},
		"huge string": {append([]byte(`{"sha":"`), bytes.Repeat([]byte("a"), maxListing)...), ErrTooLarge},
		"deep":        {bytes.Repeat([]byte("["), 1<<20), ErrProtocol},
		"html":        {[]byte("<html>"), ErrProtocol},
		"null":        {[]byte("null"), ErrProtocol},
		"no commit":   {[]byte(`{"siblings":[]}`), ErrProtocol},
		"wrong types": {[]byte(`{"sha":3}`), ErrProtocol},
	}
	for name, tt := range bad {
		f.Fault = func(w http.ResponseWriter, r *http.Request) bool { w.Write(tt.body); return true }
		if _, _, err := f.client().List(t.Context(), repo, ""); !errors.Is(err, tt.kind) || len(err.Error()) > 400 {
			t.Errorf("%s: want %v, found %v", name, tt.kind, err)
		}
	}
}
