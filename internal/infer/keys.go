package infer

import "sync"

// keyMemory is memory for the keys of images: at full size some megabytes a layer,
// which would take longer to get anew from the system than to fill.
type keyMemory struct {
	mu    sync.Mutex
	spare [][]float32
}

// copyOf copies data to memory that was released, or to new memory.
func (m *keyMemory) copyOf(data []float32) []float32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, s := range m.spare {
		if len(s) == len(data) {
			last := len(m.spare) - 1
			m.spare[i], m.spare[last] = m.spare[last], nil
			m.spare = m.spare[:last]
			copy(s, data)
			return s
		}
	}
	return append([]float32(nil), data...)
}

// release keeps memory for the next images, those of one batch at most.
func (m *keyMemory) release(keys [][]float32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if room := maxImageBatch*len(keys) - len(m.spare); room > 0 {
		m.spare = append(m.spare, keys[:min(room, len(keys))]...)
	}
}

// Release gives back the memory of images' keys to the images that are encoded
// next. They must not be decoded any more.
func (r *Runtime) Release(images []Image) {
	for i := range images {
		r.keys.release(images[i].Keys)
		images[i].Keys = nil
	}
}
