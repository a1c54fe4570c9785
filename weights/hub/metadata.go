package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Metadata is what the hub says of a file before it is fetched.
type Metadata struct {
	Commit string // 40 hexadecimal digits
	ETag   string // checksum and name of the blob; see the package comment
	Size   int64  // bytes
}

// Metadata asks the hub for a file: HEAD {endpoint}/{repo}/resolve/{revision}/{file}.
// It never looks into the cache; in offline mode it fails with [ErrNotCached].
func (c *Client) Metadata(ctx context.Context, repo, revision, file string) (Metadata, error) {
	id, err := fileID{repo, revision, file}.check()
	if err != nil {
		return Metadata{}, err
	}
	if c.cfg.Offline {
		return Metadata{}, id.error(ErrNotCached, "offline mode makes no connection", nil)
	}
	return c.metadata(ctx, id)
}

// metadata may return a commit beside an [ErrEntryNotFound].
func (c *Client) metadata(ctx context.Context, id fileID) (md Metadata, err error) {
	err = c.retry(ctx, func(ctx context.Context) error {
		md, err = c.head(ctx, id)
		return err
	})
	return md, c.name(ctx, id, err)
}

// name wraps failures of the transport into an [Error] that names the file.
func (c *Client) name(ctx context.Context, id fileID, err error) error {
	var known *Error
	switch {
	case err == nil || errors.As(err, &known) || ctx.Err() != nil:
		return err
	case isContentError(err):
		return err
	}
	return id.error(ErrUnavailable, "", err)
}

// isContentError reports whether err already names its file.
func isContentError(err error) bool {
	var (
		sum   *ChecksumError
		size  *SizeError
		cache *CacheError
		name  *NameError
	)
	return errors.As(err, &sum) || errors.As(err, &size) || errors.As(err, &cache) || errors.As(err, &name)
}

func (c *Client) head(ctx context.Context, id fileID) (Metadata, error) {
	reqCtx, dog := newWatchdog(ctx, c.cfg.MetadataTimeout)
	defer dog.stop()
	var got headers
	resp, err := c.send(reqCtx, http.MethodHead, c.resolveURL(id), nil, func(r *http.Response) bool {
		got.merge(r)
		return got.complete()
	})
	if err != nil {
		return Metadata{}, dog.explain(err)
	}
	resp.Body.Close()
	if !isRedirect(resp.StatusCode) {
		got.merge(resp)
		if resp.StatusCode != http.StatusOK {
			md := Metadata{}
			if commitHash.MatchString(got.commit) {
				md.Commit = got.commit
			}
			return md, c.refusal(id, resp)
		}
		if got.etag == "" {
			got.etag = normalizeETag(resp.Header.Get("ETag"))
		}
		if got.size < 0 {
			got.size = resp.ContentLength
		}
	}
	return got.metadata(id)
}

// headers gathers what a chain of redirects says of a file. Large files answer
// with a redirect to a storage host that knows neither the commit nor the
// checksum, so the first word on each counts.
type headers struct {
	commit, etag string
	size         int64
	sized        bool
}

func (h *headers) merge(r *http.Response) {
	if h.commit == "" {
		h.commit = r.Header.Get("X-Repo-Commit")
	}
	if h.etag == "" {
		h.etag = normalizeETag(r.Header.Get("X-Linked-Etag"))
	}
	if !h.sized {
		h.size = -1
		if v := r.Header.Get("X-Linked-Size"); v != "" {
			h.sized = true
			if n, err := strconv.ParseInt(v, 10, 64); err == nil {
				h.size = n
			}
		}
	}
}

func (h *headers) complete() bool { return h.commit != "" && h.etag != "" && h.sized }

func (h *headers) metadata(id fileID) (Metadata, error) {
	const advice = "; check HF_ENDPOINT and any proxy"
	switch {
	case !commitHash.MatchString(h.commit):
		return Metadata{}, id.error(ErrProtocol, fmt.Sprintf("want a commit of 40 hexadecimal digits in X-Repo-Commit, found %q%s", shorten(h.commit, 60), advice), nil)
	case commitHash.MatchString(id.revision) && h.commit != id.revision:
		return Metadata{}, id.error(ErrProtocol, "want the commit that was asked for, found "+h.commit, nil)
	case !blobName.MatchString(h.etag) || strings.Contains(h.etag, ".."):
		return Metadata{}, id.error(ErrProtocol, fmt.Sprintf("want a checksum in ETag or X-Linked-Etag, found %q%s", shorten(h.etag, 140), advice), nil)
	case h.size < 0:
		return Metadata{}, id.error(ErrProtocol, "want a length in Content-Length or X-Linked-Size, found none"+advice, nil)
	}
	return Metadata{Commit: h.commit, ETag: h.etag, Size: h.size}, nil
}

// normalizeETag removes the quotes and the mark of a weak validator.
func normalizeETag(v string) string {
	return strings.Trim(strings.TrimPrefix(strings.TrimSpace(v), "W/"), `"`)
}
