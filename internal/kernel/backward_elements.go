package kernel

import "math"

// ActivationGrad is the gradient of y = act(z)·scale with respect to z:
// DZ = DY·Scale·act′(Z), [Rows, Width]. Z is not read for None; Scale [Width] may be nil.
type ActivationGrad struct {
	Rows, Width      int
	Act              Activation
	DZ, DY, Z, Scale []float32

	frame *frame
}

// Run computes DZ, which may be DY or Z.
func (t *ActivationGrad) Run(p *Pool) {
	t.frame = p.frame()
	p.Run(t.Rows, t)
	f := t.frame
	t.frame = nil
	p.release(f)
}

// Do computes one row.
func (t *ActivationGrad) Do(worker, r int) {
	n := t.Width
	dz, dy := t.DZ[r*n:][:n], t.DY[r*n:][:n]
	if t.Act == None {
		copy(dz, dy)
		if t.Scale != nil {
			for j, v := range t.Scale[:n] {
				dz[j] = float32(dz[j] * v)
			}
		}
		return
	}
	z := t.Z[r*n:][:n]
	s := t.frame.scratch(worker, 2*n)
	slope := s[:n]
	slopes(slope, s[n:], z, t.Act)
	if t.Scale != nil {
		for j, v := range t.Scale[:n] {
			slope[j] = float32(slope[j] * v)
		}
	}
	for j, g := range dy {
		dz[j] = float32(g * slope[j])
	}
}

// slopes stores act′(z); scratch is as long as z. It is built from the loops that
// the forward pass has:
//
//	GELU′      = Φ + z·φ, with Φ = GELU/z and φ = e^(−z²/2)/√2π
//	QuickGELU′ = σ·(1 + 1.702z·(1−σ)), with σ = QuickGELU/z
func slopes(dst, scratch, z []float32, act Activation) {
	inner.epilogue(1, len(z), dst, 0, z, 0, nil, nil, nil, 0, act)
	if act == QuickGELU {
		for j, v := range z {
			s := float32(0.5)
			if v > tiny || v < -tiny {
				s = dst[j] / v
			}
			dst[j] = float32(s * (1 + float32(float32(1.702*v)*(1-s))))
		}
		return
	}
	for j, v := range z {
		scratch[j] = float32(-0.5 * float32(v*v))
	}
	inner.exp(scratch, scratch)
	const inverseRoot = 0.3989422804014327 // 1/√2π
	for j, v := range z {
		s := float32(0.5)
		if v > tiny || v < -tiny {
			s = dst[j] / v
		}
		dst[j] = s + float32(float32(v*inverseRoot)*scratch[j])
	}
}

// tiny is below what changes ½ + z/√2π, and above what loses bits when divided by.
const tiny = 1e-20

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

// CrossEntropy is −log softmax(row)[target] of rows of logits [Rows, Width];
// rows whose target is negative are left out.
type CrossEntropy struct {
	Width   int
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
	// log Σ eˣ = x − log p of any element; of the largest it is exact to a rounding.
	top := largestIndex(row)
	t.losses[r] = float64(row[top]) - math.Log(float64(p[top])) - float64(row[t.Targets[r]])
}

func largestIndex(x []float32) (top int) {
	for i, v := range x {
		if v > x[top] {
			top = i
		}
	}
	return top
}

// Grad stores scale·(softmax − one-hot) of each row in dst, which may be Logits,
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
	inner.softmax(dst, t.Logits[r*t.Width:][:t.Width], 1)
	for j, v := range dst {
		dst[j] = float32(v * t.scale)
	}
	dst[target] -= t.scale
}
