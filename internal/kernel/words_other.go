//go:build !linux

package kernel

// newWords returns n zero words for panels.
func newWords(n int) []float32 { return make([]float32, n) }
