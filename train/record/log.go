package record

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxLine is the longest line of a log, in bytes.
const maxLine = 1 << 20

// Log is a file of JSON lines that is appended to.
type Log struct {
	file *os.File
	size int64 // of whole lines
}

// OpenLog opens a log, or begins it. From the first line on that keep turns down, the
// file is cut off; so is a last line that a crash has torn. A line in the middle that is no
// JSON object is an [Error]: the file may be somebody else's, and is left as it is.
func OpenLog(path string, keep func(line []byte) bool) (l *Log, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, err
	}
	l = &Log{file: f}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
			l = nil
		}
	}()
	if err := l.scan(path, keep); err != nil {
		return nil, err
	}
	if err := f.Truncate(l.size); err != nil {
		return nil, err
	}
	_, err = f.Seek(l.size, io.SeekStart)
	return l, err
}

// scan finds the length of what stays.
func (l *Log) scan(path string, keep func([]byte) bool) error {
	in := bufio.NewReaderSize(l.file, maxLine)
	for n := 1; ; n++ {
		line, err := in.ReadSlice('\n')
		switch {
		case err == io.EOF:
			return nil // nothing, or a torn line
		case err == bufio.ErrBufferFull:
			return &Error{path, fmt.Sprintf("line %d", n), fmt.Sprintf("at most %d bytes", maxLine), "more"}
		case err != nil:
			return err
		}
		var object map[string]json.RawMessage
		if json.Unmarshal(line, &object) != nil || object == nil {
			return &Error{path, fmt.Sprintf("line %d", n), "a JSON object", fmt.Sprintf("%.40q", line)}
		}
		if !keep(line[:len(line)-1]) {
			return nil
		}
		l.size += int64(len(line))
	}
}

// Append writes v as one line, in one piece: what fails is taken back.
func (l *Log) Append(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if _, err := l.file.Write(line); err != nil {
		_, seek := l.file.Seek(l.size, io.SeekStart)
		return errors.Join(err, l.file.Truncate(l.size), seek)
	}
	l.size += int64(len(line))
	return nil
}

// Sync waits until what was written is on the disk. A checkpoint that promises that its
// steps are recorded comes after it.
func (l *Log) Sync() error { return l.file.Sync() }

// Close ends the log.
func (l *Log) Close() error { return l.file.Close() }

// StepsBefore keeps the records of steps before the given one; each of them is handed to
// kept, which may be nil.
func StepsBefore(step int, kept func(Step)) func(line []byte) bool {
	return func(line []byte) bool {
		s := Step{Step: step} // a line without a step is not kept
		if json.Unmarshal(line, &s) != nil || s.Step >= step {
			return false
		}
		if kept != nil {
			kept(s)
		}
		return true
	}
}

// EpochsTo keeps results of validations up to the end of an epoch.
func EpochsTo(epoch int) func(line []byte) bool {
	return func(line []byte) bool {
		var r struct {
			Epoch *int `json:"epoch"`
		}
		return json.Unmarshal(line, &r) == nil && r.Epoch != nil && *r.Epoch <= epoch
	}
}
