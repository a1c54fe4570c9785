package coca

import (
	"context"
	"fmt"

	"github.com/seed-e0874532/coca/generate"
)

// Caption is one generated caption.
type Caption struct {
	// Text is trimmed and ends before the first end-of-text token.
	Text string
	// IDs is the row that OpenCLIP returns for the image alone, without trailing padding.
	IDs []int32
	// Score is what the search ranked by, and LogProb the log-probability of
	// the ids after the first under the model; see package generate.
	Score, LogProb float64
	// TokenLogProbs has the log-probability of each id after the first.
	TokenLogProbs []float64
}

// CaptionOption changes how captions are searched.
type CaptionOption func(*captionOptions)

type captionOptions struct {
	generate.Options
	prompt string
}

// WithSearch sets the parameters of the search. Start from [Model.Search], whose special ids and
// context length are the model's.
func WithSearch(o generate.Options) CaptionOption {
	return func(c *captionOptions) { c.Options = o }
}

// WithPrompt makes captions begin with a text. Beam search of the profile 3.3
// ignores it, as OpenCLIP 3.3 does.
func WithPrompt(text string) CaptionOption { return func(c *captionOptions) { c.prompt = text } }

// WithNumCaptions asks for up to n distinct captions of each image.
func WithNumCaptions(n int) CaptionOption { return func(c *captionOptions) { c.NumCaptions = n } }

// Search returns the default search of a profile with this model's special
// ids and context length, and with captions no longer than the model allows.
func (m *Model) Search(p generate.Profile) generate.Options {
	o := generate.DefaultOptions(p)
	o.ContextLength = m.cfg.MaxTokens()
	o.SeqLen = min(o.SeqLen, o.ContextLength+1)
	o.MinSeqLen = min(o.MinSeqLen, o.SeqLen-1)
	if m.tok != nil {
		o.SOT, o.EOT, o.Pad = m.tok.SOT(), m.tok.EOT(), int32(m.cfg.PadID)
	}
	return o
}

// Caption describes one image: the best caption of the default search unless options say otherwise.
func (m *Model) Caption(ctx context.Context, img *Image, opts ...CaptionOption) (Caption, error) {
	all, err := m.Captions(ctx, []*Image{img}, opts...)
	if err != nil {
		return Caption{}, err
	}
	return all[0][0], nil
}

// Captions describes several images: for each of them, up to the wanted
// number of captions, best first. The captions do not depend on which images
// are described together.
func (m *Model) Captions(ctx context.Context, images []*Image, opts ...CaptionOption) ([][]Caption, error) {
	pixels, err := m.pixels(ctx, images)
	if err != nil {
		return nil, err
	}
	return m.CaptionPixels(ctx, pixels, opts...)
}

// maxRows bounds the rows of one decode step: enough to use the weights of a
// step many times, few enough for the caches of all rows to fit.
const maxRows = 32

// CaptionPixels is [Model.Captions] for images that [Model.Preprocess] has prepared.
func (m *Model) CaptionPixels(ctx context.Context, pixels [][]float32, opts ...CaptionOption) ([][]Caption, error) {
	o, err := m.captionOptions(opts)
	if err != nil {
		return nil, err
	}
	rows := o.NumBeams / max(1, o.NumBeamGroups)
	switch {
	case o.Type != generate.BeamSearch:
		rows = max(1, o.NumCaptions)
	case o.Profile == generate.Main:
		rows = o.NumBeams
	}
	var all [][]Caption
	for len(pixels) > 0 {
		n := min(len(pixels), max(1, maxRows/rows))
		list, err := m.captionBatch(ctx, pixels[:n], n*rows, o)
		if err != nil {
			return nil, err
		}
		all, pixels = append(all, list...), pixels[n:]
	}
	return all, nil
}

func (m *Model) captionOptions(opts []CaptionOption) (generate.Options, error) {
	if m.tok == nil {
		return generate.Options{}, fmt.Errorf("captions need a tokenizer: %w", m.tokErr)
	}
	c := captionOptions{Options: m.Search(generate.OpenCLIP33)}
	for _, opt := range opts {
		opt(&c)
	}
	if c.prompt != "" {
		c.Prompt = append([]int32{c.SOT}, m.tok.Encode(c.prompt)...)
	}
	return c.Options, c.Validate()
}

// captionBatch encodes a batch of images and searches their captions together.
func (m *Model) captionBatch(ctx context.Context, pixels [][]float32, rows int, o generate.Options) ([][]Caption, error) {
	var found [][]generate.Caption
	err := m.guard(func() error {
		s, err := m.run.Open(ctx, pixels, rows)
		if err != nil {
			return err
		}
		defer s.Close()
		found, err = generate.Generate(ctx, s, len(pixels), o)
		return err
	})
	if err != nil {
		return nil, err
	}
	all := make([][]Caption, len(found))
	for i, list := range found {
		for _, c := range list {
			all[i] = append(all[i], Caption{m.tok.Caption(c.IDs), c.IDs, c.Score, c.LogProb, c.TokenLogProbs})
		}
	}
	return all, nil
}
