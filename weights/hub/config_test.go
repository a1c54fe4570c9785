package hub

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestFromEnv(t *testing.T) {
	home := t.TempDir()
	abs := func(parts ...string) string { return filepath.Join(append([]string{home}, parts...)...) }
	write(t, abs(".cache", "huggingface", "token"), " hf_file\n")
	write(t, abs("elsewhere", "token"), "hf_other")
	def := abs(".cache", "huggingface", "hub")
	tests := []struct {
		name string
		env  string
		want Config
	}{
		{"nothing", "", Config{CacheDir: def, Token: "hf_file"}},
		{"empty counts as unset", "HF_HOME= HF_HUB_CACHE= HF_TOKEN= HF_HUB_OFFLINE=", Config{CacheDir: def, Token: "hf_file"}},
		{"XDG", "XDG_CACHE_HOME=/xdg", Config{CacheDir: filepath.FromSlash("/xdg/huggingface/hub")}},
		{"HF_HOME before XDG", "HF_HOME=~/elsewhere XDG_CACHE_HOME=/xdg", Config{CacheDir: abs("elsewhere", "hub"), Token: "hf_other"}},
		{"HF_HUB_CACHE", "HF_HUB_CACHE=$BASE/c HUGGINGFACE_HUB_CACHE=/no BASE=/b HF_HOME=/none", Config{CacheDir: "/b/c"}},
		{"old cache variable", "HUGGINGFACE_HUB_CACHE=/old HF_HOME=/none", Config{CacheDir: "/old"}},
		{"unset variable stays", "HF_HUB_CACHE=/a/$NO HF_HOME=/none", Config{CacheDir: "/a/$NO"}},
		{"tokens", "HF_TOKEN=hf_a HUGGING_FACE_HUB_TOKEN=hf_b", Config{CacheDir: def, Token: "hf_a"}},
		{"old token", "HUGGING_FACE_HUB_TOKEN=hf_b", Config{CacheDir: def, Token: "hf_b"}},
		{"token path", "HF_TOKEN_PATH=~/elsewhere/token", Config{CacheDir: def, Token: "hf_other"}},
		{"no implicit token", "HF_TOKEN=hf_a HF_HUB_DISABLE_IMPLICIT_TOKEN=1", Config{CacheDir: def}},
		{"offline", "HF_HUB_OFFLINE=yes", Config{CacheDir: def, Token: "hf_file", Offline: true}},
		{"offline of transformers", "TRANSFORMERS_OFFLINE=True", Config{CacheDir: def, Token: "hf_file", Offline: true}},
		{"not offline", "HF_HUB_OFFLINE=0", Config{CacheDir: def, Token: "hf_file"}},
		{"mirror", "HF_ENDPOINT=https://mirror.example/hf", Config{CacheDir: def, Token: "hf_file", Endpoint: "https://mirror.example/hf"}},
		{"timeouts", "HF_HUB_ETAG_TIMEOUT=3 HF_HUB_DOWNLOAD_TIMEOUT=60",
			Config{CacheDir: def, Token: "hf_file", MetadataTimeout: 3 * time.Second, DownloadTimeout: time.Minute}},
	}
	for _, tt := range tests {
		got, err := fromEnv(environ(tt.env), func() (string, error) { return home, nil })
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got.CacheDir != tt.want.CacheDir || got.Token != tt.want.Token || got.Offline != tt.want.Offline || got.Endpoint != tt.want.Endpoint ||
			got.MetadataTimeout != tt.want.MetadataTimeout || got.DownloadTimeout != tt.want.DownloadTimeout {
			t.Errorf("%s:\nwant %+v\ngot  %+v", tt.name, tt.want, got)
		}
	}
}

func environ(s string) func(string) string {
	return func(name string) string {
		for _, f := range strings.Fields(s) {
			if k, v, _ := strings.Cut(f, "="); k == name {
				return v
			}
		}
		return ""
	}
}

func TestFromEnvErrors(t *testing.T) {
	home := func() (string, error) { return "/nowhere", nil }
	big := filepath.Join(t.TempDir(), "big")
	write(t, big, strings.Repeat("a", maxTokenFile+1))
	for _, env := range []string{"HF_HUB_ETAG_TIMEOUT=soon", "HF_HUB_DOWNLOAD_TIMEOUT=-1", "HF_TOKEN_PATH=" + os.TempDir(), "HF_TOKEN_PATH=" + big} {
		if _, err := fromEnv(environ(env), home); err == nil || !strings.HasPrefix(err.Error(), "hub: ") {
			t.Errorf("%s: found %v", env, err)
		}
	}
	none := func() (string, error) { return "", errors.New("no home") }
	if _, err := fromEnv(environ(""), none); err == nil || !strings.Contains(err.Error(), "HF_HOME") {
		t.Errorf("no home: %v", err)
	}
	if _, err := fromEnv(environ("HF_HOME=/h"), none); err != nil {
		t.Errorf("HF_HOME needs no home folder: %v", err)
	}
}

func TestNewErrors(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no cache":          {},
		"endpoint scheme":   {CacheDir: "c", Endpoint: "ftp://host"},
		"endpoint no host":  {CacheDir: "c", Endpoint: "https://"},
		"endpoint word":     {CacheDir: "c", Endpoint: "mirror"},
		"endpoint query":    {CacheDir: "c", Endpoint: "https://host/?x=1"},
		"endpoint password": {CacheDir: "c", Endpoint: "https://user:secret@host"},
		"endpoint nonsense": {CacheDir: "c", Endpoint: "https://[::1"},
		"token newline":     {CacheDir: "c", Token: "secret\nX: y"},
		"token blank":       {CacheDir: "c", Token: "secret token"},
		"token not ASCII":   {CacheDir: "c", Token: "sécret"},
	} {
		_, err := New(cfg)
		if err == nil || !strings.HasPrefix(err.Error(), "hub: ") || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "sécret") {
			t.Errorf("%s: found %v", name, err)
		}
	}
}
