package main

import (
	"context"

	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed-e0874532/coca"
	"github.com/seed-e0874532/coca/generate"
	"github.com/seed-e0874532/coca/internal/formula"
	"github.com/seed-e0874532/coca/internal/golden"
	"github.com/seed-e0874532/coca/model"
)

func (a *app) verifyCommand() *cobra.Command {
	var flags modelFlags
	c := &cobra.Command{
		Use:   "verify [flags] GOLDEN…",
		Short: "Compare a model with golden outputs of another implementation",
		Long: "Run golden directories (golden.json and golden.safetensors) and print the largest deviation of each tap. " +
			"Without --model the one that golden.json names is used.",
		Example: "  coca verify testdata/golden/small/tiny_pool",
		Args:    atLeast(1, "golden directory"),
		RunE: func(c *cobra.Command, args []string) error {
			for _, dir := range args {
				ok, err := a.verify(c.Context(), dir, &flags)
				if c.Context().Err() != nil {
					return err
				}
				if err != nil {
					a.fail(dir, err)
				}
				if !ok {
					a.failed = true
				}
			}
			return nil
		},
	}
	flags.add(c)
	return c
}

// verify runs one golden directory and reports whether all of it passed.
func (a *app) verify(ctx context.Context, dir string, flags *modelFlags) (bool, error) {
	g, err := golden.Load(dir)
	if err != nil {
		return false, err
	}
	m, err := a.goldenModel(ctx, g, *flags)
	if err != nil {
		return false, err
	}
	defer m.Close()
	deviations, err := g.Compare(ctx, m.Runtime().Model, m.Runtime().Device(), func(c golden.Case) (golden.Input, error) {
		return goldenInput(g, m, c)
	})
	if err != nil {
		return false, err
	}
	fmt.Fprintf(a.out, "%s (%s)\n", dir, g.Profile)
	good := true
	for _, d := range deviations {
		verdict := "pass"
		if !d.OK() {
			verdict, good = "FAIL", false
		}
		fmt.Fprintf(a.out, "  %-32s largest deviation %10.3g  tolerance %10.3g  %s\n", d.Tap, d.Largest, d.Tolerance, verdict)
	}
	for i, c := range g.Cases {
		if c.IDs == nil {
			continue
		}
		got, err := goldenCaption(ctx, g, m, c)
		if err != nil {
			return false, fmt.Errorf("case %d: %w", i, err)
		}
		verdict := "pass"
		if !slices.Equal(got, c.IDs) {
			verdict, good = fmt.Sprintf("FAIL: want ids %v, got %v", c.IDs, got), false
		}
		fmt.Fprintf(a.out, "  caption of case %-16d %s\n", i, verdict)
	}
	return good, nil
}

// goldenModel loads the model that a golden directory is about.
func (a *app) goldenModel(ctx context.Context, g *golden.Golden, flags modelFlags) (*coca.Model, error) {
	if flags.model != "" {
		return flags.load(ctx, a)
	}
	beside := filepath.Join(g.Dir, g.Model)
	if g.Weights == "formula" {
		cfg, err := model.Named(g.Model)
		if err != nil {
			data, readErr := os.ReadFile(beside)
			if readErr != nil {
				return nil, err
			}
			if cfg, err = model.ParseConfig(data); err != nil {
				return nil, err
			}
		}
		opts, err := flags.options(a)
		if err != nil {
			return nil, err
		}
		return coca.New(cfg, formula.Source(model.Tensors(cfg)), opts...)
	}
	flags.model = g.Model
	if _, err := os.Stat(beside); err == nil {
		flags.model = beside
	}
	return flags.load(ctx, a)
}

// goldenPixels prepares a case's image: a file beside golden.json, or a formula image.
func goldenPixels(g *golden.Golden, m *coca.Model, c golden.Case) ([]float32, error) {
	if number, ok := strings.CutPrefix(c.Image, "formula:"); ok {
		j, err := strconv.Atoi(number)
		if err != nil {
			return nil, fmt.Errorf("image: want formula:N, got %q", c.Image)
		}
		size := m.Config().Vision.ImageSize
		return formula.Image(j, size.Height, size.Width), nil
	}
	f, err := os.Open(filepath.Join(g.Dir, c.Image))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	img, err := coca.DecodeImage(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Image, err)
	}
	return m.Preprocess(img)
}

func goldenInput(g *golden.Golden, m *coca.Model, c golden.Case) (in golden.Input, err error) {
	if in.Pixels, err = goldenPixels(g, m, c); err != nil {
		return in, err
	}
	length := m.Config().Text.ContextLength
	switch {
	case c.IDsIn != nil:
		in.IDs = c.IDsIn
	case c.Text != nil:
		t, err := m.Tokenizer()
		if err != nil {
			return in, err
		}
		in.IDs = t.EncodeFixed(*c.Text, length)
	default:
		in.IDs = make([]int32, length) // the case asks for taps of the image
	}
	if len(in.IDs) == 0 || len(in.IDs) > length {
		return in, fmt.Errorf("ids_in: want 1 to %d ids, got %d", length, len(in.IDs))
	}
	return in, nil
}

// goldenCaption generates the caption of a case with its parameters.
func goldenCaption(ctx context.Context, g *golden.Golden, m *coca.Model, c golden.Case) ([]int32, error) {
	pixels, err := goldenPixels(g, m, c)
	if err != nil {
		return nil, err
	}
	profile := generate.OpenCLIP33
	if strings.Contains(g.Profile, "main") || strings.Contains(g.Profile, "dev0") {
		profile = generate.Main
	}
	o := m.Search(profile)
	if err := golden.Arguments(&o, c.Generation); err != nil {
		return nil, err
	}
	captions, err := m.CaptionPixels(ctx, [][]float32{pixels}, coca.WithSearch(o))
	if err != nil {
		return nil, err
	}
	return captions[0][0].IDs, nil
}
