package train

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seed-e0874532/coca/internal/kernel"
)

// MuonConfig holds the constants of Muon.
type MuonConfig struct {
	Momentum    float64
	WeightDecay float64
	Iterations  int     // of Newton and Schulz
	Ratio       float64 // of the rate of hidden matrices to that of all others

	// Precision is that of the products: kernel.F32, or kernel.BF16 as in torch.optim.Muon.
	Precision kernel.Precision
}

// DefaultMuon are the usual constants, without decay; the matrices learn
// twice as fast as what is left to AdamW.
var DefaultMuon = MuonConfig{Momentum: 0.95, Iterations: 5, Ratio: 2}

// validate returns a [ConfigError] for the first constant that cannot be used.
func (c MuonConfig) validate() error {
	switch {
	case !(c.Momentum >= 0 && c.Momentum < 1):
		return &ConfigError{"muon-momentum", "a number from 0 to less than 1", fmt.Sprint(c.Momentum)}
	case !(c.WeightDecay >= 0) || math.IsInf(c.WeightDecay, 0):
		return &ConfigError{"muon-wd", "a number from 0", fmt.Sprint(c.WeightDecay)}
	case c.Iterations < 1 || c.Iterations > 99:
		return &ConfigError{"muon iterations", "1 to 99", fmt.Sprint(c.Iterations)}
	case !(c.Ratio >= 0) || math.IsInf(c.Ratio, 0):
		return &ConfigError{"muon-lr", "a number from 0", fmt.Sprint(c.Ratio)}
	}
	return nil
}

// Hidden tells whether Muon trains a tensor: the matrices of attentions and
// MLPs, which map one hidden vector to another. Embeddings, queries, the projections
// to and from the model's faces and everything that is no matrix belong to AdamW.
func Hidden(p *Parameter) bool {
	if len(p.Shape) != 2 || p.Shape[0] < 2 || p.Shape[1] < 2 {
		return false
	}
	for _, end := range []string{"in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight", "out_proj.weight", "c_fc.weight", "c_proj.weight"} {
		if strings.HasSuffix(p.Name, end) {
			return true
		}
	}
	return false
}

// Muon trains hidden matrices by momentum that is made orthogonal (K. Jordan,
// "Muon: An optimizer for hidden layers in neural networks", 2024), in the form of
// torch.optim.Muon, in float32 unless Precision says otherwise, and all other tensors by [AdamW]. For a
// matrix p [rows, columns] with gradient g, a step is
//
//	m ← m + (1 − μ)·(g − m)
//	u ← g + μ·(m − g)                       Nesterov's look ahead
//	p ← p·(1 − lr·decay) − lr·√max(1, rows/columns) · orthogonal(u)
//
// where orthogonal(u) brings all singular values of u near 1 by iterating
// X ← a·X + (b·XXᵀ + c·(XXᵀ)²)·X from X = u/‖u‖ with a, b, c = 3.4445, −4.775, 2.0315. The
// three matrices of a fused in_proj_weight are made orthogonal one by one.
type Muon struct {
	config MuonConfig
	pool   *kernel.Pool
	rest   *AdamW
	hidden []*hidden

	matrices []matrix // the most work first
	scratch  []muonScratch
	lr       float64 // of this step
}

type hidden struct {
	*Parameter
	momentum []float32
	parts    int // matrices one upon another
}

// matrix is one of the parts of a hidden tensor: a piece of work for one thread.
type matrix struct {
	of            *hidden
	from          int // first element
	rows, columns int
}

// muonScratch is what one thread needs.
type muonScratch struct {
	a, b, x, y []float32 // two Gram matrices and two matrices
	factors    []float32 // for products that are scaled
	product    kernel.Product
}

const (
	muonA, muonB, muonC = 3.4445, -4.7750, 2.0315
	muonEps             = 1e-7
)

// NewMuon prepares the optimizer; c is for hidden matrices, rest for the
// other tensors.
func NewMuon(p *Parameters, c MuonConfig, rest AdamWConfig, pool *kernel.Pool) (*Muon, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	m := &Muon{config: c, pool: pool}
	var err error
	m.rest, err = newAdamW(p, rest, pool, func(t *Parameter) bool { return !Hidden(t) })
	if err != nil {
		return nil, err
	}
	gram, whole, width := 0, 0, 0
	for _, t := range p.All {
		if !Hidden(t) {
			continue
		}
		h := &hidden{Parameter: t, momentum: make([]float32, len(t.Value)), parts: 1}
		if strings.HasSuffix(t.Name, "in_proj_weight") && t.Shape[0]%3 == 0 {
			h.parts = 3
		}
		m.hidden = append(m.hidden, h)
		rows, columns := t.Shape[0]/h.parts, t.Shape[1]
		side := min(rows, columns)
		gram, whole, width = max(gram, side*side), max(whole, rows*columns), max(width, columns)
		for i := range h.parts {
			m.matrices = append(m.matrices, matrix{h, i * rows * columns, rows, columns})
		}
	}
	slices.SortStableFunc(m.matrices, func(a, b matrix) int { return b.rows*b.columns - a.rows*a.columns })
	m.scratch = make([]muonScratch, min(pool.Threads(), max(1, len(m.matrices))))
	for i := range m.scratch {
		m.scratch[i] = muonScratch{
			a: make([]float32, gram), b: make([]float32, gram), x: make([]float32, whole), y: make([]float32, whole),
			factors: make([]float32, width),
		}
	}
	return m, nil
}

// Step changes every parameter that has a gradient: those of AdamW with the
// rate lr, hidden matrices with lr·Ratio.
func (m *Muon) Step(lr float64) {
	m.rest.Step(lr)
	m.lr = lr * m.config.Ratio
	m.pool.Run(len(m.matrices), (*muonTask)(m))
}

// muonTask changes one matrix at a time. Matrices are small: they are shared
// out whole, so that threads need not wait for each other and each matrix stays in one cache.
type muonTask Muon

func (t *muonTask) Do(worker, i int) {
	m, x := (*Muon)(t), t.matrices[i]
	if x.of.Gradient == nil {
		return
	}
	n := x.rows * x.columns
	p, g, momentum := x.of.Value[x.from:][:n], x.of.Gradient[x.from:][:n], x.of.momentum[x.from:][:n]
	s := &m.scratch[worker]
	s.product.Precision = m.config.Precision
	mu := float32(m.config.Momentum)
	pull := float32(1 - m.config.Momentum)
	u := s.x[:n]
	for i := range g {
		momentum[i] += float32(pull * float32(g[i]-momentum[i]))
		u[i] = g[i] + float32(mu*float32(momentum[i]-g[i]))
	}
	u, factor := s.orthogonal(x.rows, x.columns, m.config.Iterations)
	shrink := float32(1 - m.lr*m.config.WeightDecay)
	size := float32(factor * m.lr * math.Sqrt(max(1, float64(x.rows)/float64(x.columns))))
	for i := range p {
		p[i] = float32(p[i]*shrink) - float32(size*u[i])
	}
}

// orthogonal replaces the matrix in s.x by one whose singular values lie near 1,
// once it is multiplied by factor. The result lies in s.x or s.y.
//
// A matrix is kept as X/f with a factor f of its own, so that an iteration is
// three products whose epilogues do the rest. With A = f²·X·Xᵀ it is
//
//	X ← X + (b/a)·(A + (c/b)·A²)·X,  f ← a·f
func (s *muonScratch) orthogonal(rows, columns, iterations int) (matrix []float32, factor float64) {
	n := rows * columns
	x, y := s.x[:n], s.y[:n]
	factor = 1 / max(math.Sqrt(kernel.SumSquares(x)), muonEps)
	// The smaller Gram matrix: XXᵀ for a wide X, XᵀX for a tall one, which then
	// stands on the right.
	tall := rows > columns
	side := min(rows, columns)
	a, b := s.a[:side*side], s.b[:side*side]
	for range iterations {
		if tall {
			s.multiply(kernel.Product{M: side, N: side, K: rows, A: x, ARow: columns, ATrans: true, B: x, BRow: columns, Dst: a}, factor*factor, nil)
		} else {
			s.multiply(kernel.Product{M: side, N: side, K: columns, A: x, ARow: columns, B: x, BRow: columns, BTrans: true, Dst: a}, factor*factor, nil)
		}
		s.multiply(kernel.Product{M: side, N: side, K: side, A: a, ARow: side, B: a, BRow: side, Dst: b}, muonC/muonB, a)
		if tall {
			s.multiply(kernel.Product{M: rows, N: side, K: side, A: x, ARow: columns, B: b, BRow: side, Dst: y}, muonB/muonA, x)
		} else {
			s.multiply(kernel.Product{M: side, N: columns, K: side, A: b, ARow: side, B: x, BRow: columns, Dst: y}, muonB/muonA, x)
		}
		x, y = y, x
		factor *= muonA
	}
	return x, factor
}

// multiply computes Dst = factor·A·B + plus.
func (s *muonScratch) multiply(p kernel.Product, factor float64, plus []float32) {
	p.Scale, p.Residual = s.factors[:p.N], plus
	for i := range p.Scale {
		p.Scale[i] = float32(factor)
	}
	p.Precision = s.product.Precision
	s.product = p
	s.product.Run(nil)
}

// MuonState is what the optimizer remembers: the momentum of each hidden
// matrix, in state-dict order, and AdamW's moments of all others.
type MuonState struct {
	Momentum []Momentum
	Rest     []Moments
}

// Momentum is that of one hidden matrix, in the optimizer's own memory.
type Momentum struct {
	Name   string
	Buffer []float32
}

// State gives the optimizer's memory.
func (m *Muon) State() MuonState {
	s := MuonState{Rest: m.rest.State()}
	for _, h := range m.hidden {
		s.Momentum = append(s.Momentum, Momentum{h.Name, h.momentum})
	}
	return s
}

// SetState copies a state. Every hidden matrix must be in it. An error is a
// [ParameterError] and leaves the optimizer as it was.
func (m *Muon) SetState(s MuonState) error {
	if len(s.Momentum) != len(m.hidden) {
		return &ParameterError{"*", "momentum", fmt.Sprint(len(m.hidden), " matrices"), fmt.Sprint(len(s.Momentum))}
	}
	for _, h := range m.hidden {
		i := slices.IndexFunc(s.Momentum, func(b Momentum) bool { return b.Name == h.Name })
		if i < 0 {
			return &ParameterError{h.Name, "momentum", "one", "none"}
		}
		if n := len(s.Momentum[i].Buffer); n != len(h.momentum) {
			return &ParameterError{h.Name, "momentum", fmt.Sprint(len(h.momentum), " elements"), fmt.Sprint(n)}
		}
	}
	if err := m.rest.SetState(s.Rest); err != nil {
		return err
	}
	for _, h := range m.hidden {
		i := slices.IndexFunc(s.Momentum, func(b Momentum) bool { return b.Name == h.Name })
		copy(h.momentum, s.Momentum[i].Buffer)
	}
	return nil
}
