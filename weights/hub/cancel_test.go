package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

func TestCancelSlowDownload(t *testing.T) {
	f := newFixture(t)
	b := pattern(200_000)
	f.Add(repo, "main", map[string][]byte{"w": b})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f.onStorage(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(b)))
		for i := range b {
			if _, err := w.Write(b[i : i+1]); err != nil {
				return
			}
			w.(http.Flusher).Flush()
			if i == 20 {
				cancel()
			}
			select {
			case <-r.Context().Done():
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	})
	began := time.Now()
	_, err := f.client().File(ctx, repo, "main", "w")
	if !errors.Is(err, context.Canceled) || time.Since(began) > 5*time.Second {
		t.Fatalf("want the cancellation at once, found %v after %v", err, time.Since(began))
	}
	f.noFile()
}

func TestCancelBeforeAndWhileWaiting(t *testing.T) {
	f := newFixture(t)
	b := pattern(3000)
	f.Add(repo, "main", map[string][]byte{"w": b})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.client().File(ctx, repo, "main", "w"); !errors.Is(err, context.Canceled) {
		t.Errorf("before: %v", err)
	}
	f.Fault = func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(503); return true }
	why := errors.New("the user has left")
	ctx, stop := context.WithCancelCause(t.Context())
	c := f.client(func(c *Config) {
		c.Sleep = func(ctx context.Context, d time.Duration) error { stop(why); return sleep(ctx, time.Hour) }
	})
	if _, err := c.File(ctx, repo, "main", "w"); !errors.Is(err, why) {
		t.Errorf("in a back-off: want the cause, found %v", err)
	}
}

func TestCancelWhileLocked(t *testing.T) {
	f := newFixture(t)
	b := pattern(3000)
	f.Add(repo, "main", map[string][]byte{"w": b})
	c := f.client()
	if err := os.MkdirAll(f.cfg.CacheDir, 0o755); err != nil {
		t.Fatal(err)
	}
	unlock, err := c.lock(t.Context(), repo, f.ETag(b))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	if _, err := c.File(ctx, repo, "main", "w"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("want the deadline, found %v", err)
	}
	unlock()
	f.file(c, "main", "w", b)
}

// A server that falls silent is given up; one that is slow but alive is not.
func TestIdle(t *testing.T) {
	f := newFixture(t)
	b := pattern(2000)
	f.Add(repo, "main", map[string][]byte{"w": b})
	c := f.client(func(c *Config) { c.DownloadTimeout, c.Retries = time.Second, -1 })
	var slow atomic.Bool
	f.onStorage(func(w http.ResponseWriter, r *http.Request) {
		from := offset(r)
		if !slow.Load() {
			w.Header().Set("Content-Length", strconv.Itoa(len(b)))
			w.Write(b[:7])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(b)-1, len(b)))
		w.WriteHeader(http.StatusPartialContent)
		for i := from; i < len(b); i += 250 {
			w.Write(b[i:min(i+250, len(b))])
			w.(http.Flusher).Flush()
			time.Sleep(150 * time.Millisecond)
		}
	})
	_, err := c.File(t.Context(), repo, "main", "w")
	if !errors.Is(err, errIdle) || !errors.Is(err, ErrUnavailable) {
		t.Fatalf("want a timeout, found %v", err)
	}
	slow.Store(true)
	f.file(c, "main", "w", b) // 1.2 s in all, which is over the limit

	f.Fault = func(w http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }
	c = f.client(func(c *Config) { c.MetadataTimeout, c.Retries = 50*time.Millisecond, -1 })
	if _, err := c.Metadata(t.Context(), repo, "main", "w"); !errors.Is(err, errIdle) {
		t.Errorf("headers that do not come: %v", err)
	}
}
