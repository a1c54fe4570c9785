package train

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-e0874532/coca/nn"
	"github.com/seed-e0874532/coca/weights"
)

// TorchCheckpoint is what [WriteTorchCheckpoint] writes.
type TorchCheckpoint struct {
	Epoch int    // epochs completed
	Name  string // of the run

	// Tensors are the names and shapes of the state dict in its order, those of
	// model.CoCa.Tensors; Values has them all, trained or not, such as
	// [Parameters.Source].
	Tensors []nn.Info
	Values  nn.Source

	// Optimizer is nil if there is no state that PyTorch's AdamW could take up, as of
	// [Muon]. open_clip_train can then load the file as --pretrained, but not resume.
	Optimizer *AdamW
	LR        float64 // learning rate of the last step
}

// WriteTorchCheckpoint writes a checkpoint as open_clip_train 3.3 saves it after an
// epoch, from which it resumes: a torch file with epoch, name, state_dict and optimizer, the
// latter as PyTorch 2.13's AdamW describes itself. The values stream from where they are. path
// holds either what it held before or the complete new file.
func WriteTorchCheckpoint(ctx context.Context, path string, c TorchCheckpoint) error {
	state := &weights.Dict{Ordered: true}
	for _, t := range c.Tensors {
		values, err := c.Values.Float32(t.Name)
		if err != nil {
			return err
		}
		item, err := weights.Float32Item(t.Name, t.Shape, values, weights.F32)
		if err != nil {
			return err
		}
		if err := state.Set(t.Name, item); err != nil {
			return err
		}
	}
	entries := []any{"epoch", c.Epoch, "name", c.Name, "state_dict", state}
	if c.Optimizer != nil {
		optimizer, err := c.Optimizer.torch(c.LR)
		if err != nil {
			return err
		}
		entries = append(entries, "optimizer", optimizer)
	}
	root, err := dict(entries...)
	if err != nil {
		return err
	}
	return weights.WriteTorch(ctx, path, root, nil)
}

// dict makes a dictionary of keys and values in turn.
func dict(entries ...any) (*weights.Dict, error) {
	d := new(weights.Dict)
	for i := 0; i < len(entries); i += 2 {
		if err := d.Set(entries[i], entries[i+1]); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// torch is the state dict of PyTorch's AdamW: the keys of a group stand in the order in
// which PyTorch writes them, those that say nothing here with its defaults.
func (a *AdamW) torch(lr float64) (*weights.Dict, error) {
	states, groups := new(weights.Dict), new(weights.List)
	var params [2]*weights.List
	for i := range params {
		params[i] = new(weights.List)
	}
	for i, e := range a.entries {
		group := 0
		if i >= a.first {
			group = 1
		}
		params[group].Items = append(params[group].Items, i)
		if e.step == 0 {
			continue // as in PyTorch, until the first gradient
		}
		entry := []any{}
		for _, t := range []struct {
			name   string
			shape  []int
			values []float32
		}{{"step", nil, []float32{float32(e.step)}}, {"exp_avg", e.Shape, e.m}, {"exp_avg_sq", e.Shape, e.v}} {
			item, err := weights.Float32Item(e.Name+": "+t.name, t.shape, t.values, weights.F32)
			if err != nil {
				return nil, err
			}
			entry = append(entry, t.name, item)
		}
		d, err := dict(entry...)
		if err != nil {
			return nil, err
		}
		if err := states.Set(i, d); err != nil {
			return nil, err
		}
	}
	for i, decay := range []float64{0, a.config.WeightDecay} {
		g, err := dict("weight_decay", decay, "lr", lr, "betas", weights.Tuple{a.config.Beta1, a.config.Beta2}, "eps", a.config.Eps,
			"amsgrad", false, "maximize", false, "foreach", nil, "capturable", false, "differentiable", false, "fused", nil,
			"decoupled_weight_decay", true, "params", params[i])
		if err != nil {
			return nil, err
		}
		groups.Items = append(groups.Items, g)
	}
	return dict("state", states, "param_groups", groups)
}

// SetTorch takes up what a checkpoint knows of the optimizer, as PyTorch's load_state_dict does:
// the moments and steps, and the constants (betas, ε, weight decay), which replace
// those given to [NewAdamW]. The learning rate is the schedule's. The parameters are
// numbered as open_clip_train 3.3 numbers them, or as its development head does.
//
// An error is a [ParameterError], a [ConfigError] or one of package weights; the optimizer
// is then as it was.
func (a *AdamW) SetTorch(o *weights.Optimizer) error {
	order, err := a.numbered(o)
	if err != nil {
		return err
	}
	c, err := constants(o)
	if err != nil {
		return err
	}
	var state []Moments
	for i, s := range o.States {
		if s == nil {
			continue
		}
		m := Moments{Name: order[i].Name, Step: s.Step}
		if m.ExpAvg, err = s.ExpAvg.Float32(); err != nil {
			return err
		}
		if m.ExpAvgSq, err = s.ExpAvgSq.Float32(); err != nil {
			return err
		}
		state = append(state, m)
	}
	if err := a.SetState(state); err != nil {
		return err
	}
	a.setConstants(c)
	for g, group := range o.Groups {
		for _, n := range group.Params {
			order[n].decay = o.Groups[g].WeightDecay
		}
	}
	return nil
}

// Config returns the constants in use, which [AdamW.SetTorch] may have changed.
func (a *AdamW) Config() AdamWConfig { return a.config }

func (a *AdamW) setConstants(c AdamWConfig) {
	a.config = c

}

// constants are those of all groups, which OpenCLIP gives the same but for decay.
func constants(o *weights.Optimizer) (AdamWConfig, error) {
	if len(o.Groups) == 0 {
		return AdamWConfig{}, &ConfigError{"optimizer of the checkpoint", "groups of parameters", "none"}
	}
	var c AdamWConfig
	for i, g := range o.Groups {
		if g.AMSGrad || g.Maximize || !g.DecoupledDecay {
			return c, &ConfigError{"optimizer of the checkpoint", "plain AdamW", fmt.Sprintf("amsgrad %v, maximize %v, decoupled_weight_decay %v", g.AMSGrad, g.Maximize, g.DecoupledDecay)}
		}
		next := AdamWConfig{Beta1: g.Beta1, Beta2: g.Beta2, Eps: g.Eps, WeightDecay: max(c.WeightDecay, g.WeightDecay)}
		if first := o.Groups[0]; i > 0 && (g.Beta1 != first.Beta1 || g.Beta2 != first.Beta2 || g.Eps != first.Eps) {
			return c, &ConfigError{"optimizer of the checkpoint", "betas and eps that all groups share", "several"}
		}
		if !(g.WeightDecay >= 0) {
			return c, &ConfigError{"weight decay", "a number from 0", fmt.Sprint(g.WeightDecay)}
		}
		c = next
	}
	_, err := NewAdamW(new(Parameters), c, nil) // which checks them
	return c, err
}

// numbered finds the entry of each number in the checkpoint. Which parameters are in
// which group tells OpenCLIP's releases apart.
func (a *AdamW) numbered(o *weights.Optimizer) ([]*entry, error) {
	for _, plain := range []func(*Parameter) bool{
		func(p *Parameter) bool { return !Decayed(p) },
		undecayedInMain,
	} {
		groups := [2][]*entry{}
		for _, e := range a.stateDictOrder() {
			if plain(e.Parameter) {
				groups[0] = append(groups[0], e)
			} else {
				groups[1] = append(groups[1], e)
			}
		}
		if order := match(o, groups); order != nil {
			return order, nil
		}
	}
	var sizes []int
	for _, g := range o.Groups {
		sizes = append(sizes, len(g.Params))
	}
	return nil, &ConfigError{"optimizer of the checkpoint", fmt.Sprintf("groups of %d and %d parameters, as many as are trained", a.first, len(a.entries)-a.first), fmt.Sprint("groups of ", sizes)}
}

// undecayedInMain is the rule of OpenCLIP's development head of June 2026.
func undecayedInMain(p *Parameter) bool {
	switch p.Name[strings.LastIndexByte(p.Name, '.')+1:] {
	case "positional_embedding", "class_embedding", "cls_emb":
		return true
	}
	return len(p.Shape) < 2
}

// stateDictOrder lists all entries as the model does.
func (a *AdamW) stateDictOrder() []*entry {
	all := slices.Clone(a.entries)
	slices.SortFunc(all, func(x, y *entry) int { return cmp.Compare(x.at, y.at) })
	return all
}

// match numbers entries by the groups of a checkpoint, empty ones left out; nil if
// they differ in size or if a moment has another shape.
func match(o *weights.Optimizer, groups [2][]*entry) []*entry {
	order, g := make([]*entry, len(o.States)), 0
	for _, group := range o.Groups {
		if len(group.Params) == 0 {
			continue
		}
		for g < len(groups) && len(groups[g]) == 0 {
			g++
		}
		if g == len(groups) || len(group.Params) != len(groups[g]) {
			return nil
		}
		for i, n := range group.Params {
			e := groups[g][i]
			// A scalar may have become a vector of one.
			if s := o.States[n]; s != nil && !slices.Equal(s.ExpAvg.Shape, e.Shape) && (len(e.Value) != 1 || s.ExpAvg.Elems() != 1) {
				return nil
			}
			order[n] = e
		}
		g++
	}
	for ; g < len(groups); g++ {
		if len(groups[g]) > 0 {
			return nil
		}
	}
	return order
}
