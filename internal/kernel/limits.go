package kernel

import (
	"runtime"
	"sync"
	"time"
)

// peakLoop is a loop of multiply-adds that touch no memory.
type peakLoop struct {
	run      func(rounds int) // of peakSums independent multiply-adds
	products int              // of one multiply-add
}

// peakSums is the number of sums of a peakLoop.
const peakSums = 14

// PeakSpeed measures the most operations a second, two for each product, that an
// instruction set can do in a precision on that many threads together: the sum of
// the best of many short slices of each, so that what the scheduler gives to
// others does not count. A precision without an instruction of its own has the
// peak of float32. The name is one of [ISA]; "" means the one in use. PeakSpeed
// is 0 for an instruction set that this machine lacks, or for which there is no
// such loop (generic).
func PeakSpeed(isa string, precision Precision, threads int) float64 {
	use := inner
	if isa != "" {
		l, err := chooseLevel(isa)
		if err != nil {
			return 0
		}
		use = opsOf[l]
	}
	loop := use.peak[precision]
	if loop.run == nil {
		loop = use.peak[F32]
	}
	if loop.run == nil {
		return 0
	}
	const (
		slices = 100
		rounds = 64 << 10 // a quarter of a millisecond
	)
	best := make([]float64, threads)
	together(threads, func(t int) {
		for range slices {
			began := time.Now()
			loop.run(rounds)
			best[t] = max(best[t], 2*peakSums*float64(loop.products)*rounds/time.Since(began).Seconds())
		}
	})
	var sum float64
	for _, v := range best {
		sum += v
	}
	return sum
}

// ReadSpeed measures how many bytes a second that many threads read together from
// memory that no cache holds; it takes the best of several tries. It needs 256 MB.
func ReadSpeed(threads int) (best float64) {
	const tries = 6
	data := make([]float32, 64<<20)
	for i := range data {
		data[i] = 1 // touch the pages: untouched ones are all the same page
	}
	for try := range 2 * tries {
		read := inner.read
		if try%2 == 1 { // the processor's own reading ahead may do better
			read = readGeneric
		}
		seconds := together(threads, func(t int) { read(data[t*len(data)/threads : (t+1)*len(data)/threads]) })
		best = max(best, float64(4*len(data))/seconds)
	}
	return best
}

// together runs f on several threads at once and returns the seconds that it took.
func together(threads int, f func(i int)) float64 {
	var wg sync.WaitGroup
	began := time.Now()
	for i := range threads {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
	return time.Since(began).Seconds()
}

// readGeneric reads with independent maxima, so that reading is what takes the time.
func readGeneric(data []float32) {
	var a, b, c, d float32
	for i := 0; i+4 <= len(data); i += 4 {
		a, b, c, d = max(a, data[i]), max(b, data[i+1]), max(c, data[i+2]), max(d, data[i+3])
	}
	runtime.KeepAlive(a + b + c + d)
}
