package main

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-e0874532/coca/train"
	"github.com/seed-e0874532/coca/train/data"
)

// trainShow prints the progress of a training run.
type trainShow struct {
	app      *app
	ctx      context.Context
	epochs   int
	broken   int
	last     string        // checkpoint
	captions *liveCaptions // nil if none are wanted
	bar      *bar          // between two lines of the log, on a terminal
}

// namedBroken is how many broken samples are named; the others are only counted.
const namedBroken = 20

func (s *trainShow) stepped(done, all int) {
	if s.bar == nil {
		s.bar = newBar(s.app.err, int64(all), "steps", false)
	}
	s.bar.set(int64(done))
}

func (s *trainShow) log(r train.Record) {
	s.bar.clear()
	fmt.Fprintf(s.app.err, "epoch %d/%d [%d/%d] loss %.4f (contrastive %.4f, caption %.4f) lr %.3g scale %.3g %.1f samples/s data %.3fs batch %.3fs left %v\n",
		r.Epoch+1, s.epochs, r.Batch, r.Batches, r.Loss, r.Contrastive, r.Caption, r.LR, r.LogitScale, r.SamplesPerSecond, r.DataTime, r.BatchTime,
		r.Left.Round(time.Second))
}

func (s *trainShow) skipped(e *data.SampleError) {
	s.broken++
	s.bar.clear()
	if s.broken <= namedBroken {
		s.app.warn("skipped %v", e)
	}
	if s.broken == namedBroken {
		s.app.warn("further samples that cannot be read are only counted")
	}
}

// validated prints what a validation found, and captions of the pairs that it shows.
func (s *trainShow) validated(v *train.Validation) error {
	w := s.app.err
	s.bar.clear()
	fmt.Fprintf(w, "validation after epoch %d: %d pairs, contrastive loss %.4f, caption loss %.4f\n", v.Epoch, v.Samples, v.CLIPLoss, v.GenerativeLoss)
	fmt.Fprintf(w, "  image to text: R@1 %.1f %%, R@5 %.1f %%, R@10 %.1f %%, mean rank %.1f, median %.0f\n", 100*v.ImageR1, 100*v.ImageR5, 100*v.ImageR10, v.ImageMeanRank, v.ImageMedianRank)
	fmt.Fprintf(w, "  text to image: R@1 %.1f %%, R@5 %.1f %%, R@10 %.1f %%, mean rank %.1f, median %.0f\n", 100*v.TextR1, 100*v.TextR5, 100*v.TextR10, v.TextMeanRank, v.TextMedianRank)
	if s.captions == nil || len(v.Shown) == 0 {
		return nil
	}
	var pixels [][]float32
	for _, p := range v.Shown {
		pixels = append(pixels, p.Pixels)
	}
	texts, err := s.captions.captions(s.ctx, pixels)
	if err != nil {
		return err
	}
	for i, p := range v.Shown {
		fmt.Fprintf(w, "  %s: %q (given: %q)\n", p.Name, texts[i], p.Caption)
	}
	return nil
}

func (s *trainShow) saved(path string) {
	s.last = path
	s.bar.clear()
	fmt.Fprintf(s.app.err, "saved %s\n", path)
}

func (s *trainShow) finish() error {
	s.bar.finish()
	if s.broken > 0 {
		s.app.warn("%d samples were skipped", s.broken)
	}
	if s.captions != nil {
		return s.captions.close()
	}
	return nil
}
