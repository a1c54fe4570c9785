package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/train"
	"github.com/seed-e0874532/coca/train/data"
)

// trainFlags are the flags of open_clip_train, and some of our own.
type trainFlags struct {
	train.Options
	model, pretrained string
	name, logs        string
	imageSize         []int
	contextLength     int
	scheduler         string
	muonLR            float64
	quiet             bool
}

func (a *app) trainCommand() *cobra.Command {
	var f trainFlags
	c := &cobra.Command{
		Use:   "train [flags]",
		Short: "Train or fine-tune a model",
		Long: "Train or fine-tune a model with the flags of open_clip_train. Checkpoints are model folders, which every command can load, in " +
			"LOGS/NAME/checkpoints/; the log is LOGS/NAME/train.jsonl. Ctrl-C writes a checkpoint; --resume latest goes on from the last one, to the bit as if " +
			"nothing had happened if the number of threads is the same.",
		Example: "  coca train --model coca_ViT-L-14 --pretrained laion2b_s13b_b90k --train-data captions.csv --lr 1e-5 --batch-size 16 --epochs 1 --name mine\n" +
			"  coca train --model path/to/folder-with-config-and-tokenizer --train-data 'shards/{0000..0042}.tar' --train-num-samples 100000 --opt muon --lr 1e-3 --muon-lr 3e-3\n" +
			"  coca train … --name mine --resume latest",
		Args: nothing,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.resolve(c); err != nil {
				return err
			}
			return a.train(c.Context(), &f)
		},
	}
	f.add(c)
	return c
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
	flags.IntSliceVar(&f.imageSize, "force-image-size", nil, "another size of the pictures: one number or height,width")
	flags.IntVar(&f.contextLength, "force-context-length", 0, "another length of the texts")

	flags.IntVar(&o.Batch, "batch-size", o.Batch, "pairs of a step")
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
	flags.Uint64Var(&o.Seed, "seed", 0, "of start values, orders and crops")
	flags.IntVar(&o.Threads, "threads", 0, "threads of the kernels (0: one per processor)")

	flags.IntVar(&o.LogEvery, "log-every-n-steps", o.LogEvery, "steps between two lines of the log")
	flags.IntVar(&o.SaveFrequency, "save-frequency", o.SaveFrequency, "epochs between two checkpoints (0: only the last)")
	flags.BoolVar(&o.SaveMostRecent, "save-most-recent", false, "write epoch_latest after each epoch")
	flags.BoolVar(&o.DeletePrevious, "delete-previous-checkpoint", false, "keep only the newest epoch_N")
	flags.DurationVar(&o.SaveInterval, "save-interval", o.SaveInterval, "time between two checkpoints within an epoch, epoch_latest (0: none)")
	flags.IntVar(&o.SaveSteps, "save-every-n-steps", 0, "the same in steps (0: none)")
}

// resolve fills in what depends on other flags.
func (f *trainFlags) resolve(c *cobra.Command) error {
	o := &f.Options
	if f.model == "" {
		return usage("--model: want the model to train, got nothing")
	}
	own := train.DefaultAdamW(f.model)
	if !c.Flags().Changed("beta2") {
		o.AdamW.Beta2 = own.Beta2
	}
	if !c.Flags().Changed("eps") {
		o.AdamW.Eps = own.Eps
	}
	o.Scheduler = train.ScheduleKind(f.scheduler)
	if c.Flags().Changed("muon-lr") {
		if !(o.LR > 0) {
			return usage("--lr: want more than 0 with --muon-lr, got %v", o.LR)
		}
		o.Muon.Ratio = f.muonLR / o.LR
	}
	o.Data.Crop = data.DefaultCrop
	if f.name == "" {
		f.name = fmt.Sprintf("%s-model_%s-lr_%v-b_%d", time.Now().Format("2006_01_02-15_04_05"), strings.NewReplacer("/", "-", ":", "-", `\`, "-").Replace(f.model), o.LR, o.Batch)
	}
	if f.name != filepath.Base(f.name) || f.name == "." || f.name == ".." {
		return usage("--name: want the name of a folder, got %q", f.name)
	}
	o.Dir = filepath.Join(f.logs, f.name)
	return nil
}

// train runs the training.
func (a *app) train(ctx context.Context, f *trainFlags) error {
	if err := f.Options.Validate(); err != nil {
		return flagError(err)
	}
	base, err := f.base(ctx, a)
	if err != nil {
		return usageError{err}
	}
	show := &trainShow{app: a, epochs: f.Epochs}
	f.Options.Log, f.Options.Skipped, f.Options.Saved = show.log, show.skipped, show.saved
	t, err := train.New(base, f.pretrained, f.Options)
	if err != nil {
		return flagError(err)
	}
	fmt.Fprintln(a.err, t.Describe())
	if p := t.Position(); p.Step > 0 {
		fmt.Fprintf(a.err, "going on after %d steps, in epoch %d\n", p.Step, p.Epoch)
	}
	err = t.Run(ctx)
	show.finish()
	return errors.Join(err, t.Close())
}

// flagError is wrong usage; an option is named as its flag.
func flagError(err error) error {
	var option *train.ConfigError
	if errors.As(err, &option) && !strings.ContainsAny(option.Field, " /.") {
		return usage("--%s: want %s, got %s", option.Field, option.Want, option.Found)
	}
	return usageError{err}
}

// base finds the model to train and its start values.
func (f *trainFlags) base(ctx context.Context, a *app) (*train.Base, error) {
	name, isDir := strings.CutPrefix(f.model, "local-dir:")
	_, statErr := os.Stat(name)
	var b *train.Base
	var err error
	switch {
	case strings.HasPrefix(name, "hf-hub:"):
		pulled, pullErr := a.pull(ctx, name)
		if pullErr != nil {
			return nil, pullErr
		}
		b, err = train.OpenBase(pulled.Dir)
	case !isDir && model.IsNamed(name) && (statErr != nil || f.pretrained != ""):
		b, err = train.NamedBase(name)
		if _, missing := os.Stat(f.pretrained); err == nil && f.pretrained != "" && missing != nil {
			pulled, pullErr := a.pull(ctx, name+":"+f.pretrained)
			if pullErr != nil {
				return nil, pullErr
			}
			f.pretrained = pulled.Weights
		}
	case statErr != nil:
		return nil, fmt.Errorf("model %q: want an existing folder, an open_clip_config.json or one of %s", name, strings.Join(model.Names(), ", "))
	default:
		b, err = train.OpenBase(name)
	}
	if err != nil {
		return nil, err
	}
	switch n := f.imageSize; len(n) {
	case 0:
	case 1:
		err = b.SetImageSize(n[0], n[0])
	case 2:
		err = b.SetImageSize(n[0], n[1])
	default:
		err = fmt.Errorf("--force-image-size: want one or two numbers, got %v", n)
	}
	if err == nil && f.contextLength != 0 {
		err = b.SetContextLength(f.contextLength)
	}
	return b, err
}
