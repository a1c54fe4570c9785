package hub

import (
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"hash"
	"strconv"
	"strings"
)

// newSum returns the hash whose value is the ETag of a file: SHA-256 for 64
// hexadecimal digits, git's blob SHA-1, which begins with "blob SIZE\x00", for
// 40. It returns nil for other ETags, which mirrors may give; such a file is
// checked by its length alone.
func newSum(md Metadata) hash.Hash {
	switch {
	case sha256Hex.MatchString(md.ETag):
		return sha256.New()
	case commitHash.MatchString(md.ETag):
		h := sha1.New()
		fmt.Fprintf(h, "blob %d\x00", md.Size)
		return h
	}
	return nil
}

func sumName(md Metadata) string {
	if sha256Hex.MatchString(md.ETag) {
		return "sha256"
	}
	return "git blob sha1"
}

// contentRange reads "bytes FROM-TO/TOTAL"; total is -1 for "*" or nonsense.
func contentRange(v string) (from, total int64, ok bool) {
	v, ok = strings.CutPrefix(v, "bytes ")
	span, all, cut := strings.Cut(v, "/")
	first, last, dash := strings.Cut(span, "-")
	begin, errFrom := strconv.ParseUint(first, 10, 63)
	end, errTo := strconv.ParseUint(last, 10, 63)
	ok = ok && cut && dash && errFrom == nil && errTo == nil && end >= begin
	total = -1
	if n, err := strconv.ParseUint(all, 10, 63); err == nil {
		total = int64(n)
	}
	return int64(begin), total, ok
}

func toSlash(p string) string { return strings.ReplaceAll(p, `\`, "/") }
