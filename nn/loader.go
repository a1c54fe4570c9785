package nn

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-e0874532/coca/nn/op"
)

// Source is where weights come from.
type Source interface {
	// Names lists all tensors.
	Names() []string
	// Shape is the shape of a tensor, false if there is none of that name.
	Shape(name string) ([]int, bool)
	// Float32 is the contents of a tensor, row-major. The slice is used in place and never written.
	Float32(name string) ([]float32, error)
}

// Info names a tensor and its shape.
type Info struct {
	Name  string
	Shape []int
}

// Elems is the number of elements of the tensor.
func (t Info) Elems() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// List is what a Source knows of its tensors without their contents.
type List []Info

// Names implements Source.
func (l List) Names() (names []string) {
	for _, t := range l {
		names = append(names, t.Name)
	}
	return names
}

// Shape implements Source.
func (l List) Shape(name string) ([]int, bool) {
	i := slices.IndexFunc(l, func(t Info) bool { return t.Name == name })
	if i < 0 {
		return nil, false
	}
	return l[i].Shape, true
}

// Loader hands weights to constructors and remembers what was asked for, so
// that everything that does not fit can be said in one error. Without a
// source it only records.
type Loader struct {
	src   Source
	asked []Info
	err   WeightsError
}

// NewLoader loads from src; with nil, weights have no values.
func NewLoader(src Source) *Loader { return &Loader{src: src} }

// Asked lists the tensors that constructors asked for, in order.
func (l *Loader) Asked() []Info { return l.asked }

// Weight asks for a tensor by name and shape.
func (l *Loader) Weight(name string, shape ...int) *op.Weight {
	return l.WeightFunc(name, shape, nil)
}

// Found is a tensor whose shape is not the wanted one.
type Found struct {
	Data  []float32
	Shape []int
	Want  []int
	Round func(float32) float32 // rounds to the type that the file stores
}

// An Adapter turns a tensor of another shape into the wanted one, or reports false.
type Adapter func(Found) ([]float32, bool)

// Rounder is a Source that knows the precision of its tensors.
type Rounder interface {
	// Round returns what rounds a value to the stored type of a tensor.
	Round(name string) func(float32) float32
}

// WeightFunc is Weight for a tensor that may be stored in other shapes than
// the wanted one; adapt is only called if the shapes differ.
func (l *Loader) WeightFunc(name string, shape []int, adapt Adapter) *op.Weight {
	shape = slices.Clone(shape)
	l.asked = append(l.asked, Info{name, shape})
	w := &op.Weight{Name: name}
	if l.src == nil {
		return w
	}
	found, ok := l.src.Shape(name)
	if !ok {
		l.err.Missing = append(l.err.Missing, Info{name, shape})
		return w
	}
	fits := slices.Equal(found, shape)
	if !fits && adapt == nil {
		l.err.Misshapen = append(l.err.Misshapen, Misshapen{name, shape, found})
		return w
	}
	data, err := l.src.Float32(name)
	if err != nil {
		l.err.Unreadable = append(l.err.Unreadable, err)
		return w
	}
	if !fits {
		f := Found{Data: data, Shape: found, Want: shape, Round: func(v float32) float32 { return v }}
		if r, ok := l.src.(Rounder); ok {
			f.Round = r.Round(name)
		}
		if data, ok = adapt(f); !ok {
			l.err.Misshapen = append(l.err.Misshapen, Misshapen{name, shape, found})
			return w
		}
	}
	if len(shape) == 0 {
		shape = []int{1} // scalars are vectors of one in graphs
	}
	w.Value = op.TensorOf(data, shape...)
	return w
}

// Has reports whether the source has a tensor.
func (l *Loader) Has(name string) bool {
	if l.src == nil {
		return false
	}
	_, ok := l.src.Shape(name)
	return ok
}

// Err lists everything that did not fit: missing and misshapen tensors, those
// that could not be read, and those that nobody asked for.
func (l *Loader) Err() error {
	if l.src == nil {
		return nil
	}
	asked := map[string]bool{}
	for _, t := range l.asked {
		asked[t.Name] = true
	}
	for _, name := range l.src.Names() {
		if !asked[name] {
			shape, _ := l.src.Shape(name)
			l.err.Unexpected = append(l.err.Unexpected, Info{name, shape})
		}
	}
	e := &l.err
	if len(e.Missing)+len(e.Unexpected)+len(e.Misshapen)+len(e.Unreadable) == 0 {
		return nil
	}
	return e
}

// Misshapen is a tensor whose shape is not the wanted one.
type Misshapen struct {
	Name      string
	Want, Got []int
}

// WeightsError lists all that is wrong with the weights for a model.
type WeightsError struct {
	Missing    []Info // wanted, not found
	Unexpected []Info // found, not wanted
	Misshapen  []Misshapen
	Unreadable []error
}

// listed is how many tensors of a kind an error names before it only counts.
const listed = 20

func (e *WeightsError) Error() string {
	var parts []string
	list := func(what string, n int, item func(i int) string) {
		if n == 0 {
			return
		}
		var items []string
		for i := range min(n, listed) {
			items = append(items, item(i))
		}
		if n > listed {
			items = append(items, fmt.Sprintf("and %d more", n-listed))
		}
		parts = append(parts, fmt.Sprintf("%d %s: %s", n, what, strings.Join(items, ", ")))
	}
	list("missing", len(e.Missing), func(i int) string { return fmt.Sprintf("%s %v", e.Missing[i].Name, e.Missing[i].Shape) })
	list("unexpected", len(e.Unexpected), func(i int) string { return fmt.Sprintf("%s %v", e.Unexpected[i].Name, e.Unexpected[i].Shape) })
	list("of wrong shape", len(e.Misshapen), func(i int) string {
		m := e.Misshapen[i]
		return fmt.Sprintf("%s (want %v, got %v)", m.Name, m.Want, m.Got)
	})
	list("unreadable", len(e.Unreadable), func(i int) string { return e.Unreadable[i].Error() })
	return "weights do not fit the model: " + strings.Join(parts, "; ")
}

// Unwrap gives access to the errors of tensors that could not be read.
func (e *WeightsError) Unwrap() error { return errors.Join(e.Unreadable...) }
