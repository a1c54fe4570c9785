package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seed-e0874532/coca"
	"github.com/seed-e0874532/coca/generate"
)

// generateFlags are the parameters of the search, by OpenCLIP's names.
type generateFlags struct {
	kind, profile, prompt string
	options               generate.Options
	flags                 *pflag.FlagSet
}

// add declares the flags with the defaults of profile 3.3.
func (f *generateFlags) add(c *cobra.Command) {
	f.options = generate.DefaultOptions(generate.OpenCLIP33)
	o, flags := &f.options, c.Flags()
	f.flags = flags
	flags.StringVar(&f.kind, "generation-type", "beam_search", "beam_search, top_k or top_p")
	flags.StringVar(&f.profile, "profile", "3.3", "behave like open_clip 3.3 or its main branch: 3.3 or main")
	flags.StringVar(&f.prompt, "prompt", "", "text that the caption begins with")
	flags.IntVar(&o.NumBeams, "num-beams", o.NumBeams, "beams over all groups")
	flags.IntVar(&o.NumBeamGroups, "num-beam-groups", o.NumBeamGroups, "groups of beams (profile 3.3)")
	flags.IntVar(&o.SeqLen, "seq-len", o.SeqLen, "longest caption in tokens, the first one and the last one counted")
	flags.IntVar(&o.MinSeqLen, "min-seq-len", o.MinSeqLen, "no end of text before this many tokens")
	flags.IntVar(&o.MaxSeqLen, "max-seq-len", o.MaxSeqLen, "sampling: how many last tokens the model sees")
	flags.Float64Var(&o.Temperature, "temperature", o.Temperature, "sampling: divides the logits")
	flags.IntVar(&o.TopK, "top-k", o.TopK, "top_k: number of candidates")
	flags.Float64Var(&o.TopP, "top-p", o.TopP, "top_p: probability mass of the candidates")
	flags.Float64Var(&o.RepetitionPenalty, "repetition-penalty", o.RepetitionPenalty, "above 1: repeat less")
	flags.BoolVar(&o.FixedOutputLength, "fixed-output-length", false, "pad the ids to --seq-len")
	flags.IntVar(&o.NumCaptions, "num-captions", 1, "up to this many captions of each image, best first")
	flags.Uint64Var(&o.Seed, "seed", 0, "sampling: seed of the random numbers")
}

// check parses what does not need the model.
func (f *generateFlags) check(a *app) error {
	var err error
	if f.options.Type, err = generate.ParseType(f.kind); err != nil {
		return err
	}
	if f.options.Profile, err = generate.ParseProfile(f.profile); err != nil {
		return err
	}
	if f.prompt != "" && f.options.Profile == generate.OpenCLIP33 && f.options.Type == generate.BeamSearch {
		a.warn("profile 3.3 ignores the prompt in beam search, as open_clip 3.3 does; --profile main or --generation-type top_k uses it")
	}
	return nil
}

// search are the options of coca's captions for a model.
func (f *generateFlags) search(m *coca.Model) ([]coca.CaptionOption, error) {
	own, o := m.Search(f.options.Profile), f.options
	o.SOT, o.EOT, o.Pad, o.ContextLength = own.SOT, own.EOT, own.Pad, own.ContextLength
	if !f.flags.Changed("seq-len") { // a model of a short context has shorter captions by default
		o.SeqLen = own.SeqLen
	}
	if !f.flags.Changed("min-seq-len") {
		o.MinSeqLen = own.MinSeqLen
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	opts := []coca.CaptionOption{coca.WithSearch(o)}
	if f.prompt != "" {
		opts = append(opts, coca.WithPrompt(f.prompt))
	}
	return opts, nil
}
