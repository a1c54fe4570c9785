package weights

import (
	"fmt"
	"slices"
	"strings"
)

// The quirks of checkpoints: everything that stands between the names in a file and the
// names of a model is in this file.

// setRoot finds the state dict in what a torch file holds: the value of "state_dict" if
// the root has one (a training checkpoint, or a nested dict), else the root itself. Values that
// are no tensors are left to [File.Value].
func (f *File) setRoot(root Value) error {
	if err := checkTree(f.path, root); err != nil {
		return err
	}
	d, ok := root.(*Dict)
	if !ok {
		return &FormatError{Path: f.path, What: "torch file", Want: "a dictionary of tensors", Got: "a " + typeName(root)}
	}
	if inner, ok := d.Get("state_dict"); ok {
		if d, ok = inner.(*Dict); !ok {
			return &FormatError{Path: f.path, What: "state_dict", Want: "a dictionary of tensors", Got: "a " + typeName(inner)}
		}
	}
	var err error
	if f.tensors, err = (checkpointReader{f.path}).tensors("", d); err != nil {
		return err
	}
	if len(f.tensors) == 0 {
		return &FormatError{Path: f.path, What: "torch file", Want: "tensors, at its top or under state_dict", Got: "the keys " + keysText(d)}
	}
	f.root = root
	return nil
}

// keysText lists the first keys of a dictionary.
func keysText(d *Dict) string {
	const most = 8
	var b strings.Builder
	for i, k := range d.Keys() {
		if i == most {
			fmt.Fprintf(&b, ", … (%d in all)", d.Len())
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		if s, ok := k.(string); ok {
			b.WriteString(quote(s))
		} else {
			fmt.Fprintf(&b, "%v", k)
		}
	}
	return "[" + b.String() + "]"
}

// Rename maps a name in a checkpoint to the name in the model.
type Rename struct {
	From string
	To   string // empty: the tensor is not part of the model and is dropped
}

// wrappers are put before every name by torch's DistributedDataParallel and compile.
var wrappers = [...]string{"module.", "_orig_mod."}

// flatText are the first parts of the names of CLIP's text tower before OpenCLIP 2.2
// gave them the prefix "text.", and of CoCa's class token.
var flatText = [...]string{"positional_embedding", "text_projection", "token_embedding", "transformer", "ln_final", "cls_emb"}

// Sanitize turns the names of a checkpoint, in the order of the file, into OpenCLIP's
// names of a model with a separate text tower, as every CoCa is:
//
//   - the prefixes "module." and "_orig_mod.", alone or one within the other, are taken off all
//     names that have them if the first name has;
//   - "attn_mask" and "position_ids", which are constants, are dropped wherever they are;
//   - if there is a "positional_embedding" at the top, the names of a flat text tower
//     ("positional_embedding", "token_embedding.…", "transformer.…", …) get the prefix "text.".
//
// OpenCLIP 3.3 does only the first of these, and for "module." only; it refuses the rest. Two
// names that become one are a [FormatError]. The nesting under "state_dict" has been
// undone by [Open].
func Sanitize(names []string) ([]Rename, error) {
	out := make([]Rename, len(names))
	for i, n := range unwrapNames(names) {
		out[i] = Rename{names[i], n}
	}
	flat := false
	for i, r := range out {
		switch r.To[strings.LastIndexByte(r.To, '.')+1:] {
		case "attn_mask", "position_ids":
			out[i].To = ""
		}
		flat = flat || r.To == "positional_embedding"
	}
	seen := make(map[string]string, len(out))
	for i, r := range out {
		if r.To == "" {
			continue
		}
		if flat && isFlatText(r.To) {
			r.To = "text." + r.To
			out[i] = r
		}
		if other, ok := seen[r.To]; ok {
			return nil, &FormatError{Tensor: r.To, What: "names of the checkpoint", Want: "one tensor of this name", Got: quote(other) + " and " + quote(r.From)}
		}
		seen[r.To] = r.From
	}
	return out, nil
}

// unwrapNames takes the prefixes of wrappers off all names that have them, as long as the first
// name has one. A name that is nothing but a prefix stays.
func unwrapNames(names []string) []string {
	out := slices.Clone(names)
	for again := len(out) > 0; again; {
		again = false
		for _, p := range wrappers {
			if !strings.HasPrefix(out[0], p) || len(out[0]) == len(p) {
				continue
			}
			again = true
			for i, n := range out {
				if len(n) > len(p) {
					out[i] = strings.TrimPrefix(n, p)
				}
			}
		}
	}
	return out
}

func isFlatText(name string) bool {
	first, _, _ := strings.Cut(name, ".")
	for _, p := range flatText {
		if first == p {
			return true
		}
	}
	return false
}
