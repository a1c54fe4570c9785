package hub

import (
	"net/http"
	"testing"

	"github.com/seed-e0874532/coca/weights/hub/hubtest"
)

// A file of 64 MiB over loopback: transfer, SHA-256, writing and syncing.
func BenchmarkFile(b *testing.B) {
	h := hubtest.New()
	defer h.Close()
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	content := pattern(64 << 20)
	h.Add(repo, "main", map[string][]byte{"w": content})
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for b.Loop() {
		c, err := New(Config{CacheDir: b.TempDir(), Endpoint: h.URL, HTTP: &http.Client{Transport: tr}})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.File(b.Context(), repo, "main", "w"); err != nil {
			b.Fatal(err)
		}
	}
}
