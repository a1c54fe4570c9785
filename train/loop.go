package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"time"

	"github.com/seed-e0874532/coca/train/data"
	"github.com/seed-e0874532/coca/train/record"
)

// Run trains until the last epoch is done. When ctx ends, it writes a checkpoint of
// the steps done so far and returns the context's error.
func (t *Trainer) Run(ctx context.Context) error {
	if t.source == nil {
		return t.finishValidation(ctx)
	}
	t.saved, t.savedAt = time.Now(), t.position.Step
	t.meter = meter{began: time.Now(), since: time.Now()}
	defer func() {
		if t.ahead != nil {
			t.ahead.Close()
		}
	}()
	for t.position.Epoch < t.options.Epochs {
		err := t.epoch(ctx)
		if ctx.Err() != nil {
			if t.position.Step != t.savedAt {
				return errors.Join(t.save(latestName), ctx.Err())
			}
			return ctx.Err()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// epoch trains what is left of an epoch and writes its checkpoints.
func (t *Trainer) epoch(ctx context.Context) error {
	o := &t.options
	loader, err := t.load(ctx, t.position.Epoch, t.position.Records)
	if err != nil {
		return err
	}
	defer loader.Close()
	for t.position.Batches < t.perEpoch {
		waited := time.Now()
		batches, err := next(loader, o.Accum)
		if err == io.EOF {
			break // broken samples made the epoch shorter
		} else if err != nil {
			return err
		}
		t.meter.wait += time.Since(waited)
		if t.position.Batches == t.perEpoch-1 && t.position.Epoch+1 < o.Epochs {
			if t.ahead, err = t.load(ctx, t.position.Epoch+1, 0); err != nil {
				return err
			}
		}
		if err := t.train(ctx, batches); err != nil {
			return err
		}
		if t.due() && t.position.Batches < t.perEpoch {
			if err := t.save(latestName); err != nil {
				return err
			}
		}
	}
	if t.position.Batches == 0 {
		return &ConfigError{o.Data.Path, fmt.Sprintf("at least one step of %d samples that can be read", o.Batch*o.Accum),
			fmt.Sprintf("fewer (%d were skipped)", loader.Skipped())}
	}
	before := t.position
	t.position.Epoch, t.position.Batches, t.position.Records = t.position.Epoch+1, 0, 0
	if err := t.finishValidation(ctx); err != nil {
		t.position = before // so that a run that goes on validates, too
		return err
	}
	return t.finishEpoch()
}

// next gives the batches of a step. Those that are too few for one are dropped.
func next(l *data.Loader, n int) (list []*data.Batch, err error) {
	for range n {
		b, err := l.Next()
		if err != nil {
			return nil, err
		}
		list = append(list, b)
	}
	return list, nil
}

// load starts to read an epoch, unless it was begun before.
func (t *Trainer) load(ctx context.Context, epoch, from int) (*data.Loader, error) {
	if l := t.ahead; l != nil {
		t.ahead = nil
		return l, nil
	}
	o := &t.options
	return data.Load(ctx, t.source, epoch, data.Options{
		Batch: o.Batch, Transform: o.Data.Augment.Transform(t.base.Preprocess),
		Workers: o.Data.Workers, Seed: o.Seed, From: from, Skipped: o.Skipped,
	})
}

// due tells whether it is time for a checkpoint within an epoch.
func (t *Trainer) due() bool {
	o := &t.options
	return o.SaveSteps > 0 && t.position.Step-t.savedAt >= o.SaveSteps || o.SaveInterval > 0 && time.Since(t.saved) >= o.SaveInterval
}

// finishEpoch writes the checkpoints that are due after an epoch.
func (t *Trainer) finishEpoch() error {
	o, n := &t.options, t.position.Epoch
	kept := n == o.Epochs || o.SaveFrequency > 0 && n%o.SaveFrequency == 0
	if kept {
		if err := t.save(epochName(n)); err != nil {
			return err
		}
		if o.ExportTorch {
			if err := t.exportTorch(n); err != nil {
				return err
			}
		}
		for k := 1; o.DeletePrevious && k < n; k++ {
			if err := errors.Join(t.folder.remove(epochName(k)), t.folder.remove(epochName(k)+".pt")); err != nil {
				return err
			}
		}
	}
	switch {
	case o.SaveMostRecent, !kept && t.due():
		return t.save(latestName)
	case kept:
		return t.folder.remove(latestName) // it is not the latest any more
	}
	return nil
}

// save writes a checkpoint.
func (t *Trainer) save(name string) error {
	if err := t.records.Sync(); err != nil { // the checkpoint says that its steps are recorded
		return err
	}
	if err := t.folder.save(name, t.write); err != nil {
		return fmt.Errorf("checkpoint %s: %w", name, err)
	}
	t.saved, t.savedAt = time.Now(), t.position.Step
	if t.options.Saved != nil {
		t.options.Saved(filepath.Join(string(t.folder), name))
	}
	return nil
}

// train does one step.
func (t *Trainer) train(ctx context.Context, batches []*data.Batch) error {
	o, p := &t.options, &t.position
	number := p.Epoch*t.perEpoch + p.Batches
	rate := o.LR
	if !o.SkipScheduler {
		rate = t.schedule.Rate(number)
	}
	t.rate = rate
	contrastive, caption, err := t.gradients(ctx, batches)
	if err != nil {
		return err
	}
	loss := contrastive + caption
	if v := float64(loss); math.IsNaN(v) || math.IsInf(v, 0) {
		return &DivergedError{number, v}
	}
	scale, err := t.values.Float32("logit_scale") // its own memory, trained or not
	if err != nil {
		return err
	}
	r := Record{Step: record.Step{
		Step: number, Epoch: p.Epoch, Loss: float64(loss), Contrastive: float64(contrastive), Caption: float64(caption),
		LR: rate, LogitScale: math.Exp(float64(scale[0])),
	}, Batch: p.Batches + 1, Batches: t.perEpoch}
	if o.ClipNorm > 0 {
		t.clipper.Clip(o.ClipNorm)
	}
	t.optimizer.Step(rate)
	ClampLogitScale(scale)
	p.Batches, p.Records, p.Step = p.Batches+1, batches[len(batches)-1].Records, p.Step+1
	t.meter.steps++
	if o.Stepped != nil {
		o.Stepped(number+1, t.perEpoch*o.Epochs)
	}
	if (p.Batches-1)%o.LogEvery == 0 || p.Batches == t.perEpoch {
		return t.record(r)
	}
	return nil
}

// meter measures time between two records.
type meter struct {
	began, since time.Time
	steps, done  int // since the last record, and before it
	wait         time.Duration
}

// record completes a record and writes it.
func (t *Trainer) record(r Record) error {
	m, now := &t.meter, time.Now()
	m.done += m.steps
	took := now.Sub(m.since).Seconds() / float64(m.steps)
	r.BatchTime, r.DataTime = took, m.wait.Seconds()/float64(m.steps)
	r.SamplesPerSecond = float64(t.options.Batch*t.options.Accum) / took
	left := (t.options.Epochs-r.Epoch)*t.perEpoch - r.Batch
	r.Left = time.Duration(float64(now.Sub(m.began)) / float64(m.done) * float64(left))
	m.since, m.steps, m.wait = now, 0, 0
	if err := t.records.Step(r.Step); err != nil {
		return err
	}
	if t.options.Log != nil {
		t.options.Log(r)
	}
	return nil
}

// DivergedError says that a loss is no number any more. The checkpoints are those
// of before.
type DivergedError struct {
	Step int
	Loss float64
}

func (e *DivergedError) Error() string {
	return fmt.Sprintf("step %d: want a finite loss, found %v (a lower learning rate, a longer warm-up or --grad-clip-norm may help)", e.Step, e.Loss)
}
