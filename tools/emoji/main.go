// Command emoji makes the data of the default model: pictures composed from
// emoji artwork, with captions in words. It also trains its tokenizer and
// evaluates a model on what no training step saw. See README.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
)

const usage = `usage: emoji COMMAND [flags]

  generate   fetches the artwork and writes the data sets as shards
  tokenizer  learns a tokenizer from the captions
  eval       measures a model on the held-out sets
  sheet      draws a sheet of pictures with a model's captions
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "emoji:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	commands := map[string]func(context.Context, []string) error{"generate": generate, "tokenizer": trainTokenizer, "eval": evaluate, "sheet": sheet}
	if len(args) == 0 || commands[args[0]] == nil {
		return fmt.Errorf("want a command, found %q\n%s", strings.Join(args, " "), usage)
	}
	return commands[args[0]](ctx, args[1:])
}

// sets are the data sets, of which generate writes those that are asked for.
var sets = []Set{
	{Name: "singles", Seed: 1, Samples: 400000, Side: 48, Alone: true, Heldout: Training, Styles: seen},
	{Name: "scenes", Seed: 2, Samples: 800000, Side: 96, Heldout: Training, Styles: seen},
	{Name: "combos", Seed: 3, Samples: 3000, Side: 96, Heldout: Evaluation, Styles: seen},
	{Name: "style", Seed: 4, Samples: 2000, Side: 96, Heldout: Evaluation, Styles: unseen},
}

func generate(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("generate", flag.ContinueOnError)
	artFolder := flags.String("art", "art", "folder of the artwork, fetched with npm if absent")
	out := flags.String("out", "data", "folder of the shards")
	only := flags.String("sets", "singles,scenes,combos,style", "data sets to write")
	threads := flags.Int("threads", runtime.NumCPU(), "goroutines that draw")
	samples := flags.Int("samples", 0, "scenes of each set (0: the recipe's)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := fetch(*artFolder); err != nil {
		return err
	}
	for _, s := range sets {
		if !slices.Contains(strings.Split(*only, ","), s.Name) {
			continue
		}
		if *samples > 0 {
			s.Samples = *samples
		}
		art, err := loadArt(*artFolder, s.Styles)
		if err != nil {
			return err
		}
		if err := s.write(ctx, art, *out, *threads, os.Stderr); err != nil {
			return err
		}
	}
	return nil
}
