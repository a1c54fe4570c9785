// Package golden reads golden directories and compares a model with them. A
// golden directory holds golden.json and golden.safetensors: named
// intermediates ("taps") of another implementation for given images and texts,
// with a tolerance for each. The README of testdata/golden describes the format.
package golden

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	G "gorgonia.org/gorgonia"

	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/nn/op"
	"github.com/seed-e0874532/coca/weights"
)

// Golden is the content of golden.json.
type Golden struct {
	Dir       string             `json:"-"`
	Profile   string             `json:"profile"`
	Model     string             `json:"model"`
	Weights   string             `json:"weights"` // "formula", or empty: those of the model
	Tolerance map[string]float64 `json:"tolerance"`
	Cases     []Case             `json:"cases"`
}

// Case is one image, one text, and what the reference made of them.
type Case struct {
	Image      string            `json:"image"` // a file beside golden.json, or "formula:N"
	Text       *string           `json:"text"`
	IDsIn      []int32           `json:"ids_in"` // instead of text
	Taps       map[string]string `json:"taps"`   // tap name → tensor name
	IDs        []int32           `json:"ids"`    // the caption that generation gives
	Generation json.RawMessage   `json:"generation"`
}

// maxJSON bounds what is read of a golden.json.
const maxJSON = 64 << 20

// Load reads the golden.json of a directory.
func Load(dir string) (*Golden, error) {
	path := filepath.Join(dir, "golden.json")
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxJSON+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxJSON {
		return nil, fmt.Errorf("%s: want at most %d bytes, got more", path, maxJSON)
	}
	g := &Golden{Dir: dir}
	if err := json.Unmarshal(data, g); err != nil {
		return nil, fmt.Errorf("%s: want a golden description, got %w", path, err)
	}
	if len(g.Cases) == 0 {
		return nil, fmt.Errorf("%s: want at least one case, got none", path)
	}
	return g, nil
}

// Deviation is how far one tap is from the golden value over all cases.
type Deviation struct {
	Tap       string
	Largest   float64 // the largest absolute difference
	Tolerance float64 // NaN if golden.json states none: then it fails
	Values    int     // numbers compared
}

// OK reports whether the tap passes.
func (d Deviation) OK() bool { return d.Largest <= d.Tolerance }

// Input is what the model sees for a case.
type Input struct {
	Pixels []float32 // [3, H, W], normalised
	IDs    []int32   // of the text
}

// Compare runs the model on every case and returns the deviations of all taps,
// in the order of the model. An unknown tap is an error.
func (g *Golden) Compare(ctx context.Context, m *model.CoCa, dev exec.Device, input func(Case) (Input, error)) ([]Deviation, error) {
	path := filepath.Join(g.Dir, "golden.safetensors")
	file, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	found, rank := map[string]*Deviation{}, map[string]int{}
	for i, c := range g.Cases {
		if len(c.Taps) == 0 {
			continue
		}
		in, err := input(c)
		if err != nil {
			return nil, fmt.Errorf("%s: case %d: %w", g.Dir, i, err)
		}
		err = runTaps(ctx, m, dev, c, in, file, func(order int, tap string, got, want []float32) {
			d := found[tap]
			if d == nil {
				tolerance, ok := g.Tolerance[tap]
				if !ok {
					tolerance = math.NaN()
				}
				d = &Deviation{Tap: tap, Tolerance: tolerance}
				found[tap], rank[tap] = d, order
			}
			d.Values += len(want)
			d.Largest = math.Max(d.Largest, largestDifference(got, want)) // NaN stays NaN
		})
		if err != nil {
			return nil, fmt.Errorf("%s: case %d: %w", g.Dir, i, err)
		}
	}
	var list []Deviation
	for _, d := range found {
		list = append(list, *d)
	}
	sort.Slice(list, func(i, j int) bool { return rank[list[i].Tap] < rank[list[j].Tap] })
	return list, nil
}

// runTaps compiles the taps that one case asks for, runs them and reports each.
func runTaps(ctx context.Context, m *model.CoCa, dev exec.Device, c Case, in Input, file *weights.File, report func(order int, tap string, got, want []float32)) error {
	want := map[string]weights.Tensor{}
	rows := max(1, len(in.IDs)-1) // OpenCLIP's forward leaves out the last token
	for tap, name := range c.Taps {
		t, err := file.Tensor(name)
		if err != nil {
			return err
		}
		want[tap] = t
		if (tap == "logits" || strings.HasPrefix(tap, "decoder.")) && len(t.Shape) >= 3 {
			rows = t.Shape[len(t.Shape)-2] // also if it was left in
		}
		if strings.HasPrefix(tap, "decoder.") && strings.HasSuffix(tap, ".attention") && len(t.Shape) >= 2 {
			rows = t.Shape[len(t.Shape)-2]
		}
	}
	graph, err := m.Graph(1, len(in.IDs), rows)
	if err != nil {
		return err
	}
	order, nodes := map[string]int{}, map[string]*G.Node{}
	var outputs []*G.Node
	for i, t := range graph.Taps() {
		if _, ok := want[t.Name]; ok && nodes[t.Name] == nil {
			order[t.Name], nodes[t.Name] = i, t.Node
			if !slices.Contains(outputs, t.Node) { // two taps may name one node
				outputs = append(outputs, t.Node)
			}
		}
	}
	for tap := range want {
		if nodes[tap] == nil {
			return fmt.Errorf("tap %q: want one that this model has, got an unknown name", tap)
		}
	}
	program, err := exec.Compile(dev, outputs...)
	if err != nil {
		return err
	}
	defer program.Close()
	if pixels := op.Floats(graph.Image.Pixels.Value()); copy(pixels, in.Pixels) != len(pixels) || len(pixels) != len(in.Pixels) {
		return fmt.Errorf("image: want %d numbers, got %d", len(pixels), len(in.Pixels))
	}
	copy(op.Ints(graph.Text.IDs.Value()), in.IDs)
	if err := program.Run(ctx); err != nil {
		return err
	}
	for tap, t := range want {
		data, err := t.Float32()
		if err != nil {
			return err
		}
		got := program.Floats(nodes[tap])
		if len(got) != len(data) {
			return fmt.Errorf("tap %s: want shape %v as the model has it, got %v", tap, nodes[tap].Shape(), t.Shape)
		}
		report(order[tap], tap, got, data)
	}
	return nil
}

func largestDifference(a, b []float32) float64 {
	largest := 0.0
	for i, v := range a {
		largest = math.Max(largest, math.Abs(float64(v)-float64(b[i])))
	}
	return largest
}
