package main

import (
	"runtime"
	"sync"
	"time"
)

// Machine is what the processor can do at most, measured.
type Machine struct {
	// Peak, in operations a second of all threads together: avx2 (float32), f32, bf16, int8.
	Peak map[string]float64 `json:"peak_ops_per_second"`
	// Read, in bytes a second: by one thread, and by all.
	ReadOne float64 `json:"read_bytes_per_second_1"`
	ReadAll float64 `json:"read_bytes_per_second_all"`
}

// peakLoop is a loop of multiply-adds without memory.
type peakLoop struct {
	name  string
	run   func(n int)
	flops int // of one round
}

// measureMachine takes the best of several tries: a limit is what is reached undisturbed.
func measureMachine(threads int, tries int) Machine {
	m := Machine{Peak: map[string]float64{}}
	for _, l := range peakLoops() {
		m.Peak[l.name] = l.speed(threads, 40*tries)
	}
	data := make([]float32, 64<<20) // 256 MB, far above the caches
	for i := range data {
		data[i] = 1 // touch the pages, each its own
	}
	bytes, part := float64(4*len(data)), len(data)/threads
	for range 2 * tries {
		for _, f := range []func([]float32){read, readPlain} {
			m.ReadOne = max(m.ReadOne, bytes/together(1, func(int) { f(data) }))
			m.ReadAll = max(m.ReadAll, bytes/together(threads, func(i int) { f(data[i*part : (i+1)*part]) }))
		}
	}
	if m.Peak["f32"] == 0 {
		m.Peak["f32"] = m.Peak["avx2"]
	}
	for _, p := range []string{"bf16", "int8"} {
		if m.Peak[p] == 0 { // without an instruction of its own
			m.Peak[p] = m.Peak["f32"]
		}
	}
	return m
}

// speed is the sum over all threads, running at once, of the best of many
// short slices of each: what the scheduler gives to others does not count.
func (l peakLoop) speed(threads, slices int) (sum float64) {
	const rounds = 128 << 10 // half a millisecond
	best := make([]float64, threads)
	together(threads, func(t int) {
		for range slices {
			began := time.Now()
			l.run(rounds)
			best[t] = max(best[t], float64(l.flops)*rounds/time.Since(began).Seconds())
		}
	})
	for _, v := range best {
		sum += v
	}
	return sum
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

func readPlain(data []float32) {
	var a, b, c, d float32
	for i := 0; i+4 <= len(data); i += 4 {
		a, b, c, d = max(a, data[i]), max(b, data[i+1]), max(c, data[i+2]), max(d, data[i+3])
	}
	runtime.KeepAlive(a + b + c + d)
}
