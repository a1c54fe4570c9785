package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/seed-e0874532/coca"
)

// captionObject is one line of JSON, keys in the order of the contract.
type captionObject struct {
	Image   string  `json:"image"`
	Caption string  `json:"caption"`
	IDs     []int32 `json:"ids"`
	Score   float64 `json:"score"`
	LogProb float64 `json:"logprob"`
}

// failedImage is the line of an image that fails.
type failedImage struct {
	Image string `json:"image"`
	Error string `json:"error"`
}

func (a *app) captionCommand() *cobra.Command {
	var model modelFlags
	var images imageFlags
	var search generateFlags
	var asJSON, verbose bool
	var heatmap string
	var batch int
	c := &cobra.Command{
		Use:   "caption [flags] IMAGE…",
		Short: "Describe images",
		Long:  "Describe images. A folder stands for its own images in the order of their names; - reads one image from standard input.",
		Example: "  coca caption photo.jpg\n" +
			"  coca caption --model path/to/model-folder --json pictures/\n" +
			"  coca caption --model coca_ViT-L-14 --pretrained mscoco_finetuned_laion2b_s13b_b90k photo.jpg",
		Args: atLeast(1, "image"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := search.check(a); err != nil {
				return err
			}
			if batch < 1 {
				return usage("--batch-size: want 1 or more, got %d", batch)
			}
			paths, err := images.expand(args)
			if err != nil {
				return err
			}
			if heatmap != "" && len(paths) != 1 {
				return usage("--heatmap: want one image, got %d", len(paths))
			}
			m, err := model.load(c.Context(), a)
			if err != nil {
				return err
			}
			defer m.Close()
			opts, err := search.search(m)
			if err != nil {
				return err
			}
			job := captionJob{app: a, model: m, opts: opts, wanted: search.options.NumCaptions, json: asJSON, verbose: verbose, several: len(paths) > 1, heatmap: heatmap}
			show := newBar(a.err, int64(len(paths)), "captions", false)
			if len(paths) < 2 {
				show = nil
			}
			defer show.finish()
			for list := range batches(images.prepare(c.Context(), a, m.Spec, paths), batch) {
				show.clear()
				if err := job.run(c.Context(), list); err != nil {
					return err
				}
				a.flush()
				show.add(len(list))
			}
			return c.Context().Err()
		},
	}
	model.add(c)
	images.add(c, true)
	search.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "print log-probabilities too")
	c.Flags().IntVar(&batch, "batch-size", 8, "images described together")
	c.Flags().StringVar(&heatmap, "heatmap", "", "write a picture of where each word looks, as PNG")
	return c
}

// captionJob describes batches of images and prints what it finds.
type captionJob struct {
	app     *app
	model   *coca.Model
	opts    []coca.CaptionOption
	wanted  int
	json    bool
	verbose bool
	several bool
	heatmap string
}

func (j *captionJob) run(ctx context.Context, list []prepared) error {
	all, err := j.model.CaptionPixels(ctx, ready(list), j.opts...)
	if err != nil {
		return err
	}
	for _, p := range list {
		if p.err != nil {
			if err := j.failed(p); err != nil {
				return err
			}
			continue
		}
		if err := j.print(p.path, all[0]); err != nil {
			return err
		}
		if j.heatmap != "" {
			if err := writeHeatmap(ctx, j.model, p.pixels, all[0][0], j.heatmap); err != nil {
				return err
			}
		}
		all = all[1:]
	}
	return nil
}

func (j *captionJob) failed(p prepared) error {
	j.app.fail(p.path, p.err)
	if !j.json {
		return nil
	}
	return j.app.printJSON(failedImage{p.path, p.err.Error()})
}

func (j *captionJob) print(path string, captions []coca.Caption) error {
	if len(captions) < j.wanted {
		j.app.warn("%s: the search holds %d captions, fewer than the %d asked for", path, len(captions), j.wanted)
	}
	for _, c := range captions {
		if j.json {
			if err := j.app.printJSON(captionObject{path, c.Text, c.IDs, c.Score, c.LogProb}); err != nil {
				return err
			}
			continue
		}
		if j.several {
			fmt.Fprintf(j.app.out, "%s: ", path)
		}
		fmt.Fprint(j.app.out, c.Text)
		if j.verbose {
			fmt.Fprintf(j.app.out, "  (log-probability %.2f, score %.3f)", c.LogProb, c.Score)
		}
		fmt.Fprintln(j.app.out)
	}
	return nil
}
