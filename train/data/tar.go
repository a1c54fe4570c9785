package data

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path"
	"strings"
	"unicode/utf8"
)

// pictures are the extensions of a sample's picture, the preferred one first.
var pictures = []string{"jpg", "png", "jpeg", "webp"}

// readShard gives the samples of a tar file, gzipped or not. It holds one
// sample at a time.
func readShard(name string, maxBytes int64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		f, err := os.Open(name)
		if err != nil {
			yield(Record{}, &SampleError{name, err})
			return
		}
		defer f.Close()
		in := bufio.NewReaderSize(f, 1<<18)
		var r io.Reader = in
		if magic, _ := in.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
			if r, err = gzip.NewReader(in); err != nil {
				yield(Record{}, &SampleError{name, err})
				return
			}
		}
		samples(name, tar.NewReader(r), maxBytes, yield)
	}
}

// sample collects the members of one sample.
type sample struct {
	key     string
	seen    map[string]bool
	caption []byte
	picture []byte
	rank    int   // of the picture's extension, from 1; 0 is none
	err     error // the first one that a member had
}

func samples(shard string, in *tar.Reader, maxBytes int64, yield func(Record, error) bool) {
	var s *sample
	flush := func() bool {
		if s == nil || !s.seen["txt"] || s.rank == 0 {
			return true // nothing to show, or incomplete
		}
		name := shard + ":" + s.key
		if s.err == nil && !utf8.Valid(s.caption) {
			s.err = errors.New("txt: want UTF-8")
		}
		if s.err != nil {
			return yield(Record{}, &SampleError{name, s.err})
		}
		return yield(Record{Name: name, Caption: string(s.caption), Bytes: s.picture, RGB: true}, nil)
	}
	for {
		h, err := in.Next()
		if err == io.EOF {
			flush()
			return
		}
		if err != nil {
			if flush() {
				yield(Record{}, &SampleError{shard, fmt.Errorf("the rest of the shard is lost: %w", err)})
			}
			return
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		key, ext, ok := cutExtension(h.Name)
		if !ok {
			continue
		}
		if s == nil || s.key != key || s.seen[ext] {
			if !flush() {
				return
			}
			s = &sample{key: key, seen: map[string]bool{}}
		}
		if len(s.seen) < 1000 {
			s.seen[ext] = true
		}
		if err := s.read(in, h.Size, ext, maxBytes); err != nil {
			// The member is cut off, and with it the shard.
			yield(Record{}, &SampleError{shard, fmt.Errorf("the rest of the shard is lost: %s: %w", h.Name, err)})
			return
		}
	}
}

// read takes a member in if it is of use.
func (s *sample) read(in io.Reader, size int64, ext string, maxBytes int64) error {
	rank := 0
	for i, p := range pictures {
		if p == ext {
			rank = i + 1
		}
	}
	if ext == "txt" {
		maxBytes = maxCaption
	} else if rank == 0 || s.rank != 0 && s.rank < rank {
		return nil
	}
	if rank != 0 {
		s.rank, s.picture = rank, nil
	}
	if size > maxBytes {
		if s.err == nil {
			s.err = fmt.Errorf("%s: want at most %d bytes, found %d", ext, maxBytes, size)
		}
		return nil
	}
	// The size that the header claims is believed up to a megabyte.
	var b bytes.Buffer
	b.Grow(int(min(size, 1<<20)) + bytes.MinRead)
	if _, err := io.Copy(&b, in); err != nil {
		return err
	}
	if rank != 0 {
		s.picture = b.Bytes()
	} else {
		s.caption = b.Bytes()
	}
	return nil
}

// cutExtension cuts a member's name at the first dot of its last element,
// which does not begin with one, and makes the extension lower-case.
func cutExtension(name string) (key, ext string, ok bool) {
	dir, base := path.Split(name)
	head, ext, ok := strings.Cut(base, ".")
	return dir + head, strings.ToLower(ext), ok && head != ""
}
