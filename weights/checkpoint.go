package weights

import (
	"math"
	"math/big"
)

// Checkpoint is what a torch file holds for training to go on: a file that open_clip_train saved
// after an epoch (epoch_N.pt), or a bare state dict, from which only weights can be had.
type Checkpoint struct {
	// Bare tells that there is no "epoch", by which OpenCLIP knows a state dict for
	// fine-tuning. Nothing but StateDict is set then.
	Bare bool

	Epoch     int      // epochs completed
	Name      string   // of the run
	StateDict []Tensor // in order, without the prefixes "module." and "_orig_mod."

	Optimizer *Optimizer // nil if the file has none
	Scaler    *Dict      // state of the gradient scaler of fp16 training; nil if there is none

	// Of OpenCLIP's development head only.
	Average     []Tensor // "state_dict_ema", the moving average of the weights
	GlobalStep  int      // steps of the optimizer; -1 if the file does not say
	SamplesSeen int      // -1 if the file does not say
}

// OpenTorchCheckpoint opens a torch file and reads it as a [Checkpoint]. The tensors are good
// until the file is closed.
func OpenTorchCheckpoint(path string) (*Checkpoint, *File, error) {
	f, err := Open(path)
	if err != nil {
		return nil, nil, err
	}
	c, err := f.Checkpoint()
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return c, f, nil
}

// Checkpoint reads a torch file as a checkpoint. It checks everything but the numbers in the
// tensors, and touches none of these but the step counts of the optimizer.
func (f *File) Checkpoint() (*Checkpoint, error) {
	root, ok := f.root.(*Dict)
	if !ok {
		return nil, &FormatError{Path: f.path, What: "checkpoint", Want: "a torch file", Got: "a file of kind " + string(f.kind)}
	}
	c := &Checkpoint{GlobalStep: -1, SamplesSeen: -1, StateDict: unwrapped(f.tensors)}
	epoch, ok := root.Get("epoch")
	if !ok {
		c.Bare = true
		return c, nil
	}
	r := checkpointReader{path: f.path}
	if c.Epoch, ok = r.count(epoch); !ok {
		return nil, r.bad("epoch", "an integer from 0", epoch)
	}
	if _, ok := root.Get("state_dict"); !ok {
		return nil, &FormatError{Path: f.path, What: "checkpoint with an epoch", Want: "a state_dict", Got: "the keys " + keysText(root)}
	}
	if name, _ := root.Get("name"); name != nil {
		if c.Name, ok = name.(string); !ok {
			return nil, r.bad("name", "a string", name)
		}
	}
	for key, to := range map[string]*int{"global_step": &c.GlobalStep, "samples_seen": &c.SamplesSeen} {
		if v, has := root.Get(key); has {
			if *to, ok = r.count(v); !ok {
				return nil, r.bad(key, "an integer from 0", v)
			}
		}
	}
	if v, _ := root.Get("scaler"); v != nil {
		if c.Scaler, ok = v.(*Dict); !ok {
			return nil, r.bad("scaler", "a dictionary", v)
		}
	}
	if v, _ := root.Get("state_dict_ema"); v != nil {
		d, ok := v.(*Dict)
		if !ok {
			return nil, r.bad("state_dict_ema", "a dictionary of tensors", v)
		}
		average, err := r.tensors(" in state_dict_ema", d)
		if err != nil {
			return nil, err
		}
		c.Average = unwrapped(average)
	}
	if v, _ := root.Get("optimizer"); v != nil {
		var err error
		if c.Optimizer, err = r.optimizer(v); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// unwrapped takes the prefixes of wrappers off the names of tensors.
func unwrapped(tensors []Tensor) []Tensor {
	names := make([]string, len(tensors))
	for i, t := range tensors {
		names[i] = t.Name
	}
	out := make([]Tensor, len(tensors))
	for i, name := range unwrapNames(names) {
		out[i] = tensors[i]
		out[i].Name = name
	}
	return out
}

// checkpointReader turns values into what a checkpoint is made of.
type checkpointReader struct{ path string }

func (r checkpointReader) bad(what, want string, got Value) error {
	s := "a " + typeName(got)
	if n := intText(got); n != "" {
		s += " " + n
	}
	return &FormatError{Path: r.path, What: what, Want: want, Got: s}
}

// count reads a number of things: an integer from 0, or a float that is one.
func (r checkpointReader) count(v Value) (int, bool) {
	const most = 1 << 53
	switch n := v.(type) {
	case int64:
		return int(n), n >= 0 && n <= most && n == int64(int(n))
	case float64:
		return int(n), n >= 0 && n <= most && n == math.Trunc(n) && n <= math.MaxInt
	}
	return 0, false
}

// float reads a number.
func (r checkpointReader) float(v Value) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case int64:
		return float64(n), true
	case *big.Int:
		f, _ := new(big.Float).SetInt(n).Float64()
		return f, true
	}
	return 0, false
}

// tensors lists the tensors of a state dict; where says in which it is.
func (r checkpointReader) tensors(where string, d *Dict) ([]Tensor, error) {
	var out []Tensor
	for i := range d.Len() {
		key, value := d.At(i)
		t, ok := value.(Tensor)
		if !ok {
			continue
		}
		name, ok := key.(string)
		if !ok {
			return nil, r.bad("name of a tensor"+where, "a string", key)
		}
		if len(out) == maxTensors {
			return nil, &LimitError{Path: r.path, Tensor: name, What: "tensors in one file", Limit: maxTensors, Got: maxTensors + 1}
		}
		t.Name = name
		out = append(out, t)
	}
	return out, nil
}
