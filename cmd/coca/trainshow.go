package main

import (
	"fmt"
	"time"

	"github.com/seed-e0874532/coca/train"
	"github.com/seed-e0874532/coca/train/data"
)

// trainShow prints the progress of a training run.
type trainShow struct {
	app    *app
	epochs int
	broken int
}

// namedBroken is how many broken samples are named; the others are only counted.
const namedBroken = 20

func (s *trainShow) log(r train.Record) {
	fmt.Fprintf(s.app.err, "epoch %d/%d [%d/%d] loss %.4f (contrastive %.4f, caption %.4f) lr %.3g scale %.3g %.1f samples/s data %.3fs batch %.3fs left %v\n",
		r.Epoch+1, s.epochs, r.Batch, r.Batches, r.Loss, r.Contrastive, r.Caption, r.LR, r.LogitScale, r.Rate, r.DataTime, r.BatchTime,
		r.Left.Round(time.Second))
}

func (s *trainShow) skipped(e *data.SampleError) {
	s.broken++
	if s.broken <= namedBroken {
		s.app.warn("skipped %v", e)
	}
	if s.broken == namedBroken {
		s.app.warn("further samples that cannot be read are only counted")
	}
}

func (s *trainShow) saved(path string) { fmt.Fprintf(s.app.err, "saved %s\n", path) }

func (s *trainShow) finish() {
	if s.broken > 0 {
		s.app.warn("%d samples were skipped", s.broken)
	}
}
