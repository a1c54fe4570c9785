package train

import (
	"math"

	"github.com/seed-e0874532/coca/internal/kernel"
)

// Clipper scales gradients so that their norm stays below a bound, as PyTorch's
// clip_grad_norm_ does.
type Clipper struct {
	pool   *kernel.Pool
	pieces []clipPiece
	square squareTask
	scale  scaleTask
}

type clipPiece struct {
	of       *Parameter
	from, to int
	sum      float64 // of squares
	_        [64 - 40]byte
}

// NewClipper prepares the gradients of all parameters.
func NewClipper(p *Parameters, pool *kernel.Pool) *Clipper {
	c := &Clipper{pool: pool}
	for _, t := range p.All {
		for from := 0; from < len(t.Value); from += pieceSize {
			c.pieces = append(c.pieces, clipPiece{of: t, from: from, to: min(from+pieceSize, len(t.Value))})
		}
	}
	c.square.pieces, c.scale.pieces = c.pieces, c.pieces
	return c
}

// Norm is the L2 norm of all gradients together. It does not depend on the
// number of threads.
func (c *Clipper) Norm() float64 {
	c.pool.Run(len(c.pieces), &c.square)
	sum := 0.0
	for i := range c.pieces {
		sum += c.pieces[i].sum
	}
	return math.Sqrt(sum)
}

// Clip multiplies all gradients by limit/(norm + 1e-6), if that is less than 1,
// and returns the norm before. As in PyTorch, a norm that is not a number makes
// every gradient NaN.
func (c *Clipper) Clip(limit float64) (norm float64) {
	norm = c.Norm()
	factor := limit / (norm + 1e-6)
	if factor >= 1 {
		return norm
	}
	c.scale.factor = float32(factor)
	c.pool.Run(len(c.pieces), &c.scale)
	return norm
}

type squareTask struct{ pieces []clipPiece }

// Do sums the squares of one piece.
func (t *squareTask) Do(_, i int) {
	p := &t.pieces[i]
	p.sum = 0
	if p.of.Gradient == nil {
		return
	}
	p.sum = kernel.SumSquares(p.of.Gradient[p.from:p.to])
}

type scaleTask struct {
	pieces []clipPiece
	factor float32
}

// Do scales one piece.
func (t *scaleTask) Do(_, i int) {
	p := &t.pieces[i]
	if p.of.Gradient == nil {
		return
	}
	g := p.of.Gradient[p.from:p.to]
	for i := range g {
		g[i] *= t.factor
	}
}

// ClampLogitScale holds the logarithm of the contrastive scale to [0, ln 100],
// as OpenCLIP does after every step of the optimizer.
func ClampLogitScale(value []float32) {
	for i := range value {
		value[i] = min(max(value[i], 0), float32(math.Log(100)))
	}
}
