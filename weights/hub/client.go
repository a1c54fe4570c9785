package hub

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

const (
	maxRedirects  = 10
	maxBackoff    = 8 * time.Second
	maxRetryAfter = 2 * time.Minute // a longer Retry-After is cut to this
)

// Client fetches files of model repositories into a cache. It is safe for
// concurrent use, and several clients and processes may share a cache.
type Client struct {
	cfg      Config
	endpoint *url.URL
	http     *http.Client
	now      func() time.Time
	pins     []pin

	symlink func(*cache, string, string) error // replaced where a test has no links
}

// New checks a configuration and returns a client for it.
func New(cfg Config) (*Client, error) {
	if cfg.CacheDir == "" {
		return nil, errors.New("hub: no cache folder: want Config.CacheDir, found none")
	}
	dir, err := filepath.Abs(cfg.CacheDir)
	if err != nil {
		return nil, fmt.Errorf("hub: cache folder: %w", err)
	}
	cfg.CacheDir = dir
	if cfg.Endpoint == "" {
		cfg.Endpoint = DefaultEndpoint
	}
	endpoint, err := parseEndpoint(cfg.Endpoint)
	if err != nil {
		return nil, err
	}
	if err := checkToken(cfg.Token); err != nil {
		return nil, err
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = "coca (Go; +https://github.com/seed-e0874532/coca)"
	}
	if cfg.MetadataTimeout <= 0 {
		cfg.MetadataTimeout = DefaultTimeout
	}
	if cfg.DownloadTimeout <= 0 {
		cfg.DownloadTimeout = DefaultTimeout
	}
	if cfg.Retries == 0 {
		cfg.Retries = DefaultRetries
	}
	if cfg.MaxFileSize <= 0 {
		cfg.MaxFileSize = DefaultMaxFileSize
	}
	if cfg.Sleep == nil {
		cfg.Sleep = sleep
	}
	// A copy, since redirects are followed here: net/http hands the token on to
	// subdomains and to other ports of the same host.
	var hc http.Client
	if cfg.HTTP != nil {
		hc = *cfg.HTTP
	}
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{cfg: cfg, endpoint: endpoint, http: &hc, now: time.Now, pins: pins, symlink: (*cache).symlink}, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// CacheDir returns the absolute path of the cache folder.
func (c *Client) CacheDir() string { return c.cfg.CacheDir }

// resolveURL is the address of a file: {endpoint}/{repo}/resolve/{revision}/{file}.
// A slash of the revision is escaped, one of the file is not.
func (c *Client) resolveURL(id fileID) *url.URL {
	return c.join(id.repo + "/resolve/" + url.PathEscape(id.revision) + "/" + escapePath(id.file))
}

func (c *Client) join(escaped string) *url.URL {
	u := *c.endpoint
	raw := strings.TrimRight(u.EscapedPath(), "/") + "/" + escaped
	// Parsing keeps both forms: Path unescaped and RawPath as written.
	if p, err := url.Parse(raw); err == nil {
		u.Path, u.RawPath = p.Path, p.RawPath
	}
	return &u
}

func escapePath(p string) string {
	parts := strings.Split(p, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}

// send makes one request and follows redirects until stop, if there is one,
// accepts an answer, or an answer is no redirect. The caller closes the body.
func (c *Client) send(ctx context.Context, method string, u *url.URL, header http.Header, stop func(*http.Response) bool) (*http.Response, error) {
	for range maxRedirects {
		req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
		if err != nil {
			return nil, fmt.Errorf("hub: request to %s: %w", u.Host, bare(err))
		}
		for k, v := range header {
			req.Header[k] = v
		}
		req.Header.Set("User-Agent", c.cfg.UserAgent)
		// Without this net/http may unpack a compressed body by itself, and sizes
		// and ranges would speak of another sequence of bytes.
		req.Header.Set("Accept-Encoding", "identity")
		if c.cfg.Token != "" && sameOrigin(u, c.endpoint) {
			req.Header.Set("Authorization", "Bearer "+c.cfg.Token)
		}
		resp, err := c.http.Do(req)
		if err != nil {
			err = fmt.Errorf("%s: %w", u.Host, bare(err))
			if hopeless(err) {
				return nil, err
			}
			return nil, &temporary{err: err}
		}
		if !isRedirect(resp.StatusCode) || (stop != nil && stop(resp)) {
			return resp, nil
		}
		resp.Body.Close()
		next, err := u.Parse(resp.Header.Get("Location"))
		if err != nil || resp.Header.Get("Location") == "" {
			return nil, fmt.Errorf("%s: redirect: want an address in Location, found none that parses", u.Host)
		}
		if (next.Scheme != "https" && next.Scheme != "http") || next.Host == "" {
			return nil, fmt.Errorf("%s: redirect: want https, found scheme %q", u.Host, next.Scheme)
		}
		if u.Scheme == "https" && next.Scheme != "https" {
			return nil, fmt.Errorf("%s: redirect: want https as before, found http to %s", u.Host, next.Host)
		}
		u = next
	}
	return nil, fmt.Errorf("%s: want at most %d redirects, found more", c.endpoint.Host, maxRedirects)
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Host, b.Host)
}

// hopeless reports whether a failed connection will fail again: a host that does
// not exist, or one that is not who it says.
func hopeless(err error) bool {
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	return errors.As(err, &cert) || (errors.As(err, &dns) && dns.IsNotFound)
}

// bare drops the address that net/http puts into its errors: a signed download
// address is a secret of some minutes.
func bare(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		return ue.Err
	}
	return err
}
