package main

import "github.com/seed-e0874532/coca/internal/kernel"

// Machine is what the processor can do at most, measured.
type Machine struct {
	// Peak, in operations a second of all threads together: avx2 (float32), f32, bf16, int8.
	Peak map[string]float64 `json:"peak_ops_per_second"`
	// Read, in bytes a second: by one thread, and by all.
	ReadOne float64 `json:"read_bytes_per_second_1"`
	ReadAll float64 `json:"read_bytes_per_second_all"`
}

// measureMachine takes the best of several tries: a limit is what is reached undisturbed.
func measureMachine(threads, tries int) Machine {
	m := Machine{Peak: map[string]float64{}}
	for range tries {
		for _, p := range []kernel.Precision{kernel.F32, kernel.BF16, kernel.Int8} {
			m.Peak[p.String()] = max(m.Peak[p.String()], kernel.PeakSpeed("", p, threads))
		}
		m.Peak["avx2"] = max(m.Peak["avx2"], kernel.PeakSpeed("avx2", kernel.F32, threads))
		m.ReadOne, m.ReadAll = max(m.ReadOne, kernel.ReadSpeed(1)), max(m.ReadAll, kernel.ReadSpeed(threads))
	}
	return m
}
