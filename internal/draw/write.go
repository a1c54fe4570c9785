package draw

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"strings"
)

// colours of the towers; boxes outside of all are white, inputs grey.
var colours = map[string]string{"visual": "#d9e8f5", "text": "#e3f1dc", "decoder": "#fbe6cf"}

func (b Box) colour() string {
	if b.Input {
		return "#eeeeee"
	}
	if c, ok := colours[b.Tower]; ok {
		return c
	}
	return "#ffffff"
}

// DOT writes the drawing in the language of Graphviz.
func (g *Graph) DOT(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintln(out, "digraph coca {\n  rankdir=TB;\n  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\", fontsize=11];")
	for i, b := range g.Boxes {
		fmt.Fprintf(out, "  n%d [label=%s, fillcolor=%q];\n", i, dotQuote(strings.Join(b.Label, "\n")), b.colour())
	}
	for _, a := range g.Arrows {
		fmt.Fprintf(out, "  n%d -> n%d;\n", a.From, a.To)
	}
	fmt.Fprintln(out, "}")
	return out.Flush()
}

func dotQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// Sizes of an SVG drawing, in pixels.
const (
	lineHeight = 15
	charWidth  = 6.6
	boxPadding = 14
	layerGap   = 30
	boxGap     = 24
)

type rect struct{ x, y, w, h float64 }

// SVG writes the drawing as a picture that browsers show.
func (g *Graph) SVG(w io.Writer) error {
	layers, back := g.layout()
	at, width, height := g.arrange(layers)
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" font-family="Helvetica, Arial, sans-serif" font-size="12">`+"\n", width, height, width, height)
	fmt.Fprintln(out, `<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#555"/></marker></defs>`)
	fmt.Fprintf(out, `<rect width="%.0f" height="%.0f" fill="white"/>`+"\n", width, height)
	for _, a := range g.Arrows {
		f, t := at[a.From], at[a.To]
		if back[a] { // around the right side, upwards
			x := max(f.x+f.w, t.x+t.w) + 20
			fmt.Fprintf(out, `<path d="M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f" fill="none" stroke="#555" stroke-dasharray="4 3" marker-end="url(#tip)"/>`+"\n",
				f.x+f.w, f.y+f.h/2, x, f.y+f.h/2, x, t.y+t.h/2, t.x+t.w, t.y+t.h/2)
			continue
		}
		x1, y1, x2, y2 := f.x+f.w/2, f.y+f.h, t.x+t.w/2, t.y
		mid := (y1 + y2) / 2
		fmt.Fprintf(out, `<path d="M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f" fill="none" stroke="#555" marker-end="url(#tip)"/>`+"\n", x1, y1, x1, mid, x2, mid, x2, y2)
	}
	for i, b := range g.Boxes {
		r := at[i]
		fmt.Fprintf(out, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="6" fill="%s" stroke="#777"/>`+"\n", r.x, r.y, r.w, r.h, b.colour())
		for l, line := range b.Label {
			weight := ""
			if l == 0 {
				weight = ` font-weight="bold"`
			}
			fmt.Fprintf(out, `<text x="%.1f" y="%.1f" text-anchor="middle"%s>%s</text>`+"\n", r.x+r.w/2, r.y+boxPadding/2+float64(l+1)*lineHeight-3, weight, html.EscapeString(line))
		}
	}
	fmt.Fprintln(out, "</svg>")
	return out.Flush()
}

// arrange places the layers below each other, each centred.
func (g *Graph) arrange(layers [][]int) (at []rect, width, height float64) {
	at = make([]rect, len(g.Boxes))
	sizes := make([]float64, len(layers))
	for l, layer := range layers {
		for _, i := range layer {
			longest := 0
			for _, line := range g.Boxes[i].Label {
				longest = max(longest, len([]rune(line)))
			}
			at[i].w = max(70, float64(longest)*charWidth+2*boxPadding)
			at[i].h = float64(len(g.Boxes[i].Label))*lineHeight + boxPadding
			sizes[l] += at[i].w + boxGap
		}
		width = max(width, sizes[l]+2*boxGap+40)
	}
	y := float64(boxGap)
	for l, layer := range layers {
		x, tallest := (width-sizes[l]+boxGap)/2, 0.0
		for _, i := range layer {
			at[i].x, at[i].y = x, y
			x += at[i].w + boxGap
			tallest = max(tallest, at[i].h)
		}
		y += tallest + layerGap
	}
	return at, width, y
}
