package exec_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/seed-e0874532/coca/internal/kernel"
	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/nn/op"
)

// product is a program of one linear map, y = x·wᵀ or x·w, with its device.
type product struct {
	*exec.Program
	dev  *exec.CPU
	x, y []float32
}

func newProduct(t *testing.T, x, w []float32, rows, out, in int, order kernel.Order, p exec.Precision, treatment *exec.Treatment) product {
	t.Helper()
	dev, err := exec.NewCPU(2, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	if treatment != nil {
		dev.Treat("w", *treatment)
	}
	shape := []int{out, in}
	if order == kernel.InOut {
		shape = []int{in, out}
	}
	b := op.NewBuilder()
	y := b.Linear(op.LinearArgs{
		X: b.Bind("x", op.TensorOf(x, rows, in)), W: b.Weight(&op.Weight{Name: "w", Value: op.TensorOf(w, shape...)}), Order: order,
	})
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	program, err := exec.Compile(dev, y)
	if err != nil {
		t.Fatal(err)
	}
	return product{program, dev, x, program.Floats(y)}
}

func (p product) run(t *testing.T) []float32 {
	t.Helper()
	if err := p.RunAll(); err != nil {
		t.Fatal(err)
	}
	return p.y
}

// exact is the product in float64.
func exact(x, w []float32, rows, out, in int, order kernel.Order) []float64 {
	y := make([]float64, rows*out)
	for r := range rows {
		for o := range out {
			for k := range in {
				i := o*in + k
				if order == kernel.InOut {
					i = k*out + o
				}
				y[r*out+o] += float64(x[r*in+k]) * float64(w[i])
			}
		}
	}
	return y
}

// deviation is the root of the mean square difference.
func deviation(y []float32, want []float64) float64 {
	sum := 0.0
	for i, v := range want {
		d := float64(y[i]) - v
		sum += d * d
	}
	return math.Sqrt(sum / float64(len(want)))
}

func normals(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// TestTreatments holds each way of keeping a weight to the product in float64:
// columns and common parts change nothing but rounding.
func TestTreatments(t *testing.T) {
	for _, c := range []struct{ rows, out, in int }{{1, 40, 33}, {6, 100, 64}, {50, 96, 70}} {
		for _, order := range []kernel.Order{kernel.OutIn, kernel.InOut} {
			x, w := normals(1, c.rows*c.in), normals(2, c.out*c.in)
			want := exact(x, w, c.rows, c.out, c.in, order)
			columns, common := make([]float32, c.in), normals(3, c.in)
			for k := range columns {
				columns[k] = float32(math.Ldexp(1, k%5-2))
			}
			for _, k := range []struct {
				name      string
				treatment exec.Treatment
				most      float64 // deviation, of a product whose values have a deviation of about √in
			}{
				{"float32", exec.Treatment{Precision: exec.FP32}, 1e-6},
				{"float32, columns", exec.Treatment{Precision: exec.FP32, Columns: columns}, 1e-6},
				{"float32, common", exec.Treatment{Precision: exec.FP32, Common: common}, 1e-6},
				{"float32, both", exec.Treatment{Precision: exec.FP32, Columns: columns, Common: common}, 1e-6},
				{"bf16, common", exec.Treatment{Precision: exec.BF16, Common: common}, 5e-3},
				{"int8", exec.Treatment{Precision: exec.Int8}, 2e-2},
				{"int8, both", exec.Treatment{Precision: exec.Int8, Columns: columns, Common: common}, 1e-1},
			} {
				p := newProduct(t, x, w, c.rows, c.out, c.in, order, exec.Int8, &k.treatment)
				if d := deviation(p.run(t), want) / math.Sqrt(float64(c.in)); d > k.most {
					t.Errorf("%v, order %v, %s: deviation %.2g, want at most %g", c, order, k.name, d, k.most)
				}
				if n := testing.AllocsPerRun(20, func() { p.run(t) }); n != 0 {
					t.Errorf("%v, order %v, %s: %v allocations a run, want 0", c, order, k.name, n)
				}
			}
		}
	}
}

// TestSmooth plants outliers in fixed channels of the input: columns must be
// found for them, and must make int8 much more exact. Without outliers there are none.
func TestSmooth(t *testing.T) {
	const rows, out, in = 50, 96, 128
	w := normals(2, out*in)
	for _, planted := range []bool{false, true} {
		x := normals(1, rows*in)
		if planted {
			for i := range x {
				if k := i % in; k == 5 || k == 77 {
					x[i] *= 64
				}
			}
		}
		want := exact(x, w, rows, out, in, kernel.OutIn)
		p := newProduct(t, x, w, rows, out, in, kernel.OutIn, exec.Int8, nil)
		m := p.dev.Matrices()[0]
		m.Observe(16)
		before := deviation(p.run(t), want)
		columns := m.Smooth()
		m.Observe(0)
		if planted != (columns != nil) {
			t.Fatalf("outliers %v: columns %v", planted, columns)
		}
		if !planted {
			continue
		}
		for k, c := range columns {
			if large := k == 5 || k == 77; large != (c >= 4) {
				t.Errorf("column %d: %v", k, c)
			}
		}
		p.dev.Treat("w", exec.Treatment{Precision: exec.Int8, Columns: columns})
		if after := deviation(p.run(t), want); after > before/2 {
			t.Errorf("deviation %.3g with columns, %.3g without: want half at most", after, before)
		}
		m.Reference(true)
		if d := deviation(p.run(t), want); d > 1e-3 {
			t.Errorf("deviation %.3g of the float32 values", d)
		}
	}
}

// TestCommon adds the same row to the weights of all outputs, as a decoder's
// output matrix has it: narrow products must not lose the rest.
func TestCommon(t *testing.T) {
	const rows, out, in = 3, 200, 64
	x, w, shared := normals(1, rows*in), normals(2, out*in), normals(3, in)
	for i := range w {
		w[i] += 100 * shared[i/out]
	}
	want := exact(x, w, rows, out, in, kernel.InOut)
	for precision, most := range map[exec.Precision]float64{exec.BF16: 0.05, exec.Int8: 0.2} {
		p := newProduct(t, x, w, rows, out, in, kernel.InOut, precision, nil)
		if d := deviation(p.run(t), want); d > most {
			t.Errorf("%v: deviation %.3g, want at most %g", precision, d, most)
		}
		if p.dev.Matrices()[0].Treatment.Common == nil {
			t.Errorf("%v: the common part was not found", precision)
		}
	}
	if p := newProduct(t, x, normals(2, out*in), rows, out, in, kernel.InOut, exec.Int8, nil); p.dev.Matrices()[0].Treatment.Common != nil {
		t.Error("a common part of weights that have none")
	}
}
