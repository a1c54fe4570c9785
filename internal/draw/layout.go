package draw

import "sort"

// layout gives every box a layer (its longest distance from the inputs) and a
// place within the layer. Arrows that close a circle, which merging makes of
// blocks that alternate, do not count.
func (g *Graph) layout() (layers [][]int, back map[Arrow]bool) {
	back = g.backArrows()
	rank := make([]int, len(g.Boxes))
	for range g.Boxes { // relax until nothing changes, at most once per box
		changed := false
		for _, a := range g.Arrows {
			if !back[a] && rank[a.To] < rank[a.From]+1 {
				rank[a.To], changed = rank[a.From]+1, true
			}
		}
		if !changed {
			break
		}
	}
	g.pullInputs(rank, back)
	for i, r := range rank {
		for len(layers) <= r {
			layers = append(layers, nil)
		}
		layers[r] = append(layers[r], i)
	}
	g.untangle(layers, back)
	return layers, back
}

// backArrows finds the arrows that lead back to a box that is being visited.
func (g *Graph) backArrows() map[Arrow]bool {
	next := map[int][]int{}
	for _, a := range g.Arrows {
		next[a.From] = append(next[a.From], a.To)
	}
	back, state := map[Arrow]bool{}, make([]int, len(g.Boxes))
	var visit func(i int)
	visit = func(i int) {
		state[i] = 1
		for _, j := range next[i] {
			switch state[j] {
			case 0:
				visit(j)
			case 1:
				back[Arrow{i, j}] = true
			}
		}
		state[i] = 2
	}
	for i := range g.Boxes {
		if state[i] == 0 {
			visit(i)
		}
	}
	return back
}

// pullInputs moves inputs down next to what first uses them.
func (g *Graph) pullInputs(rank []int, back map[Arrow]bool) {
	for i, b := range g.Boxes {
		if !b.Input {
			continue
		}
		first := len(g.Boxes)
		for _, a := range g.Arrows {
			if a.From == i && !back[a] {
				first = min(first, rank[a.To])
			}
		}
		if first < len(g.Boxes) {
			rank[i] = max(0, first-1)
		}
	}
}

// untangle sorts the boxes of each layer by the mean place of their neighbours.
func (g *Graph) untangle(layers [][]int, back map[Arrow]bool) {
	place := make([]float64, len(g.Boxes))
	renumber := func(layer []int) {
		for p, i := range layer {
			place[i] = float64(p) - float64(len(layer)-1)/2
		}
	}
	for _, layer := range layers {
		renumber(layer)
	}
	for round := range 8 {
		for _, layer := range layers {
			mean := map[int]float64{}
			for _, i := range layer {
				sum, n := 0.0, 0
				for _, a := range g.Arrows {
					switch {
					case back[a]:
					case round%2 == 0 && a.To == i:
						sum, n = sum+place[a.From], n+1
					case round%2 == 1 && a.From == i:
						sum, n = sum+place[a.To], n+1
					}
				}
				mean[i] = place[i]
				if n > 0 {
					mean[i] = sum / float64(n)
				}
			}
			sort.SliceStable(layer, func(x, y int) bool { return mean[layer[x]] < mean[layer[y]] })
			renumber(layer)
		}
	}
}
