package train

import (
	"fmt"
	"math"
	"time"

	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/train/data"
)

// Options are all choices of a training run. [Defaults] gives OpenCLIP's.
type Options struct {
	Data DataOptions // to train on; without it, a run only validates
	Val  DataOptions // to validate on; without it, a run does not validate

	Batch  int // pairs of a step; with Accum, of each of its batches
	Accum  int // batches that count as one; 0 and 1: each is a step
	Epochs int
	Seed   uint64 // of start values, orders and crops

	LR             float64
	Warmup         int // steps
	Scheduler      ScheduleKind
	SkipScheduler  bool
	EpochsCooldown int
	CooldownEnd    float64
	CooldownPower  float64

	Optimizer string // adamw or muon
	AdamW     AdamWConfig
	Muon      MuonConfig
	ClipNorm  float64 // of all gradients together; 0: not clipped

	Losses model.LossWeights

	// LockImage keeps the tensors of the vision tower as they are, LockText those of the
	// text encoder. TrainOnly, if not empty, trains only tensors whose name matches one of
	// its patterns (path.Match).
	LockImage, LockText bool
	TrainOnly           []string

	// Checkpointing computes activations anew in the backward pass: less memory, more work,
	// the same gradients.
	Checkpointing bool

	// Precision of the products: FP32, or BF16, in which operands are rounded to bfloat16 and
	// weights, gradients and sums stay float32.
	Precision exec.Precision

	Threads int // of the kernels; 0: one per processor

	// Dir is the folder of the run, LOGS/NAME. What a killed run left there is
	// put in order.
	Dir      string
	LogEvery int // steps between two records of the log

	TensorBoard bool // keep the records for TensorBoard, too

	SaveFrequency  int           // epochs between two checkpoints that are kept; the last epoch always is
	SaveMostRecent bool          // write epoch_latest after each epoch
	DeletePrevious bool          // keep one epoch_N only
	ExportTorch    bool          // beside each epoch_N also epoch_N.pt, from which open_clip_train resumes
	SaveInterval   time.Duration // between two checkpoints within an epoch; 0: none
	SaveSteps      int           // the same in steps; 0: none

	// Resume is the checkpoint to go on from: a path, "latest" or "".
	Resume string

	ValFrequency int // epochs between two validations; 0: none
	ValCaptions  int // pairs that are shown of each

	// Validated is called with what a validation found. What it reads of the trainer's
	// [Trainer.Values] is what was validated.
	Validated func(*Validation) error

	// Stepped is called after each step with the steps done and those of the whole run, Log
	// with each record of the log, Skipped for each sample that
	// cannot be read, Saved after each checkpoint; nil is allowed.
	Stepped func(done, all int)
	Log     func(Record)
	Skipped func(*data.SampleError)
	Saved   func(path string)
}

// Optimizers.
const (
	OptAdamW = "adamw"
	OptMuon  = "muon"
)

// Defaults are OpenCLIP's for a model of that name, without data.
func Defaults(name string) Options {
	return Options{
		Batch: 64, Accum: 1, Epochs: 32, LR: DefaultLearningRate, Warmup: 10000, Scheduler: Cosine, CooldownPower: 1,
		Optimizer: OptAdamW, AdamW: DefaultAdamW(name), Muon: DefaultMuon, Losses: model.DefaultLossWeights,
		LogEvery: 100, SaveFrequency: 1, ValFrequency: 1, ValCaptions: 4, SaveInterval: 10 * time.Minute,
	}
}

// Validate returns a [ConfigError] for the first option that cannot be used.
func (o Options) Validate() error {
	number := func(v float64) bool { return v >= 0 && !math.IsInf(v, 0) }
	if err := o.AdamW.validate(); err != nil {
		return err
	}
	if o.Optimizer == OptMuon {
		if err := o.Muon.validate(); err != nil {
			return err
		}
	}
	for _, f := range []struct {
		name, want string
		ok         bool
		found      any
	}{
		{"batch-size", "1 to 65536", o.Batch >= 1 && o.Batch <= 1<<16, o.Batch},
		{"accum-freq", "1 to 65536, and at most 16777216 pairs a step", o.Accum >= 1 && o.Accum <= 1<<16 && o.Accum*o.Batch <= 1<<24, o.Accum},
		{"epochs", "1 to 1048576", o.Epochs >= 1 && o.Epochs < 1<<20, o.Epochs},
		{"opt", "adamw or muon", o.Optimizer == OptAdamW || o.Optimizer == OptMuon, fmt.Sprintf("%q", o.Optimizer)},
		{"grad-clip-norm", "a number from 0", number(o.ClipNorm), o.ClipNorm},
		{"coca-contrastive-loss-weight", "a number from 0", number(o.Losses.Contrastive), o.Losses.Contrastive},
		{"coca-caption-loss-weight", "a number from 0", number(o.Losses.Caption), o.Losses.Caption},
		{"caption-z-loss", "a number from 0", number(o.Losses.Z), o.Losses.Z},
		{"log-every-n-steps", "1 or more", o.LogEvery >= 1, o.LogEvery},
		{"save-frequency", "a number from 0", o.SaveFrequency >= 0, o.SaveFrequency},
		{"save-interval", "a time from 0", o.SaveInterval >= 0, o.SaveInterval},
		{"save-every-n-steps", "a number from 0", o.SaveSteps >= 0, o.SaveSteps},
		{"epochs-cooldown", "1 or more with --lr-scheduler const-cooldown", o.EpochsCooldown >= 1 || o.Scheduler != ConstCooldown && o.EpochsCooldown == 0, o.EpochsCooldown},
		{"val-frequency", "a number from 0", o.ValFrequency >= 0, o.ValFrequency},
		{"val-captions", "0 to 1000", o.ValCaptions >= 0 && o.ValCaptions <= 1000, o.ValCaptions},
		{"workers", "0 to 4096", o.Data.Workers >= 0 && o.Data.Workers <= 4096, o.Data.Workers},
		{"train-num-samples", "0 to 2^40", o.Data.Samples >= 0 && o.Data.Samples <= 1<<40, o.Data.Samples},
		{"val-num-samples", "0 to 2^40", o.Val.Samples >= 0 && o.Val.Samples <= 1<<40, o.Val.Samples},
		{"precision", "fp32 or bf16", o.Precision == exec.FP32 || o.Precision == exec.BF16, o.Precision},
		{"threads", "0 or more", o.Threads >= 0, o.Threads},
	} {
		if !f.ok {
			return &ConfigError{f.name, f.want, fmt.Sprint(f.found)}
		}
	}
	s := o.schedule(1)
	if err := s.Validate(); err != nil {
		return err
	}
	return nil
}

// schedule is the course of the learning rate for an epoch of so many steps.
func (o Options) schedule(perEpoch int) Schedule {
	s := Schedule{Kind: o.Scheduler, LR: o.LR, Warmup: o.Warmup, Total: perEpoch * o.Epochs,
		Cooldown: perEpoch * o.EpochsCooldown, Power: o.CooldownPower, EndLR: o.CooldownEnd}
	return s
}

// given tells whether there is a set at all.
func (o DataOptions) given() bool { return o.Path != "" || o.Kind == "synthetic" }

// DataOptions say where pairs come from.
type DataOptions struct {
	Path    string
	Kind    string // csv, webdataset, synthetic or auto, by the ending
	CSV     data.CSVOptions
	Samples int // of an epoch; of webdataset and synthetic
	Workers int // goroutines that decode; 0: one per processor

	Augment data.Augment // of pictures to train on
}
