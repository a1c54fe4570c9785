package generate

import (
	"math"
	"testing"
)

func TestExpNeg(t *testing.T) {
	for x := 0.0; x > -708; x -= 0.00371 {
		got, want := expNeg(x), math.Exp(x)
		if d := math.Abs(got-want) / want; d > 1e-13 {
			t.Fatalf("exp(%v) = %v, want %v (relative error %v)", x, got, want, d)
		}
	}
	if got := expNeg(0); got != 1 {
		t.Errorf("exp(0) = %v, want 1", got)
	}
	if got := expNeg(math.NaN()); !math.IsNaN(got) {
		t.Errorf("exp(NaN) = %v, want NaN", got)
	}
}

func TestLogSumExp(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, c := range []struct {
		row  []float32
		want float64
	}{
		{[]float32{0}, 0},
		{[]float32{0, 0}, math.Ln2},
		{[]float32{1000, 1000, 1000}, 1000 + math.Log(3)},
		{[]float32{-1000, -1000, -inf}, -1000 + math.Ln2},
		{[]float32{3e38, -3e38}, float64(float32(3e38))},
		{[]float32{-inf, -inf}, math.Inf(-1)},
		{[]float32{1, inf}, math.NaN()},
		{[]float32{1, nan, 2}, math.NaN()},
		{[]float32{nan, nan}, math.NaN()},
		{[]float32{-inf, nan}, math.NaN()},
	} {
		got := LogSumExp(c.row)
		if math.IsNaN(got) != math.IsNaN(c.want) || !math.IsNaN(c.want) && got != c.want && !(math.Abs(got-c.want) < 1e-12*math.Abs(c.want)) {
			t.Errorf("LogSumExp(%v) = %v, want %v", c.row, got, c.want)
		}
	}
	row := clipRow(2)
	want := 0.0
	for _, x := range row {
		want += math.Exp(float64(x))
	}
	if got := LogSumExp(row); math.Abs(got-math.Log(want)) > 1e-12 {
		t.Errorf("LogSumExp of %d logits: %v, want %v", len(row), got, math.Log(want))
	}
}
