package hub

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// cut announces all of b from the asked offset on and hangs up after n bytes.
func cut(w http.ResponseWriter, r *http.Request, b []byte, n int) {
	from := offset(r)
	status := http.StatusOK
	if from > 0 {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(b)-1, len(b)))
		status = http.StatusPartialContent
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(b)-from))
	w.WriteHeader(status)
	w.Write(b[from:min(from+n, len(b))])
	if from+n < len(b) {
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

// offset is the start of the range that a request asks for.
func offset(r *http.Request) int {
	n, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-"))
	return n
}

// onStorage makes a fault of an answer of the storage host.
func (f *fixture) onStorage(answer http.HandlerFunc) {
	host := strings.TrimPrefix(f.Storage, "http://")
	f.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Host != host || r.Method != http.MethodGet {
			return false
		}
		answer(w, r)
		return true
	}
}

func (f *fixture) ranges() (out []string) {
	for _, r := range f.Requests() {
		if r.Storage && r.Method == "GET" {
			out = append(out, r.Range)
		}
	}
	return out
}

func (f *fixture) part(b []byte) string {
	return filepath.Join(f.cfg.CacheDir, "models--org--model", "blobs", f.ETag(b)+".incomplete")
}

func (f *fixture) writePart(b, content []byte) {
	f.t.Helper()
	if err := os.MkdirAll(filepath.Dir(f.part(b)), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(f.part(b), content, 0o644); err != nil {
		f.t.Fatal(err)
	}
}

func TestResumeAfterCut(t *testing.T) {
	f := newFixture(t)
	b := pattern(1_000_000)
	f.Add(repo, "main", map[string][]byte{"w": b})
	f.onStorage(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		cut(w, r, b, 300_000)
	})
	f.file(f.client(), "main", "w", b)
	got := f.ranges()
	if len(got) != 4 || got[0] != "" || !slices.IsSortedFunc(got[1:], func(a, b string) int { return len(a) - len(b) }) || got[3] == "" {
		t.Errorf("ranges %q, want one whole and three resumed requests", got)
	}
	for _, r := range f.Requests() {
		if r.Storage && r.Range != "" && r.IfRange != `"v1"` {
			t.Errorf("If-Range %q, want the storage host's own validator", r.IfRange)
		}
	}
	// Each piece was progress, so the back-off never grew.
	if len(f.slept) != 3 || slices.Max(f.slept) != time.Second {
		t.Errorf("waits %v, want three of 1s", f.slept)
	}
	f.noPartial()
}

// A server that knows no ranges sends everything again.
func TestResumeRangeIgnored(t *testing.T) {
	f := newFixture(t)
	b := pattern(500_000)
	f.Add(repo, "main", map[string][]byte{"w": b})
	var calls int
	f.onStorage(func(w http.ResponseWriter, r *http.Request) {
		calls++
		if r.Header.Del("Range"); calls == 1 {
			cut(w, r, b, 200_000)
		}
		cut(w, r, b, len(b))
	})
	f.file(f.client(), "main", "w", b)
	if calls != 2 {
		t.Errorf("%d requests, want 2", calls)
	}
}

// The file on the storage host has changed: If-Range makes it send all of it.
func TestResumeContentChanged(t *testing.T) {
	f := newFixture(t)
	b, wrong := pattern(400_000), make([]byte, 400_000)
	f.Add(repo, "main", map[string][]byte{"w": b})
	var calls int
	f.onStorage(func(w http.ResponseWriter, r *http.Request) {
		if calls++; calls == 1 {
			w.Header().Set("ETag", `"old"`)
			cut(w, r, wrong, 100_000)
		}
		if r.Header.Get("If-Range") != `"new"` {
			r.Header.Del("Range")
		}
		w.Header().Set("ETag", `"new"`)
		cut(w, r, b, len(b))
	})
	f.file(f.client(), "main", "w", b)
}

func TestResumeEarlierRun(t *testing.T) {
	b := pattern(600_000)
	tests := []struct {
		name  string
		part  []byte
		first string // Range of the first request
		calls int
	}{
		{"good start", b[:250_000], "bytes=250000-", 1},
		{"whole", b, "", 0},
		{"too long", append(slices.Clone(b), 1), "", 1},
		{"wrong bytes", make([]byte, 250_000), "bytes=250000-", 2},
		{"whole but wrong", make([]byte, len(b)), "", 1},
		{"empty", nil, "", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			f.Add(repo, "main", map[string][]byte{"w": b})
			f.writePart(b, tt.part)
			f.file(f.client(), "main", "w", b)
			got := f.ranges()
			if len(got) != tt.calls || (tt.calls > 0 && got[0] != tt.first) {
				t.Errorf("ranges %q, want %d requests, the first with %q", got, tt.calls, tt.first)
			}
			f.noPartial()
		})
	}
}

func TestBadAnswersToRange(t *testing.T) {
	b := pattern(600_000)
	tests := map[string]http.HandlerFunc{
		"416": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		},
		"other offset": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 7-%d/%d", len(b)-1, len(b)))
			w.WriteHeader(http.StatusPartialContent)
			w.Write(b[7:])
		},
		"nonsense": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", "bytes */x")
			w.WriteHeader(http.StatusPartialContent)
		},
	}
	for name, answer := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.Add(repo, "main", map[string][]byte{"w": b})
			f.writePart(b, b[:1000])
			f.onStorage(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Range") != "" {
					answer(w, r)
					return
				}
				cut(w, r, b, len(b))
			})
			f.file(f.client(), "main", "w", b)
		})
	}
}

func TestWrongChecksum(t *testing.T) {
	large, small := pattern(5000), []byte("small text")
	for name, b := range map[string][]byte{"sha256": large, "git blob sha1": small} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.Add(repo, "main", map[string][]byte{"w": b})
			bad := slices.Clone(b)
			bad[len(bad)/2] ^= 1
			f.Fault = func(w http.ResponseWriter, r *http.Request) bool {
				last := r.Method == http.MethodGet && (len(b) < f.LargeFrom || strings.HasPrefix(f.Storage, "http://"+r.Host))
				if last {
					w.Write(bad)
				}
				return last
			}
			_, err := f.client().File(t.Context(), repo, "main", "w")
			var sum *ChecksumError
			if !errors.As(err, &sum) {
				t.Fatalf("want a ChecksumError, found %v", err)
			}
			if sum.Algorithm != name || sum.Want != f.ETag(b) || sum.Got == sum.Want || sum.File != "w" || sum.Repo != repo {
				t.Errorf("%+v", sum)
			}
			f.noFile()
			f.noPartial()
			f.Fault = nil
			f.file(f.client(), "main", "w", b) // and the next attempt is not spoilt
		})
	}
}

func TestWrongLength(t *testing.T) {
	b := pattern(200_000)
	tests := map[string]func(w http.ResponseWriter, r *http.Request){
		"announced longer": func(w http.ResponseWriter, r *http.Request) { w.Write(append(slices.Clone(b), 1)) },
		"announced shorter": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(b)-1))
			w.Write(b[:len(b)-1])
		},
		"total of a range": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", "bytes 0-9/10")
			w.WriteHeader(http.StatusPartialContent)
			w.Write(b[:10])
		},
		"endless": func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush() // chunked: no length is announced
			for range 100 {
				if _, err := w.Write(b); err != nil {
					return
				}
			}
		},
	}
	for name, answer := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.Add(repo, "main", map[string][]byte{"w": b})
			f.onStorage(answer)
			_, err := f.client().File(t.Context(), repo, "main", "w")
			var size *SizeError
			if !errors.As(err, &size) || size.Want != int64(len(b)) || size.Got == size.Want {
				t.Fatalf("want a SizeError, found %v", err)
			}
			if len(f.slept) != 0 {
				t.Errorf("retried %d times what will stay wrong", len(f.slept))
			}
			f.noFile()
			f.noPartial()
		})
	}
}

// An answer without a length that ends early cannot be told from a whole one by
// itself; the length of the metadata tells.
func TestShortWithoutLength(t *testing.T) {
	f := newFixture(t)
	b := pattern(200_000)
	f.Add(repo, "main", map[string][]byte{"w": b})
	f.onStorage(func(w http.ResponseWriter, r *http.Request) {
		if from := offset(r); from > 0 {
			cut(w, r, b, len(b))
			return
		}
		w.(http.Flusher).Flush()
		w.Write(b[:100_000])
	})
	f.file(f.client(), "main", "w", b)
	if got := f.ranges(); len(got) != 2 || got[1] != "bytes=100000-" {
		t.Errorf("ranges %q", got)
	}
}

func TestGivesUp(t *testing.T) {
	f := newFixture(t)
	b := pattern(200_000)
	f.Add(repo, "main", map[string][]byte{"w": b})
	f.onStorage(func(w http.ResponseWriter, r *http.Request) { cut(w, r, b, 10) })
	_, err := f.client(func(c *Config) { c.Retries = 3 }).File(t.Context(), repo, "main", "w")
	if !errors.Is(err, ErrUnavailable) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("want ErrUnavailable for a connection cut again and again, found %v", err)
	}
	if want := []time.Duration{1e9, 2e9, 4e9}; !slices.Equal(f.slept, want) {
		t.Errorf("waits %v, want %v", f.slept, want)
	}
	f.noFile()
	if info, err := os.Stat(f.part(b)); err != nil || info.Size() != 40 {
		t.Errorf("want the 40 bytes that came kept for the next run: %v %v", info, err)
	}
	f.Fault = nil
	f.file(f.client(), "main", "w", b)
	if got := f.ranges(); got[len(got)-1] != "bytes=40-" {
		t.Errorf("ranges %q", got)
	}
}

// A server that sends the same start again and again makes no progress.
func TestGivesUpOnTheSameStart(t *testing.T) {
	f := newFixture(t)
	b := pattern(400_000)
	f.Add(repo, "main", map[string][]byte{"w": b})
	f.onStorage(func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush() // chunked: the end looks like a regular one
		w.Write(b[:300_000])
	})
	_, err := f.client().File(t.Context(), repo, "main", "w")
	if !errors.Is(err, ErrUnavailable) {
		t.Fatalf("want ErrUnavailable, found %v", err)
	}
	if len(f.slept) != DefaultRetries {
		t.Errorf("%d waits", len(f.slept))
	}
	f.noFile()
}

func TestUnknownETag(t *testing.T) {
	f := newFixture(t)
	b := pattern(900)
	commit := f.Add(repo, "main", map[string][]byte{"w": b})
	f.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("X-Repo-Commit", commit)
		w.Header().Set("ETag", `W/"md5-of-a-mirror"`)
		w.Header().Set("Content-Length", strconv.Itoa(len(b)))
		if r.Method == http.MethodGet {
			w.Write(b)
		}
		return true
	}
	f.file(f.client(), "main", "w", b)
	if _, err := os.Stat(filepath.Join(f.cfg.CacheDir, "models--org--model", "blobs", "md5-of-a-mirror")); err != nil {
		t.Error(err)
	}
}

func TestEmptyFile(t *testing.T) {
	needLinks(t)
	f := newFixture(t)
	f.Add(repo, "main", map[string][]byte{"empty": {}})
	p := f.file(f.client(), "main", "empty", nil)
	if target, err := os.Readlink(p); err != nil || filepath.Base(target) != "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391" {
		t.Errorf("blob %s, %v; want git's hash of the empty file", target, err)
	}
}

func TestSums(t *testing.T) {
	b := []byte("what is up, doc?")
	md := Metadata{ETag: "bd9dbf5aae1a3862dd1526723246b20206e5fc37", Size: int64(len(b))} // git's documentation
	h := newSum(md)
	h.Write(b)
	if got := fmt.Sprintf("%x", h.Sum(nil)); got != md.ETag {
		t.Errorf("git blob %s, want %s", got, md.ETag)
	}
	if newSum(Metadata{ETag: strings.Repeat("a", 64)}).Size() != sha256.Size {
		t.Error("64 digits are a SHA-256")
	}
	if newSum(Metadata{ETag: "storage-5"}) != nil {
		t.Error("an unknown ETag has no checksum")
	}
}
