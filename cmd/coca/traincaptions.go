package main

import (
	"context"

	"github.com/seed-e0874532/coca/generate"
	"github.com/seed-e0874532/coca/internal/infer"
	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/tokenizer"
)

// liveCaptions describes pictures with the weights of a training run as they are.
type liveCaptions struct {
	run    *infer.Runtime
	search generate.Options
	tok    *tokenizer.Tokenizer
}

// newLiveCaptions makes a runtime that keeps no copy of the weights.
func newLiveCaptions(m *model.CoCa, tok *tokenizer.Tokenizer, threads int) (*liveCaptions, error) {
	dev, err := exec.NewCPUWith(exec.CPUOptions{Threads: threads, Training: true})
	if err != nil {
		return nil, err
	}
	o := generate.DefaultOptions(generate.OpenCLIP33)
	o.ContextLength = m.Config.MaxTokens()
	o.SeqLen = min(o.SeqLen, o.ContextLength+1)
	o.MinSeqLen = min(o.MinSeqLen, o.SeqLen-1)
	o.SOT, o.EOT, o.Pad = tok.SOT(), tok.EOT(), int32(m.Config.PadID)
	return &liveCaptions{infer.New(m, dev), o, tok}, nil
}

// captions describes pictures by the default search.
func (l *liveCaptions) captions(ctx context.Context, pixels [][]float32) ([]string, error) {
	session, err := l.run.Open(ctx, pixels, len(pixels)*l.search.NumBeams/l.search.NumBeamGroups)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	found, err := generate.Generate(ctx, session, len(pixels), l.search)
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(found))
	for i, list := range found {
		texts[i] = l.tok.Caption(list[0].IDs)
	}
	return texts, nil
}

func (l *liveCaptions) close() error { return l.run.Close() }
