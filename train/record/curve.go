package record

import "math"

// maxPoints is how many points a curve keeps; beyond, neighbours are joined.
const maxPoints = 4096

// Curve collects the losses of a run for a picture of them; see [Curve.Draw]. Its memory is bounded.
type Curve struct {
	Contrastive, Caption Line
}

// Add adds the losses of a step. Steps ascend.
func (c *Curve) Add(s Step) {
	c.Contrastive.add(s.Step, s.Contrastive)
	c.Caption.add(s.Step, s.Caption)
}

// Line is one loss over the steps.
type Line struct {
	points []point
	each   int // values in a point
	part   point
	count  int // values in part
}

// A point stands for some values in a row.
type point struct {
	step           float64 // their mean
	mean, min, max float64
}

func (l *Line) add(step int, v float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return
	}
	if l.count == 0 {
		l.part = point{min: v, max: v}
	}
	p := &l.part
	l.count++
	p.step += (float64(step) - p.step) / float64(l.count)
	p.mean += (v - p.mean) / float64(l.count)
	p.min, p.max = min(p.min, v), max(p.max, v)
	if l.count < max(l.each, 1) {
		return
	}
	l.points, l.count = append(l.points, l.part), 0
	if len(l.points) == maxPoints {
		l.halve()
	}
}

// halve joins each two points.
func (l *Line) halve() {
	for i := range len(l.points) / 2 {
		a, b := l.points[2*i], l.points[2*i+1]
		l.points[i] = point{(a.step + b.step) / 2, (a.mean + b.mean) / 2, min(a.min, b.min), max(a.max, b.max)}
	}
	l.points, l.each = l.points[:len(l.points)/2], 2*max(l.each, 1)
}

// zero tells whether the loss is never anything but 0: it was not trained.
func (l *Line) zero() bool {
	for _, p := range l.points {
		if p.min != 0 || p.max != 0 {
			return false
		}
	}
	return true
}

// smooth is an exponential mean whose memory is a hundredth of the line, and that begins as the
// plain mean of what it has seen.
func (l *Line) smooth() []float64 {
	keep := 1 - 1/max(float64(len(l.points))/100, 1)
	out := make([]float64, len(l.points))
	sum, weight := 0.0, 0.0
	for i, p := range l.points {
		sum, weight = keep*sum+(1-keep)*p.mean, keep*weight+(1-keep)
		out[i] = sum / weight
	}
	return out
}

// An axis is a range of numbers with marks at round ones.
type axis struct {
	low, high float64
	marks     []float64
	digits    int // behind the point
}

// newAxis chooses about n marks: multiples of 1, 2 or 5 times a power of ten that
// the range holds.
func newAxis(low, high float64, n int) axis {
	if !(high > low) {
		half := max(math.Abs(low)/2, 1)
		low, high = low-half, high+half
	}
	a := axis{low: low, high: high}
	step := math.Pow(10, math.Floor(math.Log10((high-low)/float64(n))))
	for _, factor := range []float64{1, 2, 5, 10} {
		if (high-low)/(step*factor) <= float64(n) {
			step *= factor
			break
		}
	}
	a.digits = int(max(0, -math.Floor(math.Log10(step)+1e-9)))
	for i := math.Ceil(low / step); i*step <= high+step*1e-9 && len(a.marks) < 100; i++ {
		a.marks = append(a.marks, i*step)
	}
	return a
}
