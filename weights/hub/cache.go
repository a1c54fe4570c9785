package hub

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

const (
	maxRef   = 256    // bytes of a file in refs that are read
	maxNames = 10_000 // files of a snapshot that are looked at
)

// cache is the folder of one repository. All access goes through an [os.Root],
// which follows links inside the folder and refuses those that lead out of it.
type cache struct {
	folder string // models--ORG--NAME
	dir    string // absolute path of the folder
	root   *os.Root
}

func repoFolder(repo string) string {
	return "models--" + strings.ReplaceAll(repo, "/", "--")
}

// openCache opens a repository's folder, or returns nil if there is none and
// create is not set.
func (c *Client) openCache(repo string, create bool) (*cache, error) {
	folder := repoFolder(repo)
	dir := filepath.Join(c.cfg.CacheDir, folder)
	if create {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return nil, &CacheError{Path: folder, Want: "a folder that can be written", Err: bareFS(err)}
		}
	}
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) && !create {
		return nil, nil
	}
	if err != nil {
		return nil, &CacheError{Path: folder, Want: "a folder", Err: bareFS(err)}
	}
	return &cache{folder: folder, dir: dir, root: root}, nil
}

func (k *cache) close() {
	if k != nil {
		k.root.Close()
	}
}

func (k *cache) wrap(name, want string, err error) error {
	return &CacheError{Path: k.folder + "/" + name, Want: want, Err: bareFS(err)}
}

// bareFS drops the path of an error of the file system: CacheError names it.
func bareFS(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	var le *os.LinkError
	if errors.As(err, &le) {
		return le.Err
	}
	return err
}

func snapshotName(commit, file string) string { return "snapshots/" + commit + "/" + file }
func blobFile(etag string) string             { return "blobs/" + etag }

// path returns the absolute path of a slash-separated name in the folder.
func (k *cache) path(name string) string { return filepath.Join(k.dir, filepath.FromSlash(name)) }

// stat returns the size of a regular file, links inside the folder followed, or
// -1 if there is none.
func (k *cache) stat(name string) (int64, error) {
	info, err := k.root.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return -1, nil
	case err != nil:
		return -1, k.wrap(name, "a file inside this repository's folder", err)
	case !info.Mode().IsRegular():
		return -1, k.wrap(name, "a regular file", errors.New(info.Mode().Type().String()))
	}
	return info.Size(), nil
}

// find looks a file of a commit up.
func (k *cache) find(commit, file string) (size int64, err error) {
	if k == nil {
		return -1, nil
	}
	return k.stat(snapshotName(commit, file))
}

// names lists the files in the top folder of a snapshot.
func (k *cache) names(commit string) ([]string, error) {
	if commit == "" {
		return nil, nil
	}
	name := "snapshots/" + commit
	f, err := k.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, k.wrap(name, "a readable folder", err)
	}
	defer f.Close()
	names, err := f.Readdirnames(maxNames)
	if err != nil && err != io.EOF {
		return nil, k.wrap(name, "a readable folder", err)
	}
	return names, nil
}

// absent reports whether the hub has said that a commit lacks a file.
func (k *cache) absent(commit, file string) bool {
	if k == nil {
		return false
	}
	size, err := k.stat(".no_exist/" + commit + "/" + file)
	return err == nil && size >= 0
}

// setAbsent notes that a commit lacks a file. It is a convenience, so a failure
// is none of the caller's business.
func (k *cache) setAbsent(commit, file string) {
	name := ".no_exist/" + commit + "/" + file
	if k.root.MkdirAll(path.Dir(name), 0o777) != nil {
		return
	}
	if f, err := k.root.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o666); err == nil {
		f.Close()
	}
}

// ref returns the commit that a branch or tag was last seen at, "" if it never
// was.
func (k *cache) ref(revision string) (string, error) {
	if k == nil {
		return "", nil
	}
	name := "refs/" + revision
	if size, err := k.stat(name); err != nil || size < 0 {
		return "", err
	}
	f, err := k.root.Open(name)
	if err != nil {
		return "", k.wrap(name, "a readable file", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxRef))
	if err != nil {
		return "", k.wrap(name, "a readable file", err)
	}
	commit := strings.TrimSpace(string(b))
	if !commitHash.MatchString(commit) {
		return "", k.wrap(name, "a commit of 40 hexadecimal digits", fmt.Errorf("%q", shorten(commit, 60)))
	}
	return commit, nil
}

// setRef notes the commit of a branch or tag. A cache that already says so may
// be read-only.
func (k *cache) setRef(revision, commit string) error {
	if revision == commit {
		return nil
	}
	if old, err := k.ref(revision); err == nil && old == commit {
		return nil
	}
	name := "refs/" + revision
	if err := k.root.MkdirAll(path.Dir(name), 0o777); err != nil {
		return k.wrap(path.Dir(name), "a folder that can be written", err)
	}
	tmp := tempName()
	err := k.root.WriteFile(tmp, []byte(commit), 0o666)
	if err == nil {
		err = k.root.Rename(tmp, name)
	}
	if err != nil {
		k.root.Remove(tmp)
		return k.wrap(name, "a file that can be written", err)
	}
	return nil
}

// tempName is a name for a file that will be renamed, beside blobs and refs,
// where no reader of the layout looks.
func tempName() string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return "tmp_" + hex.EncodeToString(b[:])
}

// link makes snapshots/COMMIT/FILE stand for a blob: as a relative symbolic link,
// or, where the system has none, as the file itself: a blob that has just been
// fetched is moved, an older one copied, since other commits may share it.
func (k *cache) link(symlink func(*cache, string, string) error, etag, commit, file string, fresh bool) error {
	name, blob := snapshotName(commit, file), blobFile(etag)
	if err := k.root.MkdirAll(path.Dir(name), 0o777); err != nil {
		return k.wrap(path.Dir(name), "a folder that can be written", err)
	}
	target := strings.Repeat("../", strings.Count(name, "/")) + blob
	if symlink(k, target, name) == nil {
		return nil
	}
	var err error
	if fresh {
		err = k.root.Rename(blob, name)
	} else {
		err = k.copy(blob, name)
	}
	if err != nil {
		return k.wrap(name, "a link to or a copy of its blob", err)
	}
	return nil
}

// symlink replaces name by a link, in one step for those who watch.
func (k *cache) symlink(target, name string) error {
	tmp := tempName()
	if err := k.root.Symlink(target, tmp); err != nil {
		return err
	}
	if err := k.root.Rename(tmp, name); err != nil {
		k.root.Remove(tmp)
		return err
	}
	return nil
}

func (k *cache) copy(from, to string) error {
	src, err := k.root.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	tmp := tempName()
	dst, err := k.root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if err == nil {
		err = dst.Sync()
	}
	if e := dst.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = k.root.Rename(tmp, to)
	}
	if err != nil {
		k.root.Remove(tmp)
	}
	return err
}
