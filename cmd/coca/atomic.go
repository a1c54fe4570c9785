package main

import (
	"os"
	"path/filepath"
)

// atomicFile is a file that has its name only once it is whole.
type atomicFile struct {
	*os.File
	path string
}

// createAtomic begins a file beside its final place.
func createAtomic(path string) (*atomicFile, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, err
	}
	return &atomicFile{f, path}, nil
}

// commit finishes the file and gives it its name.
func (f *atomicFile) commit() error {
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	err := os.Rename(f.Name(), f.path)
	if err == nil {
		f.File = nil
	}
	return err
}

// abandon removes a file that was not committed.
func (f *atomicFile) abandon() {
	if f.File != nil {
		f.Close()
		os.Remove(f.Name())
		f.File = nil
	}
}
