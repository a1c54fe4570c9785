package jpeg

import "io"

// chunkSize is the size of one read. It equals the block in which Pillow
// feeds libjpeg, because what lies behind the last block that the image
// needed decides whether a fault there is noticed (see decoder.finish).
const chunkSize = 1 << 16

// A source is a window onto the file that grows by whole chunks.
type source struct {
	r      io.Reader
	buf    []byte // the window; buf[pos:] is unread
	pos    int
	start  int64 // file offset of buf[0]
	eof    bool
	frozen bool // no further chunk may be read
}

// offset returns the file offset of the next unread byte.
func (s *source) offset() int64 { return s.start + int64(s.pos) }

// history is how many bytes before pos grow keeps, for decoder.unreadByte.
const history = 16

// grow drops what has been read and appends the next chunk. It returns
// errSuspended when frozen, and a FormatError at the end of the file.
func (s *source) grow() error {
	if s.frozen {
		return errSuspended
	}
	if s.eof {
		return s.truncated()
	}
	drop := max(s.pos-history, 0)
	rest := len(s.buf) - drop
	if need := rest + chunkSize; cap(s.buf) < need {
		nb := make([]byte, rest, need+chunkSize/8)
		copy(nb, s.buf[drop:])
		s.buf = nb
	} else {
		copy(s.buf[:rest], s.buf[drop:])
		s.buf = s.buf[:rest]
	}
	s.start += int64(drop)
	s.pos -= drop
	n, err := io.ReadFull(s.r, s.buf[rest:rest+chunkSize])
	s.buf = s.buf[:rest+n]
	switch err {
	case nil:
	case io.EOF, io.ErrUnexpectedEOF:
		s.eof = true
		if n == 0 {
			return s.truncated()
		}
	default:
		return err
	}
	return nil
}

// dropFill shortens a run of fill bytes (0xff) at the end of the window to one
// of them, which means the same in entropy-coded data. Without that a file of
// nothing else would have to be kept, and looked through again and again.
func (s *source) dropFill() {
	n := len(s.buf)
	for n-2 >= s.pos && s.buf[n-1] == 0xff && s.buf[n-2] == 0xff {
		n--
	}
	s.start += int64(len(s.buf) - n)
	s.buf = s.buf[:n]
}

// readByte returns the next byte of the file.
func (s *source) readByte() (byte, error) {
	for s.pos >= len(s.buf) {
		if err := s.grow(); err != nil {
			return 0, err
		}
	}
	c := s.buf[s.pos]
	s.pos++
	return c, nil
}

// readFull fills p.
func (s *source) readFull(p []byte) error {
	for len(p) > 0 {
		if s.pos >= len(s.buf) {
			if err := s.grow(); err != nil {
				return err
			}
		}
		n := copy(p, s.buf[s.pos:])
		s.pos += n
		p = p[n:]
	}
	return nil
}

// skip passes over n bytes.
func (s *source) skip(n int) error {
	for n > 0 {
		if s.pos >= len(s.buf) {
			if err := s.grow(); err != nil {
				return err
			}
		}
		m := min(n, len(s.buf)-s.pos)
		s.pos += m
		n -= m
	}
	return nil
}
