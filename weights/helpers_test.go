package weights

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// writeFile writes bytes to a new file and returns its path.
func writeFile(t testing.TB, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.bin")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// safetensorsFile builds a file of a header and n zero bytes of data.
func safetensorsFile(header string, n int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	b = append(b, header...)
	return append(b, make([]byte, n)...)
}

// typed tells whether an error is one of the package's types.
func typed(err error) bool {
	for _, target := range []any{new(*FormatError), new(*UnsupportedError), new(*LimitError), new(*FaultError),
		new(*NotFoundError), new(*SizeError), new(*ModelDirError)} {
		if errors.As(err, target) {
			return true
		}
	}
	return false
}

func asError[T error](err error, target *T) bool { return errors.As(err, target) }
