package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/seed-e0874532/coca"
)

type imageEmbedding struct {
	Image     string    `json:"image"`
	Embedding []float32 `json:"embedding"`
}

type textEmbedding struct {
	Text      string    `json:"text"`
	Embedding []float32 `json:"embedding"`
}

func (a *app) embedCommand() *cobra.Command {
	var model modelFlags
	var images imageFlags
	var paths, texts []string
	var raw bool
	c := &cobra.Command{
		Use:     "embed [flags] [--image FILE]… [--text TEXT]…",
		Short:   "Embed images and texts in one space",
		Long:    "Embed images and texts: one JSON object a line, first the images, then the texts, each in the order given.",
		Example: "  coca embed --image photo.jpg --text \"a red circle\"",
		Args:    nothing,
		RunE: func(c *cobra.Command, _ []string) error {
			if len(paths)+len(texts) == 0 {
				return usage("embed: want --image or --text, got neither")
			}
			paths, err := images.expand(paths)
			if err != nil {
				return err
			}
			m, err := model.load(c.Context(), a)
			if err != nil {
				return err
			}
			defer m.Close()
			var opts []coca.EncodeOption
			if raw {
				opts = append(opts, coca.Unnormalized())
			}
			for list := range batches(images.prepare(c.Context(), a, m.Spec, paths), 8) {
				if err := a.embedImages(c, m, list, opts); err != nil {
					return err
				}
			}
			for _, text := range texts {
				e, err := m.EncodeTexts(c.Context(), []string{text}, opts...)
				if err != nil {
					return err
				}
				if err := a.printJSON(textEmbedding{text, e[0]}); err != nil {
					return err
				}
			}
			return c.Context().Err()
		},
	}
	model.add(c)
	images.add(c, true)
	c.Flags().StringArrayVar(&paths, "image", nil, "image file or folder (repeatable)")
	c.Flags().StringArrayVar(&texts, "text", nil, "text (repeatable)")
	c.Flags().BoolVar(&raw, "no-normalize", false, "leave embeddings as they are before their L2 normalisation")
	c.Flags().Bool("json", true, "print one JSON object a line (always)")
	return c
}

func (a *app) embedImages(c *cobra.Command, m *coca.Model, list []prepared, opts []coca.EncodeOption) error {
	embeddings, err := m.EncodePixels(c.Context(), ready(list), opts...)
	if err != nil {
		return err
	}
	for _, p := range list {
		var line any
		if p.err != nil {
			a.fail(p.path, p.err)
			line = failedImage{p.path, p.err.Error()}
		} else {
			line, embeddings = imageEmbedding{p.path, embeddings[0]}, embeddings[1:]
		}
		if err := a.printJSON(line); err != nil {
			return err
		}
	}
	a.flush()
	return nil
}

type scoreObject struct {
	Image         string    `json:"image"`
	Text          string    `json:"text"`
	IDs           []int32   `json:"ids"`
	TokenLogProbs []float64 `json:"token_logprobs"`
	LogProb       float64   `json:"logprob"`
	Similarity    float64   `json:"similarity"`
}

func (a *app) scoreCommand() *cobra.Command {
	var model modelFlags
	var images imageFlags
	var path, logits string
	var texts []string
	var asJSON bool
	c := &cobra.Command{
		Use:     "score [flags] --image FILE --text TEXT…",
		Short:   "Tell how likely given captions of an image are",
		Long:    "Tell how likely the decoder finds each text as the caption of an image, token by token, and how similar image and text are.",
		Example: "  coca score --image photo.jpg --text \"a red circle\" --text \"a blue square\"",
		Args:    nothing,
		RunE: func(c *cobra.Command, _ []string) error {
			if path == "" || len(texts) == 0 {
				return usage("score: want --image and at least one --text")
			}
			m, err := model.load(c.Context(), a)
			if err != nil {
				return err
			}
			defer m.Close()
			img, err := images.read(a, path)
			if err != nil {
				a.fail(path, err)
				return nil
			}
			var opts []coca.ScoreOption
			var file *npyFile
			if logits != "" {
				cfg := m.Config()
				if file, err = createNPY(logits, len(texts), cfg.Text.ContextLength-1, cfg.Text.VocabSize); err != nil {
					return err
				}
				defer file.Abandon()
				opts = append(opts, coca.WithLogits(func(_ int, rows []float32) error { return file.write(rows) }))
			}
			scores, err := m.Score(c.Context(), img, texts, opts...)
			if err != nil {
				return err
			}
			if file != nil {
				if err := file.Commit(); err != nil {
					return err
				}
			}
			for i, s := range scores {
				if asJSON {
					err = a.printJSON(scoreObject{path, texts[i], s.IDs, s.TokenLogProbs, s.LogProb, s.Similarity})
				} else {
					_, err = fmt.Fprintf(a.out, "%8.3f  %6.3f  %s\n", s.LogProb, s.Similarity, texts[i])
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	model.add(c)
	images.add(c, false)
	c.Flags().StringVar(&path, "image", "", "image file, or - for standard input")
	c.Flags().StringArrayVar(&texts, "text", nil, "caption to score (repeatable)")
	c.Flags().StringVar(&logits, "logits", "", "also write the logits [texts, L, V] as .npy; row t predicts token t+1")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return c
}
