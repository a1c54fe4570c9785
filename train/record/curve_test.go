package record

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// falling is a run whose losses fall.
func falling(c *Curve, steps int) {
	for s := range steps {
		c.Add(Step{Step: s, Caption: 2 + 8*math.Exp(-float64(s)/float64(steps)*5) + 0.3*math.Sin(float64(s)*1.7), Contrastive: 1 + 2*math.Exp(-float64(s)/float64(steps))})
	}
}

func drawn(t *testing.T, c *Curve) image.Image {
	t.Helper()
	var b bytes.Buffer
	if err := c.Draw(&b); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// height is the mean height of a colour's pixels in columns [x0, x1), in parts of the plot from
// below, or -1.
func height(img image.Image, c color.RGBA, x0, x1 int) float64 {
	sum, n := 0.0, 0
	for x := x0; x < x1; x++ {
		for y := plotArea.Min.Y + 60; y < plotArea.Max.Y; y++ { // below the legend
			if img.At(x, y) == color.Color(c) {
				sum, n = sum+float64(plotArea.Max.Y-y), n+1
			}
		}
	}
	if n == 0 {
		return -1
	}
	return sum / float64(n) / float64(plotArea.Dy())
}

// TestCurveShowsLosses looks where the lines run.
func TestCurveShowsLosses(t *testing.T) {
	var c Curve
	falling(&c, 1000)
	img := drawn(t, &c)
	third := plotArea.Dx() / 3
	for _, line := range []struct {
		name  string
		color color.RGBA
	}{{"caption", blue}, {"contrastive", red}} {
		left, right := height(img, line.color, plotArea.Min.X, plotArea.Min.X+third), height(img, line.color, plotArea.Max.X-third, plotArea.Max.X)
		if !(left > right && right > 0) {
			t.Errorf("%s: mean height %.2f at first and %.2f at last", line.name, left, right)
		}
	}
	if blueEnd, redEnd := height(img, blue, 800, 900), height(img, red, 800, 900); blueEnd < redEnd {
		t.Errorf("at the end 2.1 lies at %.2f and 1.8 at %.2f", blueEnd, redEnd)
	}
	var one Curve
	for s := range 300 {
		one.Add(Step{Step: s, Caption: 3, Contrastive: 0})
	}
	if img := drawn(t, &one); height(img, red, plotArea.Min.X, plotArea.Max.X) != -1 || height(img, blue, 300, 600) < 0 {
		t.Error("a loss that is not trained is drawn, or one that is constant is not")
	}
}

// TestCurveOfAnything: no course of numbers is beyond it.
func TestCurveOfAnything(t *testing.T) {
	for name, losses := range map[string][]float64{
		"nothing": nil, "one": {5}, "constant": {2, 2, 2}, "not numbers": {math.NaN(), 1, math.Inf(1), 2, math.Inf(-1)}, "only NaN": {math.NaN()},
		"large": {1e300, -1e300, 1e300}, "small": {1e-300, 2e-300}, "huge and small": {math.MaxFloat64, 5, -math.MaxFloat64},
	} {
		var c Curve
		for i, v := range losses {
			c.Add(Step{Step: i, Caption: v})
		}
		if img := drawn(t, &c); img.Bounds().Dx() != pictureWidth {
			t.Errorf("%s: %v", name, img.Bounds())
		}
	}
}

// TestCurveIsBounded, and keeps means and extremes of what it joins.
func TestCurveIsBounded(t *testing.T) {
	var c Curve
	const n = 50000
	for s := range n {
		c.Add(Step{Step: s, Caption: float64(s % 10)})
	}
	p := c.Caption.points
	if len(p) < maxPoints/2 || len(p) >= maxPoints {
		t.Fatalf("%d points", len(p))
	}
	for i, v := range p {
		if v.min != 0 && c.Caption.each >= 10 || math.Abs(v.mean-4.5) > 1.5 || i > 0 && v.step <= p[i-1].step {
			t.Fatalf("point %d is %+v", i, v)
		}
	}
	if last := p[len(p)-1].step; last < n*0.99 {
		t.Errorf("the last point is of step %v", last)
	}
}

func TestAxis(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      string
	}{
		{0, 1, "0.0 0.2 0.4 0.6 0.8 1.0"}, {0, 10000, "0 2000 4000 6000 8000 10000"}, {0.013, 0.027, "0.014 0.016 0.018 0.020 0.022 0.024 0.026"},
		{3, 3, "1.5 2.0 2.5 3.0 3.5 4.0 4.5"}, {0, 11.3, "0 2 4 6 8 10"}, {-2, 2, "-2.0 -1.5 -1.0 -0.5 0.0 0.5 1.0 1.5 2.0"}, {0, 0, "-1.0 -0.5 0.0 0.5 1.0"},
	} {
		a := newAxis(c.low, c.high, 8)
		var marks []string
		for _, m := range a.marks {
			marks = append(marks, fmt.Sprintf("%.*f", a.digits, m))
		}
		if got := strings.Join(marks, " "); got != c.want {
			t.Errorf("%v to %v: %s, want %s", c.low, c.high, got, c.want)
		}
	}
}

// TestRun records, is killed, and goes on.
func TestRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs", "name")
	step := func(r *Run, from, to int) {
		t.Helper()
		for s := from; s < to; s++ {
			if err := r.Step(Step{Step: s, Epoch: s / 4, Caption: 3, Loss: 3}); err != nil {
				t.Fatal(err)
			}
			if s%4 == 3 {
				if err := r.Validation(s/4+1, result{Epoch: s/4 + 1}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := r.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Open(dir, Options{TensorBoard: true})
	if err != nil {
		t.Fatal(err)
	}
	step(r, 0, 10)
	r.close() // killed
	if r, err = Open(dir, Options{Step: 4, Epoch: 1, TensorBoard: true, Redraw: 1}); err != nil {
		t.Fatal(err)
	}
	if n := len(r.curve.Caption.points); n != 4 {
		t.Errorf("the curve goes on from %d steps, want 4", n)
	}
	step(r, 4, 13)
	if _, err := os.Stat(filepath.Join(dir, CurveName)); err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if got := strings.Count(content(t, filepath.Join(dir, StepsName)), "\n"); got != 13 {
		t.Errorf("%d steps are recorded, want 13", got)
	}
	if got := strings.Count(content(t, filepath.Join(dir, ResultsName)), "\n"); got != 3 {
		t.Errorf("%d validations are recorded, want 3", got)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 4 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
	write(t, filepath.Join(dir, ResultsName), "no log\n")
	if _, err := Open(dir, Options{}); err == nil {
		t.Error("results that are no log are opened")
	}
}

func ExampleCurve() {
	var c Curve
	for s := range 100 {
		c.Add(Step{Step: s, Caption: 10 / float64(s+1)})
	}
	var b bytes.Buffer
	fmt.Println(c.Draw(&b), bytes.HasPrefix(b.Bytes(), []byte("\x89PNG")))
	// Output: <nil> true
}
