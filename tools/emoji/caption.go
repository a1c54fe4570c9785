package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Caption puts a scene into words. All that it says is true; what it leaves out varies.
func Caption(r *rand.Rand, s Scene) string {
	text := ""
	switch s.Kind {
	case Single:
		text = single(r, s.Objects[0])
	case Beside:
		a, b := Concepts[s.Objects[0].Concept].Article(), Concepts[s.Objects[1].Concept].Article()
		switch p := r.IntN(10); {
		case p < 6:
			text = a + " to the left of " + b
		case p < 9:
			text = a + " and " + b
		default:
			text = a + " next to " + b
		}
	case Above:
		a, b := Concepts[s.Objects[0].Concept].Article(), Concepts[s.Objects[1].Concept].Article()
		text = a + " above " + b
	case Count:
		text = Concepts[s.Objects[0].Concept].Counted(len(s.Objects))
	default:
		text = listed(s.Objects)
	}
	if r.IntN(10) == 0 {
		text = "a picture of " + text
	}
	if r.IntN(3) == 0 {
		text += s.Background.words(r)
	}
	return text
}

// single names an object and, at times, how large it is or where.
func single(r *rand.Rand, o Object) string {
	text := Concepts[o.Concept].Article()
	switch {
	case o.Size > 0.72 && r.IntN(2) == 0:
		text = "a big " + Concepts[o.Concept].Noun
	case o.Size < 0.36 && r.IntN(2) == 0:
		text = "a small " + Concepts[o.Concept].Noun
	}
	if r.IntN(2) == 0 {
		if where := place(o); where != "" {
			text += " " + where
		}
	}
	return text
}

// place says where an object is, if that is plain to see.
func place(o Object) string {
	side := func(v float64, low, high string) string {
		switch {
		case v < 0.34:
			return low
		case v > 0.66:
			return high
		}
		return ""
	}
	inner := func(v float64) bool { return abs(v-0.5) < 0.1 }
	h, v := side(o.X, "left", "right"), side(o.Y, "top", "bottom")
	switch {
	case h != "" && v != "":
		return fmt.Sprintf("in the %s %s corner", v, h)
	case v != "" && inner(o.X):
		return "at the " + v
	case h != "" && inner(o.Y):
		return "on the " + h
	case inner(o.X) && inner(o.Y) && o.Size < 0.5:
		return "in the middle"
	}
	return ""
}

// listed names objects in reading order; equal ones that follow each other are counted.
func listed(objects []Object) string {
	var parts []string
	for i := 0; i < len(objects); {
		n := 1
		for i+n < len(objects) && objects[i+n].Concept == objects[i].Concept {
			n++
		}
		parts = append(parts, Concepts[objects[i].Concept].Counted(n))
		i += n
	}
	last := len(parts) - 1
	return strings.Join(parts[:last], ", ") + " and " + parts[last]
}

// words are the background's part of a caption.
func (b Background) words(r *rand.Rand) string {
	switch b.Texture {
	case Uniform:
		return " on " + withArticle(Colours[b.Colour].Name) + " background"
	case Striped, Dotted, Checkered:
		if r.IntN(2) == 0 {
			return fmt.Sprintf(" on %s %s background", withArticle(Colours[b.Colour].Name), b.Texture)
		}
		return " on " + withArticle(string(b.Texture)) + " background"
	}
	return ""
}
