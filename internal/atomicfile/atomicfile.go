// Package atomicfile writes files that bear their name only once they are whole and on
// disk: whoever opens the name finds what it held before or all of the new content.
package atomicfile

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
)

// File is a file that is being written under a temporary name beside its own.
type File struct {
	*os.File
	path string
	over bool
}

// Create begins a file with the permissions that the user's mask gives.
func Create(path string) (*File, error) {
	for try := 0; ; try++ {
		name := fmt.Sprintf("%s.%08x.tmp", path, rand.Uint32())
		f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
		if err == nil {
			return &File{File: f, path: path}, nil
		}
		if !errors.Is(err, os.ErrExist) || try == 100 {
			return nil, err
		}
	}
}

// Commit makes the content durable and gives the file its name, in the place of a file
// that had it. After an error, Abandon removes what was written.
func (f *File) Commit() error {
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), f.path); err != nil {
		return err
	}
	f.over = true
	syncFolder(filepath.Dir(f.path))
	return nil
}

// Abandon removes a file that was not committed; after Commit it does nothing.
func (f *File) Abandon() {
	if f.over {
		return
	}
	f.over = true
	f.Close() // closed twice at worst
	os.Remove(f.Name())
}

// Write creates the file, lets write fill it and commits it.
func Write(path string, write func(f *os.File) error) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	defer f.Abandon()
	if err := write(f.File); err != nil {
		return err
	}
	return f.Commit()
}

// syncFolder makes a new name durable as far as the system can.
func syncFolder(path string) {
	if runtime.GOOS == "windows" {
		return // folders cannot be synchronised there
	}
	d, err := os.Open(path)
	if err != nil {
		return // the file is in place; its folder may be write-only
	}
	defer d.Close()
	// Some file systems cannot synchronise a folder; the file itself is safe.
	_ = d.Sync()
}
