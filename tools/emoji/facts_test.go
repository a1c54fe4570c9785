package main

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// concept is the number of a noun.
func concept(t *testing.T, noun string) int {
	t.Helper()
	i := slices.IndexFunc(Concepts, func(c Concept) bool { return c.Noun == noun })
	if i < 0 {
		t.Fatalf("no concept %q", noun)
	}
	return i
}

func TestFactsOf(t *testing.T) {
	type named struct {
		noun   string
		number int
	}
	for _, test := range []struct {
		caption  string
		want     []named
		relation string
	}{
		{"a cat", []named{{"cat", 1}}, ""},
		{"A  Cat .", []named{{"cat", 1}}, ""},
		{"", nil, ""},
		{"a thing that nobody knows", nil, ""},
		{"three cats on a red background", []named{{"cat", 3}}, ""},
		{"two fish and three deer", []named{{"fish", 2}, {"deer", 3}}, ""},
		{"three four leaf clovers", []named{{"four leaf clover", 3}}, ""},
		{"a four leaf clover and a cat", []named{{"four leaf clover", 1}, {"cat", 1}}, ""},
		{"a christmas tree above a tree", []named{{"christmas tree", 1}, {"tree", 1}}, "above"},
		{"a bow and arrow to the left of a pair of socks", []named{{"bow and arrow", 1}, {"pair of socks", 1}}, "left"},
		{"two pairs of socks , a t - shirt and an axe", []named{{"pair of socks", 2}, {"t-shirt", 1}, {"axe", 1}}, ""},
		{"a cat and a cat", []named{{"cat", 1}, {"cat", 1}}, ""},
		{"a cat above", []named{{"cat", 1}}, ""},
		{"a small cat in the top left corner", []named{{"cat", 1}}, ""},
	} {
		f := FactsOf(test.caption)
		var want []Mention
		for _, n := range test.want {
			want = append(want, Mention{concept(t, n.noun), n.number})
		}
		if !slices.Equal(f.Mentions, want) || f.Relation != test.relation {
			t.Errorf("%q: got %+v, want %+v and relation %q", test.caption, f, want, test.relation)
		}
	}
}

// TestNounsAreTheirOwn holds that no noun or plural is another concept's, nor a word of the captions around it.
func TestNounsAreTheirOwn(t *testing.T) {
	owner := map[string]int{}
	for i, c := range Concepts {
		for _, form := range []string{c.Noun, c.Plural} {
			words := strings.Join(wordsOf(form), " ")
			if j, ok := owner[words]; ok && j != i {
				t.Errorf("%q is of %q and of %q", form, Concepts[j].Noun, c.Noun)
			}
			owner[words] = i
			for _, other := range []string{"picture", "background", "corner", "middle", "top", "bottom", "left", "right", "big", "small"} {
				if words == other {
					t.Errorf("%q is no noun that captions could name", form)
				}
			}
		}
	}
}

// TestWordsAreTrue holds sizes, places and backgrounds of captions to their scenes.
func TestWordsAreTrue(t *testing.T) {
	stated := map[string]int{}
	for i := range 20000 {
		r := rand.New(rand.NewPCG(11, uint64(i)))
		s := composed(r, Training)
		caption := " " + Caption(r, s) + " "
		o := s.Objects[0]
		states := func(words string, so bool) {
			if !strings.Contains(caption, " "+words+" ") {
				return
			}
			stated[words]++
			if !so {
				t.Errorf("%q is not so: %+v", caption, s)
			}
		}
		one := s.Kind == Single
		states("a big", one && o.Size > 0.7)
		states("a small", one && o.Size < 0.4)
		states("in the top left corner", one && o.X < 0.35 && o.Y < 0.35)
		states("in the top right corner", one && o.X > 0.65 && o.Y < 0.35)
		states("in the bottom left corner", one && o.X < 0.35 && o.Y > 0.65)
		states("in the bottom right corner", one && o.X > 0.65 && o.Y > 0.65)
		states("at the top", one && o.Y < 0.35 && abs(o.X-0.5) < 0.11)
		states("at the bottom", one && o.Y > 0.65 && abs(o.X-0.5) < 0.11)
		states("on the left", one && o.X < 0.35 && abs(o.Y-0.5) < 0.11)
		states("on the right", one && o.X > 0.65 && abs(o.Y-0.5) < 0.11)
		states("in the middle", one && abs(o.X-0.5) < 0.11 && abs(o.Y-0.5) < 0.11)
		for k, c := range Colours {
			states(c.Name+" background", s.Background.Colour == k && s.Background.Texture == Uniform)
			for _, texture := range []Texture{Striped, Dotted, Checkered} {
				states(c.Name+" "+string(texture)+" background", s.Background.Colour == k && s.Background.Texture == texture)
			}
		}
		for _, texture := range []Texture{Striped, Dotted, Checkered} {
			states("a "+string(texture)+" background", s.Background.Texture == texture)
		}
	}
	if len(stated) != 11+len(Colours)*4+3 {
		t.Errorf("captions stated only %v", stated)
	}
}
