package main

import (
	"context"
	"runtime"
	"strings"
	"time"

	"github.com/seed-e0874532/coca"
	"github.com/seed-e0874532/coca/generate"
	"github.com/seed-e0874532/coca/internal/formula"
	"github.com/seed-e0874532/coca/internal/infer"
	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/nn/op"
)

// source keeps formula weights, so that all precisions share one copy.
type source struct {
	formula.Source
	kept map[string][]float32
}

func newSource(cfg model.Config) *source {
	return &source{formula.Source(model.Tensors(cfg)), map[string][]float32{}}
}

func (s *source) Float32(name string) ([]float32, error) {
	if v := s.kept[name]; v != nil {
		return v, nil
	}
	v, err := s.Source.Float32(name)
	s.kept[name] = v
	return v, err
}

// subject is our model in one precision.
type subject struct {
	*coca.Model
	precision string
	cfg       model.Config
	towers    map[int]*tower
}

// tower is a program of the visual tower alone: what the peers' `visual` computes.
type tower struct {
	graph *model.ImageGraph
	*exec.Program
}

func newSubject(cfg model.Config, weights *source, precision string, threads int) (*subject, error) {
	name := precision
	if name == "f32" {
		name = "fp32"
	}
	p, err := coca.ParsePrecision(name)
	if err != nil {
		return nil, err
	}
	m, err := coca.New(cfg, weights, coca.WithPrecision(p), coca.WithThreads(threads))
	if err != nil {
		return nil, err
	}
	return &subject{m, precision, cfg, map[int]*tower{}}, nil
}

// tower returns the program for a batch of the formula images from 0 on.
func (s *subject) tower(batch int) (*tower, error) {
	if t := s.towers[batch]; t != nil {
		return t, nil
	}
	g, err := s.Runtime().Model.ImageGraph(batch)
	if err != nil {
		return nil, err
	}
	p, err := exec.Compile(s.Runtime().Device(), g.Latent, g.Tokens)
	if err != nil {
		return nil, err
	}
	t := &tower{g, p}
	pixels := op.Floats(g.Pixels.Value())
	n := len(pixels) / batch
	for i := range batch {
		copy(pixels[i*n:], s.image(i))
	}
	s.towers[batch] = t
	return t, p.Run(context.Background())
}

// latent are the features of image 0 that the tower gave last.
func (s *subject) latent() []float32 { return s.towers[1].Floats(s.towers[1].graph.Latent) }

// kinds counts the weights of the visual tower by their precisions.
func (s *subject) kinds() map[string]int {
	kinds := map[string]int{}
	for _, m := range s.Runtime().Device().(*exec.CPU).Matrices() {
		if strings.HasPrefix(m.Name, "visual.") {
			kinds[m.Treatment.Precision.String()]++
		}
	}
	return kinds
}

func (s *subject) image(i int) []float32 {
	size := s.cfg.Vision.ImageSize
	return formula.Image(i, size.Height, size.Width)
}

func (s *subject) images(n int) (list [][]float32) {
	for i := range n {
		list = append(list, s.image(i))
	}
	return list
}

func (s *subject) runTower(batch int) (float64, error) {
	t, err := s.tower(batch)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	err = t.Run(context.Background())
	return time.Since(began).Seconds(), err
}

// caption times the default search of n images for a number of tokens, the first one counted.
func (s *subject) caption(n, length int) (float64, [][]int32, error) {
	o := s.Search(generate.OpenCLIP33)
	o.SeqLen = length
	o.MinSeqLen = min(o.MinSeqLen, length-1)
	images := s.images(n)
	began := time.Now()
	list, err := s.CaptionPixels(context.Background(), images, coca.WithSearch(o))
	var ids [][]int32
	for _, c := range list {
		ids = append(ids, c[0].IDs)
	}
	return time.Since(began).Seconds(), ids, err
}

// steps feeds tokens to the two beams that the default search keeps of each
// group and returns the seconds of each, and the allocations of all but the first.
func (s *subject) steps(tokens int) ([]float64, float64, error) {
	ctx, r := context.Background(), s.Runtime()
	session, err := r.Open(ctx, s.images(1), 2)
	if err != nil {
		return nil, 0, err
	}
	defer session.Close()
	return feed(ctx, session, tokens)
}

func feed(ctx context.Context, session *infer.Session, tokens int) ([]float64, float64, error) {
	parents, ids := []int{0, 1}, []int32{320, 1125}
	if err := session.Start(ctx, []int{0, 0}); err != nil {
		return nil, 0, err
	}
	seconds := make([]float64, 0, tokens)
	var before, after runtime.MemStats
	for i := range tokens {
		if i == 1 {
			runtime.ReadMemStats(&before)
		}
		began := time.Now()
		if _, err := session.Step(ctx, parents, ids); err != nil {
			return nil, 0, err
		}
		seconds = append(seconds, time.Since(began).Seconds())
	}
	runtime.ReadMemStats(&after)
	return seconds, float64(after.Mallocs-before.Mallocs) / float64(max(1, tokens-1)), nil
}

// floor is the least time of a cost on a machine, in seconds, and what bounds it.
func floor(c op.Cost, precision string, m Machine) (float64, string) {
	bytes := float64(c.Bytes) * map[string]float64{"f32": 1, "bf16": 0.5, "int8": 0.25}[precision]
	compute, memory := float64(c.Flops)/m.Peak[precision], bytes/m.ReadAll
	if compute >= memory {
		return compute, "operations"
	}
	return memory, "bytes"
}
