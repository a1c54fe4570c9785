package hub

import (
	"errors"
	"io"
	"testing"
)

func TestErrorTexts(t *testing.T) {
	id := fileID{"org/model", "main", "w"}
	tests := []struct {
		err  error
		want string
	}{
		{id.error(ErrNotCached, "want it in /c", nil), "hub: org/model@main: w: not in the cache: want it in /c"},
		{&Error{Repo: "org/model", Kind: ErrUnavailable, Status: 503, Err: io.EOF}, "hub: org/model: the hub does not answer (status 503): EOF"},
		{&ChecksumError{"org/model", "main", "w", "sha256", "aa", "bb"}, "hub: org/model@main: w: sha256: want aa, found bb"},
		{&SizeError{"org/model", "main", "w", 5, 6, "length of the answer"}, "hub: org/model@main: w: length of the answer: want 5 bytes, found 6"},
		{&NameError{"file", "../x", "a relative path"}, `hub: name of file: want a relative path, found "../x"`},
		{&CacheError{"refs/main", "a commit", errors.New("nothing")}, "hub: cache: refs/main: want a commit, found: nothing"},
		{&CacheError{"refs/main", "a commit", nil}, "hub: cache: refs/main: want a commit"},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("want %q\ngot  %q", tt.want, got)
		}
	}
	if err := id.error(ErrUnavailable, "", io.EOF); !errors.Is(err, ErrUnavailable) || !errors.Is(err, io.EOF) {
		t.Errorf("%v does not unwrap to its kind and its cause", err)
	}
	if !errors.Is(&CacheError{Err: io.EOF}, io.EOF) {
		t.Error("a CacheError does not unwrap")
	}
}
