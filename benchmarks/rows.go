package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

	"github.com/seed-e0874532/coca/nn/op"
)

// towerPeers are the peers of each precision.
var towerPeers = map[string][]string{
	"f32":  {"torch_f32", "onnxruntime_f32", "openvino_f32"},
	"bf16": {"torch_autocast", "torch_bf16", "openvino_bf16"},
	"int8": {"onnxruntime_int8", "openvino_int8"},
}

// towerRows is one image through the visual tower: as a model has it, and, in int8, also with
// every weight in int8, as the peers have it, where some were kept wider.
func (b *bench) towerRows() error {
	var bf16 float64
	for _, precision := range b.precisions {
		s := b.subjects[precision]
		if err := s.Runtime().CompileAll(context.Background()); err != nil {
			return err
		}
		row, err := b.towerRow("visual tower, batch 1", s)
		if err != nil {
			return err
		}
		kinds := s.kinds()
		switch {
		case precision == "bf16":
			bf16 = row.Ours.Median
		case precision == "int8":
			row.Note = b.int8Note(s, row, bf16) + fmt.Sprintf("; weights in int8, bf16, f32: %d, %d, %d", kinds["int8"], kinds["bf16"], kinds["f32"])
		}
		b.add(row, s.towers[1].Cost())
		if precision == "int8" && kinds["bf16"] > 0 {
			plain, err := newSubject(b.cfg, b.weights, precision, b.Threads)
			if err != nil {
				return err
			}
			defer plain.Close()
			if row, err = b.towerRow("visual tower, batch 1, every weight in int8", plain); err != nil {
				return err
			}
			row.Note = b.int8Note(plain, row, bf16)
			b.add(row, plain.towers[1].Cost())
		}
		for _, p := range b.peersOf(precision) {
			var a answer
			if err := b.peers.ask(map[string]any{"do": "drop", "peer": p}, &a); err != nil {
				return err
			}
		}
	}
	return nil
}

// towerRow times one subject and its peers in turn.
func (b *bench) towerRow(name string, s *subject) (row Row, err error) {
	row = Row{Name: name, Precision: s.precision, Peers: map[string]Times{}}
	var ours []float64
	peers := map[string][]float64{}
	for range b.rounds {
		if _, err := s.runTower(1); err != nil { // warm, as the peers do
			return row, err
		}
		if err := b.once(&ours, func() (float64, error) { return s.runTower(1) }); err != nil {
			return row, err
		}
		for _, p := range b.peersOf(s.precision) {
			var a answer
			if err := b.peers.ask(map[string]any{"do": "tower", "peer": p}, &a); err != nil {
				row.Note += " " + err.Error()
				continue
			}
			peers[p] = append(peers[p], a.Seconds)
		}
	}
	row.Ours = timesOf(ours)
	for p, seconds := range peers {
		row.Peers[p] = timesOf(seconds)
		a, err := b.agreement(s, p)
		if err != nil {
			return row, err
		}
		row.Agreement += a
	}
	return row, nil
}

// int8Note compares a row in int8 with our other precisions.
func (b *bench) int8Note(s *subject, row Row, bf16 float64) (note string) {
	note = row.Note
	if bf16 > 0 {
		note += fmt.Sprintf("%.2f times as fast as our bf16", bf16/row.Ours.Median)
	}
	if wide := b.subjects["f32"]; wide != nil && wide.towers[1] != nil {
		cosine, _ := compare(s.latent(), wide.latent())
		note += fmt.Sprintf("; 1−cos to our f32 %.1e", 1-cosine)
	}
	return note
}

func (b *bench) peersOf(precision string) []string {
	if b.peers == nil {
		return nil
	}
	return towerPeers[precision]
}

// once measures once more.
func (b *bench) once(list *[]float64, f func() (float64, error)) error {
	seconds, err := f()
	*list = append(*list, seconds)
	return err
}

// agreement compares our features of image 0 with a peer's.
func (b *bench) agreement(s *subject, peer string) (string, error) {
	var a answer
	if err := b.peers.ask(map[string]any{"do": "features", "peer": peer}, &a); err != nil {
		return "", err
	}
	cosine, far := compare(s.latent(), a.Values)
	least := map[string]float64{"f32": 0.9999, "bf16": 0.97, "int8": -1}[s.precision] // the narrow ones: two roundings of the same model
	if !(cosine > least) {
		return "", fmt.Errorf("features differ from %s: cosine %v, want above %v", peer, cosine, least)
	}
	return fmt.Sprintf("%s: 1−cos %.1e, max %.1e<br>", peer, 1-cosine, far), nil
}

// compare returns the cosine of two vectors and the largest distance of elements.
func compare[T float32 | float64](x []float32, y []T) (cosine, far float64) {
	var dot, x2, y2 float64
	for i, v := range y {
		x, y := float64(x[i]), float64(v)
		dot, x2, y2 = dot+x*y, x2+x*x, y2+y*y
		far = max(far, math.Abs(x-y))
	}
	return dot / math.Sqrt(x2*y2), far
}

// stepRows is one token of two beams, in the middle of a caption.
func (b *bench) stepRows() error {
	_, _, cost, err := b.subjects["f32"].Runtime().Costs()
	if err != nil {
		return err
	}
	cost.Flops *= 2 // two beams share the weights
	for _, precision := range b.precisions {
		var all []float64
		var allocations float64
		for range b.rounds {
			seconds, n, err := b.subjects[precision].steps(16)
			if err != nil {
				return err
			}
			all, allocations = append(all, seconds[2:]...), n
		}
		row := Row{Name: "decode step, 2 beams", Precision: precision, Ours: timesOf(all)}
		row.Note = fmt.Sprintf("%.1f allocations a step; bytes counted at the width of the precision", allocations)
		b.add(row, cost)
	}
	return nil
}

// captionFloor is the least time of the default search of n images together,
// in seconds: towers, then steps that read the weights once for all beams.
func (b *bench) captionFloor(s *subject, n int) (float64, error) {
	image, _, step, err := s.Runtime().Costs()
	if err != nil {
		return 0, err
	}
	image.Flops *= int64(n)
	step.Flops *= 2 * int64(n)
	tower, _ := floor(image, s.precision, b.Machine)
	token, _ := floor(step, s.precision, b.Machine)
	return tower + (captionLength-1)*token, nil
}

// captionLength gives 15 generated ids.
const captionLength = 16

// captionRows is a whole caption by the default search. The slow peer takes
// part in the first two rounds.
func (b *bench) captionRows() error {
	precisions := b.precisions
	var peer []float64
	var want [][]int32
	ours, got := map[string][]float64{}, map[string][][]int32{}
	for _, p := range precisions {
		if _, _, err := b.subjects[p].caption(1, captionLength); err != nil { // warm
			return err
		}
	}
	for round := range b.rounds {
		for _, p := range precisions {
			seconds, ids, err := b.subjects[p].caption(1, captionLength)
			if err != nil {
				return err
			}
			ours[p], got[p] = append(ours[p], seconds), ids
		}
		if b.peers == nil || round >= 2 {
			continue
		}
		var a answer
		if err := b.peers.ask(map[string]any{"do": "generate", "images": 1, "length": captionLength}, &a); err != nil {
			return err
		}
		peer = append(peer, a.Seconds)
		if err := json.Unmarshal(a.IDs, &want); err != nil {
			return err
		}
	}
	for _, p := range precisions {
		row := Row{Name: "caption, default search, 15 ids", Precision: p, Ours: timesOf(ours[p])}
		if peer != nil {
			row.Peers = map[string]Times{"open_clip_f32": timesOf(peer)}
			same := fmt.Sprint(got[p]) == fmt.Sprint(want)
			row.Agreement = fmt.Sprintf("ids equal: %v", same)
			if p == "f32" && !same {
				return fmt.Errorf("caption: open_clip has %v, we have %v", want, got[p])
			}
		}
		var err error
		if row.Floor, err = b.captionFloor(b.subjects[p], 1); err != nil {
			return err
		}
		row.Bound = "tower and steps"
		if peer != nil {
			row.Note = fmt.Sprintf("at the floor the ratio would be %.1f", row.Peers["open_clip_f32"].Median/row.Floor)
		}
		b.add(row, op.Cost{})
	}
	return nil
}
