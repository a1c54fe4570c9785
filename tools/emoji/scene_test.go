package main

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestConcepts(t *testing.T) {
	if len(Concepts) < 500 {
		t.Errorf("%d concepts, want at least 500", len(Concepts))
	}
	seen := map[string]bool{}
	for _, c := range Concepts {
		for _, name := range []string{c.Noun, c.Code, c.Chinese} {
			if name == "" || seen[name] {
				t.Errorf("%q is missing or not the only one", name)
			}
			seen[name] = true
		}
		if c.Noun != strings.ToLower(c.Noun) || c.Plural == "" {
			t.Errorf("%+v: want lower case, and a plural", c)
		}
	}
	for noun, want := range map[string]string{"apple": "an apple", "unicorn": "a unicorn", "hourglass": "an hourglass", "umbrella": "an umbrella", "house": "a house"} {
		if got := withArticle(noun); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestCaptionsAreTrue reads captions back and compares them with their scenes.
func TestCaptionsAreTrue(t *testing.T) {
	kinds := map[Kind]int{}
	for i := range 6000 {
		r := rand.New(rand.NewPCG(9, uint64(i)))
		s := composed(r, Training)
		kinds[s.Kind]++
		caption := Caption(r, s)
		f := FactsOf(caption)
		want := map[int]int{}
		var order []int
		for _, o := range s.Objects {
			if want[o.Concept] == 0 {
				order = append(order, o.Concept)
			}
			want[o.Concept]++
			if half := o.Size / 2; o.X < half-0.05 || o.X > 1-half+0.05 || o.Y < half-0.05 || o.Y > 1-half+0.05 {
				t.Fatalf("%s: an object lies outside: %+v", caption, o)
			}
		}
		if len(f.Mentions) != len(order) {
			t.Fatalf("%q names %v, want %v", caption, f.Mentions, order)
		}
		for k, m := range f.Mentions {
			if m.Concept != order[k] || m.Number != want[order[k]] {
				t.Fatalf("%q names %v, want %v with %v", caption, f.Mentions, order, want)
			}
		}
		a, b := s.Objects[0], s.Objects[len(s.Objects)-1]
		switch f.Relation {
		case "left":
			if s.Kind != Beside || a.X+0.1 > b.X {
				t.Fatalf("%q is not so: %+v", caption, s.Objects)
			}
		case "above":
			if s.Kind != Above || a.Y+0.1 > b.Y {
				t.Fatalf("%q is not so: %+v", caption, s.Objects)
			}
		}
	}
	if len(kinds) != 7 {
		t.Errorf("drew only %v", kinds)
	}
}

// TestHeldoutCombinationsStayOut looks for what training must not see, and for what evaluation must show.
func TestHeldoutCombinationsStayOut(t *testing.T) {
	several := 0
	for i := range 6000 {
		if s := composed(rand.New(rand.NewPCG(2, uint64(i))), Training); s.heldout() {
			t.Fatalf("scene %d of the training set holds out %+v", i, s.Objects)
		}
		s := composed(rand.New(rand.NewPCG(3, uint64(i))), Evaluation)
		if s.Kind != Single {
			several++
			if !s.heldout() {
				t.Fatalf("scene %d of the held-out set could be in training: %+v", i, s.Objects)
			}
		}
	}
	if several < 3000 {
		t.Errorf("%d of 6000 scenes have several objects", several)
	}
	pairs, counts := 0, 0
	for i := range Concepts {
		for j := range i {
			if pairHeldout(i, j) != pairHeldout(j, i) {
				t.Fatal("the order of a pair counts")
			}
			if pairHeldout(i, j) {
				pairs++
			}
		}
		for n := 2; n <= 4; n++ {
			if countHeldout(i, n) {
				counts++
			}
		}
	}
	all := len(Concepts) * (len(Concepts) - 1) / 2
	if share := float64(pairs) / float64(all); share < 0.07 || share > 0.13 {
		t.Errorf("%.3f of the pairs are held out, want about 0.1", share)
	}
	if share := float64(counts) / float64(3*len(Concepts)); share < 0.08 || share > 0.18 {
		t.Errorf("%.3f of the numbers are held out, want about 0.125", share)
	}
}

// drawings are artworks for tests: a disc for every concept, each of its own colour.
func drawings() *Artwork {
	a := &Artwork{make([][][renderings]*Picture, len(Concepts))}
	for i := range Concepts {
		p := make([]float32, master*master*4)
		for y := range master {
			for x := range master {
				if d := (x-32)*(x-32) + (y-32)*(y-32); d < 900 {
					copy(p[(y*master+x)*4:], []float32{float32(i%7) / 7, float32(i%5) / 5, float32(i%3) / 3, 1})
				}
			}
		}
		a.pictures[i] = [][renderings]*Picture{{newPicture(p), newPicture(comicOf(p)), newPicture(linesOf(p))}}
	}
	return a
}

// TestShardsAreTheSame writes a set with one goroutine and with several.
func TestShardsAreTheSame(t *testing.T) {
	art := drawings()
	for _, set := range []Set{{Name: "a", Seed: 1, Samples: 60, Side: 48, Alone: true}, {Name: "b", Seed: 2, Samples: 60, Side: 96}} {
		var files [2][]byte
		for i, threads := range []int{1, 3} {
			folder := t.TempDir()
			if err := set.write(context.Background(), art, folder, threads, os.Stderr); err != nil {
				t.Fatal(err)
			}
			var err error
			if files[i], err = os.ReadFile(filepath.Join(folder, set.Name+"-00000.tar")); err != nil {
				t.Fatal(err)
			}
			n := 0
			if err := eachRecord(filepath.Join(folder, set.Name+"-00000.tar"), func(r record) error {
				n++
				if len(r.jpeg) == 0 || r.caption != r.truth.Caption {
					t.Errorf("record %d: %+v", n, r.truth)
				}
				return nil
			}); err != nil || n != set.Samples {
				t.Errorf("read %d records, want %d (%v)", n, set.Samples, err)
			}
		}
		if string(files[0]) != string(files[1]) {
			t.Errorf("%s: the number of goroutines changes the shards", set.Name)
		}
	}
}

func TestInterruptedShardIsNotThere(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	stop()
	folder := t.TempDir()
	if err := (Set{Name: "a", Samples: 10, Side: 48}).write(ctx, drawings(), folder, 1, os.Stderr); err == nil {
		t.Error("want an error")
	}
	if left, _ := filepath.Glob(folder + "/*"); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}
