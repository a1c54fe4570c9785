package train

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/seed-e0874532/coca/train/data"
)

// Validation is what a validation found, under OpenCLIP's names. The losses are means over
// batches, weighted by their sizes, and not multiplied by the weights of training. As on OpenCLIP's
// main branch, the generative loss leaves out padding; that of release 3.3 counts it, and
// is not to be compared with the caption loss of training.
type Validation struct {
	RetrievalMetrics
	CLIPLoss       float64 `json:"clip_val_loss"`
	Epoch          int     `json:"epoch"`
	Samples        int     `json:"num_samples"`
	GenerativeLoss float64 `json:"val_generative_loss"`

	// Shown are the first pairs, for looking at.
	Shown []Pair `json:"-"`
}

// Pair is a validation pair that is shown.
type Pair struct {
	Name, Caption string
	Pixels        []float32 // [3, H, W]
}

// validate measures the model on the validation set.
func (t *Trainer) validate(ctx context.Context) (*Validation, error) {
	o := &t.options
	loader, err := data.Load(ctx, t.valSource, 0, data.Options{
		Batch: o.Batch, Transform: data.Transform{Model: t.base.Preprocess}, Workers: o.Val.Workers, Partial: true, Skipped: o.Skipped,
	})
	if err != nil {
		return nil, err
	}
	defer loader.Close()
	v := &Validation{Epoch: t.position.Epoch}
	var images, texts []float32 // features of all pairs
	for {
		b, err := loader.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		n := len(b.Captions)
		p, err := t.feedVal(b)
		if err != nil {
			return nil, err
		}
		if err := p.Run(ctx); err != nil {
			return nil, err
		}
		v.CLIPLoss += float64(p.Floats(p.graph.Contrastive)[0]) * float64(n)
		v.GenerativeLoss += float64(p.Floats(p.graph.Caption)[0]) * float64(n)
		images = append(images, p.Floats(p.graph.Image.Features)...)
		texts = append(texts, p.Floats(p.graph.Text.Features)...)
		for i := 0; i < n && len(v.Shown) < o.ValCaptions; i++ {
			size := len(b.Pixels) / n
			v.Shown = append(v.Shown, Pair{b.Names[i], b.Captions[i], slices.Clone(b.Pixels[i*size:][:size])})
		}
		v.Samples += n
	}
	if v.Samples == 0 {
		return nil, &ConfigError{o.Val.Path, "at least one sample that can be read", fmt.Sprintf("none (%d were skipped)", loader.Skipped())}
	}
	v.CLIPLoss /= float64(v.Samples)
	v.GenerativeLoss /= float64(v.Samples)
	v.RetrievalMetrics = Retrieval(images, texts, v.Samples, t.base.Config.EmbedDim, t.dev.Pool())
	return v, nil
}

// finishValidation validates after an epoch, if it is time, and writes down the result.
func (t *Trainer) finishValidation(ctx context.Context) error {
	o, n := &t.options, t.position.Epoch
	due := o.ValFrequency > 0 && (n%o.ValFrequency == 0 || n == o.Epochs) || t.source == nil
	if t.valSource == nil || !due {
		return nil
	}
	v, err := t.validate(ctx)
	if err != nil {
		return err
	}
	if err := t.records.Validation(n, v); err != nil {
		return err
	}
	if o.Validated != nil {
		return o.Validated(v)
	}
	return nil
}
