package train

import (
	"fmt"

	"github.com/seed-e0874532/coca/weights"
)

// state is an optimizer whose memory can be kept.
type state interface {
	Step(lr float64)
	items() ([]weights.Item, error)
	restore(f *weights.File) error
}

// Names in the optimizer's file: PREFIX.TENSOR, and the steps of all tensors of AdamW in
// the order of its State.
const (
	meanPrefix     = "exp_avg."
	squarePrefix   = "exp_avg_sq."
	momentumPrefix = "momentum_buffer."
	stepsName      = "step"
)

func (a *AdamW) items() ([]weights.Item, error) {
	l := itemList{}
	moments := a.State()
	steps := make([]float32, len(moments)) // as PyTorch keeps them; whole numbers to 2^24 are exact
	for i, m := range moments {
		steps[i] = float32(m.Step)
		l.add(meanPrefix+m.Name, m.ExpAvg)
		l.add(squarePrefix+m.Name, m.ExpAvgSq)
	}
	if len(steps) > 0 {
		l.add(stepsName, steps)
	}
	return l.items, l.err
}

func (a *AdamW) restore(f *weights.File) error {
	moments := a.State()
	steps, err := tensorOf(f, stepsName, len(moments))
	if err != nil {
		return err
	}
	for i := range moments {
		m := &moments[i]
		m.Step = int(steps[i])
		if m.ExpAvg, err = tensorOf(f, meanPrefix+m.Name, len(m.ExpAvg)); err != nil {
			return err
		}
		if m.ExpAvgSq, err = tensorOf(f, squarePrefix+m.Name, len(m.ExpAvgSq)); err != nil {
			return err
		}
	}
	return a.SetState(moments)
}

func (m *Muon) items() ([]weights.Item, error) {
	items, err := m.rest.items()
	l := itemList{items, err}
	for _, b := range m.State().Momentum {
		l.add(momentumPrefix+b.Name, b.Buffer)
	}
	return l.items, l.err
}

func (m *Muon) restore(f *weights.File) error {
	for _, h := range m.hidden {
		buffer, err := tensorOf(f, momentumPrefix+h.Name, len(h.momentum))
		if err != nil {
			return err
		}
		copy(h.momentum, buffer)
	}
	return m.rest.restore(f)
}

// itemList collects tensors to write.
type itemList struct {
	items []weights.Item
	err   error
}

func (l *itemList) add(name string, values []float32) {
	item, err := weights.Float32Item(name, []int{len(values)}, values, weights.F32)
	if err != nil && l.err == nil {
		l.err = err
	}
	l.items = append(l.items, item)
}

// tensorOf reads a vector of a known length.
func tensorOf(f *weights.File, name string, n int) ([]float32, error) {
	if n == 0 {
		return nil, nil
	}
	t, err := f.Tensor(name)
	if err != nil {
		return nil, err
	}
	v, err := t.Float32()
	if err != nil {
		return nil, err
	}
	if len(v) != n {
		return nil, &ParameterError{name, "optimizer state", fmt.Sprint(n, " elements"), fmt.Sprint(len(v))}
	}
	return v, nil
}
