package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/train"
	"github.com/seed-e0874532/coca/train/data"
	"github.com/spf13/cobra"
)

// trainFlags are the flags of open_clip_train, and some of our own.
type trainFlags struct {
	train.Options
	model, pretrained string
	name, logs        string
	imageSize         list[int]
	imageMean         list[float64]
	imageStd          list[float64]
	interpolation     string
	resizeMode        string
	precision         string
	augCfg            []string
	reportTo          reports
	contextLength     int
	patchDropout      float64
	scheduler         string
	muonLR            float64
}

// add declares the flags.
func (f *trainFlags) add(c *cobra.Command) {
	f.Options = train.Defaults("")
	o, flags := &f.Options, c.Flags()
	flags.StringVar(&f.model, "model", "", "a built-in architecture, a model folder with or without weights, an open_clip_config.json, hf-hub:ORG/REPO or local-dir:PATH")
	flags.StringVar(&f.pretrained, "pretrained", "", "start values: a weights file, a model folder, or a tag of a built-in architecture")
	flags.StringVar(&f.Resume, "resume", "", "checkpoint to go on from: a folder, or latest")
	flags.StringVar(&f.name, "name", "", "name of the run (default: time, model and settings)")
	flags.StringVar(&f.logs, "logs", "./logs/", "folder of all runs")

	flags.StringVar(&o.Data.Path, "train-data", "", "the CSV file, or the tar shards, as {0000..0042}.tar")
	flags.StringVar(&o.Data.Kind, "dataset-type", "auto", "csv, webdataset, synthetic or auto: by the ending")
	flags.IntVar(&o.Data.Samples, "train-num-samples", 0, "samples of an epoch (webdataset, synthetic)")
	flags.StringVar(&o.Data.CSV.Separator, "csv-separator", "\t", "what separates the columns of a CSV")
	flags.StringVar(&o.Data.CSV.ImageKey, "csv-img-key", "filepath", "column of a CSV with the paths of pictures")
	flags.StringVar(&o.Data.CSV.CaptionKey, "csv-caption-key", "title", "column of a CSV with captions")
	flags.IntVar(&o.Data.Workers, "workers", 0, "goroutines that decode pictures (0: one per processor)")
	flags.Var(&f.imageSize, "force-image-size", "another size of the pictures; given twice: height and width")
	flags.Float64Var(&f.patchDropout, "force-patch-dropout", -1, "share of the patches that are left out in training (default: what the config says, else 0)")
	flags.BoolVar(&o.Checkpointing, "grad-checkpointing", false, "compute activations anew in the backward pass: less memory, more work, the same gradients")
	flags.IntVar(&f.contextLength, "force-context-length", 0, "another length of the texts")

	flags.StringArrayVar(&f.augCfg, "aug-cfg", nil, "augmentation as key=value, such as 'scale=(0.9, 1.0)' (repeat for more keys)")
	flags.Var(&f.imageMean, "image-mean", "mean of the channels: once, or for each of the three")
	flags.Var(&f.imageStd, "image-std", "standard deviation of the channels: once, or for each of the three")
	flags.StringVar(&f.interpolation, "image-interpolation", "", "bicubic, bilinear or random, for inference")
	flags.StringVar(&f.resizeMode, "image-resize-mode", "", "shortest, longest or squash, for inference")

	flags.IntVar(&o.Batch, "batch-size", o.Batch, "pairs of a step")
	flags.IntVar(&o.Accum, "accum-freq", o.Accum, "batches that count as one, for the contrastive loss too")
	flags.IntVar(&o.Epochs, "epochs", o.Epochs, "epochs")
	flags.StringVar(&o.Optimizer, "opt", o.Optimizer, "adamw, or muon for the hidden matrices and adamw for the rest")
	flags.Float64Var(&o.LR, "lr", o.LR, "learning rate")
	flags.Float64Var(&o.AdamW.Beta1, "beta1", o.AdamW.Beta1, "of AdamW")
	flags.Float64Var(&o.AdamW.Beta2, "beta2", 0, "of AdamW (default: 0.98 if the model's name has vit in it, else 0.999)")
	flags.Float64Var(&o.AdamW.Eps, "eps", 0, "of AdamW (default: 1e-6 if the model's name has vit in it, else 1e-8)")
	flags.Float64Var(&o.AdamW.WeightDecay, "wd", o.AdamW.WeightDecay, "weight decay of AdamW")
	flags.Float64Var(&f.muonLR, "muon-lr", 0, "with --opt muon: learning rate of the hidden matrices (default: twice --lr)")
	flags.Float64Var(&o.Muon.Momentum, "muon-momentum", o.Muon.Momentum, "with --opt muon: momentum of the hidden matrices")
	flags.Float64Var(&o.Muon.WeightDecay, "muon-wd", o.Muon.WeightDecay, "with --opt muon: weight decay of the hidden matrices")
	flags.IntVar(&o.Warmup, "warmup", o.Warmup, "steps in which the rate rises")
	flags.StringVar(&f.scheduler, "lr-scheduler", string(o.Scheduler), "cosine, const or const-cooldown")
	flags.BoolVar(&o.SkipScheduler, "skip-scheduler", false, "the rate stays --lr from the first step on")
	flags.IntVar(&o.EpochsCooldown, "epochs-cooldown", 0, "const-cooldown: epochs at the end in which the rate falls")
	flags.Float64Var(&o.CooldownEnd, "lr-cooldown-end", 0, "const-cooldown: the last rate")
	flags.Float64Var(&o.CooldownPower, "lr-cooldown-power", o.CooldownPower, "const-cooldown: degree of the fall")
	flags.Float64Var(&o.ClipNorm, "grad-clip-norm", 0, "largest norm of the gradients (0: not clipped)")
	flags.Float64Var(&o.Losses.Caption, "coca-caption-loss-weight", o.Losses.Caption, "weight of the caption loss")
	flags.Float64Var(&o.Losses.Contrastive, "coca-contrastive-loss-weight", o.Losses.Contrastive, "weight of the contrastive loss")
	flags.Float64Var(&o.Losses.Z, "caption-z-loss", 0, "weight in the caption loss of (log Σ exp of the logits)², which makes them log-probabilities")
	flags.BoolVar(&o.LockImage, "lock-image", false, "do not train the vision tower")
	flags.BoolVar(&o.LockText, "lock-text", false, "do not train the text encoder")
	flags.StringArrayVar(&o.TrainOnly, "train-only", nil, "train only tensors whose name matches a pattern, such as text_decoder.* (repeat for more)")
	flags.StringVar(&f.precision, "precision", "fp32", "of the products: fp32, or bf16, alias amp_bf16, with weights, gradients and sums in fp32")
	flags.Uint64Var(&o.Seed, "seed", 0, "of start values, orders and crops")
	flags.IntVar(&o.Threads, "threads", 0, "threads of the kernels (0: one per processor)")

	flags.StringVar(&o.Val.Path, "val-data", "", "a CSV file or tar shards to validate on; without --train-data, only that is done")
	flags.IntVar(&o.Val.Samples, "val-num-samples", 0, "samples to validate on (webdataset, synthetic; 0: all)")
	flags.IntVar(&o.ValFrequency, "val-frequency", o.ValFrequency, "epochs between two validations (0: none)")
	flags.IntVar(&o.ValCaptions, "val-captions", o.ValCaptions, "pictures that each validation describes")

	flags.Var(&f.reportTo, "report-to", "tensorboard, or none: further records besides train.jsonl, results.jsonl and loss.png")
	flags.IntVar(&o.LogEvery, "log-every-n-steps", o.LogEvery, "steps between two lines of the log")
	flags.IntVar(&o.SaveFrequency, "save-frequency", o.SaveFrequency, "epochs between two checkpoints (0: only the last)")
	flags.BoolVar(&o.SaveMostRecent, "save-most-recent", false, "write epoch_latest after each epoch")
	flags.BoolVar(&o.DeletePrevious, "delete-previous-checkpoint", false, "keep only the newest epoch_N")
	flags.BoolVar(&o.ExportTorch, "export-pt", false, "beside each epoch_N also write epoch_N.pt, from which open_clip_train resumes")
	flags.DurationVar(&o.SaveInterval, "save-interval", o.SaveInterval, "time between two checkpoints within an epoch, epoch_latest (0: none)")
	flags.IntVar(&o.SaveSteps, "save-every-n-steps", 0, "the same in steps (0: none)")
}

// resolve fills in what depends on other flags.
func (f *trainFlags) resolve(c *cobra.Command) error {
	o := &f.Options
	if f.model == "" {
		return usage("--model: want the model to train, got nothing")
	}
	if o.Data.CSV.Separator == `\t` { // as OpenCLIP takes it, too
		o.Data.CSV.Separator = "\t"
	}
	own := train.DefaultAdamW(f.model)
	if !c.Flags().Changed("beta2") {
		o.AdamW.Beta2 = own.Beta2
	}
	if !c.Flags().Changed("eps") {
		o.AdamW.Eps = own.Eps
	}
	if c.Flags().Changed("force-patch-dropout") && !(f.patchDropout >= 0) {
		return usage("--force-patch-dropout: want 0 to less than 1, got %v", f.patchDropout)
	}
	o.TensorBoard = f.reportTo == "tensorboard"
	o.Scheduler = train.ScheduleKind(f.scheduler)
	switch f.precision {
	case "fp32":
	case "bf16", "amp_bf16":
		o.Precision = exec.BF16
	case "amp", "fp16":
		return usage("--precision: want fp32, bf16 or amp_bf16, got %s: gradients of half precision need scaling lest they vanish, and processors gain nothing by it", f.precision)
	default:
		return usage("--precision: want fp32, bf16 or amp_bf16, got %q", f.precision)
	}
	if c.Flags().Changed("muon-lr") {
		if o.Optimizer != train.OptMuon {
			return usage("--muon-lr: want --opt muon with it, got --opt %s", o.Optimizer)
		}
		if !(o.LR > 0) {
			return usage("--lr: want more than 0 with --muon-lr, got %v", o.LR)
		}
		o.Muon.Ratio = f.muonLR / o.LR
	}
	var err error
	if o.Data.Augment, err = data.ParseAugCfg(f.augCfg); err != nil {
		return flagError(err)
	}
	o.Val.Kind, o.Val.CSV, o.Val.Workers = o.Data.Kind, o.Data.CSV, o.Data.Workers
	if o.Val.Kind == "synthetic" && o.Val.Samples == 0 {
		o.Val.Kind = ""
	}
	if f.name == "" {
		f.name = fmt.Sprintf("%s-model_%s-lr_%v-b_%d", time.Now().Format("2006_01_02-15_04_05"), strings.NewReplacer("/", "-", ":", "-", `\`, "-").Replace(f.model), o.LR, o.Batch)
	}
	if f.name != filepath.Base(f.name) || f.name == "." || f.name == ".." {
		return usage("--name: want the name of a folder, got %q", f.name)
	}
	o.Dir = filepath.Join(f.logs, f.name)
	return nil
}

// flagError is wrong usage; an option is named as its flag.
func flagError(err error) error {
	var option *train.ConfigError
	if errors.As(err, &option) && !strings.ContainsAny(option.Field, " /.") {
		return usage("--%s: want %s, got %s", option.Field, option.Want, option.Found)
	}
	var set *data.Error
	if errors.As(err, &set) && !strings.ContainsAny(set.Name, " /.") {
		return usage("--%s: %s: want %s, got %s", set.Name, set.Thing, set.Want, set.Found)
	}
	return usageError{err}
}

// reports is a flag of further records.
type reports string

// String implements pflag.Value.
func (r *reports) String() string { return string(*r) }

// Type implements pflag.Value.
func (r *reports) Type() string { return "kind" }

// Set implements pflag.Value.
func (r *reports) Set(s string) error {
	switch s {
	case "tensorboard", "none", "":
		*r = reports(s)
		return nil
	case "wandb", "all":
		return fmt.Errorf("want tensorboard or none, got %q: nothing is sent to a service", s)
	}
	return fmt.Errorf("want tensorboard or none, got %q", s)
}

// list is a flag that is repeated, once per value.
type list[T int | float64] []T

// String implements pflag.Value.
func (l *list[T]) String() string { return strings.Trim(fmt.Sprint(*l), "[]") }

// Type implements pflag.Value.
func (l *list[T]) Type() string { return "number" }

// Set implements pflag.Value.
func (l *list[T]) Set(s string) error {
	var v T
	var err error
	switch p := any(&v).(type) {
	case *int:
		*p, err = strconv.Atoi(s)
	case *float64:
		*p, err = strconv.ParseFloat(s, 64)
	}
	if err != nil {
		return fmt.Errorf("want a number, got %q", s)
	}
	*l = append(*l, v)
	return nil
}
