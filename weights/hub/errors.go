package hub

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode"
)

// The kinds of refusal, to be told apart with [errors.Is].
var (
	ErrUnauthorized     = errors.New("access refused")
	ErrGated            = errors.New("gated repository")
	ErrRepoNotFound     = errors.New("repository not found")
	ErrRevisionNotFound = errors.New("revision not found")
	ErrEntryNotFound    = errors.New("file not found in the repository")
	ErrDisabled         = errors.New("repository disabled by the hub")
	ErrRateLimited      = errors.New("too many requests")
	ErrUnavailable      = errors.New("the hub does not answer")
	ErrProtocol         = errors.New("the answer is not that of a hub")
	ErrNotCached        = errors.New("not in the cache")
	ErrTooLarge         = errors.New("file too large")
	ErrNoWeights        = errors.New("no weights in the repository")
)

// Error is a file or repository that could not be had. It unwraps to one of the
// kinds above and, where there is one, to the cause.
type Error struct {
	Repo, Revision, File string // File is empty where the repository as a whole is meant
	Kind                 error  // one of the Err… values
	Status               int    // of the HTTP answer, 0 if there was none
	Detail               string // what was wanted and found, or what to do about it
	Err                  error  // cause, may be nil
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "hub: %s", describe(e.Repo, e.Revision, e.File))
	fmt.Fprintf(&b, ": %v", e.Kind)
	if e.Status != 0 {
		fmt.Fprintf(&b, " (status %d)", e.Status)
	}
	if e.Detail != "" {
		fmt.Fprintf(&b, ": %s", e.Detail)
	}
	if e.Err != nil {
		b.WriteString(": " + printable(shorten(e.Err.Error(), 300)))
	}
	return b.String()
}

// Unwrap returns the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// ChecksumError is a file whose content is not what its checksum promised; what
// was fetched has been removed. A file that was in the cache before, and is not
// the one that its known commit has, stays.
type ChecksumError struct {
	Repo, Revision, File string
	Algorithm            string // "sha256", or "git blob sha1"
	Want, Got            string // hexadecimal
}

func (e *ChecksumError) Error() string {
	return fmt.Sprintf("hub: %s: %s: want %s, found %s", describe(e.Repo, e.Revision, e.File), e.Algorithm, e.Want, e.Got)
}

// SizeError is a file whose length is not the announced one.
type SizeError struct {
	Repo, Revision, File string
	Want, Got            int64 // bytes
	Where                string
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("hub: %s: %s: want %d bytes, found %d", describe(e.Repo, e.Revision, e.File), e.Where, e.Want, e.Got)
}

// NameError is a name of a model, repository, revision or file that cannot be
// used, or that leads nowhere.
type NameError struct {
	What string // "model", "repository", "revision", "file"
	Name string
	Want string
}

func (e *NameError) Error() string {
	return fmt.Sprintf("hub: name of %s: want %s, found %q", e.What, e.Want, shorten(e.Name, 120))
}

// CacheError is a part of the cache folder that cannot be used as it is, such as
// a link that points outside.
type CacheError struct {
	Path string // relative to the cache folder
	Want string
	Err  error // may be nil
}

func (e *CacheError) Error() string {
	s := fmt.Sprintf("hub: cache: %s: want %s", e.Path, e.Want)
	if e.Err != nil {
		s += fmt.Sprintf(", found: %v", e.Err)
	}
	return s
}

// Unwrap returns the cause.
func (e *CacheError) Unwrap() error { return e.Err }

func describe(repo, revision, file string) string {
	s := repo
	if revision != "" {
		s += "@" + revision
	}
	if file != "" {
		s += ": " + file
	}
	return s
}

func (id fileID) error(kind error, detail string, cause error) *Error {
	return &Error{Repo: id.repo, Revision: id.revision, File: id.file, Kind: kind, Detail: detail, Err: cause}
}

// refusal makes an error of an answer that is not a success, marked temporary
// where a later request may fare better.
func (c *Client) refusal(id fileID, resp *http.Response) error {
	h := resp.Header
	e := id.error(ErrProtocol, "", nil)
	e.Status = resp.StatusCode
	message := h.Get("X-Error-Message")
	page := c.endpoint.Host + "/" + id.repo
	switch code := h.Get("X-Error-Code"); {
	case code == "RevisionNotFound":
		e.Kind, e.Detail = ErrRevisionNotFound, "want a branch, a tag or a commit of this repository"
	case code == "EntryNotFound":
		e.Kind = ErrEntryNotFound
	case code == "GatedRepo":
		e.Kind = ErrGated
		e.Detail = "ask for access at " + page + " and set HF_TOKEN to a token of that account"
		if c.cfg.Token != "" {
			e.Detail = "ask for access at " + page + " with the account of this HF_TOKEN"
		}
	case message == "Access to this resource is disabled.":
		e.Kind = ErrDisabled
	case code == "RepoNotFound":
		e.Kind = ErrRepoNotFound
		e.Detail = "check the name; a private repository also needs an HF_TOKEN that may read it"
	case resp.StatusCode == http.StatusUnauthorized, resp.StatusCode == http.StatusForbidden:
		e.Kind, e.Detail = ErrUnauthorized, "check the name; a private repository needs HF_TOKEN"
		if c.cfg.Token != "" {
			e.Detail = "check that HF_TOKEN is valid and may read this repository"
		}
	case resp.StatusCode == http.StatusNotFound:
		e.Kind = ErrEntryNotFound // a mirror without error codes
	case resp.StatusCode == http.StatusTooManyRequests:
		e.Kind, e.Detail = ErrRateLimited, "try again later, or set HF_TOKEN for a larger share"
		return &temporary{err: e, after: c.retryAfter(h)}
	case resp.StatusCode >= 500, resp.StatusCode == http.StatusRequestTimeout:
		e.Kind = ErrUnavailable
		return &temporary{err: e, after: c.retryAfter(h)}
	default:
		e.Detail = "want status 200, found " + strconv.Itoa(resp.StatusCode)
	}
	if message != "" {
		e.Err = errors.New(message)
	}
	return e
}

// printable keeps what a server says from steering a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
}

func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
