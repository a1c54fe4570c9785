package exec

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/seed-e0874532/coca/internal/kernel"
	"github.com/seed-e0874532/coca/nn/op"
)

// WeightsChanged makes the device prepare all weights anew, in the next run of
// each product, from what the inputs hold now. It must not be called while a
// program of the device runs. It is for the odd validation between training
// steps: a device with [CPUOptions].Training has nothing to prepare.
func (d *CPU) WeightsChanged() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range d.matrices {
		m.treat(d.pool, m.Treatment)
	}
}

// overwritesGradient is Overwrites for the operators of this file.
func overwritesGradient(o G.Op) int {
	switch o.(type) {
	case *op.ActivationGrad, *op.CaptionLossGrad:
		return 0
	case *op.LayerNormGrad:
		return 2
	}
	if isAdd(o) {
		return 0
	}
	return -1
}

// isAdd recognises the sum of two tensors, Gorgonia's own operator, whose type
// it does not export. Its differentiation adds the gradients of a node that is used more than once.
func isAdd(o G.Op) bool {
	b, ok := o.(G.BinaryOp)
	return ok && b.IsBinary() && o.Arity() == 2 && o.String() == "+ false"
}

// product binds a linear map whose weight is not kept.
func (d *CPU) product(o *op.Linear, out Operand, in []Operand) Kernel {
	data := make([][]float32, len(in))
	for i, x := range in {
		data[i] = floats(x)
	}
	nin, nout := o.Sizes(in[1].Shape)
	rows, _ := rowsAndWidth(in[0])
	p := &kernel.Product{
		M: rows, N: nout, K: nin, A: data[0], ARow: nin, B: data[1], BRow: nout,
		Precision: d.opts.Precision, Dst: floats(out), Epilogue: o.Epilogue(data),
	}
	if o.Order == kernel.OutIn {
		p.BRow, p.BTrans = nin, true
	}
	return d.each(p.Run)
}

// each is the kernel of a task that cannot fail.
func (d *CPU) each(run func(*kernel.Pool)) Kernel {
	return func() error { run(d.pool); return nil }
}

// gradient binds the operators of a backward pass and the losses.
func (d *CPU) gradient(o G.Op, out Operand, in []Operand) (Kernel, error) {
	y := floats(out)
	rows, width := 1, 1
	if len(in[0].Shape) > 0 {
		rows, width = rowsAndWidth(in[0])
	}
	switch o := o.(type) {
	case *op.Activation:
		x := floats(in[0])
		return func() error { kernel.Activate(d.pool, y, x, o.Act); return nil }, nil
	case *op.LinearWeightGrad:
		return d.each(d.weightGrad(o, y, in).Run), nil
	case *op.ActivationGrad:
		t := &kernel.ActivationGrad{Rows: rows, Width: width, Act: o.Act, DZ: y}
		data := make([][]float32, len(in))
		for i, x := range in {
			data[i] = floats(x)
		}
		t.DY, t.Z, t.Scale = o.Operands(data)
		return d.each(t.Run), nil
	case *op.LayerNormGrad:
		t := &kernel.LayerNormGrad{Rows: rows, Width: width, DX: y, X: floats(in[0]), Gamma: floats(in[1]), DY: floats(in[2]), Eps: o.Eps}
		return d.each(t.Run), nil
	case *op.LayerNormWeightGrad:
		t := &kernel.ColumnSum{Rows: rows, Width: width, Dst: y, X: floats(in[0]), Y: floats(in[1]), Norm: true, Eps: o.Eps}
		return d.each(t.Run), nil
	case *op.ColumnSum:
		t := &kernel.ColumnSum{Rows: rows, Width: width, Dst: y, X: floats(in[0])}
		if len(in) > 1 {
			t.Y = floats(in[1])
		}
		return d.each(t.Run), nil
	case *op.AttentionGrad:
		shapes, data := split(in)
		t, err := o.Arguments(shapes, data, y)
		if err != nil {
			return nil, err
		}
		task := &t
		task.Precision = d.opts.Precision
		return d.each(task.Run), nil
	case *op.EmbedGrad:
		ids, table := ints(in[0]), &op.Embed{}
		_, width := rowsAndWidth(in[1])
		t := &kernel.EmbedGrad{Rows: o.Rows, Width: width, Dst: y, DY: floats(in[1]), IDs: ids}
		return func() error {
			if err := table.Check(ids, o.Rows); err != nil {
				return err
			}
			t.Run(d.pool)
			return nil
		}, nil
	case *op.CaptionLoss:
		return d.captionLoss(o, y, in), nil
	case *op.CaptionLossGrad:
		return d.captionLossGrad(o, y, in), nil
	case *op.ContrastiveLoss:
		c := newContrast(in)
		return func() error {
			c.similarities(d.pool)
			y[0] = float32(o.Weight * op.Contrast(c.dz, c.z, c.sums, c.n))
			return nil
		}, nil
	case *op.ContrastiveLossGrad:
		return d.contrastiveGrad(o, y, in), nil
	}
	return d.simpleGradient(o, out, in)
}

// simpleGradient binds the operators whose own definition is their kernel.
func (d *CPU) simpleGradient(o G.Op, out Operand, in []Operand) (Kernel, error) {
	y, x, s := floats(out), floats(in[0]), in[0].Shape
	switch o := o.(type) {
	case *op.NormalizeGrad:
		dy := floats(in[1])
		return func() error { o.Run(y, x, dy, s[len(s)-1]); return nil }, nil
	case *op.BatchSum:
		return func() error { o.Run(y, x, s); return nil }, nil
	case *op.Among:
		own, at := floats(in[1]), ints(in[2])
		return func() error { return o.Run(y, x, own, at) }, nil
	case *op.AmongGrad:
		at := ints(in[1])
		return func() error { return o.Run(y, x, at) }, nil
	case *op.RowsGrad:
		return func() error { o.Run(y, x, s); return nil }, nil
	case *op.PoolGrad:
		var ids []int32
		if len(in) > 1 {
			ids = ints(in[1])
		}
		return func() error { o.Run(y, x, ids, s); return nil }, nil
	case *op.Part: // of an output, so that it needs memory of its own
		return func() error { copy(y, x[o.At:]); return nil }, nil
	case *op.Sum:
		terms := make([][]float32, len(in)-1)
		for i := range terms {
			terms[i] = floats(in[i+1])
		}
		return func() error {
			copy(y, x)
			for _, t := range terms {
				kernel.Add(d.pool, y, y, t)
			}
			return nil
		}, nil
	}
	if isAdd(o) {
		other := floats(in[1])
		return func() error { kernel.Add(d.pool, y, x, other); return nil }, nil
	}
	return nil, &UnsupportedError{d.Name(), o.String()}
}

// weightGrad is the product of a linear weight's gradient.
func (d *CPU) weightGrad(o *op.LinearWeightGrad, y []float32, in []Operand) *kernel.Product {
	left, right := in[0], in[1] // y = leftᵀ·right
	if o.Order == kernel.InOut {
		left, right = right, left
	}
	rows, m := rowsAndWidth(left)
	_, n := rowsAndWidth(right)
	return &kernel.Product{
		M: m, N: n, K: rows, A: floats(left), ARow: m, ATrans: true, B: floats(right), BRow: n,
		Precision: d.opts.Precision, Dst: y,
	}
}

func (d *CPU) captionLoss(o *op.CaptionLoss, y []float32, in []Operand) Kernel {
	s, ids := in[0].Shape, ints(in[1])
	t := &kernel.CrossEntropy{Width: s[2], Z: o.Z, Logits: floats(in[0]), Targets: make([]int32, s[0]*s[1])}
	var others []float32
	if len(in) > 2 {
		others = floats(in[2])
	}
	return func() error {
		n, err := o.Targets(t.Targets, ids, s)
		if err != nil {
			return err
		}
		y[0] = float32(o.Mean(t.Loss(d.pool), n, others))
		return nil
	}
}

func (d *CPU) captionLossGrad(o *op.CaptionLossGrad, y []float32, in []Operand) Kernel {
	s, ids, dy := in[0].Shape, ints(in[1]), floats(in[2])
	t := &kernel.CrossEntropy{Width: s[2], Z: o.Loss.Z, Logits: floats(in[0]), Targets: make([]int32, s[0]*s[1])}
	var others []float32
	if len(in) > 3 {
		others = floats(in[3])
	}
	return func() error {
		n, err := o.Loss.Targets(t.Targets, ids, s)
		if err != nil {
			return err
		}
		t.Grad(d.pool, y, float32(o.Loss.Scale(dy[0], n, others)))
		return nil
	}
}

// contrast holds the similarities of a contrastive loss and their gradient.
type contrast struct {
	n, d        int
	image, text []float32
	scale       []float32
	z, dz       []float32 // [n, n]
	sums        []float64 // [2n]
	product     *kernel.Product
}

func newContrast(in []Operand) *contrast {
	c := &contrast{n: in[0].Shape[0], d: in[0].Shape[1], image: floats(in[0]), text: floats(in[1]), scale: floats(in[2])}
	c.z, c.dz, c.sums = make([]float32, c.n*c.n), make([]float32, c.n*c.n), make([]float64, 2*c.n)
	c.product = &kernel.Product{M: c.n, N: c.n, K: c.d, A: c.image, ARow: c.d, B: c.text, BRow: c.d, BTrans: true, Dst: c.z}
	return c
}

// similarities computes z.
func (c *contrast) similarities(p *kernel.Pool) {
	c.product.Run(p)
	scale := float32(math.Exp(float64(c.scale[0])))
	for i := range c.z {
		c.z[i] *= scale
	}
}

func (d *CPU) contrastiveGrad(o *op.ContrastiveLossGrad, y []float32, in []Operand) Kernel {
	c, dy := newContrast(in), floats(in[3])
	p := &kernel.Product{M: c.n, N: c.d, K: c.n, A: c.dz, ARow: c.n, B: c.text, BRow: c.d, Dst: y}
	if o.Of == 1 {
		p.ATrans, p.B = true, c.image
	}
	return func() error {
		c.similarities(d.pool)
		op.Contrast(c.dz, c.z, c.sums, c.n)
		weight := o.Weight * float64(dy[0])
		if o.Of == 2 {
			sum := 0.0
			for i, g := range c.dz {
				sum += float64(g) * float64(c.z[i])
			}
			y[0] = float32(sum * weight)
			return nil
		}
		for i := range c.dz {
			c.dz[i] = float32(float64(c.dz[i]) * weight * math.Exp(float64(c.scale[0])))
		}
		p.Run(d.pool)
		return nil
	}
}
