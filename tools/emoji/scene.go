package main

import (
	"hash/fnv"
	"math/rand/v2"
)

// An Object is one emoji in a scene. Lengths are fractions of the scene's side.
type Object struct {
	Concept int
	X, Y    float64 // of its centre
	Size    float64 // of its longer side
}

// A Kind says how the objects of a scene relate to each other.
type Kind string

const (
	Single Kind = "single" // one object
	Beside Kind = "beside" // two different ones, left and right
	Above  Kind = "above"  // two different ones, one over the other
	Count  Kind = "count"  // two to four of one concept
	Row    Kind = "row"    // three different ones from left to right
	Square Kind = "square" // four different ones in two rows
	Mixed  Kind = "mixed"  // two of one concept and one other, from left to right
)

// A Scene is what a picture shows. Objects are in reading order.
type Scene struct {
	Kind       Kind
	Objects    []Object
	Background Background
}

// Heldout says which combinations no training scene has: pairs of concepts, and
// numbers of one concept.
type Heldout bool

const (
	Training   Heldout = false
	Evaluation Heldout = true
)

// pairHeldout tells whether two concepts may meet in evaluation only.
func pairHeldout(i, j int) bool { return hash(min(i, j), max(i, j))%10 == 0 }

// countHeldout tells whether n of a concept are for evaluation only.
func countHeldout(i, n int) bool { return n > 1 && hash(i, -n)%8 == 0 }

func hash(a, b int) uint32 {
	h := fnv.New32a()
	h.Write([]byte{byte(a), byte(a >> 8), byte(b), byte(b >> 8)})
	return h.Sum32()
}

// composed draws a scene. Evaluation scenes with several objects hold a combination that
// training scenes never hold.
func composed(r *rand.Rand, h Heldout) Scene {
	s := Scene{Background: newBackground(r)}
	switch p := r.IntN(100); {
	case p < 30:
		s.Kind = Single
	case p < 48:
		s.Kind = Beside
	case p < 61:
		s.Kind = Above
	case p < 82:
		s.Kind = Count
	case p < 89:
		s.Kind = Row
	case p < 94:
		s.Kind = Square
	default:
		s.Kind = Mixed
	}
	for {
		s.Objects = arranged(r, s.Kind)
		if s.Kind == Single || s.heldout() == bool(h) {
			return s
		}
	}
}

// heldout tells whether a scene has a combination of the held-out set.
func (s Scene) heldout() bool {
	count := map[int]int{}
	for _, o := range s.Objects {
		count[o.Concept]++
	}
	for i, n := range count {
		if countHeldout(i, n) {
			return true
		}
		for j := range count {
			if i < j && pairHeldout(i, j) {
				return true
			}
		}
	}
	return false
}

func arranged(r *rand.Rand, k Kind) []Object {
	between := func(low, high float64) float64 { return low + (high-low)*r.Float64() }
	c := r.Perm(len(Concepts))[:4]
	switch k {
	case Single:
		o := Object{Concept: c[0], Size: between(0.24, 0.9)}
		o.X, o.Y = between(o.Size/2, 1-o.Size/2), between(o.Size/2, 1-o.Size/2)
		return []Object{o}
	case Beside, Above:
		a, b := between(0.3, 0.48), between(0.3, 0.48)
		if r.IntN(2) == 0 {
			b = a * between(0.9, 1.1)
		}
		first, second := between(a/2, 0.5-a/2+0.02), between(0.5+b/2-0.02, 1-b/2)
		across := func(size float64) float64 { return min(max(between(0.38, 0.62), size/2), 1-size/2) }
		if k == Beside {
			return []Object{{c[0], first, across(a), a}, {c[1], second, across(b), b}}
		}
		return []Object{{c[0], across(a), first, a}, {c[1], across(b), second, b}}
	case Count:
		n := 2 + r.IntN(3)
		return scattered(r, c[0], n, between(0.26, []float64{0, 0, 0.46, 0.4, 0.38}[n]))
	case Row, Mixed:
		size := between(0.25, 0.33)
		y := between(0.3, 0.7)
		list := make([]Object, 3)
		for i := range list {
			list[i] = Object{c[i], (float64(i)+0.5)/3 + between(-0.01, 0.01), y + between(-0.08, 0.08), size}
		}
		if k == Mixed {
			list[1].Concept = list[2*r.IntN(2)].Concept
		}
		return list
	default: // Square
		size := between(0.3, 0.44)
		list := make([]Object, 4)
		for i := range list {
			list[i] = Object{c[i], 0.25 + 0.5*float64(i%2) + between(-0.02, 0.02), 0.25 + 0.5*float64(i/2) + between(-0.02, 0.02), size}
		}
		return list
	}
}

// scattered puts n of one concept where they do not cover each other.
func scattered(r *rand.Rand, concept, n int, size float64) []Object {
	for apart := size; ; apart *= 0.995 {
		var list []Object
		for range n {
			o := Object{concept, size/2 + (1-size)*r.Float64(), size/2 + (1-size)*r.Float64(), size}
			free := true
			for _, p := range list {
				free = free && max(abs(p.X-o.X), abs(p.Y-o.Y)) > apart
			}
			if free {
				list = append(list, o)
			}
		}
		if len(list) == n {
			return list
		}
	}
}

func abs(x float64) float64 { return max(x, -x) }

// alone draws a scene of one emoji that fills most of it, for the first phase of
// training: its caption says nothing but what it is.
func alone(r *rand.Rand) Scene {
	size := 0.62 + 0.38*r.Float64()
	at := func() float64 { return 0.5 + (1.06-size)*(r.Float64()-0.5) }
	return Scene{Single, []Object{{r.IntN(len(Concepts)), at(), at(), size}}, newBackground(r)}
}
