package weights

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"sync"
	"unsafe"

	"github.com/edsrzf/mmap-go"
)

// mapping is a file mapped read-only. Its bytes may fault when the file shrinks;
// guard is the only place that deals with it.
type mapping struct {
	path string
	file *os.File  // nil for bytes in memory
	data mmap.MMap // nil for an empty file
	size int64

	mu     sync.RWMutex // held for reading while this package touches data
	closed bool
}

// openMapping maps a regular file. Anything else (folder, pipe, device) is refused before
// it is opened: opening a pipe would wait for a writer.
func openMapping(path string) (*mapping, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	if !st.Mode().IsRegular() {
		return nil, &FormatError{Path: path, What: "weights file", Want: "a regular file", Got: kindOf(st.Mode())}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	if st, err = f.Stat(); err != nil {
		f.Close()
		return nil, fmt.Errorf("weights: %w", err)
	}
	m := &mapping{path: path, file: f, size: st.Size()}
	if !st.Mode().IsRegular() {
		f.Close()
		return nil, &FormatError{Path: path, What: "weights file", Want: "a regular file", Got: kindOf(st.Mode())}
	}
	if m.size != int64(int(m.size)) {
		f.Close()
		return nil, &LimitError{Path: path, What: "file size", Limit: uint64(^uint(0) >> 1), Got: uint64(m.size)}
	}
	if m.size == 0 {
		return m, nil // an empty file cannot be mapped
	}
	if m.data, err = mmap.MapRegion(f, int(m.size), mmap.RDONLY, 0, 0); err != nil {
		f.Close()
		return nil, fmt.Errorf("weights: map %s: %w", path, err)
	}
	return m, nil
}

func kindOf(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return m.String()
}

func (m *mapping) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil
	}
	m.closed = true
	if m.file == nil {
		return nil
	}
	var err error
	if m.data != nil {
		err = m.data.Unmap()
	}
	return errors.Join(err, m.file.Close())
}

// check reports a file that is shorter than its mapping.
func (m *mapping) check() error {
	if m.file == nil {
		return nil
	}
	st, err := m.file.Stat()
	if err != nil {
		return &FaultError{Path: m.path, Size: m.size, Now: -1, Err: err}
	}
	if st.Size() < m.size {
		return &FaultError{Path: m.path, Size: m.size, Now: st.Size()}
	}
	return nil
}

// addressError is what the runtime panics with on a fault: it knows the address.
type addressError interface {
	error
	Addr() uintptr
}

// guard runs fn with faults turned into panics and panics inside the mapping turned
// into a FaultError. A page lost in the middle reads as zeros up to its end, without a
// fault; the check afterwards catches that too.
func (m *mapping) guard(fn func() error) (err error) {
	if err := m.check(); err != nil {
		return err
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		fault, ok := v.(addressError)
		if !ok || m.file == nil || !m.contains(fault.Addr()) {
			panic(v) // not ours: a defect elsewhere keeps its own report
		}
		now := int64(-1)
		if st, serr := m.file.Stat(); serr == nil {
			now = st.Size()
		}
		err = &FaultError{Path: m.path, Size: m.size, Now: now, Err: fault}
	}()
	ferr, cerr := fn(), m.check()
	switch {
	case cerr == nil:
		return ferr
	case ferr == nil:
		return cerr
	}
	return errors.Join(cerr, ferr) // the second is likely a consequence of the first
}

func (m *mapping) contains(addr uintptr) bool {
	if len(m.data) == 0 {
		return false
	}
	base := uintptr(unsafe.Pointer(unsafe.SliceData(m.data)))
	return addr >= base && addr-base < uintptr(len(m.data))
}

// locked is guard while the mapping cannot be closed. It is for the short reads of this
// package, never for a caller's function, which may itself call Close.
func (m *mapping) locked(fn func() error) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return fmt.Errorf("weights: %s: %w", m.path, fs.ErrClosed)
	}
	return m.guard(fn)
}
