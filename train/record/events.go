package record

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Prefixes of names, as open_clip_train gives them. Steps of training are counted in optimizer
// steps, those of validation in epochs.
const (
	trainPrefix = "train/"
	valPrefix   = "val/"
)

// eventsName begins the names of TensorBoard's files.
const eventsName = "events.out.tfevents."

// Events writes a file that TensorBoard shows.
type Events struct {
	file   *os.File
	size   int64 // of whole records
	buffer []byte
	data   []byte
}

// OpenEvents begins a new file in the folder dir, which is made if need be. Of the files
// that are there, it cuts off what they say of training from the given step on and of validation after
// the given epoch, and what a crash has torn. A TensorBoard that has read it already is told to forget it.
func OpenEvents(dir string, step, epoch int) (*Events, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	again := false
	for _, entry := range entries {
		if !entry.Type().IsRegular() || !strings.HasPrefix(entry.Name(), eventsName) {
			continue
		}
		again = true
		if err := cutEvents(filepath.Join(dir, entry.Name()), step, epoch); err != nil {
			return nil, err
		}
	}
	f, err := createEvents(dir)
	if err != nil {
		return nil, err
	}
	e := &Events{file: f}
	err = e.write(event{version: "brain.Event:2"})
	if err == nil && again {
		err = e.write(event{step: int64(step), start: true})
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return e, nil
}

// createEvents makes a file whose name sorts after the earlier ones'.
func createEvents(dir string) (*os.File, error) {
	host, err := os.Hostname()
	if err != nil || strings.ContainsAny(host, `/\`) {
		host = "localhost"
	}
	for n := 0; ; n++ {
		name := fmt.Sprintf("%s%010d.%s.%d.%d", eventsName, time.Now().Unix(), host, os.Getpid(), n)
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
		if !errors.Is(err, os.ErrExist) || n > 1000 {
			return f, err
		}
	}
}

// cutEvents cuts a file off before its first event that does not stay.
func cutEvents(path string, step, epoch int) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	in, size := bufio.NewReaderSize(f, 1<<16), int64(0)
	for {
		data, n, err := readRecord(in)
		if err == io.EOF {
			break
		} else if err != nil && err != io.ErrUnexpectedEOF {
			return err
		}
		e, ok := parseEvent(data)
		if err != nil || !ok || !e.stays(step, epoch) {
			break
		}
		size += n
	}
	if info, err := f.Stat(); err != nil || info.Size() == size || size == 0 { // without a version it is no file of events
		return err
	}
	return f.Truncate(size)
}

// stays tells whether an event is of what a run that goes on does not do again.
func (e event) stays(step, epoch int) bool {
	for _, s := range e.scalars {
		limit := int64(step)
		if strings.HasPrefix(s.Name, valPrefix) {
			limit = int64(epoch) + 1
		}
		if e.step >= limit {
			return false
		}
	}
	return true
}

// Step writes the record of a step, train/….
func (e *Events) Step(s Step) error {
	return e.scalars(int64(s.Step), trainPrefix, s.scalars())
}

// Validation writes all numbers of v's JSON object, val/….
func (e *Events) Validation(epoch int, v any) error {
	list, err := numbers(v)
	if err != nil {
		return err
	}
	return e.scalars(int64(epoch), valPrefix, list)
}

func (e *Events) scalars(step int64, prefix string, list []Scalar) error {
	named := make([]Scalar, len(list))
	for i, s := range list {
		named[i] = Scalar{prefix + s.Name, s.Value}
	}
	return e.write(event{step: step, scalars: named})
}

// write appends an event, in one piece: what fails is taken back.
func (e *Events) write(v event) error {
	v.wallTime = float64(time.Now().UnixNano()) / 1e9
	e.data = v.append(e.data[:0])
	e.buffer = appendRecord(e.buffer[:0], e.data)
	if _, err := e.file.Write(e.buffer); err != nil {
		_, seek := e.file.Seek(e.size, io.SeekStart)
		return errors.Join(err, e.file.Truncate(e.size), seek)
	}
	e.size += int64(len(e.buffer))
	return nil
}

// Sync waits until what was written is on the disk.
func (e *Events) Sync() error { return e.file.Sync() }

// Close ends the file.
func (e *Events) Close() error { return e.file.Close() }
