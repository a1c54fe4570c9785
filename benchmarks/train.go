package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/seed-e0874532/coca/internal/formula"
	"github.com/seed-e0874532/coca/internal/kernel"
	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/nn/op"
	"github.com/seed-e0874532/coca/train"
)

// trainBatch is the number of pairs of a training step.
const trainBatch = 16

// trainPeers are the peers of each precision.
var trainPeers = map[string]string{"f32": "torch_f32", "bf16": "torch_autocast"}

// trained is what a subject says of one step.
type trained struct {
	Seconds float64
	Losses  [2]float64 // contrastive and caption, weighted, before the step
	Peak    float64    // largest resident memory so far, in bytes
	Error   string
}

// trainRows is one whole training step: losses, gradients, AdamW. Each side is
// a process of its own, so that its memory is its own too.
func (b *bench) trainRows() error {
	for _, precision := range b.precisions {
		if trainPeers[precision] == "" {
			continue
		}
		if err := b.trainRow(precision); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) trainRow(precision string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	command := map[string]any{"do": "train", "peer": trainPeers[precision], "batch": trainBatch}
	subjects := map[string]*peers{}
	if subjects["ours"], err = startProcess(self, "-worker", precision, "-models", b.model, "-threads", strconv.Itoa(b.Threads)); err != nil {
		return err
	}
	defer subjects["ours"].close()
	if b.peers != nil {
		if subjects["peer"], err = startPeers(b.python, b.script, b.model, b.Threads, b.folder); err != nil {
			return err
		}
		defer subjects["peer"].close()
	}
	seconds, last, first := map[string][]float64{}, map[string]trained{}, map[string]trained{}
	for round := range b.rounds + 1 {
		for name, s := range subjects {
			var a trained
			if err := s.ask(command, &a); err != nil {
				return err
			}
			if last[name] = a; round == 0 { // makes memory and panels
				first[name] = a
				continue
			}
			seconds[name] = append(seconds[name], a.Seconds)
		}
	}
	row := Row{Name: fmt.Sprintf("training step, batch %d", trainBatch), Precision: precision, Ours: timesOf(seconds["ours"])}
	row.Note = fmt.Sprintf("largest resident memory %.2f GB", last["ours"].Peak/1e9)
	if b.peers != nil {
		row.Peers = map[string]Times{trainPeers[precision]: timesOf(seconds["peer"])}
		row.Note += fmt.Sprintf(", peer's %.2f GB", last["peer"].Peak/1e9)
		off := lossesApart(first["ours"].Losses, first["peer"].Losses)
		if limit := map[string]float64{"f32": 1e-4, "bf16": 2e-2}[precision]; !(off <= limit) {
			return fmt.Errorf("training: losses %v differ from the peer's %v by %.1e, want at most %.0e", first["ours"].Losses, first["peer"].Losses, off, limit)
		}
		row.Agreement = fmt.Sprintf("losses differ by %.1e in the first step, by %.1e after %d", off,
			lossesApart(last["ours"].Losses, last["peer"].Losses), b.rounds)
	}
	b.add(row, op.Cost{})
	return nil
}

// lossesApart is the largest relative difference.
func lossesApart(x, y [2]float64) (far float64) {
	for i := range x {
		far = max(far, math.Abs(x[i]-y[i])/math.Abs(y[i]))
	}
	return far
}

// trainer is our side of a training step.
type trainer struct {
	step      *train.Step
	optimizer *train.AdamW
	scale     *train.Parameter
	device    *exec.CPU
}

func newTrainer(name, precision string, threads int) (*trainer, error) {
	cfg, err := model.Named(name)
	if err != nil {
		return nil, err
	}
	src := formula.Source(model.Tensors(cfg))
	p, err := train.NewParameters(model.Tensors(cfg))
	if err != nil {
		return nil, err
	}
	if err := p.Load(src); err != nil {
		return nil, err
	}
	m, err := model.New(cfg, p.Source(src))
	if err != nil {
		return nil, err
	}
	// As coca train does: texts cut to what counts, predictions of what counts.
	context := cfg.Text.ContextLength
	texts := trainTexts(context, cfg.Text.VocabSize)
	length := m.TrainLength(texts)
	graph, err := m.TrainGraph(trainBatch, length, model.DefaultLossWeights, model.MaxTargets(model.CountTargets(texts, context)))
	if err != nil {
		return nil, err
	}
	options := exec.CPUOptions{Threads: threads, Training: true}
	if precision == "bf16" {
		options.Precision = kernel.BF16
	}
	dev, err := exec.NewCPUWith(options)
	if err != nil {
		return nil, err
	}
	step, err := train.NewStep(graph, dev, p.Memory)
	if err != nil {
		return nil, err
	}
	size := cfg.Vision.ImageSize
	pixels, ids := op.Floats(graph.Image.Pixels.Value()), op.Ints(graph.Text.IDs.Value())
	for i := range trainBatch {
		n := 3 * size.Height * size.Width
		copy(pixels[i*n:][:n], formula.Image(i, size.Height, size.Width))
		copy(ids[i*length:][:length], texts[i*context:])
	}
	if err := graph.Text.SetTargets(); err != nil {
		return nil, err
	}
	optimizer, err := train.NewAdamW(p, train.DefaultAdamW(name), dev.Pool())
	if err != nil {
		return nil, err
	}
	return &trainer{step, optimizer, p.Lookup("logit_scale"), dev}, nil
}

// trainTexts are captions of 8 to 14 words between the start and the end, as
// long as COCO's, padded to the context. peers.py has the same.
func trainTexts(context, vocabulary int) []int32 {
	ids := make([]int32, trainBatch*context)
	for i := range trainBatch {
		row := ids[i*context:]
		row[0] = int32(vocabulary - 2)
		n := 8 + i%7
		for j := range n {
			row[1+j] = int32(320 + (i*7919+j*104729)%40000)
		}
		row[1+n] = int32(vocabulary - 1)
	}
	return ids
}

func (t *trainer) run() (a trained, err error) {
	began := time.Now()
	if err := t.step.Run(context.Background()); err != nil {
		return a, err
	}
	contrastive, caption := t.step.Losses()
	t.optimizer.Step(1e-5)
	train.ClampLogitScale(t.scale.Value)
	t.device.WeightsChanged()
	return trained{Seconds: time.Since(began).Seconds(), Losses: [2]float64{float64(contrastive), float64(caption)}, Peak: peakMemory()}, nil
}

// work answers each line of in with a training step, as peers.py does.
func work(name, precision string, threads int, in io.Reader, out io.Writer) error {
	var t *trainer
	lines, answers := bufio.NewScanner(in), json.NewEncoder(out)
	for lines.Scan() {
		var a trained
		var err error
		if t == nil {
			t, err = newTrainer(name, precision, threads)
		}
		if err == nil {
			a, err = t.run()
		}
		if err != nil {
			a.Error = err.Error()
		}
		if err := answers.Encode(a); err != nil {
			return err
		}
	}
	return lines.Err()
}

// peakMemory is the largest resident memory of this process, in bytes.
func peakMemory() (bytes float64) {
	data, _ := os.ReadFile("/proc/self/status")
	if _, after, ok := strings.Cut(string(data), "VmHWM:"); ok {
		fmt.Sscan(after, &bytes)
	}
	return bytes * 1024
}
