package hub

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Defaults of a [Config]; the timeouts and the back-off are those of
// huggingface_hub 0.36.
const (
	DefaultEndpoint    = "https://huggingface.co"
	DefaultTimeout     = 10 * time.Second // without a header or a byte
	DefaultRetries     = 5                // in a row without progress
	DefaultMaxFileSize = 64 << 30         // bytes
)

const maxTokenFile = 64 << 10 // bytes of a token file that are read

// Config says where files come from and where they go. The zero value of each
// field but CacheDir means its default. [FromEnv] fills one from the
// environment.
type Config struct {
	CacheDir string // the hub cache, HF_HUB_CACHE; required
	Endpoint string // scheme, host and optional path prefix of the hub or a mirror
	Token    string // access token for private and gated repositories, may be empty
	Offline  bool   // use the cache alone; no connection is made

	UserAgent string

	// HTTP makes the requests; http.DefaultClient's transport and the proxies of
	// the environment if nil. Its own Timeout, if it has one, also ends long
	// downloads and is better left zero. Redirects are followed by this package
	// and not by the client.
	HTTP *http.Client

	// MetadataTimeout bounds the wait for the headers of an answer, and
	// DownloadTimeout the wait for the next byte of a body. Neither bounds a
	// download as a whole.
	MetadataTimeout time.Duration
	DownloadTimeout time.Duration

	// Retries is how often in a row a request that brought nothing is repeated
	// after a failure that may pass; negative means never.
	Retries int

	// Sleep waits between retries; the default waits d or until ctx ends. Tests
	// and simulations replace it.
	Sleep func(ctx context.Context, d time.Duration) error

	MaxFileSize int64    // bytes; a larger file is refused before it is fetched
	Observer    Observer // is told of progress; may be nil
}

// FromEnv returns the configuration that the hub's environment variables ask
// for. An empty variable counts as unset.
//
//	HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE  the cache folder; else hub below HF_HOME
//	HF_HOME                              else huggingface below XDG_CACHE_HOME, else below ~/.cache
//	HF_ENDPOINT                          a mirror
//	HF_TOKEN, HUGGING_FACE_HUB_TOKEN     the access token; else the content of the token file
//	HF_TOKEN_PATH                        the token file; else token below HF_HOME
//	HF_HUB_DISABLE_IMPLICIT_TOKEN        true: send no token
//	HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE true: use the cache alone
//	HF_HUB_ETAG_TIMEOUT                  seconds to wait for headers
//	HF_HUB_DOWNLOAD_TIMEOUT              seconds to wait for the next bytes
//
// True is 1, ON, YES or TRUE in any case. Proxies are those of net/http:
// HTTPS_PROXY, HTTP_PROXY, NO_PROXY.
func FromEnv() (Config, error) {
	return fromEnv(os.Getenv, os.UserHomeDir)
}

func fromEnv(getenv func(string) string, userHome func() (string, error)) (Config, error) {
	home, err := hubHome(getenv, userHome)
	if err != nil {
		return Config{}, err
	}
	expand := func(p string) string { return expandPath(p, getenv, userHome) }
	cfg := Config{
		CacheDir: filepath.Join(home, "hub"),
		Endpoint: getenv("HF_ENDPOINT"),
		Offline:  isTrue(firstSet(getenv, "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")),
	}
	if p := firstSet(getenv, "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"); p != "" {
		cfg.CacheDir = expand(p)
	}
	if cfg.MetadataTimeout, err = seconds(getenv, "HF_HUB_ETAG_TIMEOUT"); err != nil {
		return Config{}, err
	}
	if cfg.DownloadTimeout, err = seconds(getenv, "HF_HUB_DOWNLOAD_TIMEOUT"); err != nil {
		return Config{}, err
	}
	if isTrue(getenv("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
		return cfg, nil
	}
	cfg.Token = strings.TrimSpace(firstSet(getenv, "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"))
	if cfg.Token == "" {
		path := filepath.Join(home, "token")
		if p := getenv("HF_TOKEN_PATH"); p != "" {
			path = expand(p)
		}
		if cfg.Token, err = readToken(path); err != nil {
			return Config{}, err
		}
	}
	return cfg, nil
}

// hubHome is HF_HOME or its default.
func hubHome(getenv func(string) string, userHome func() (string, error)) (string, error) {
	if h := getenv("HF_HOME"); h != "" {
		return expandPath(h, getenv, userHome), nil
	}
	if x := getenv("XDG_CACHE_HOME"); x != "" {
		return filepath.Join(expandPath(x, getenv, userHome), "huggingface"), nil
	}
	h, err := userHome()
	if err != nil {
		return "", fmt.Errorf("hub: no cache folder: set HF_HOME: %w", err)
	}
	return filepath.Join(h, ".cache", "huggingface"), nil
}

// expandPath replaces a leading ~ and $NAME or ${NAME}, as the hub's libraries do.
func expandPath(p string, getenv func(string) string, userHome func() (string, error)) string {
	if p == "~" || strings.HasPrefix(p, "~/") || strings.HasPrefix(p, `~\`) {
		if h, err := userHome(); err == nil {
			p = h + p[1:]
		}
	}
	return os.Expand(p, func(name string) string {
		if v := getenv(name); v != "" {
			return v
		}
		return "$" + name // an unset name stays as it is
	})
}

func firstSet(getenv func(string) string, names ...string) string {
	for _, n := range names {
		if v := getenv(n); v != "" {
			return v
		}
	}
	return ""
}

func isTrue(v string) bool {
	switch strings.ToUpper(v) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}

func seconds(getenv func(string) string, name string) (time.Duration, error) {
	v := getenv(name)
	if v == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > 86400 {
		return 0, fmt.Errorf("hub: %s: want seconds from 1 to 86400, found %q", name, v)
	}
	return time.Duration(n) * time.Second, nil
}

// readToken reads a token file; none is no error.
func readToken(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		if os.IsNotExist(err) {
			return "", nil
		}
		return "", fmt.Errorf("hub: token file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxTokenFile+1))
	if err != nil {
		return "", fmt.Errorf("hub: token file: %w", err)
	}
	if len(b) > maxTokenFile {
		return "", fmt.Errorf("hub: token file %s: want at most %d bytes, found more", path, maxTokenFile)
	}
	return strings.TrimSpace(string(b)), nil
}

// parseEndpoint checks the address of a hub and removes its trailing slashes.
func parseEndpoint(s string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(s, "/"))
	if err != nil {
		return nil, fmt.Errorf("hub: endpoint: want an address such as %s, found one that does not parse", DefaultEndpoint)
	}
	if (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("hub: endpoint: want scheme, host and path such as %s, found %q", DefaultEndpoint, u.Redacted())
	}
	return u, nil
}

// checkToken refuses what cannot stand in a header; the error does not show it.
func checkToken(token string) error {
	for i := range len(token) {
		if token[i] <= ' ' || token[i] >= 0x7f {
			return fmt.Errorf("hub: access token: want printable ASCII without blanks, found another character at byte %d", i)
		}
	}
	return nil
}
