package kernel

import "sync"

// frame is what one running kernel needs besides its operands: its task, which
// must not be allocated on each call, and scratch memory. Frames are kept and
// handed out again, so that a kernel allocates only until its largest sizes
// have been seen.
type frame struct {
	linear    linearTask
	packRows  packRowsTask
	pack      packTask
	norm      normTask
	normalize normalizeTask
	attention attentionTask
	weights   weightsTask
	cached    cachedTask
	patches   patchesTask
	embed     embedTask
	packKeys  packKeysTask
	packed    packedTask
	logSumExp logSumExpTask
	elements  elementsTask
	softmax   softmaxTask

	shared  []float32   // one buffer for the call
	private [][]float32 // one buffer for each worker
}

type frameList struct {
	mu   sync.Mutex
	free []*frame
}

// serialFrames serves calls with a nil Pool.
var serialFrames frameList

func (p *Pool) frame() *frame {
	list := &serialFrames
	if p != nil {
		list = &p.frames
	}
	list.mu.Lock()
	defer list.mu.Unlock()
	if n := len(list.free); n > 0 {
		f := list.free[n-1]
		list.free = list.free[:n-1]
		return f
	}
	return &frame{private: make([][]float32, p.Threads())}
}

// release returns a frame to the list and drops its references to the caller's
// slices. It is not called when a task panicked; the frame is then garbage.
func (p *Pool) release(f *frame) {
	f.linear, f.packRows, f.pack = linearTask{}, packRowsTask{}, packTask{}
	f.norm, f.normalize = normTask{}, normalizeTask{}
	f.attention, f.weights, f.cached = attentionTask{}, weightsTask{}, cachedTask{}
	f.packKeys, f.packed = packKeysTask{}, packedTask{}
	f.patches, f.embed = patchesTask{}, embedTask{}
	f.elements, f.softmax, f.logSumExp = elementsTask{}, softmaxTask{}, logSumExpTask{}
	list := &serialFrames
	if p != nil {
		list = &p.frames
	}
	list.mu.Lock()
	list.free = append(list.free, f)
	list.mu.Unlock()
}

// scratch returns n floats private to a worker. Their contents are undefined.
func (f *frame) scratch(worker, n int) []float32 {
	if cap(f.private[worker]) < n {
		f.private[worker] = make([]float32, n)
	}
	return f.private[worker][:n]
}

// common returns n floats shared by all workers of a call, contents undefined.
func (f *frame) common(n int) []float32 {
	if cap(f.shared) < n {
		f.shared = make([]float32, n)
	}
	return f.shared[:n]
}
