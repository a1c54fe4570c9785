package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/seed-e0874532/coca/internal/atomicfile"
	"github.com/seed-e0874532/coca/train/data"
)

func (a *app) dataCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "data",
		Short: "Prepare data to train on",
		Long:  "Prepare data to train on.",
		Example: "  coca data coco2csv --images train2014 annotations/captions_train2014.json train2014.csv\n" +
			"  coca train --train-data train2014.csv --model coca_ViT-B-32",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("data: want one of the commands that coca data --help lists, got %q", args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.coco2csvCommand())
	for _, sub := range c.Commands() {
		sub.Flags().SetInterspersed(false)
	}
	return c
}

func (a *app) coco2csvCommand() *cobra.Command {
	var images string
	c := &cobra.Command{
		Use:   "coco2csv [flags] CAPTIONS.json OUT.csv",
		Short: "Make a CSV of a file of captions in COCO's form",
		Long: "Make a CSV of a file of captions in COCO's form: columns filepath and title, separated by a tab, a row for each caption, as " +
			"OpenCLIP's README makes it. Training opens files as the CSV names them, so --images gives the folder that they are in. " +
			"- stands for standard input or output.",
		Example: "  coca data coco2csv --images train2014 annotations/captions_train2014.json train2014.csv",
		Args:    exactly(2, "CAPTIONS.json and OUT.csv"),
		RunE: func(c *cobra.Command, args []string) error {
			in, name := a.in, "standard input"
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer f.Close()
				in, name = f, args[0]
			}
			if args[1] == "-" {
				_, err := data.COCOToCSV(a.out, in, name, images)
				return err
			}
			out, err := atomicfile.Create(args[1])
			if err != nil {
				return err
			}
			defer out.Abandon()
			rows, err := data.COCOToCSV(out, in, name, images)
			if err != nil {
				return err
			}
			if err := out.Commit(); err != nil {
				return err
			}
			fmt.Fprintf(a.err, "%s: %d captions\n", args[1], rows)
			return nil
		},
	}
	c.Flags().StringVar(&images, "images", "", "folder of the pictures, put before each file's name")
	return c
}
