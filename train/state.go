package train

import "fmt"

// Moments is what AdamW remembers of a tensor, under PyTorch's names.
type Moments struct {
	Name             string
	Step             int       // steps taken; at 0 PyTorch has no entry
	ExpAvg, ExpAvgSq []float32 // the optimizer's own memory, to be copied or written before its next Step
}

// State is the state of every parameter, in OpenCLIP's order: the first group,
// then the second. The index is PyTorch's number of the parameter.
func (a *AdamW) State() []Moments {
	s := make([]Moments, len(a.entries))
	for i, e := range a.entries {
		s[i] = Moments{e.Name, e.step, e.m, e.v}
	}
	return s
}

// SetState copies a state that State gave, of any order. A parameter that
// is not in it starts anew, as one without an entry does in PyTorch. An error is
// a [ParameterError] and leaves the optimizer as it was.
func (a *AdamW) SetState(state []Moments) error {
	entries := map[string]*entry{}
	for _, e := range a.entries {
		entries[e.Name] = e
	}
	found := map[string]bool{}
	for _, s := range state {
		e := entries[s.Name]
		switch {
		case e == nil:
			return &ParameterError{s.Name, "optimizer state", "a tensor that is trained", "none of that name"}
		case found[s.Name]:
			return &ParameterError{s.Name, "optimizer state", "each tensor once", "twice"}
		case s.Step < 0:
			return &ParameterError{s.Name, "step", "a number from 0", fmt.Sprint(s.Step)}
		case len(s.ExpAvg) != len(e.m):
			return &ParameterError{s.Name, "exp_avg", fmt.Sprint(len(e.m), " elements"), fmt.Sprint(len(s.ExpAvg))}
		case len(s.ExpAvgSq) != len(e.v):
			return &ParameterError{s.Name, "exp_avg_sq", fmt.Sprint(len(e.v), " elements"), fmt.Sprint(len(s.ExpAvgSq))}
		}
		found[s.Name] = true
	}
	for _, e := range a.entries {
		if !found[e.Name] {
			e.step = 0
			clear(e.m)
			clear(e.v)
		}
	}
	for _, s := range state {
		e := entries[s.Name]
		e.step = s.Step
		copy(e.m, s.ExpAvg)
		copy(e.v, s.ExpAvgSq)
	}
	return nil
}
