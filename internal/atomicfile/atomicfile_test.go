package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// only fails unless the folder of path holds nothing but path, with the content.
func only(t *testing.T, path, content string) {
	t.Helper()
	list, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0].Name() != filepath.Base(path) {
		t.Errorf("folder: want only %s, got %v", filepath.Base(path), list)
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != content {
		t.Errorf("content: want %q, got %q, %v", content, got, err)
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("half"); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); string(got) != "old" {
		t.Errorf("while writing: want the old content, got %q", got)
	}
	f.Abandon()
	f.Abandon()
	only(t, path, "old")
	if err := Write(path, func(f *os.File) error { _, err := f.WriteString("new"); return err }); err != nil {
		t.Fatal(err)
	}
	only(t, path, "new")
}

func TestWriteFails(t *testing.T) {
	path, cause := filepath.Join(t.TempDir(), "file"), errors.New("the cause")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	err := Write(path, func(f *os.File) error {
		f.WriteString("half")
		return cause
	})
	if !errors.Is(err, cause) {
		t.Errorf("want the writer's error, got %v", err)
	}
	only(t, path, "old")
	if err := Write(filepath.Join(path, "below a file"), nil); err == nil {
		t.Error("a folder that is a file: want an error")
	}
}

func TestCommitOverAFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "folder")
	if err := os.MkdirAll(filepath.Join(path, "full"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, func(*os.File) error { return nil }); err == nil {
		t.Error("a folder in the file's place: want an error")
	}
	if list, _ := os.ReadDir(filepath.Dir(path)); len(list) != 1 {
		t.Errorf("something was left behind: %v", list)
	}
}
