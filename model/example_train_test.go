package model_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"

	"github.com/seed-e0874532/coca/internal/formula"
	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn/op"
)

// A graph of a training step with the image tower locked, half of the patches left out,
// blocks computed anew in the backward pass, and texts cut to what the losses depend on.
func ExampleCoCa_TrainGraph() {
	data, err := os.ReadFile("../testdata/golden/small/tiny_pool/open_clip_config.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg, err := model.ParseConfig(data)
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := model.New(cfg, formula.Source(model.Tensors(cfg)))
	if err != nil {
		fmt.Println(err)
		return
	}
	texts := []int32{
		48, 7, 9, 49, 0, 0, 0, 0, 0,
		48, 3, 49, 0, 0, 0, 0, 0, 0,
	}
	length := m.TrainLength(texts)
	g, err := m.TrainGraph(2, length, model.DefaultLossWeights,
		model.Lock(func(name string) bool { return strings.HasPrefix(name, "visual.") }),
		model.DropPatches(0.5), model.RecomputeBlocks(), model.MaxTargets(model.CountTargets(texts, len(texts)/2)))
	if err != nil {
		fmt.Println(err)
		return
	}
	ids := op.Ints(g.Text.IDs.Value())
	for i := range 2 {
		copy(ids[i*length:][:length], texts[i*len(texts)/2:])
	}
	g.Image.DropPatches(rand.New(rand.NewPCG(1, 2)))
	if err := g.Text.SetTargets(); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("texts of", length, "ids; predicted are", op.Ints(g.Text.Targets.Value())[1:])
	fmt.Println("tokens of each image:", g.Image.Kept.Shape()[1])
	trained := map[string]bool{} // a tensor that several layers share has a gradient for each part
	for _, d := range g.Gradients() {
		trained[d.Name] = true
	}
	fmt.Println("trained:", len(trained), "of", len(m.Tensors()), "tensors")
	// Output:
	// texts of 5 ids; predicted are [7 9 49 3 49]
	// tokens of each image: 5
	// trained: 86 of 129 tensors
}
