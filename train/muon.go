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
// torch.optim.Muon but in float32 throughout, and all other tensors by [AdamW]. For a
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

	a, b, x, y []float32 // scratch: two Gram matrices and two matrices
	product    kernel.Product
}

type hidden struct {
	*Parameter
	momentum []float32
	parts    int // matrices one upon another
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
	gram, matrix := 0, 0
	for _, t := range p.All {
		if !Hidden(t) {
			continue
		}
		h := &hidden{Parameter: t, momentum: make([]float32, len(t.Value)), parts: 1}
		if strings.HasSuffix(t.Name, "in_proj_weight") && t.Shape[0]%3 == 0 {
			h.parts = 3
		}
		m.hidden = append(m.hidden, h)
		side := min(t.Shape[0]/h.parts, t.Shape[1])
		gram, matrix = max(gram, side*side), max(matrix, len(t.Value)/h.parts)
	}
	m.a, m.b, m.x, m.y = make([]float32, gram), make([]float32, gram), make([]float32, matrix), make([]float32, matrix)
	return m, nil
}

// Step changes every parameter that has a gradient: those of AdamW with the
// rate lr, hidden matrices with lr·Ratio.
func (m *Muon) Step(lr float64) {
	m.rest.Step(lr)
	lr *= m.config.Ratio
	for _, h := range m.hidden {
		if h.Gradient == nil {
			continue
		}
		rows, columns := h.Shape[0]/h.parts, h.Shape[1]
		n := rows * columns
		for i := range h.parts {
			m.matrix(h.Value[i*n:][:n], h.Gradient[i*n:][:n], h.momentum[i*n:][:n], rows, columns, lr)
		}
	}
}

func (m *Muon) matrix(p, g, momentum []float32, rows, columns int, lr float64) {
	mu := float32(m.config.Momentum)
	pull := float32(1 - m.config.Momentum)
	u := m.x[:len(p)]
	for i := range g {
		momentum[i] += float32(pull * float32(g[i]-momentum[i]))
		u[i] = g[i] + float32(mu*float32(momentum[i]-g[i]))
	}
	u = m.orthogonal(rows, columns)
	shrink := float32(1 - lr*m.config.WeightDecay)
	size := float32(lr * math.Sqrt(max(1, float64(rows)/float64(columns))))
	for i := range p {
		p[i] = float32(p[i]*shrink) - float32(size*u[i])
	}
}

// orthogonal replaces the matrix in m.x by one whose singular values lie near 1.
// The result lies in m.x or m.y, which the next call overwrites.
func (m *Muon) orthogonal(rows, columns int) []float32 {
	n := rows * columns
	x, y := m.x[:n], m.y[:n]
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	scale := float32(1 / max(math.Sqrt(sum), muonEps))
	for i := range x {
		x[i] *= scale
	}
	// The smaller Gram matrix: XXᵀ for a wide X, XᵀX for a tall one, which then
	// stands on the right.
	tall := rows > columns
	side := min(rows, columns)
	a, b := m.a[:side*side], m.b[:side*side]
	for range m.config.Iterations {
		if tall {
			m.multiply(kernel.Product{M: side, N: side, K: rows, A: x, ARow: columns, ATrans: true, B: x, BRow: columns, Dst: a})
		} else {
			m.multiply(kernel.Product{M: side, N: side, K: columns, A: x, ARow: columns, B: x, BRow: columns, BTrans: true, Dst: a})
		}
		m.multiply(kernel.Product{M: side, N: side, K: side, A: a, ARow: side, B: a, BRow: side, Dst: b})
		for i := range b {
			b[i] = float32(muonB*a[i]) + float32(muonC*b[i])
		}
		if tall {
			m.multiply(kernel.Product{M: rows, N: side, K: side, A: x, ARow: columns, B: b, BRow: side, Dst: y})
		} else {
			m.multiply(kernel.Product{M: side, N: columns, K: side, A: b, ARow: side, B: x, BRow: columns, Dst: y})
		}
		for i := range y {
			y[i] += float32(muonA * x[i])
		}
		x, y = y, x
	}
	return x
}

func (m *Muon) multiply(p kernel.Product) {
	m.product = p
	m.product.Run(m.pool)
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
