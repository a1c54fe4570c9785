package hub

import (
	"context"
	"errors"
	"os"
	"time"
)

const lockPoll = 50 * time.Millisecond

// errNoLocks is what tryLock returns where the system or the file system has no
// advisory locks. Downloads then go on without one: two at once may spoil each
// other's partial file, which the checksum finds out.
var errNoLocks = errors.New("no advisory locks here")

// lock takes the lock of a blob, waiting for other clients and processes, and
// returns a function that gives it back. It is the lock of huggingface_hub:
// flock, or the first byte under Windows. The file stays: removing it would let
// two processes lock two files of one name.
func (c *Client) lock(ctx context.Context, repo, etag string) (unlock func(), err error) {
	folder := ".locks/" + repoFolder(repo)
	name := folder + "/" + etag + ".lock"
	top, err := os.OpenRoot(c.cfg.CacheDir)
	if err != nil {
		return nil, &CacheError{Path: ".", Want: "a folder", Err: bareFS(err)}
	}
	defer top.Close()
	if err := top.MkdirAll(folder, 0o777); err != nil {
		return nil, &CacheError{Path: folder, Want: "a folder that can be written", Err: bareFS(err)}
	}
	for {
		f, err := top.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return nil, &CacheError{Path: name, Want: "a file that can be locked", Err: bareFS(err)}
		}
		locked, err := tryLock(f)
		switch {
		case errors.Is(err, errNoLocks):
			return func() { f.Close() }, nil
		case err != nil:
			f.Close()
			return nil, &CacheError{Path: name, Want: "a file that can be locked", Err: err}
		case locked && sameFile(top, f, name):
			return func() {
				unlockFile(f)
				f.Close()
			}, nil
		}
		f.Close()
		if err := sleep(ctx, lockPoll); err != nil {
			return nil, err
		}
	}
}

// sameFile reports whether the locked file still has its name: another program
// may have cleared the locks in the meantime.
func sameFile(top *os.Root, f *os.File, name string) bool {
	a, errA := f.Stat()
	b, errB := top.Stat(name)
	return errA == nil && errB == nil && os.SameFile(a, b)
}
