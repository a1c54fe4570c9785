package hub

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
)

const (
	copyBuffer  = 128 << 10
	minProgress = 64 << 10 // bytes that make an attempt worth another round of retries
)

// transfer is one blob on its way. It is used by one goroutine, with the lock
// of the blob held.
type transfer struct {
	c    *Client
	k    *cache
	id   fileID // revision is the commit
	md   Metadata
	part string // name of the partial file

	f     *os.File
	sum   hash.Hash // of the first have bytes; nil if the ETag is no checksum
	have  int64
	best  int64  // the most that have ever was, so that starting anew is no progress
	taken bool   // bytes of an earlier run are in the file
	etag  string // strong validator of the host that sent the last bytes
	buf   []byte
}

// download fetches a blob: into its partial file, which an earlier attempt may
// have begun, then checked, synced and renamed.
func (c *Client) download(ctx context.Context, k *cache, id fileID, md Metadata) (err error) {
	if err := k.root.MkdirAll("blobs", 0o777); err != nil {
		return k.wrap("blobs", "a folder that can be written", err)
	}
	t := &transfer{c: c, k: k, id: id, md: md, part: blobFile(md.ETag) + ".incomplete", buf: make([]byte, copyBuffer)}
	if err := t.open(ctx); err != nil {
		return err
	}
	defer func() {
		if t.f != nil {
			t.f.Close()
		}
		var sum *ChecksumError
		var size *SizeError
		if errors.As(err, &sum) || errors.As(err, &size) {
			k.root.Remove(t.part) // what is known to be wrong is not resumed
		}
	}()
	for {
		err := c.retry(ctx, t.attempt)
		if err != nil {
			return c.name(ctx, id, err)
		}
		err = t.verify()
		if err == nil {
			break
		}
		if !t.taken {
			return err
		}
		// The bytes that an earlier run left may be the wrong ones.
		if err := t.restart(); err != nil {
			return err
		}
	}
	return t.commit()
}

// open opens the partial file and takes the checksum of what it already holds.
func (t *transfer) open(ctx context.Context) error {
	root := t.k.root
	if info, err := root.Lstat(t.part); err == nil && !info.Mode().IsRegular() {
		if err := root.Remove(t.part); err != nil { // a link would write elsewhere
			return t.k.wrap(t.part, "a regular file", err)
		}
	}
	f, err := root.OpenFile(t.part, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return t.k.wrap(t.part, "a file that can be written", err)
	}
	t.f, t.sum = f, newSum(t.md)
	info, err := f.Stat()
	if err != nil {
		return t.k.wrap(t.part, "a regular file", err)
	}
	if info.Size() > t.md.Size {
		return t.restart()
	}
	for t.have < info.Size() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := f.Read(t.buf[:min(int64(len(t.buf)), info.Size()-t.have)])
		if err != nil {
			return t.k.wrap(t.part, "a readable file", err)
		}
		t.add(t.buf[:n])
	}
	t.taken = t.have > 0
	t.report(false)
	return nil
}

func (t *transfer) add(b []byte) {
	if t.sum != nil {
		t.sum.Write(b)
	}
	t.have += int64(len(b))
}

// restart forgets all bytes.
func (t *transfer) restart() error {
	if err := t.f.Truncate(0); err != nil {
		return t.k.wrap(t.part, "a file that can be written", err)
	}
	if _, err := t.f.Seek(0, io.SeekStart); err != nil {
		return t.k.wrap(t.part, "a file that can be written", err)
	}
	t.sum, t.have, t.taken, t.etag = newSum(t.md), 0, false, ""
	return nil
}

func (t *transfer) report(finished bool) {
	t.c.report(Progress{Repo: t.id.repo, File: t.id.file, Done: t.have, Total: t.md.Size, Finished: finished})
}

// attempt asks for the missing bytes once.
func (t *transfer) attempt(ctx context.Context) error {
	if t.have == t.md.Size {
		return nil
	}
	header := http.Header{}
	if t.have > 0 {
		header.Set("Range", "bytes="+strconv.FormatInt(t.have, 10)+"-")
		if t.etag != "" {
			header.Set("If-Range", t.etag)
		}
	}
	reqCtx, dog := newWatchdog(ctx, t.c.cfg.MetadataTimeout)
	defer dog.stop()
	// The address is resolved anew each time: signed addresses of storage hosts
	// expire, perhaps in the middle of a download.
	resp, err := t.c.send(reqCtx, http.MethodGet, t.c.resolveURL(t.id), header, nil)
	if err != nil {
		return dog.explain(err)
	}
	defer resp.Body.Close()
	dog.rest()
	if err := t.accept(resp); err != nil {
		return err
	}
	return dog.explain(t.copy(&watched{resp.Body, dog, t.c.cfg.DownloadTimeout}))
}

// accept checks the head of an answer against what is known of the file and
// makes the partial file end where the answer begins.
func (t *transfer) accept(resp *http.Response) error {
	if enc := resp.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return t.id.error(ErrProtocol, fmt.Sprintf("want no Content-Encoding, found %q", shorten(enc, 40)), nil)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		if t.have > 0 { // the server knows no ranges, or the file there has changed
			if err := t.restart(); err != nil {
				return err
			}
		}
		if resp.ContentLength >= 0 && resp.ContentLength != t.md.Size {
			return t.sizeError(resp.ContentLength, "length of the answer")
		}
	case http.StatusPartialContent:
		from, total, ok := contentRange(resp.Header.Get("Content-Range"))
		if total >= 0 && total != t.md.Size {
			return t.sizeError(total, "length in Content-Range")
		}
		if !ok || from != t.have {
			return t.again(fmt.Errorf("want bytes from %d, found Content-Range %q", t.have, shorten(resp.Header.Get("Content-Range"), 60)))
		}
	case http.StatusRequestedRangeNotSatisfiable:
		return t.again(errors.New("the server refuses the range"))
	default:
		err := t.c.refusal(t.id, resp)
		if !sameOrigin(resp.Request.URL, t.c.endpoint) && resp.StatusCode < 500 {
			return &temporary{err: err} // a signed address that has expired
		}
		return err
	}
	t.etag = ""
	if v := resp.Header.Get("ETag"); strings.HasPrefix(v, `"`) {
		t.etag = v // a weak one must not stand in If-Range
	}
	return nil
}

// again starts from the first byte in the next attempt.
func (t *transfer) again(reason error) error {
	if err := t.restart(); err != nil {
		return err
	}
	return &temporary{err: reason}
}

func (t *transfer) sizeError(got int64, where string) error {
	return &SizeError{t.id.repo, t.id.revision, t.id.file, t.md.Size, got, where}
}

// copy appends a body. It never writes more than the announced length.
func (t *transfer) copy(body io.Reader) error {
	for {
		n, err := body.Read(t.buf)
		if n > 0 {
			if t.have+int64(n) > t.md.Size {
				return t.sizeError(t.have+int64(n), "length received so far")
			}
			if _, err := t.f.Write(t.buf[:n]); err != nil {
				return t.k.wrap(t.part, "a file that can be written", err)
			}
			t.add(t.buf[:n])
			t.report(false)
		}
		if err == io.EOF && t.have == t.md.Size {
			return nil
		}
		if err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			progress := t.have-t.best >= minProgress
			t.best = max(t.best, t.have)
			return &temporary{
				err:      fmt.Errorf("connection ended after %d of %d bytes: %w", t.have, t.md.Size, bare(err)),
				progress: progress,
			}
		}
	}
}

// verify compares the checksum of all bytes with the ETag.
func (t *transfer) verify() error {
	if t.sum == nil {
		return nil
	}
	if got := fmt.Sprintf("%x", t.sum.Sum(nil)); got != t.md.ETag {
		return &ChecksumError{t.id.repo, t.id.revision, t.id.file, sumName(t.md), t.md.ETag, got}
	}
	return nil
}

// commit gives the whole and checked file its final name. It is synced first,
// so that after a crash the name never stands for a file with holes.
func (t *transfer) commit() error {
	err := t.f.Sync()
	if e := t.f.Close(); err == nil {
		err = e
	}
	t.f = nil
	if err == nil {
		err = t.k.root.Rename(t.part, blobFile(t.md.ETag))
	}
	if err != nil {
		return t.k.wrap(t.part, "a file that can be written and renamed", err)
	}
	if runtime.GOOS != "windows" { // there a folder cannot be synced
		if d, err := t.k.root.Open("blobs"); err == nil {
			_ = d.Sync() // not every file system can
			d.Close()
		}
	}
	t.report(true)
	return nil
}
