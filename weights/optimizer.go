package weights

import (
	"fmt"
	"slices"
)

// Optimizer is the state dict of a torch.optim.AdamW (or Adam).
type Optimizer struct {
	Groups []ParamGroup
	// States are those of the parameters in the order of their numbers, which count through
	// the groups. A parameter that never had a gradient has none: nil.
	States []*ParamState
}

// ParamGroup holds the constants that the parameters of a group have in common.
type ParamGroup struct {
	Name              string // "group_name", which OpenCLIP's development head adds
	LR                float64
	Beta1, Beta2, Eps float64
	WeightDecay       float64
	DecoupledDecay    bool  // as in AdamW
	AMSGrad, Maximize bool  // variants of the algorithm
	Params            []int // numbers of its parameters
	Options           *Dict // all keys as they are in the file
}

// ParamState is what Adam remembers of a parameter.
type ParamState struct {
	Step             int // steps taken
	ExpAvg, ExpAvgSq Tensor
}

// maxStepStorage bounds the bytes of a storage in which a step count lies: reading
// one must cost little.
const maxStepStorage = 4 << 10

// optimizer reads {"state": {number: {"step", "exp_avg", "exp_avg_sq"}}, "param_groups": […]}.
func (r checkpointReader) optimizer(v Value) (*Optimizer, error) {
	d, ok := v.(*Dict)
	if !ok {
		return nil, r.bad("optimizer", "a dictionary", v)
	}
	groups, _ := d.Get("param_groups")
	list, ok := groups.(*List)
	if !ok {
		return nil, r.bad("optimizer: param_groups", "a list", groups)
	}
	state, _ := d.Get("state")
	states, ok := state.(*Dict)
	if !ok {
		return nil, r.bad("optimizer: state", "a dictionary", state)
	}
	o := new(Optimizer)
	total := 0
	for i, item := range list.Items {
		g, err := r.group(fmt.Sprintf("optimizer: param_groups[%d]", i), item)
		if err != nil {
			return nil, err
		}
		o.Groups = append(o.Groups, g)
		if total += len(g.Params); total > maxTensors {
			return nil, &LimitError{Path: r.path, What: "parameters of the optimizer", Limit: maxTensors, Got: uint64(total)}
		}
	}
	seen := make([]bool, total)
	for _, g := range o.Groups {
		for _, n := range g.Params {
			if n >= total || seen[n] {
				return nil, &FormatError{Path: r.path, What: "optimizer: numbers of the parameters", Want: fmt.Sprintf("each below %d once", total), Got: fmt.Sprint(n)}
			}
			seen[n] = true
		}
	}
	o.States = make([]*ParamState, total)
	for i := range states.Len() {
		key, value := states.At(i)
		n, ok := key.(int64)
		if !ok || n < 0 || n >= int64(total) {
			return nil, r.bad("optimizer: key of a state", fmt.Sprintf("a number below %d", total), key)
		}
		var err error
		if o.States[n], err = r.state(fmt.Sprintf("optimizer: state[%d]", n), value); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// group reads the constants of a group. What the files of older releases lack has the value
// that it had there.
func (r checkpointReader) group(what string, v Value) (ParamGroup, error) {
	d, ok := v.(*Dict)
	if !ok {
		return ParamGroup{}, r.bad(what, "a dictionary", v)
	}
	g := ParamGroup{Options: d, DecoupledDecay: true}
	betas, _ := d.Get("betas")
	pair, _ := betas.(Tuple)
	if l, ok := betas.(*List); ok {
		pair = l.Items
	}
	if len(pair) != 2 {
		return g, &UnsupportedError{Path: r.path, What: "optimizer", Got: what + " without two betas, which Adam has"}
	}
	lr, _ := d.Get("lr")
	eps, _ := d.Get("eps")
	decay, _ := d.Get("weight_decay")
	for _, f := range []struct {
		name string
		from Value
		to   *float64
	}{{"lr", lr, &g.LR}, {"first beta", pair[0], &g.Beta1}, {"second beta", pair[1], &g.Beta2}, {"eps", eps, &g.Eps}, {"weight_decay", decay, &g.WeightDecay}} {
		if t, ok := f.from.(Tensor); ok { // a learning rate may be one
			x, err := r.scalar(what+": "+f.name, t)
			if err != nil {
				return g, err
			}
			f.from = x
		}
		if *f.to, ok = r.float(f.from); !ok {
			return g, r.bad(what+": "+f.name, "a number", f.from)
		}
	}
	for _, f := range []struct {
		name string
		to   *bool
	}{{"amsgrad", &g.AMSGrad}, {"maximize", &g.Maximize}, {"decoupled_weight_decay", &g.DecoupledDecay}} {
		if v, _ := d.Get(f.name); v != nil {
			if *f.to, ok = v.(bool); !ok {
				return g, r.bad(what+": "+f.name, "a bool", v)
			}
		}
	}
	if v, _ := d.Get("group_name"); v != nil {
		if g.Name, ok = v.(string); !ok {
			return g, r.bad(what+": group_name", "a string", v)
		}
	}
	params, _ := d.Get("params")
	list, ok := params.(*List)
	if !ok {
		return g, r.bad(what+": params", "a list", params)
	}
	for _, item := range list.Items {
		n, ok := r.count(item)
		if !ok {
			return g, r.bad(what+": params", "integers from 0", item)
		}
		g.Params = append(g.Params, n)
	}
	return g, nil
}

// state reads what Adam remembers of a parameter.
func (r checkpointReader) state(what string, v Value) (*ParamState, error) {
	d, ok := v.(*Dict)
	if !ok {
		return nil, r.bad(what, "a dictionary", v)
	}
	s := new(ParamState)
	for _, f := range []struct {
		name string
		to   *Tensor
	}{{"exp_avg", &s.ExpAvg}, {"exp_avg_sq", &s.ExpAvgSq}} {
		v, _ := d.Get(f.name)
		if *f.to, ok = v.(Tensor); !ok {
			return nil, &UnsupportedError{Path: r.path, What: "optimizer", Got: what + " without a tensor " + quote(f.name) + ", which Adam has"}
		}
		if !f.to.DType.float() {
			return nil, &UnsupportedError{Path: r.path, What: "type of " + what + ": " + f.name, Got: string(f.to.DType)}
		}
		f.to.Name = what + ": " + f.name
	}
	if !slices.Equal(s.ExpAvg.Shape, s.ExpAvgSq.Shape) {
		return nil, &FormatError{Path: r.path, What: what, Want: "exp_avg and exp_avg_sq of one shape", Got: intsString(s.ExpAvg.Shape) + " and " + intsString(s.ExpAvgSq.Shape)}
	}
	step, _ := d.Get("step")
	if t, ok := step.(Tensor); ok {
		x, err := r.scalar(what+": step", t)
		if err != nil {
			return nil, err
		}
		step = x
	}
	if s.Step, ok = r.count(step); !ok {
		return nil, r.bad(what+": step", "a whole number from 0", step)
	}
	return s, nil
}

// scalar reads a tensor of one element.
func (r checkpointReader) scalar(what string, t Tensor) (float64, error) {
	if t.Elems() != 1 {
		return 0, &FormatError{Path: r.path, What: what, Want: "one element", Got: "the shape " + intsString(t.Shape)}
	}
	if t.st.bytes > maxStepStorage {
		return 0, &LimitError{Path: r.path, What: what + ": bytes of its storage", Limit: maxStepStorage, Got: uint64(t.st.bytes)}
	}
	t.Name = what
	x, err := t.Float32()
	if err != nil {
		return 0, err
	}
	return float64(x[0]), nil
}
