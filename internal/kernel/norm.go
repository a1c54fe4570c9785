package kernel

import "math"

// LayerNorm stores (x-mean)/√(variance+eps)·gamma + beta of each row of x
// [rows, width] in dst, which may be x. The variance is the biased one, as in
// PyTorch; gamma and beta are [width], or nil for ones and zeros.
func LayerNorm(p *Pool, dst, x []float32, rows, width int, gamma, beta []float32, eps float32) {
	f := p.frame()
	f.norm = normTask{dst[:rows*width], x[:rows*width], gamma, beta, rows, width, eps}
	p.inRows((rows+normChunk-1)/normChunk, &f.norm)
	p.release(f)
}

// inRows runs pieces that are rows in their order: each thread takes the rows that it has
// had in other kernels.
func (p *Pool) inRows(n int, t Task) { p.RunGroups(n, min(n, p.Threads()), t) }

const normChunk = 8 // rows in one piece of work

type normTask struct {
	dst, x, gamma, beta []float32
	rows, width         int
	eps                 float32
}

func (t *normTask) Do(_, i int) {
	for r := i * normChunk; r < min(t.rows, (i+1)*normChunk); r++ {
		inner.layerNorm(t.dst[r*t.width:][:t.width], t.x[r*t.width:][:t.width], t.gamma, t.beta, t.eps)
	}
}

func layerNormGeneric(dst, x, gamma, beta []float32, eps float32) {
	var sum float64
	for _, v := range x {
		sum += float64(v)
	}
	mean := sum / float64(len(x))
	var squares float64
	for _, v := range x {
		d := float64(v) - mean
		squares += float64(d * d)
	}
	inv := 1 / math.Sqrt(squares/float64(len(x))+float64(eps))
	for i, v := range x {
		y := (float64(v) - mean) * inv
		if gamma != nil {
			y = float64(y * float64(gamma[i]))
		}
		if beta != nil {
			y += float64(beta[i])
		}
		dst[i] = float32(y)
	}
}

// Normalize divides each row of x [rows, width] by its Euclidean norm, or by
// 1e-12 if that is larger, and stores it in dst, which may be x.
func Normalize(p *Pool, dst, x []float32, rows, width int) {
	f := p.frame()
	f.normalize = normalizeTask{dst[:rows*width], x[:rows*width], rows, width}
	p.Run((rows+normChunk-1)/normChunk, &f.normalize)
	p.release(f)
}

type normalizeTask struct {
	dst, x      []float32
	rows, width int
}

func (t *normalizeTask) Do(_, i int) {
	for r := i * normChunk; r < min(t.rows, (i+1)*normChunk); r++ {
		normalizeGeneric(t.dst[r*t.width:][:t.width], t.x[r*t.width:][:t.width])
	}
}

func normalizeGeneric(dst, x []float32) {
	var squares float64
	for _, v := range x {
		squares += float64(v) * float64(v)
	}
	norm := float64(float32(math.Sqrt(squares)))
	if norm < 1e-12 { // written so that NaN passes through
		norm = 1e-12
	}
	for i, v := range x {
		dst[i] = float32(float64(v) / norm)
	}
}
