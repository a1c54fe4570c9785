//go:build unix

package weights

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOpenPipe opens a pipe that nobody writes to: it must not wait.
func TestOpenPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.bin")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	if _, err := Open(path); !isFormat(err) || !strings.Contains(err.Error(), "pipe") {
		t.Errorf("error %v", err)
	}
}
