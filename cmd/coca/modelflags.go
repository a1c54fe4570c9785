package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/seed-e0874532/coca"
	"github.com/seed-e0874532/coca/defaultmodel"
	"github.com/seed-e0874532/coca/weights/hub"
)

// modelFlags name a model and say how to run it.
type modelFlags struct {
	model, pretrained, arch string
	precision, device       string
	threads                 int
}

// add declares the flags.
func (f *modelFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.model, "model", "", "a model folder or weights file, a built-in architecture, hf-hub:ORG/REPO or local-dir:PATH (default: the embedded model)")
	c.Flags().StringVar(&f.pretrained, "pretrained", "", "weights of a built-in architecture: a tag or a file")
	c.Flags().StringVar(&f.arch, "arch", "", "architecture of a bare weights file: a built-in name or the path of an open_clip_config.json")
	c.Flags().StringVar(&f.precision, "precision", "", "fp32, bf16 or int8 (default: fp32, or that of a packed file)")
	c.Flags().StringVar(&f.device, "device", "cpu", "cpu or cuda")
	c.Flags().IntVar(&f.threads, "threads", 0, "number of threads (0: one per processor)")
}

// options checks the flags and turns them into options of coca.Load.
func (f *modelFlags) options(a *app) ([]coca.Option, error) {
	switch f.device {
	case "cpu":
	case "cuda":
		return nil, usage("--device: want cpu (this program was built without CUDA), got cuda")
	default:
		return nil, usage("--device: want cpu or cuda, got %q", f.device)
	}
	if f.threads < 0 {
		return nil, usage("--threads: want 0 or more, got %d", f.threads)
	}
	if f.model == "" && (f.pretrained != "" || f.arch != "") {
		return nil, usage("--pretrained and --arch: want --model with them, got none")
	}
	opts := []coca.Option{coca.WithPretrained(f.pretrained), coca.WithArch(f.arch), coca.WithThreads(f.threads), coca.WithPuller(a.pull)}
	if f.precision != "" {
		precision, err := coca.ParsePrecision(f.precision)
		if err != nil {
			return nil, usageError{err}
		}
		opts = append(opts, coca.WithPrecision(precision))
	}
	return opts, nil
}

// load loads the model; that it cannot be loaded is wrong usage.
func (f *modelFlags) load(ctx context.Context, a *app) (*coca.Model, error) {
	opts, err := f.options(a)
	if err != nil {
		return nil, err
	}
	var m *coca.Model
	if f.model == "" {
		m, err = coca.Open(defaultmodel.FS, defaultmodel.Name, opts...)
	} else {
		m, err = coca.Load(ctx, f.model, opts...)
	}
	if err != nil {
		return nil, usageError{err}
	}
	return m, nil
}

// spec loads everything but the weights.
func (f *modelFlags) spec(ctx context.Context, a *app) (*coca.Spec, error) {
	opts, err := f.options(a)
	if err != nil {
		return nil, err
	}
	var s *coca.Spec
	if f.model == "" {
		s, err = coca.OpenSpec(defaultmodel.FS, defaultmodel.Name)
	} else {
		s, err = coca.LoadSpec(ctx, f.model, opts...)
	}
	if err != nil {
		return nil, usageError{err}
	}
	return s, nil
}

// pull brings a model from the hub, with progress on a terminal.
func (a *app) pull(ctx context.Context, name string) (hub.Pulled, error) {
	cfg, err := hub.FromEnv()
	if err != nil {
		return hub.Pulled{}, err
	}
	cfg.UserAgent = "coca/" + coca.Version
	show := newDownloads(a.err)
	defer show.close()
	if show != nil {
		cfg.Observer = show
	}
	c, err := hub.New(cfg)
	if err != nil {
		return hub.Pulled{}, err
	}
	p, err := c.Pull(ctx, name)
	if err == nil && p.Stale {
		a.warn("the hub does not answer; using what the cache holds of %s", name)
	}
	return p, err
}
