package coca

import (
	"context"
	"fmt"

	"github.com/seed-e0874532/coca/generate"
	"github.com/seed-e0874532/coca/internal/infer"
)

// EncodeOption changes embeddings.
type EncodeOption func(*encodeOptions)

type encodeOptions struct{ raw bool }

// Unnormalized leaves embeddings as they are before their L2 normalisation.
func Unnormalized() EncodeOption { return func(o *encodeOptions) { o.raw = true } }

// EncodeImages returns the embedding of each image, [E], of length 1 unless
// an option says otherwise.
func (m *Model) EncodeImages(ctx context.Context, images []*Image, opts ...EncodeOption) ([][]float32, error) {
	pixels, err := m.pixels(ctx, images)
	if err != nil {
		return nil, err
	}
	return m.EncodePixels(ctx, pixels, opts...)
}

// EncodePixels is [Model.EncodeImages] for images that [Model.Preprocess] has prepared.
func (m *Model) EncodePixels(ctx context.Context, pixels [][]float32, opts ...EncodeOption) ([][]float32, error) {
	o := encodeOpts(opts)
	var list [][]float32
	err := m.guard(func() error {
		images, err := m.run.EncodeImages(ctx, pixels, false)
		for _, img := range images {
			list = append(list, pick(o, img.Latent, img.Features))
		}
		return err
	})
	return list, err
}

// EncodeTexts returns the embedding of each text, [E], of length 1 unless an
// option says otherwise. Texts are padded or cut to the context length.
func (m *Model) EncodeTexts(ctx context.Context, texts []string, opts ...EncodeOption) ([][]float32, error) {
	if m.tok == nil {
		return nil, fmt.Errorf("texts need a tokenizer: %w", m.tokErr)
	}
	o := encodeOpts(opts)
	var ids [][]int32
	for _, text := range texts {
		ids = append(ids, m.tok.EncodeFixed(text, m.cfg.Text.ContextLength))
	}
	var list [][]float32
	err := m.guard(func() error {
		latents, features, err := m.run.EncodeTexts(ctx, ids)
		for i := range latents {
			list = append(list, pick(o, latents[i], features[i]))
		}
		return err
	})
	return list, err
}

func encodeOpts(opts []EncodeOption) (o encodeOptions) {
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

func pick(o encodeOptions, latent, features []float32) []float32 {
	if o.raw {
		return latent
	}
	return features
}

// Score is how likely a given caption is.
type Score struct {
	IDs           []int32   // the text's ids, up to and including the end of text
	TokenLogProbs []float64 // of each id after the first
	LogProb       float64   // their sum
	Similarity    float64   // cosine of the image's and the text's embeddings
}

// ScoreOption changes what [Model.Score] computes.
type ScoreOption func(*scoreOptions)

type scoreOptions struct {
	logits func(text int, logits []float32) error
}

// WithLogits hands over the teacher-forced logits of each text: [L, V] with L
// one less than the context length; row t predicts token t+1. The slice is only
// valid during the call.
func WithLogits(use func(text int, logits []float32) error) ScoreOption {
	return func(o *scoreOptions) { o.logits = use }
}

// scoreRows rounds the number of decoder rows up, so that few programs are kept.
const scoreRows = 16

// Score tells how likely the decoder finds each text as the caption of an
// image, token by token, and how similar image and text are.
func (m *Model) Score(ctx context.Context, img *Image, texts []string, opts ...ScoreOption) ([]Score, error) {
	if m.tok == nil {
		return nil, fmt.Errorf("texts need a tokenizer: %w", m.tokErr)
	}
	var o scoreOptions
	for _, opt := range opts {
		opt(&o)
	}
	pixels, err := m.pixels(ctx, []*Image{img})
	if err != nil {
		return nil, err
	}
	var scores []Score
	err = m.guard(func() error {
		images, err := m.run.EncodeImages(ctx, pixels, true)
		if err != nil {
			return err
		}
		for i, text := range texts {
			s, err := m.score(ctx, images[0], text, i, o)
			if err != nil {
				return err
			}
			scores = append(scores, s)
		}
		return nil
	})
	return scores, err
}

func (m *Model) score(ctx context.Context, img infer.Image, text string, number int, o scoreOptions) (s Score, err error) {
	ids := m.tok.EncodeFixed(text, m.cfg.Text.ContextLength)
	n := 1
	for n < len(ids) && ids[n-1] != m.tok.EOT() {
		n++
	}
	all := len(ids) - 1
	rows := min(all, (n-1+scoreRows-1)/scoreRows*scoreRows)
	if o.logits != nil {
		rows = all
	}
	s.IDs = ids[:n]
	err = m.run.Score(ctx, img, ids, rows, func(features, logits []float32) error {
		for i, v := range img.Features {
			s.Similarity += float64(v) * float64(features[i])
		}
		vocab := len(logits) / rows
		for t, id := range ids[1:n] {
			row := logits[t*vocab:][:vocab]
			p := float64(row[id]) - generate.LogSumExp(row)
			s.TokenLogProbs = append(s.TokenLogProbs, p)
			s.LogProb += p
		}
		if o.logits != nil {
			return o.logits(number, logits)
		}
		return nil
	})
	return s, err
}
