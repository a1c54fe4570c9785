package main

import (
	"fmt"
	"slices"
	"time"
)

// growth measures how times grow with the size of the work.
func (b *bench) growth() error {
	batches, tokens, images := []int{1, 2, 4, 8, 16, 32}, []int{5, 15, 30, 45, 60, 75}, []int{1, 2, 4, 8, 16, 32, 64, 256, 1000}
	if b.quick {
		batches, tokens, images = batches[:2], tokens[:1], images[:2]
	}
	s := b.subjects["bf16"]
	if s == nil {
		return fmt.Errorf("growth: want bf16 among the precisions, got %v", b.precisions)
	}
	c := Curve{Name: "images in a batch of the tower", Precision: "bf16"}
	for _, n := range batches {
		if _, err := s.runTower(n); err != nil {
			return err
		}
		least, err := leastOf(b.tries(), func() (float64, error) { return s.runTower(n) })
		if err != nil {
			return err
		}
		f, _ := floor(s.towers[n].Cost(), "bf16", b.Machine)
		c.point(n, least, f)
		delete(s.towers, n)
	}
	b.curve(c)

	c = Curve{Name: "tokens of a caption's two beams", Precision: "bf16"}
	for _, n := range tokens {
		least, err := leastOf(b.tries(), func() (float64, error) {
			seconds, _, err := s.steps(n)
			sum := 0.0
			for _, v := range seconds {
				sum += v
			}
			return sum, err
		})
		if err != nil {
			return err
		}
		c.point(n, least, float64(n))
	}
	b.curve(c)

	c = Curve{Name: "images to caption", Precision: "bf16"}
	for _, n := range images {
		f, err := b.captionFloor(s, n)
		if err != nil {
			return err
		}
		if 2*f > longest.Seconds() {
			break
		}
		least, err := leastOf(b.tries(), func() (float64, error) {
			seconds, _, err := s.caption(n, captionLength)
			return seconds, err
		})
		if err != nil {
			return err
		}
		c.point(n, least, f)
	}
	b.curve(c)

	c = Curve{Name: "threads of the tower", Precision: "bf16"}
	for n := 1; n <= b.Threads; n *= 2 {
		one, err := newSubject(b.cfg, b.weights, "bf16", n)
		if err != nil {
			return err
		}
		if _, err := one.runTower(1); err != nil {
			return err
		}
		least, err := leastOf(b.tries(), func() (float64, error) { return one.runTower(1) })
		if err != nil {
			return err
		}
		one.Close()
		c.point(n, least, 1/float64(n))
	}
	b.curve(c)
	return nil
}

func (b *bench) tries() int { return min(b.rounds, 5) }

func (b *bench) curve(c Curve) {
	c.Model = b.model
	b.Curves = replace(b.Curves, c, func(x Curve) bool { return x.Model == c.Model && x.Name == c.Name })
}

// point adds a measurement, predicted from the first one by the floors.
func (c *Curve) point(x int, seconds, floor float64) {
	c.X, c.Seconds, c.Predicted = append(c.X, float64(x)), append(c.Seconds, seconds), append(c.Predicted, floor)
	if n := len(c.X); n > 1 {
		c.Predicted[n-1] = c.Predicted[0] * floor / c.first
	} else {
		c.first, c.Predicted[0] = floor, seconds
	}
}

const (
	longest = 4 * time.Minute  // of a point; the curve ends before
	enough  = 10 * time.Second // of measuring one point
)

// leastOf takes the least of n measurements, or of as many as are begun in reasonable time.
func leastOf(n int, f func() (float64, error)) (float64, error) {
	var list []float64
	for began := time.Now(); len(list) < n && (list == nil || time.Since(began) < enough); {
		seconds, err := f()
		if err != nil {
			return 0, err
		}
		list = append(list, seconds)
	}
	return slices.Min(list), nil
}
