package train

import (
	"fmt"
	"math"
	"strings"

	"github.com/seed-e0874532/coca/internal/kernel"
)

// AdamWConfig holds the constants of AdamW.
type AdamWConfig struct {
	Beta1, Beta2, Eps float64
	WeightDecay       float64 // of the second group, see [Decayed]
}

// DefaultLearningRate is OpenCLIP's, for every model.
const DefaultLearningRate = 5e-4

// DefaultAdamW returns the constants that OpenCLIP takes for a model of that
// name: those of CLIP if "vit" is part of it in any case, else PyTorch's.
func DefaultAdamW(model string) AdamWConfig {
	if strings.Contains(strings.ToLower(model), "vit") {
		return AdamWConfig{Beta1: 0.9, Beta2: 0.98, Eps: 1e-6, WeightDecay: 0.2}
	}
	return AdamWConfig{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.2}
}

// validate returns a [ConfigError] for the first constant that cannot be used.
func (c AdamWConfig) validate() error {
	for _, v := range []struct {
		name   string
		value  float64
		below1 bool
	}{{"beta1", c.Beta1, true}, {"beta2", c.Beta2, true}, {"eps", c.Eps, false}, {"wd", c.WeightDecay, false}} {
		if !(v.value >= 0) || v.below1 && v.value >= 1 || math.IsInf(v.value, 0) {
			want := "a number from 0"
			if v.below1 {
				want = "a number from 0 to less than 1"
			}
			return &ConfigError{v.name, want, fmt.Sprint(v.value)}
		}
	}
	return nil
}

// Decayed tells whether OpenCLIP 3.3 lets a tensor's weights decay: all but
// vectors, scalars and what is named like a norm, a bias or the logit scale.
func Decayed(p *Parameter) bool {
	if len(p.Shape) < 2 {
		return false
	}
	for _, part := range []string{"bn", "ln", "bias", "logit_scale"} {
		if strings.Contains(p.Name, part) {
			return false
		}
	}
	return true
}

// AdamW is Adam with decoupled weight decay (Loshchilov and Hutter, 2019) as
// PyTorch computes it. In step t, from 1, a tensor p with gradient g becomes
//
//	p ← p·(1 − lr·decay)
//	m ← m + (1 − β₁)·(g − m)
//	v ← β₂·v + (1 − β₂)·g²
//	p ← p − lr/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε)
//
// each product and sum rounded to float32. A tensor without gradient keeps its
// value, and its t.
type AdamW struct {
	config  AdamWConfig
	entries []*entry // group without decay first, then the one with decay
	first   int      // entries of the first group
	m, v    []float32

	pool   *kernel.Pool
	pieces []piece
	task   adamwTask
}

// entry is a tensor and what its elements have in common in a step.
type entry struct {
	*Parameter
	m, v  []float32
	step  int
	decay float64

	constants kernel.AdamWStep // of this step
}

// piece is a part of a tensor, small enough to spread over threads.
type piece struct {
	entry    *entry
	from, to int
}

const pieceSize = 1 << 15

// NewAdamW prepares the optimizer for parameters in state-dict order. A pool
// spreads its work; nil works on the caller's goroutine.
func NewAdamW(p *Parameters, c AdamWConfig, pool *kernel.Pool) (*AdamW, error) {
	return newAdamW(p, c, pool, func(*Parameter) bool { return true })
}

func newAdamW(p *Parameters, c AdamWConfig, pool *kernel.Pool, mine func(*Parameter) bool) (*AdamW, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	a := &AdamW{config: c, pool: pool}
	total := 0
	for _, decay := range []bool{false, true} {
		for _, t := range p.All {
			if !mine(t) || Decayed(t) != decay {
				continue
			}
			e := &entry{Parameter: t}
			if decay {
				e.decay = c.WeightDecay
			}
			a.entries = append(a.entries, e)
			total += (len(t.Value) + alignment - 1) / alignment * alignment
		}
		if !decay {
			a.first = len(a.entries)
		}
	}
	a.m, a.v = make([]float32, total), make([]float32, total)
	at := 0
	for _, e := range a.entries {
		n := len(e.Value)
		e.m, e.v = a.m[at:][:n:n], a.v[at:][:n:n]
		at += (n + alignment - 1) / alignment * alignment
		for from := 0; from < n; from += pieceSize {
			a.pieces = append(a.pieces, piece{e, from, min(from+pieceSize, n)})
		}
	}
	a.task = adamwTask{a.pieces}
	return a, nil
}

// Groups lists the names of the two parameter groups, without decay and with,
// in the order in which OpenCLIP numbers them.
func (a *AdamW) Groups() (plain, decayed []string) {
	for i, e := range a.entries {
		if i < a.first {
			plain = append(plain, e.Name)
		} else {
			decayed = append(decayed, e.Name)
		}
	}
	return plain, decayed
}

// Step changes every parameter that has a gradient. It does not allocate.
func (a *AdamW) Step(lr float64) {
	c := a.config
	for _, e := range a.entries {
		if e.Gradient == nil {
			continue
		}
		e.step++
		t := float64(e.step)
		e.constants = kernel.AdamWStep{
			Shrink: float32(1 - lr*e.decay),
			First:  float32(1 - c.Beta1), Keep: float32(c.Beta2), Second: float32(1 - c.Beta2),
			Root: float32(math.Sqrt(1 - math.Pow(c.Beta2, t))),
			Eps:  float32(c.Eps),
			Size: float32(-(lr / (1 - math.Pow(c.Beta1, t)))),
		}
	}
	a.pool.Run(len(a.pieces), &a.task)
}

type adamwTask struct{ pieces []piece }

// Do updates one piece.
func (t *adamwTask) Do(_, i int) {
	e, from, to := t.pieces[i].entry, t.pieces[i].from, t.pieces[i].to
	if e.Gradient == nil {
		return
	}
	kernel.AdamW(e.Value[from:to], e.Gradient[from:to], e.m[from:to], e.v[from:to], &e.constants)
}

// ConfigError reports a constant of training that cannot be used.
type ConfigError struct {
	Field       string
	Want, Found string
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("train: %s: want %s, found %s", e.Field, e.Want, e.Found)
}
