package data

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"
)

// The largest field and line of a CSV.
const (
	maxField  = 1 << 20
	maxFields = 1 << 12
)

// table cuts a CSV into rows, by the rules of pandas' C parser.
type table struct {
	name      string
	in        *bufio.Reader
	separator byte
	line      int // of the end of the last row, from 1

	fields []string
	buffer []byte
}

// newByteReader skips a byte order mark.
func newByteReader(r io.Reader) *bufio.Reader {
	in := bufio.NewReaderSize(r, 1<<16)
	if mark, _ := in.Peek(3); bytes.Equal(mark, []byte("\ufeff")) {
		in.Discard(3)
	}
	return in
}

// row returns the next row that is not empty; it is valid until the next call.
func (t *table) row() ([]string, error) {
	for {
		row, blank, err := t.next()
		if err != nil || !blank {
			return row, err
		}
	}
}

// next reads one line, or several if a quoted field holds their ends. A blank
// one has no more than spaces and tabs that do not separate.
func (t *table) next() (row []string, blank bool, err error) {
	t.fields, t.buffer = t.fields[:0], t.buffer[:0]
	const (
		start   = iota // of a field
		inside         // of a field without quotes, or after the closing one
		quoted         // between quotes
		closing        // after a quote that closes, or is the first of two
	)
	state, blank, begun, opened := start, true, false, 0
	for {
		c, err := t.in.ReadByte()
		if err == io.EOF {
			if state == quoted {
				return nil, false, &Error{t.name, fmt.Sprintf("line %d", opened), "a closing quote", "the end of the file"}
			}
			if !begun {
				return nil, false, io.EOF
			}
			t.line++
			return t.fields, blank, t.end()
		}
		if err != nil {
			return nil, false, fmt.Errorf("%s: %w", t.name, err)
		}
		begun = true
		if state == quoted {
			if c == '"' {
				state = closing
				continue
			}
			if c == '\n' {
				t.line++
			}
			if err := t.add(c); err != nil {
				return nil, false, err
			}
			continue
		}
		switch {
		case c == '\n' || c == '\r':
			if c == '\r' {
				// pandas loses a separator that follows a blank line which ends with a mere CR.
				if next, _ := t.in.Peek(1); len(next) == 1 && (next[0] == '\n' || blank && next[0] == t.separator) {
					t.in.Discard(1)
				}
			}
			t.line++
			err := t.end()
			return t.fields, blank, err
		case c == t.separator:
			blank = false
			if err := t.end(); err != nil {
				return nil, false, err
			}
			state = start
		case c == '"' && state == start:
			blank, opened = false, t.line+1
			state = quoted
		default:
			if c == '"' && state == closing {
				state = quoted // two quotes stand for one
			} else {
				state = inside
			}
			blank = blank && (c == ' ' || c == '\t')
			if err := t.add(c); err != nil {
				return nil, false, err
			}
		}
	}
}

func (t *table) add(c byte) error {
	if len(t.buffer) == maxField {
		return &Error{t.name, fmt.Sprintf("line %d", t.line+1), fmt.Sprintf("fields of at most %d bytes", maxField), "a longer one (is a quote left open?)"}
	}
	t.buffer = append(t.buffer, c)
	return nil
}

// end ends a field.
func (t *table) end() error {
	if len(t.fields) == maxFields {
		return &Error{t.name, fmt.Sprintf("line %d", t.line+1), fmt.Sprintf("at most %d fields", maxFields), "more"}
	}
	if !utf8.Valid(t.buffer) {
		return &Error{t.name, fmt.Sprintf("line %d", t.line+1), "UTF-8", fmt.Sprintf("%.40q", t.buffer)}
	}
	t.fields = append(t.fields, string(t.buffer))
	t.buffer = t.buffer[:0]
	return nil
}
