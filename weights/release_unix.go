//go:build unix

package weights

import "golang.org/x/sys/unix"

// giveBack tells the system that pages of a mapping are not needed now. They stay mapped
// and are read from the file again when touched.
func giveBack(b []byte) error { return unix.Madvise(b, unix.MADV_DONTNEED) }
