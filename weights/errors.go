package weights

import (
	"fmt"
	"strings"
)

// FormatError reports content that breaks the rules of its file format.
type FormatError struct {
	Path   string // file, with the member of an archive where that helps
	Tensor string // tensor concerned, if one is
	What   string // what was being read
	Want   string // what was wanted, if it can be said
	Got    string // what was found
}

func (e *FormatError) Error() string {
	s := prefix(e.Path, e.Tensor) + e.What
	if e.Want != "" {
		s += ": want " + e.Want
	}
	if e.Got != "" {
		if e.Want != "" {
			s += ", got " + e.Got
		} else {
			s += ": got " + e.Got
		}
	}
	return s
}

// UnsupportedError reports content that is well formed, as far as was read, and
// that this package does not or will not read: an unknown global of a pickle, a
// quantised tensor, a sharded checkpoint.
type UnsupportedError struct {
	Path   string
	Tensor string
	What   string // what is not supported
	Got    string // what was found, if that adds something
}

func (e *UnsupportedError) Error() string {
	s := prefix(e.Path, e.Tensor) + "unsupported " + e.What
	if e.Got != "" {
		s += ": " + e.Got
	}
	return s
}

// LimitError reports a size, read from a file, above what this package accepts.
type LimitError struct {
	Path   string
	Tensor string
	What   string
	Limit  uint64
	Got    uint64
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%s%s: want at most %d, got %d", prefix(e.Path, e.Tensor), e.What, e.Limit, e.Got)
}

// FaultError reports that a mapped file became shorter than it was when it was
// opened, or could not be read back from its device.
type FaultError struct {
	Path string
	Size int64 // bytes when the file was opened
	Now  int64 // bytes now; -1 if that could not be found out
	Err  error // the fault itself, if one happened
}

func (e *FaultError) Error() string {
	s := prefix(e.Path, "") + fmt.Sprintf("mapped file changed: want %d bytes, got %d", e.Size, e.Now)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the fault as the runtime reported it, or nil.
func (e *FaultError) Unwrap() error { return e.Err }

// NotFoundError reports a tensor that a file does not hold.
type NotFoundError struct {
	Path   string
	Tensor string
}

func (e *NotFoundError) Error() string {
	return prefix(e.Path, e.Tensor) + "no such tensor in the file"
}

// SizeError reports data given to be written whose size differs from what its
// shape and type ask for.
type SizeError struct {
	Path   string // file being written, if there is one yet
	Tensor string
	What   string // "bytes" or "elements"
	Want   int64
	Got    int64
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("%sdata: want %d %s, got %d", prefix(e.Path, e.Tensor), e.Want, e.What, e.Got)
}

// prefix builds the common start of all messages.
func prefix(path, tensor string) string {
	var b strings.Builder
	b.WriteString("weights: ")
	if path != "" {
		b.WriteString(path)
		b.WriteString(": ")
	}
	if tensor != "" {
		fmt.Fprintf(&b, "tensor %s: ", quote(tensor))
	}
	return b.String()
}

// quote quotes a string that came from a file, and shortens it: an error stays
// one readable line.
func quote(s string) string {
	const most = 120
	if len(s) > most {
		return fmt.Sprintf("%q…", s[:most])
	}
	return fmt.Sprintf("%q", s)
}
