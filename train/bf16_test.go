package train_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/seed-e0874532/coca/internal/kernel"
	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn/exec"
)

// pairs of the same small model in training, in float32 and in bfloat16.
func precisions(t *testing.T) (wide, narrow *subject) {
	t.Helper()
	if kernel.ISA() != "avx512bf16" {
		t.Skip(kernel.ISA(), "has no products of bfloat16 pairs: both would be the same")
	}
	cfg, err := model.ParseConfig(fmt.Appendf(nil, compact, 36))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Text.ContextLength = 12
	// Formula weights make logits of ten and more, as no model has them that begins.
	small := func(s *subject) *subject {
		for i := range s.parameters.Lookup("text_decoder.text_projection").Value {
			s.parameters.Lookup("text_decoder.text_projection").Value[i] /= 8
		}
		return s
	}
	same := func(d exec.Device) exec.Device { return d }
	wide = small(newSubject(t, cfg, 16, 12, exec.CPUOptions{Threads: 1}, false, same))
	narrow = small(newSubject(t, cfg, 16, 12, exec.CPUOptions{Threads: 1, Precision: exec.BF16}, false, same))
	return wide, narrow
}

// TestBF16Gradients compares the gradient of every tensor with that in float32.
// Rounding to bfloat16 moves an operand by up to 2⁻⁹ of itself, and independent
// errors of a dozen layers, forward and back, add up to about √24·2⁻⁹ = 1 % of an
// activation, and to more in gradients whose terms nearly cancel. The smallest cosine that
// PyTorch 2.13's autocast, which rounds activations too, reaches on the same
// weights, pictures and texts is 0.9845.
func TestBF16Gradients(t *testing.T) {
	wide, narrow := precisions(t)
	for _, s := range []*subject{wide, narrow} {
		if err := s.step.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	worst, where, exact := 1.0, "", 0
	for name, x := range wide.step.Gradients {
		y := narrow.step.Gradients[name]
		var xx, yy, xy float64
		for i, v := range x {
			xx += float64(v) * float64(v)
			yy += float64(y[i]) * float64(y[i])
			xy += float64(v) * float64(y[i])
		}
		if xx == 0 && yy == 0 {
			continue
		}
		cosine := xy / math.Sqrt(xx*yy)
		if cosine < worst {
			worst, where = cosine, name
		}
		if xy == xx && xy == yy {
			exact++
		}
		if !(cosine >= 0.99) || math.Abs(yy/xx-1) > 0.1 {
			t.Errorf("%s: cosine %.5f, lengths %.3g and %.3g", name, cosine, math.Sqrt(xx), math.Sqrt(yy))
		}
	}
	if exact > 0 {
		t.Errorf("%d gradients are the same to the bit: is bfloat16 used at all?", exact)
	}
	t.Logf("smallest cosine %.6f (%s)", worst, where)
}

// TestBF16Curve trains twenty steps in both precisions. An error of 1 % of the
// activations may move a loss by 1 % of what it was at the start.
func TestBF16Curve(t *testing.T) {
	wide, narrow := precisions(t)
	off := 0.0
	var first, last [2]float32
	for i := range 20 {
		wide.run(t, 2e-5)
		narrow.run(t, 2e-5)
		a0, a1 := wide.step.Losses()
		b0, b1 := narrow.step.Losses()
		if i == 0 {
			first = [2]float32{a0, a1}
		}
		last = [2]float32{a0, a1}
		for j, v := range [][2]float32{{a0, b0}, {a1, b1}} {
			d := math.Abs(float64(v[1]-v[0])) / float64(first[j])
			off = max(off, d)
			if !(d <= 0.01) {
				t.Errorf("step %d: loss %d is %v in float32, %v in bfloat16", i, j, v[0], v[1])
			}
		}
	}
	if !(last[0]+last[1] < 0.9*(first[0]+first[1])) {
		t.Errorf("losses went from %v to %v: nothing was learnt", first, last)
	}
	t.Logf("losses differ by %.1e at most, while they went from %v to %v", off, first, last)
}

// TestTrainingRepeats holds a run to the bits of another, in both precisions.
func TestTrainingRepeats(t *testing.T) {
	cfg, err := model.ParseConfig(fmt.Appendf(nil, compact, 24))
	if err != nil {
		t.Fatal(err)
	}
	for _, precision := range []exec.Precision{exec.FP32, exec.BF16} {
		var want [6]float32
		for k, threads := range []int{2, 1} {
			s := newSubject(t, cfg, 5, 9, exec.CPUOptions{Threads: threads, Precision: precision}, true, func(d exec.Device) exec.Device { return d })
			var got [6]float32
			for i := range 3 {
				s.run(t, 1e-4)
				got[2*i], got[2*i+1] = s.step.Losses()
			}
			if k == 0 {
				want = got
			} else if got != want {
				t.Errorf("%v, %d threads: losses %v, want %v", precision, threads, got, want)
			}
		}
	}
}
