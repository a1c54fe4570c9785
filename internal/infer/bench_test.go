package infer_test

import (
	"context"
	"testing"

	"github.com/seed-e0874532/coca/internal/formula"
	"github.com/seed-e0874532/coca/internal/infer"
	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/nn/op"
)

// benchmark prepares a full-size model with formula-defined weights.
func benchmark(b *testing.B, name string, precision exec.Precision) *infer.Runtime {
	b.Helper()
	if testing.Short() && name == "coca_ViT-L-14" {
		b.Skip("the larger one takes 5 GB of memory")
	}
	cfg, err := model.Named(name)
	if err != nil {
		b.Fatal(err)
	}
	m, err := model.New(cfg, formula.Source(model.Tensors(cfg)))
	if err != nil {
		b.Fatal(err)
	}
	dev, err := exec.NewCPU(0, precision)
	if err != nil {
		b.Fatal(err)
	}
	r := infer.New(m, dev)
	b.Cleanup(func() { r.Close() })
	return r
}

// report adds how fast the operations and the operands went by.
func report(b *testing.B, c op.Cost) {
	seconds := b.Elapsed().Seconds() / float64(b.N)
	b.ReportMetric(float64(c.Flops)/seconds/1e9, "GFLOP/s")
	b.ReportMetric(float64(c.Bytes)/seconds/1e9, "GB/s(f32)")
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(seconds*1e3, "ms")
}

func forEachModel(b *testing.B, f func(b *testing.B, r *infer.Runtime)) {
	for _, name := range []string{"coca_ViT-B-32", "coca_ViT-L-14"} {
		for _, p := range []exec.Precision{exec.FP32, exec.BF16, exec.Int8} {
			b.Run(name+"/"+p.String(), func(b *testing.B) { f(b, benchmark(b, name, p)) })
		}
	}
}

// BenchmarkEncode is one image through the visual tower.
func BenchmarkEncode(b *testing.B) {
	forEachModel(b, func(b *testing.B, r *infer.Runtime) {
		size := r.Model.Config.Vision.ImageSize
		pixels := [][]float32{formula.Image(0, size.Height, size.Width)}
		image, _, _, err := r.Costs()
		if err != nil {
			b.Fatal(err)
		}
		encode := func() {
			if _, err := r.EncodeImages(context.Background(), pixels, false); err != nil {
				b.Fatal(err)
			}
		}
		encode() // packs the weights
		b.ResetTimer()
		for range b.N {
			encode()
		}
		report(b, image)
	})
}

// BenchmarkStep is one token of the two beams that the default search keeps.
func BenchmarkStep(b *testing.B) {
	forEachModel(b, func(b *testing.B, r *infer.Runtime) {
		size := r.Model.Config.Vision.ImageSize
		_, _, step, err := r.Costs()
		if err != nil {
			b.Fatal(err)
		}
		s, err := r.Open(context.Background(), [][]float32{formula.Image(0, size.Height, size.Width)}, 2)
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		step.Flops *= 2 // two beams share the weights
		position := r.Model.Config.MaxTokens()
		next := func() {
			if position == r.Model.Config.MaxTokens() {
				if err := s.Start(context.Background(), []int{0, 0}); err != nil {
					b.Fatal(err)
				}
				position = 0
			}
			if _, err := s.Step(context.Background(), []int{0, 1}, []int32{320, 1125}); err != nil {
				b.Fatal(err)
			}
			position++
		}
		next()
		b.ResetTimer()
		for range b.N {
			next()
		}
		report(b, step)
	})
}
