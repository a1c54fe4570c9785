package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
)

// located is a file in the cache. Beside an error it may still tell what was
// learnt of the commit.
type located struct {
	path   string // absolute
	commit string // "" if not known
	stale  bool   // the hub could not be asked, the commit is the last known one
}

// File returns the path of a file of a repository in the cache, fetching it if
// need be. The revision is a branch, a tag or a commit, "" for main.
//
// A file of a full commit that is in the cache is returned without a connection,
// and in offline mode so is one of a branch at its last known commit. If the hub
// cannot be asked, what the cache holds of that revision is returned instead of
// an error, as the hub's own libraries do.
//
// Errors are an [*Error] of one of the Err… kinds, a [*ChecksumError], a
// [*SizeError], a [*NameError], a [*CacheError], or the cause of ctx's end.
func (c *Client) File(ctx context.Context, repo, revision, file string) (string, error) {
	id, err := fileID{repo, revision, file}.check()
	if err != nil {
		return "", err
	}
	got, err := c.file(ctx, id, c.cfg.MaxFileSize, true)
	return got.path, err
}

// file is File for checked names. With note set, refs learns of the commit.
func (c *Client) file(ctx context.Context, id fileID, limit int64, note bool) (located, error) {
	if err := ctx.Err(); err != nil {
		return located{}, context.Cause(ctx)
	}
	if c.cfg.Offline {
		return c.cached(id, nil)
	}
	if commitHash.MatchString(id.revision) {
		got, err := c.cached(id, nil)
		if err == nil || !errors.Is(err, ErrNotCached) {
			return got, err
		}
	}
	md, err := c.metadata(ctx, id)
	if err != nil {
		return c.notAnswered(ctx, id, md, err)
	}
	if md.Size > limit {
		return located{}, id.error(ErrTooLarge, fmt.Sprintf("want at most %d bytes, found %d", limit, md.Size), nil)
	}
	if p := c.pin(id.repo, id.file, md.Commit); p != nil {
		if md.ETag != p.sha256 {
			return located{}, &ChecksumError{id.repo, md.Commit, id.file, "sha256 of this known commit", p.sha256, md.ETag}
		}
		if p.size != 0 && md.Size != p.size {
			return located{}, &SizeError{id.repo, md.Commit, id.file, p.size, md.Size, "length in this known commit"}
		}
	}
	got, err := c.place(ctx, id, md)
	if err == nil && note {
		err = c.setRef(id, md.Commit)
	}
	return got, err
}

// cached returns a file from the cache alone. The cause, if there is one, is why
// the hub was not asked, and is returned if the cache has not got the file.
func (c *Client) cached(id fileID, cause error) (located, error) {
	k, err := c.openCache(id.repo, false)
	if err != nil {
		return located{}, err
	}
	defer k.close()
	commit := id.revision
	if !commitHash.MatchString(commit) {
		if commit, err = k.ref(id.revision); err != nil {
			return located{}, cmp.Or(cause, err)
		}
	}
	if commit != "" {
		size, err := k.find(commit, id.file)
		if err != nil {
			return located{}, err
		}
		if size >= 0 {
			if err := c.checkCached(k, id, commit, size); err != nil {
				return located{}, err
			}
			c.report(Progress{Repo: id.repo, File: id.file, Done: size, Total: size, Cached: true, Finished: true})
			return located{k.path(snapshotName(commit, id.file)), commit, cause != nil}, nil
		}
		if cause == nil && k.absent(commit, id.file) {
			return located{commit: commit}, id.error(ErrEntryNotFound, "as the hub said before", nil)
		}
	}
	if cause != nil {
		return located{commit: commit, stale: commit != ""}, cause
	}
	detail := "want it in " + c.cfg.CacheDir
	if c.cfg.Offline {
		detail += "; HF_HUB_OFFLINE forbids to fetch it"
	}
	return located{commit: commit}, id.error(ErrNotCached, detail, nil)
}

// checkCached compares a cached file with what is known of its commit: the blob
// that the link names, and the length. The content was checked when it came.
func (c *Client) checkCached(k *cache, id fileID, commit string, size int64) error {
	p := c.pin(id.repo, id.file, commit)
	if p == nil {
		return nil
	}
	if target, err := k.root.Readlink(snapshotName(commit, id.file)); err == nil {
		if got := path.Base(toSlash(target)); got != p.sha256 {
			return &ChecksumError{id.repo, commit, id.file, "sha256 of this known commit", p.sha256, got}
		}
	}
	if p.size != 0 && size != p.size {
		return &SizeError{id.repo, commit, id.file, p.size, size, "length in this known commit"}
	}
	return nil
}

// notAnswered decides what a failed question for metadata means.
func (c *Client) notAnswered(ctx context.Context, id fileID, md Metadata, err error) (located, error) {
	if errors.Is(err, ErrEntryNotFound) && md.Commit != "" {
		// Worth remembering; nothing is lost if it cannot be.
		if k, e := c.openCache(id.repo, true); e == nil {
			k.setAbsent(md.Commit, id.file)
			k.close()
		}
		return located{commit: md.Commit}, err
	}
	if ctx.Err() != nil || errors.Is(err, ErrEntryNotFound) || errors.Is(err, ErrRevisionNotFound) {
		return located{}, err
	}
	return c.cached(id, err)
}

func (c *Client) setRef(id fileID, commit string) error {
	k, err := c.openCache(id.repo, false)
	if err != nil || k == nil {
		return err
	}
	defer k.close()
	return k.setRef(id.revision, commit)
}

// place makes sure that a file whose metadata is known is in the cache.
func (c *Client) place(ctx context.Context, id fileID, md Metadata) (located, error) {
	k, err := c.openCache(id.repo, true)
	if err != nil {
		return located{}, err
	}
	defer k.close()
	got := located{path: k.path(snapshotName(md.Commit, id.file)), commit: md.Commit}
	cached := Progress{Repo: id.repo, File: id.file, Done: md.Size, Total: md.Size, Cached: true, Finished: true}
	if size, err := k.find(md.Commit, id.file); err != nil {
		return located{}, err
	} else if size == md.Size {
		c.report(cached)
		return got, nil
	}
	unlock, err := c.lock(ctx, id.repo, md.ETag)
	if err != nil {
		return located{}, err
	}
	defer unlock()
	// Another client may have been quicker while this one waited.
	if size, err := k.find(md.Commit, id.file); err != nil {
		return located{}, err
	} else if size == md.Size {
		c.report(cached)
		return got, nil
	}
	blob := blobFile(md.ETag)
	size, err := k.stat(blob)
	if err != nil {
		return located{}, err
	}
	fresh := size != md.Size
	if fresh {
		if err := c.download(ctx, k, fileID{id.repo, md.Commit, id.file}, md); err != nil {
			return located{}, err
		}
	} else {
		c.report(cached)
	}
	return got, k.link(c.symlink, md.ETag, md.Commit, id.file, fresh)
}
