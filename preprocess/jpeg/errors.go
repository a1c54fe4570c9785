package jpeg

import (
	"fmt"
	"io"
)

// A FormatError reports a file that is not a JPEG file which the reference
// (Pillow on libjpeg-turbo) would decode: a broken segment, a table that
// cannot be used, impossible scan parameters or missing data.
type FormatError struct {
	Offset  int64  // byte offset in the file, at or shortly after the fault
	Segment string // what was being read: "SOI", "SOF0", "DHT", "scan" ...
	Want    string // what the format asks for there
	Found   string // what stands there
	Err     error  // cause, such as io.ErrUnexpectedEOF; nil for most
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("jpeg: %s near byte %d: want %s, found %s", e.Segment, e.Offset, e.Want, e.Found)
}

// Unwrap returns the cause, if there is one.
func (e *FormatError) Unwrap() error { return e.Err }

// An UnsupportedError reports a JPEG process that this package does not decode.
type UnsupportedError struct {
	Segment string // the segment that asks for it, such as "SOF3"
	Feature string // what it asks for
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("jpeg: %s: %s is not supported", e.Segment, e.Feature)
}

// A LimitError reports a file that asks for more than the caller or this
// package allows.
type LimitError struct {
	What  string // "pixels" or "visits of blocks by scans"
	Limit int64
	Found int64
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("jpeg: at most %d %s allowed, found %d", e.Limit, e.What, e.Found)
}

// errorf makes a FormatError at the current position of the source.
func (s *source) errorf(segment, want, found string, args ...any) error {
	return &FormatError{
		Offset:  s.offset(),
		Segment: segment,
		Want:    want,
		Found:   fmt.Sprintf(found, args...),
	}
}

// truncated is the error for a file that ends too early.
func (s *source) truncated() error {
	return &FormatError{
		Offset:  s.offset(),
		Segment: "file",
		Want:    "more data",
		Found:   "the end of the file",
		Err:     io.ErrUnexpectedEOF,
	}
}
