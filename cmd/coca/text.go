package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

type tokenizeObject struct {
	Text string  `json:"text"`
	IDs  []int32 `json:"ids"`
}

func (a *app) tokenizeCommand() *cobra.Command {
	var model modelFlags
	var asJSON bool
	c := &cobra.Command{
		Use:     "tokenize [flags] TEXT…",
		Short:   "Show the token ids of texts",
		Long:    "Show the token ids and pieces of texts. With --json the ids are padded to the context length.",
		Example: "  coca tokenize --model coca_ViT-L-14 \"a photo of a cat\"",
		Args:    atLeast(1, "text"),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := model.spec(c.Context(), a)
			if err != nil {
				return err
			}
			t, err := s.Tokenizer()
			if err != nil {
				return usageError{err}
			}
			for _, text := range args {
				if asJSON {
					if err := a.printJSON(tokenizeObject{text, t.EncodeFixed(text, s.Config().Text.ContextLength)}); err != nil {
						return err
					}
					continue
				}
				ids := t.EncodeFixed(text, s.Config().Text.ContextLength)
				for _, id := range ids {
					fmt.Fprintf(a.out, "%6d  %s\n", id, t.Piece(id))
					if id == t.EOT() {
						break
					}
				}
			}
			return nil
		},
	}
	model.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return c
}

func (a *app) preprocessCommand() *cobra.Command {
	var model modelFlags
	var images imageFlags
	var out string
	c := &cobra.Command{
		Use:     "preprocess [flags] --out FILE.npy IMAGE",
		Short:   "Write the pixels that the model sees",
		Long:    "Write the pixels that the model sees, float32 [3, H, W]: decoded, resized, cropped and normalised.",
		Example: "  coca preprocess --model coca_ViT-L-14 --out pixels.npy photo.jpg",
		Args:    exactly(1, "one image"),
		RunE: func(c *cobra.Command, args []string) error {
			if out == "" {
				return usage("preprocess: want --out FILE.npy")
			}
			s, err := model.spec(c.Context(), a)
			if err != nil {
				return err
			}
			img, err := images.read(a, args[0])
			if err != nil {
				a.fail(args[0], err)
				return nil
			}
			pixels, err := s.Preprocess(img)
			if err != nil {
				a.fail(args[0], err)
				return nil
			}
			p := s.Preprocessing()
			return writeNPY(out, pixels, 3, p.Height, p.Width)
		},
	}
	model.add(c)
	images.add(c, false)
	c.Flags().StringVar(&out, "out", "", "the file to write")
	return c
}
