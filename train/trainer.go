package train

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn"
	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/train/data"
	"github.com/seed-e0874532/coca/train/record"
)

// Trainer is a training run.
type Trainer struct {
	options Options
	base    *Base
	tensors []nn.Info
	values  nn.Source // of all tensors, those that are trained in place

	model      *model.CoCa
	dropout    float64 // share of the patches that are left out
	parameters *Parameters
	dev        *exec.CPU
	programs   programs
	optimizer  state
	clipper    *Clipper
	schedule   Schedule

	source    data.Source
	valSource data.Source  // nil without validation
	perEpoch  int          // steps
	ahead     *data.Loader // of the next epoch, begun at the end of this one
	position  Position
	folder    checkpoints
	records   *record.Run
	saved     time.Time
	savedAt   int     // step
	rate      float64 // of the last step
	meter     meter
}

// New prepares a run: it reads start values or a checkpoint, opens the data and
// compiles the step. pretrained is a weights file or a model folder; "" stands for the
// base's own weights or, if it has none, for random ones.
func New(b *Base, pretrained string, o Options) (t *Trainer, err error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	t = &Trainer{options: o, base: b, folder: checkpoints(filepath.Join(o.Dir, "checkpoints"))}
	t.position = Position{Optimizer: o.Optimizer, Seed: o.Seed, Batch: o.Batch, Accum: o.Accum}
	if o.Data.given() || !o.Val.given() {
		if t.source, t.perEpoch, err = o.Data.open(b.Config.Vision.ImageSize, o.Batch, o.Seed); err != nil {
			return nil, err
		}
		if n := t.perEpoch; n < o.Accum {
			return nil, &ConfigError{"accum-freq", fmt.Sprintf("at most the %d batches of an epoch", n), fmt.Sprint(o.Accum)}
		}
		t.perEpoch /= o.Accum
	}
	if o.Val.given() {
		if t.valSource, err = o.Val.openVal(b.Config.Vision.ImageSize); err != nil {
			return nil, err
		}
	}
	t.schedule = o.schedule(t.perEpoch)
	if t.dev, err = exec.NewCPUWith(exec.CPUOptions{Threads: o.Threads, Training: true, Precision: o.Precision}); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.Close())
			t = nil
		}
	}()
	if _, err := os.Stat(filepath.Join(o.Dir, record.StepsName)); err == nil && o.Resume == "" && t.source != nil {
		return t, &ConfigError{"name", "a new name, or --resume latest to go on", o.Dir + ", which holds a run"}
	}
	if err := t.folder.clean(); err != nil {
		return t, err
	}
	if err := t.build(pretrained); err != nil {
		return t, err
	}
	if err := os.MkdirAll(string(t.folder), 0o777); err != nil {
		return t, err
	}
	keep := record.Options{Step: t.position.Epoch*t.perEpoch + t.position.Batches, Epoch: t.position.Epoch, TensorBoard: o.TensorBoard}
	if t.source == nil {
		keep.Step, keep.Epoch = math.MaxInt, math.MaxInt // a run that only validates takes nothing back
	}
	t.records, err = record.Open(o.Dir, keep)
	return t, err
}

// Close gives back threads and files.
func (t *Trainer) Close() error {
	err := t.dev.Close()
	if t.records != nil {
		err = errors.Join(err, t.records.Close())
	}
	return err
}

// Model is the model that is trained, on the trainer's own tensors.
func (t *Trainer) Model() *model.CoCa { return t.model }

// Values are the tensors as they are now; they change with each step.
func (t *Trainer) Values() nn.Source { return t.values }

// Position is how far the run has come.
func (t *Trainer) Position() Position { return t.position }

// Describe says on one line what is trained, on what.
func (t *Trainer) Describe() string {
	n := 0
	for _, p := range t.tensors {
		n += p.Elems()
	}
	if t.source == nil {
		return fmt.Sprintf("%s: %d parameters, to be validated on %s", t.base.Name, n, t.dev.Name())
	}
	trained := ""
	if len(t.parameters.All) < len(t.tensors) {
		k := 0
		for _, p := range t.parameters.All {
			k += len(p.Value)
		}
		trained = fmt.Sprintf(" (%d of them trained)", k)
	}
	return fmt.Sprintf("%s: %d parameters%s, %d steps of %d an epoch, %d epochs, on %s",
		t.base.Name, n, trained, t.perEpoch, t.options.Batch*t.options.Accum, t.options.Epochs, t.dev.Name())
}
