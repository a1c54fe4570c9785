package kernel

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugePage is the size of a large page on the common configurations of Linux.
const hugePage = 2 << 20

// newWords returns n zero words for panels. Panels are read from end to end for
// each product; in large pages the processor looks up far fewer addresses, and
// its own reading ahead, which stops at the end of a page, goes on.
func newWords(n int) []float32 {
	words := make([]float32, n)
	start := uintptr(unsafe.Pointer(unsafe.SliceData(words)))
	from := (start + hugePage - 1) &^ (hugePage - 1)
	to := (start + uintptr(4*n)) &^ (hugePage - 1)
	if from < to {
		// Advice only: where it is refused, pages stay small.
		_ = unix.Madvise(bytesOf(words)[from-start:to-start], unix.MADV_HUGEPAGE)
	}
	return words
}
