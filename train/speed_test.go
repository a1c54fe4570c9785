package train_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-e0874532/coca/internal/formula"
	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/nn/op"
	"github.com/seed-e0874532/coca/train"
)

// compact is the shape of a small captioner as one trains on a processor.
const compact = `{
  "embed_dim": 192, "custom_text": true,
  "vision_cfg": {"image_size": %d, "layers": 6, "width": 192, "head_width": 64, "patch_size": 12,
    "attentional_pool": true, "attn_pooler_queries": 32, "attn_pooler_heads": 3, "output_tokens": true},
  "text_cfg": {"context_length": 32, "vocab_size": 2048, "width": 192, "heads": 3, "layers": 2, "embed_cls": true, "output_tokens": true},
  "multimodal_cfg": {"context_length": 32, "vocab_size": 2048, "width": 192, "heads": 3, "layers": 3, "attn_pooler_heads": 3}
}`

// subject is a model in training on formula weights and pictures.
type subject struct {
	parameters *train.Parameters
	step       *train.Step
	optimizer  interface{ Step(lr float64) }
	clip       *train.Clipper
	scale      *train.Parameter
	device     *exec.CPU
}

func newSubject(tb testing.TB, cfg model.Config, batch, length int, options exec.CPUOptions, muon bool, wrap func(exec.Device) exec.Device) *subject {
	tb.Helper()
	check := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	src := formula.Source(model.Tensors(cfg))
	p, err := train.NewParameters(model.Tensors(cfg))
	check(err)
	check(p.Load(src))
	m, err := model.New(cfg, p.Source(src))
	check(err)
	graph, err := m.TrainGraph(batch, length, model.DefaultLossWeights)
	check(err)
	options.Training = true
	dev, err := exec.NewCPUWith(options)
	check(err)
	tb.Cleanup(func() { dev.Close() })
	step, err := train.NewStep(graph, wrap(dev), p.Memory)
	check(err)
	size := cfg.Vision.ImageSize
	pixels, ids := op.Floats(graph.Image.Pixels.Value()), op.Ints(graph.Text.IDs.Value())
	for i := range batch {
		n := 3 * size.Height * size.Width
		copy(pixels[i*n:][:n], formula.Image(i, size.Height, size.Width))
		words := 1 + i%(length-2)
		ids[i*length] = int32(cfg.Text.VocabSize - 2)
		for j := range words {
			ids[i*length+1+j] = int32(1 + (i*7919+j*104729)%(cfg.Text.VocabSize-3))
		}
		ids[i*length+1+words] = int32(cfg.Text.VocabSize - 1)
	}
	s := &subject{parameters: p, step: step, clip: train.NewClipper(p, dev.Pool()), scale: p.Lookup("logit_scale"), device: dev}
	if muon {
		c := train.DefaultMuon
		c.Precision = options.Precision
		s.optimizer, err = train.NewMuon(p, c, train.DefaultAdamW("vit"), dev.Pool())
	} else {
		s.optimizer, err = train.NewAdamW(p, train.DefaultAdamW("vit"), dev.Pool())
	}
	check(err)
	return s
}

// benchThreads is the environment's COCA_THREADS; 0 means all.
var benchThreads, _ = strconv.Atoi(os.Getenv("COCA_THREADS"))

// now reads the clock of the profile: with one thread its processor time, if the
// system tells it, which other programs do not add to.
var now = func() time.Duration { return time.Duration(time.Now().UnixNano()) }

// run makes a step and returns the time that clipping and the optimizer took.
func (s *subject) run(tb testing.TB, lr float64) time.Duration {
	if err := s.step.Run(context.Background()); err != nil {
		tb.Fatal(err)
	}
	began := now()
	s.clip.Clip(1)
	s.optimizer.Step(lr)
	train.ClampLogitScale(s.scale.Value)
	return now() - began
}

// BenchmarkStep times whole training steps, losses, gradients, clipping and
// optimizer. With COCA_PROFILE=1 it lists what each kind of operator takes, with
// COCA_PROFILE=shapes each kind and shape.
func BenchmarkStep(b *testing.B) {
	named, err := model.Named("coca_ViT-B-32")
	if err != nil {
		b.Fatal(err)
	}
	small := func(size int) model.Config {
		cfg, err := model.ParseConfig(fmt.Appendf(nil, compact, size))
		if err != nil {
			b.Fatal(err)
		}
		return cfg
	}
	for _, c := range []struct {
		name          string
		cfg           model.Config
		batch, length int
		muon          bool
	}{
		{"b32x16", named, 16, 16, false},
		{"compact48x128", small(48), 128, 16, true},
		{"compact96x128", small(96), 128, 32, true},
	} {
		for _, precision := range []exec.Precision{exec.FP32, exec.BF16} {
			b.Run(c.name+"/"+precision.String(), func(b *testing.B) {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				profile := profiler{spent: map[string]*spent{}}
				s := newSubject(b, c.cfg, c.batch, c.length, exec.CPUOptions{Threads: benchThreads, Precision: precision}, c.muon, func(d exec.Device) exec.Device {
					profile.Device = d
					return &profile
				})
				s.run(b, 1e-4)
				profile.reset()
				b.ReportAllocs()
				b.ResetTimer()
				outside := time.Hour
				for range b.N {
					outside = min(outside, s.run(b, 1e-4))
					for _, x := range profile.spent {
						x.steps++
					}
				}
				b.ReportMetric(float64(b.N*c.batch)/b.Elapsed().Seconds(), "samples/s")
				b.ReportMetric(float64(s.step.Cost().Flops)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				if os.Getenv("COCA_PROFILE") != "" {
					profile.print()
					fmt.Printf("%9.2f ms outside at best\n", outside.Seconds()*1e3)
				}
			})
		}
	}
}

// profiler is a device that measures how long each kind of operator takes.
type profiler struct {
	exec.Device
	spent  map[string]*spent
	resets []func()
}

// spent is of one kind of operator. Of each call the fastest step counts.
type spent struct {
	time  time.Duration
	calls int
	flops int64
	steps int
}

// Bind implements exec.Device.
func (p *profiler) Bind(o G.Op, out exec.Operand, in []exec.Operand) (exec.Kernel, error) {
	run, err := p.Device.Bind(o, out, in)
	if err != nil || os.Getenv("COCA_PROFILE") == "" {
		return run, err
	}
	name := strings.TrimPrefix(reflect.TypeOf(o).String(), "*")
	var flops int64
	if o, ok := o.(op.Operator); ok {
		shapes := make([]tensor.Shape, len(in))
		for i, x := range in {
			shapes[i] = x.Shape
		}
		flops = o.Cost(out.Shape, shapes).Flops
	}
	if os.Getenv("COCA_PROFILE") == "shapes" {
		for _, x := range in {
			name += fmt.Sprint(x.Shape)
		}
	}
	s := p.spent[name]
	if s == nil {
		s = &spent{}
		p.spent[name] = s
	}
	s.calls++
	s.flops += flops
	var best time.Duration
	p.resets = append(p.resets, func() { best = 0 })
	return func() error {
		began := now()
		err := run()
		took := now() - began
		if s.steps == 0 || took < best {
			s.time += took - best // best is 0 in the first step
			best = took
		}
		return err
	}, nil
}

func (p *profiler) reset() {
	for _, s := range p.spent {
		s.time, s.steps = 0, 0
	}
	for _, f := range p.resets {
		f()
	}
}

func (p *profiler) print() {
	sum := time.Duration(0)
	for _, name := range slices.SortedFunc(maps.Keys(p.spent), func(a, b string) int { return -cmp.Compare(p.spent[a].time, p.spent[b].time) }) {
		s := p.spent[name]
		sum += s.time
		fmt.Printf("%9.2f ms %5d calls %7.1f GFLOP/s  %s\n", s.time.Seconds()*1e3, s.calls, float64(s.flops)/math.Max(s.time.Seconds(), 1e-9)/1e9, name)
	}
	fmt.Printf("%9.2f ms in operators at best\n", sum.Seconds()*1e3)
}
