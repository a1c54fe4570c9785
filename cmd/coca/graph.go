package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	G "gorgonia.org/gorgonia"

	"github.com/seed-e0874532/coca/internal/atomicfile"
	"github.com/seed-e0874532/coca/internal/draw"
)

func (a *app) graphCommand() *cobra.Command {
	var flags modelFlags
	var depth int
	var format, path string
	c := &cobra.Command{
		Use:     "graph [flags]",
		Short:   "Draw the architecture from its expression graph",
		Long:    "Draw the expression graph of a model: depth 1 shows the towers, 2 their stages (equal blocks merged), 3 every operator.",
		Example: "  coca graph --model coca_ViT-L-14 --format svg --out architecture.svg",
		Args:    nothing,
		RunE: func(c *cobra.Command, _ []string) error {
			if depth < draw.Towers || depth > draw.Operators {
				return usage("--depth: want 1 to 3, got %d", depth)
			}
			if format != "dot" && format != "svg" {
				return usage("--format: want dot or svg, got %q", format)
			}
			s, err := flags.spec(c.Context(), a)
			if err != nil {
				return err
			}
			g, err := s.Graph()
			if err != nil {
				return err
			}
			outputs := []*G.Node{g.Image.Features, g.Text.Features, g.Text.Logits}
			d, err := draw.New(g.Builder, []*G.Node{g.Text.IDs, g.Image.Pixels}, outputs, depth)
			if err != nil {
				return err
			}
			write := d.DOT
			if format == "svg" {
				write = d.SVG
			}
			return a.writeTo(path, write)
		},
	}
	flags.add(c)
	c.Flags().IntVar(&depth, "depth", draw.Stages, "1: towers, 2: stages, 3: operators")
	c.Flags().StringVar(&format, "format", "dot", "dot or svg")
	c.Flags().StringVar(&path, "out", "", "file to write (default: standard output)")
	return c
}

// writeTo writes to a file, or to standard output if there is no path.
func (a *app) writeTo(path string, write func(io.Writer) error) error {
	if path == "" {
		return write(a.out)
	}
	return atomicfile.Write(path, func(f *os.File) error { return write(f) })
}
