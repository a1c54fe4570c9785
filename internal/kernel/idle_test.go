package kernel

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// towerProducts are the products of the visual tower of ViT-B-32, in order.
type towerProducts struct {
	matrices []*Matrix
	x, y     []float32
}

const towerRows, towerWidth, towerLayers = 50, 768, 12

func newTowerProducts(p *Pool, precision Precision) *towerProducts {
	t := &towerProducts{x: normal(newRand(1), towerRows*4*towerWidth), y: make([]float32, towerRows*4*towerWidth)}
	w := normal(newRand(2), 4*towerWidth*towerWidth)
	for range towerLayers {
		for _, size := range [][2]int{{3 * towerWidth, towerWidth}, {towerWidth, towerWidth}, {4 * towerWidth, towerWidth}, {towerWidth, 4 * towerWidth}} {
			m := NewMatrixPrecision(w, size[0], size[1], OutIn, precision)
			m.Pack(p)
			t.matrices = append(t.matrices, m)
		}
	}
	return t
}

func (t *towerProducts) run(p *Pool) {
	for _, m := range t.matrices {
		m.Linear(p, t.y, t.x, towerRows, Epilogue{})
	}
}

// joinTask notes when each worker takes its first piece.
type joinTask struct {
	began time.Time
	first [8]time.Duration
}

func (t *joinTask) Do(worker, _ int) {
	now := time.Since(t.began)
	if t.first[worker] == 0 {
		t.first[worker] = now
	}
	for until := now + 50*time.Microsecond; time.Since(t.began) < until; {
	}
}

// BenchmarkAfterIdle compares the products of a tower in a loop with the same
// after a pause in which all threads have gone to sleep, and tells how long after
// the start of a Run the last worker takes its first piece.
func BenchmarkAfterIdle(b *testing.B) {
	for _, precision := range []Precision{F32, BF16} {
		for _, pause := range []time.Duration{0, 20 * time.Millisecond, 200 * time.Millisecond} {
			b.Run(fmt.Sprintf("%v/pause=%v", precision, pause), func(b *testing.B) {
				p := benchPool(b)
				t := newTowerProducts(p, precision)
				t.run(p)
				var times, joins []float64
				for b.Loop() {
					time.Sleep(pause)
					began := time.Now()
					t.run(p)
					times = append(times, 1e3*time.Since(began).Seconds())
					time.Sleep(pause)
					j := &joinTask{began: time.Now()}
					p.Run(200, j)
					late := j.first[p.Threads()-1]
					if late == 0 {
						late = time.Since(j.began)
					}
					joins = append(joins, 1e6*late.Seconds())
				}
				slices.Sort(times)
				slices.Sort(joins)
				b.ReportMetric(times[0], "ms-least")
				b.ReportMetric(times[len(times)/2], "ms-median")
				b.ReportMetric(times[len(times)*9/10], "ms-p90")
				b.ReportMetric(joins[len(joins)/2], "µs-join-median")
				b.ReportMetric(joins[len(joins)*9/10], "µs-join-p90")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
