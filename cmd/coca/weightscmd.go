package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed-e0874532/coca"
	"github.com/seed-e0874532/coca/weights"
	"github.com/seed-e0874532/coca/weights/hub"
)

func (a *app) convertCommand() *cobra.Command {
	var model modelFlags
	var precision string
	var pack bool
	c := &cobra.Command{
		Use:   "convert [flags] SRC DST",
		Short: "Rewrite weights as safetensors",
		Long: "Rewrite weights (torch's .bin, .pt and .pth, or safetensors) as the safetensors file DST. Names and values are kept; " +
			"what is nested under state_dict is unwrapped, the prefix module. is taken off. With --pack the weights are stored as this " +
			"program multiplies them, so that they are mapped and not made at start; SRC may then be a model folder too.",
		Example: "  coca convert open_clip_pytorch_model.bin open_clip_model.safetensors\n" +
			"  coca convert --pack --precision int8 path/to/model-folder packed.safetensors",
		Args: exactly(2, "SRC and DST"),
		RunE: func(c *cobra.Command, args []string) error {
			var show *bar
			progress := func(done, total int64) {
				if show == nil {
					show = newBar(a.err, total, "convert", true)
				}
				show.set(done)
			}
			defer func() { show.finish() }()
			if pack {
				model.model = args[0]
				if precision != "" {
					model.precision = precision
				}
				m, err := model.load(c.Context(), a)
				if err != nil {
					return err
				}
				defer m.Close()
				return m.WritePacked(c.Context(), args[1], progress)
			}
			opts := weights.ConvertOptions{Progress: progress}
			switch precision {
			case "":
			case "fp32":
				opts.Precision = weights.F32
			case "bf16":
				opts.Precision = weights.BF16
			case "int8":
				opts.Precision = weights.I8
			default:
				return usage("--precision: want fp32, bf16 or int8, got %q", precision)
			}
			return weights.Convert(c.Context(), args[0], args[1], opts)
		},
	}
	c.Flags().StringVar(&precision, "precision", "", "store as fp32, bf16 or int8 (default: as they are)")
	c.Flags().BoolVar(&pack, "pack", false, "store the panels that this program multiplies with")
	c.Flags().StringVar(&model.arch, "arch", "", "with --pack: architecture of a bare weights file, as for other commands")
	c.Flags().IntVar(&model.threads, "threads", 0, "with --pack: number of threads")
	model.device = "cpu"
	return c
}

func (a *app) pullCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "pull NAME",
		Short: "Download a model from the Hugging Face hub",
		Long: "Download weights, config and tokenizer into the hub's cache. NAME is hf-hub:ORG/REPO, ORG/REPO, or one of\n  " +
			strings.Join(hub.Names(), "\n  "),
		Example: "  coca pull coca_ViT-L-14:mscoco_finetuned_laion2b_s13b_b90k",
		Args:    exactly(1, "one name"),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := a.pull(c.Context(), args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.out, p.Dir)
			return err
		},
	}
	return c
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print version, profiles and instruction set",
		Args:  nothing,
		RunE: func(*cobra.Command, []string) error {
			isa, err := coca.InstructionSet()
			if err != nil {
				return usageError{err}
			}
			_, err = fmt.Fprintf(a.out, "coca %s\nprofiles: %s\ninstruction set: %s\n", coca.Version, coca.Profiles, isa)
			return err
		},
	}
}
