package main

import (
	"image"
	"strings"
	"testing"
)

func TestSpelledOut(t *testing.T) {
	for path, want := range map[string]string{
		"m1 2 3 4,5,6Z":                        "m 1 2l 3 4l 5 6Z",
		"M0 0a1.5 1.5 0 011-1 2 2 0 0 0-3e1.5": "M 0 0a 1.5 1.5 0 0 1 1 -1a 2 2 0 0 0 -3e1 .5",
		"M0 0h1-2v+3":                          "M 0 0h 1h -2v +3",
		" M1 1 2 2\n":                          "M 1 1L 2 2",
		"":                                     "",
	} {
		got, err := spelledOut(path)
		if err != nil || got != want {
			t.Errorf("%q: got %q (%v), want %q", path, got, err, want)
		}
	}
	for _, bad := range []string{"M1", "1 2", "M1,2L3-4.5.5z", "M1 2 k", "a1 1 0 0", "a1 1 0 0 1"} {
		if got, err := spelledOut(bad); err == nil {
			t.Errorf("%q: want an error, found %q", bad, got)
		}
	}
}

// inkOf counts the pixels of a picture that are mostly covered.
func inkOf(img image.Image) (n int) {
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			if _, _, _, a := img.At(x, y).RGBA(); a > 0x8000 {
				n++
			}
		}
	}
	return n
}

// TestRasterise holds areas of simple shapes, at twice their size, to geometry.
func TestRasterise(t *testing.T) {
	for _, test := range []struct {
		name, svg string
		want      int
	}{
		{"a stroke scales with the picture", `<path fill="none" stroke="#000" stroke-width="2" d="M10,20h20"/>`, 40 * 4},
		{"two half circles under one letter", `<path d="M10,20a10,10,0,0,1,20,0 10,10,0,0,1-20,0z"/>`, 1257},
		{"arcs of different radii under one letter", `<path d="M5 20a10 10 0 0120 0a5 5 0 0110 0h-30z"/>`, 785},
		{"the same as one run", `<path d="M5 20a10 10 0 0120 0 5 5 0 0110 0h-30z"/>`, 785},
	} {
		img, err := rasterise(strings.NewReader(`<svg viewBox="0 0 40 40" xmlns="http://www.w3.org/2000/svg">`+test.svg+`</svg>`), 80)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if got := inkOf(img); got < test.want*97/100 || got > test.want*103/100 {
			t.Errorf("%s: %d pixels, want about %d", test.name, got, test.want)
		}
	}
	for _, bad := range []string{"", "<svg", `<svg xmlns="http://www.w3.org/2000/svg"><path d="M1 2"/></svg>`, `<svg viewBox="0 0 9 9"><path d="M1 2 x"/></svg>`} {
		if _, err := rasterise(strings.NewReader(bad), 16); err == nil {
			t.Errorf("%q: want an error", bad)
		}
	}
}
