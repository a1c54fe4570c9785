package kernel

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugePage is the size of a large page on the common configurations of Linux.
const hugePage = 2 << 20

// largePages returns n zero words in memory that the system is asked to map in
// large pages. Where it refuses, pages stay small.
func largePages(n int) []float32 {
	words := make([]float32, n+hugePage/4)
	start := uintptr(unsafe.Pointer(unsafe.SliceData(words)))
	words = words[(-start%hugePage)/4:][:n:n]
	if whole := 4 * n &^ (hugePage - 1); whole > 0 {
		_ = unix.Madvise(bytesOf(words)[:whole], unix.MADV_HUGEPAGE)
	}
	return words
}
