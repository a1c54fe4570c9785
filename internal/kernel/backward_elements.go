package kernel

import "math"

// ActivationGrad is the gradient of y = act(z)·scale with respect to z:
// DZ = DY·Scale·act′(Z), [Rows, Width]. Z is not read for None; Scale [Width] may be nil.
type ActivationGrad struct {
	Rows, Width      int
	Act              Activation
	DZ, DY, Z, Scale []float32
}

// Run computes DZ, which may be DY or Z.
func (t *ActivationGrad) Run(p *Pool) { p.Run((t.Rows+t.chunk()-1)/t.chunk(), t) }

// chunk is the number of rows in one piece of work.
func (t *ActivationGrad) chunk() int { return max(1, elementChunk/max(t.Width, 1)) }

// Do computes some rows.
func (t *ActivationGrad) Do(_, i int) {
	from, to := i*t.chunk(), min((i+1)*t.chunk(), t.Rows)
	step := t.Width * (to - from) // elements at a time
	if t.Scale != nil {
		step = t.Width
	}
	for at := from * t.Width; at < to*t.Width; at += step {
		var z []float32
		if t.Act != None {
			z = t.Z[at:][:step]
		}
		inner.activationGrad(t.DZ[at:][:step], t.DY[at:][:step], z, t.Scale, t.Act)
	}
}

// EmbedGrad adds row i of DY [len(IDs), Width] to row IDs[i] of Dst [Rows, Width],
// which starts as zeros, in the order of the ids.
type EmbedGrad struct {
	Rows, Width int
	Dst, DY     []float32
	IDs         []int32
}

// Run computes Dst. An id outside the table panics: callers check ids.
func (t *EmbedGrad) Run(p *Pool) {
	p.Run((t.Rows+embedChunk-1)/embedChunk, (*embedClear)(t))
	p.Run((t.Width+columnChunk-1)/columnChunk, t)
}

// Do adds some columns.
func (t *EmbedGrad) Do(_, i int) {
	from := i * columnChunk
	to := min(from+columnChunk, t.Width)
	for r, id := range t.IDs {
		dst := t.Dst[int(id)*t.Width:][from:to]
		for j, v := range t.DY[r*t.Width:][from:to] {
			dst[j] += v
		}
	}
}

type embedClear EmbedGrad

func (t *embedClear) Do(_, i int) {
	clear(t.Dst[i*embedChunk*t.Width : min((i+1)*embedChunk, t.Rows)*t.Width])
}

// CrossEntropy is −log softmax(row)[target] + Z·(log Σ exp row)² of rows of logits
// [Rows, Width]; rows whose target is negative are left out.
type CrossEntropy struct {
	Width   int
	Z       float64
	Logits  []float32
	Targets []int32 // [Rows]

	losses []float64
	frame  *frame
	grad   crossEntropyGrad
}

// Loss returns the sum over the rows that count.
func (t *CrossEntropy) Loss(p *Pool) (sum float64) {
	if len(t.losses) != len(t.Targets) {
		t.losses = make([]float64, len(t.Targets))
	}
	t.frame = p.frame()
	p.Run(len(t.Targets), t)
	f := t.frame
	t.frame = nil
	p.release(f)
	for _, v := range t.losses {
		sum += v
	}
	return sum
}

// Do computes the loss of one row.
func (t *CrossEntropy) Do(worker, r int) {
	t.losses[r] = 0
	if t.Targets[r] < 0 {
		return
	}
	row := t.Logits[r*t.Width:][:t.Width]
	p := t.frame.scratch(worker, t.Width)
	inner.softmax(p, row, 1)
	top := largestIndex(row)
	logZ := logSum(row[top], p[top])
	t.losses[r] = logZ - float64(row[t.Targets[r]]) + t.Z*logZ*logZ
}

// logSum is log Σ eˣ from any x and its softmax p; from the largest it is exact to a rounding.
func logSum(x, p float32) float64 { return float64(x) - math.Log(float64(p)) }

func largestIndex(x []float32) (top int) {
	for i, v := range x {
		if v > x[top] {
			top = i
		}
	}
	return top
}

// Grad stores scale·((1 + 2Z·log Σ exp)·softmax − one-hot) of each row in dst, which may be Logits,
// and zeros where the target is negative.
func (t *CrossEntropy) Grad(p *Pool, dst []float32, scale float32) {
	t.grad = crossEntropyGrad{t, dst, scale}
	p.Run(len(t.Targets), &t.grad)
}

type crossEntropyGrad struct {
	*CrossEntropy
	dst   []float32
	scale float32
}

func (t *crossEntropyGrad) Do(_, r int) {
	dst := t.dst[r*t.Width:][:t.Width]
	target := t.Targets[r]
	if target < 0 {
		clear(dst)
		return
	}
	row, scale := t.Logits[r*t.Width:][:t.Width], t.scale
	if t.Z == 0 {
		inner.softmax(dst, row, 1)
	} else {
		top := largestIndex(row)
		largest := row[top]
		inner.softmax(dst, row, 1)
		scale = float32(float64(scale) * (1 + 2*t.Z*logSum(largest, dst[top])))
	}
	for j, v := range dst {
		dst[j] = float32(v * scale)
	}
	dst[target] -= t.scale
}
