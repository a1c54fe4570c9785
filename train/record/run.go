package record

import (
	"errors"
	"os"
	"path/filepath"
	"time"
)

// Names in the folder of a run.
const (
	StepsName   = "train.jsonl"
	ResultsName = "results.jsonl"
	EventsName  = "tensorboard" // a folder
	CurveName   = "loss.png"
)

// Options of a [Run].
type Options struct {
	// Step is the first step that is still to be done and Epoch how many epochs are
	// finished: what is recorded beyond is taken back.
	Step, Epoch int

	TensorBoard bool          // write events, too
	Redraw      time.Duration // between two pictures of the losses; 0 stands for a minute
}

// Run keeps all records of a run.
type Run struct {
	steps, results *Log
	events         *Events // or nil
	curve          Curve
	picture        string
	redraw         time.Duration
	drawn          time.Time
}

// Open opens the records in the folder of a run, which is made if need be.
func Open(dir string, o Options) (r *Run, err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	r = &Run{picture: filepath.Join(dir, CurveName), redraw: o.Redraw, drawn: time.Now()}
	if r.redraw == 0 {
		r.redraw = time.Minute
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
			r = nil
		}
	}()
	if r.steps, err = OpenLog(filepath.Join(dir, StepsName), StepsBefore(o.Step, r.curve.Add)); err != nil {
		return r, err
	}
	if r.results, err = OpenLog(filepath.Join(dir, ResultsName), EpochsTo(o.Epoch)); err != nil {
		return r, err
	}
	if o.TensorBoard {
		r.events, err = OpenEvents(filepath.Join(dir, EventsName), o.Step, o.Epoch)
	}
	return r, err
}

// Step records a step.
func (r *Run) Step(s Step) error {
	if err := r.steps.Append(s); err != nil {
		return err
	}
	if r.events != nil {
		if err := r.events.Step(s); err != nil {
			return err
		}
	}
	r.curve.Add(s)
	if time.Since(r.drawn) >= r.redraw {
		r.draw() // what fails is tried again, and no reason to end the run; Close tells
	}
	return nil
}

func (r *Run) draw() error {
	r.drawn = time.Now()
	return r.curve.WriteFile(r.picture)
}

// Validation records what a validation after so many epochs found: v as a line, which needs a key
// "epoch", and v's numbers as events.
func (r *Run) Validation(epoch int, v any) error {
	if err := r.results.Append(v); err != nil {
		return err
	}
	if r.events == nil {
		return nil
	}
	return r.events.Validation(epoch, v)
}

// Sync waits until all records are on the disk. It belongs before a checkpoint, which
// promises that they are there.
func (r *Run) Sync() error {
	err := errors.Join(r.steps.Sync(), r.results.Sync())
	if r.events != nil {
		err = errors.Join(err, r.events.Sync())
	}
	return err
}

// Close draws the losses once more and ends all files.
func (r *Run) Close() error { return errors.Join(r.draw(), r.close()) }

func (r *Run) close() (err error) {
	for _, l := range []*Log{r.steps, r.results} {
		if l != nil {
			err = errors.Join(err, l.Close())
		}
	}
	if r.events != nil {
		err = errors.Join(err, r.events.Close())
	}
	return err
}
