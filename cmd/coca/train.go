package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/train"
	"github.com/seed-e0874532/coca/train/data"
)

func (a *app) trainCommand() *cobra.Command {
	var f trainFlags
	c := &cobra.Command{
		Use:   "train [flags]",
		Short: "Train or fine-tune a model",
		Long: "Train or fine-tune a model with the flags of open_clip_train. Checkpoints are model folders, which every command can load, in " +
			"LOGS/NAME/checkpoints/; the last one's path is printed. The log is LOGS/NAME/train.jsonl. Ctrl-C writes a checkpoint; --resume latest goes on from the last one, to the bit as if " +
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

// train runs the training.
func (a *app) train(ctx context.Context, f *trainFlags) error {
	if err := f.Options.Validate(); err != nil {
		return flagError(err)
	}
	base, err := f.base(ctx, a)
	if err != nil {
		return flagError(err)
	}
	if unused := f.Data.Augment.Unused; len(unused) > 0 {
		a.warn("--aug-cfg: %s change nothing, as in OpenCLIP", strings.Join(unused, ", "))
	}
	show := &trainShow{app: a, ctx: ctx, epochs: f.Epochs}
	f.Options.Stepped, f.Options.Log, f.Options.Skipped, f.Options.Saved, f.Options.Validated = show.stepped, show.log, show.skipped, show.saved, show.validated
	t, err := train.New(base, f.pretrained, f.Options)
	if err != nil {
		return flagError(err)
	}
	if f.Val.Path != "" && f.ValCaptions > 0 {
		if show.captions, err = newLiveCaptions(t.Model(), base.Tokenizer, f.Threads); err != nil {
			return errors.Join(err, t.Close())
		}
	}
	fmt.Fprintln(a.err, t.Describe())
	if p := t.Position(); p.Step > 0 {
		fmt.Fprintf(a.err, "going on after %d steps, in epoch %d\n", p.Step, p.Epoch)
	}
	err = t.Run(ctx)
	err = errors.Join(err, show.finish(), t.Close())
	if err == nil && show.last != "" {
		fmt.Fprintln(a.out, show.last) // for scripts
	}
	return err
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
	if err == nil && f.patchDropout >= 0 {
		err = b.SetPatchDropout(f.patchDropout)
	}
	if err == nil && f.contextLength != 0 {
		err = b.SetContextLength(f.contextLength)
	}
	if err == nil {
		err = b.SetPreprocess(data.Override{Mean: f.imageMean, Std: f.imageStd, Interpolation: f.interpolation, ResizeMode: f.resizeMode})
	}
	return b, err
}
