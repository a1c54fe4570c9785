package main

import (
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/image/draw"
	"golang.org/x/image/webp"
)

// master is the side of an artwork in pixels, as it is kept.
const master = 64

// A Style is one hand's drawing of every concept.
type Style struct {
	Name    string
	Package string // of the JavaScript packages that carry the artwork, with its version
	folder  string // of the pictures in it
	ending  string
	Heldout bool // for evaluation only: neither trained on nor shown
}

// Styles are the seen ones and, last, the held-out one.
var Styles = []Style{
	{"google", "emoji-datasource-google@16.0.0", "img/google/64", ".png", false},
	{"twitter", "emoji-datasource-twitter@16.0.0", "img/twitter/64", ".png", false},
	{"fluent", "@lobehub/fluent-emoji-3d@1.1.0", "assets", ".webp", false},
	{"openmoji", "openmoji@17.0.0", "color/svg", ".svg", true},
}

// fetch brings the packages of all styles into a folder, with the npm command
// and from the registry that it is set up for.
func fetch(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, s := range Styles {
		if _, err := os.Stat(filepath.Join(folder, s.Name)); err == nil {
			continue
		}
		pack := exec.Command("npm", "pack", "--silent", s.Package)
		pack.Dir, pack.Stderr = folder, os.Stderr
		out, err := pack.Output()
		if err != nil {
			return fmt.Errorf("npm pack %s: %w", s.Package, err)
		}
		part := filepath.Join(folder, s.Name+".part")
		if err := os.MkdirAll(part, 0o755); err != nil {
			return err
		}
		archive := strings.TrimSpace(string(out))
		tar := exec.Command("tar", "xzf", archive, "-C", s.Name+".part", "--strip-components=1")
		tar.Dir, tar.Stderr = folder, os.Stderr
		if err := tar.Run(); err != nil {
			return fmt.Errorf("tar %s: %w", archive, err)
		}
		if err := os.Rename(part, filepath.Join(folder, s.Name)); err != nil {
			return err
		}
		if err := os.Remove(filepath.Join(folder, archive)); err != nil {
			return err
		}
	}
	return nil
}

// Picture is an artwork with premultiplied colours, [side][side][4] from 0 to 1,
// at its full size and half of it.
type Picture struct {
	levels [2][]float32
}

// Artwork is what is drawn: of every concept its styles, each in three renderings.
type Artwork struct {
	pictures [][][renderings]*Picture // [concept][style]
}

// Renderings make more hands of the few: the artwork as it is, with flat colours
// inside black lines, and lines on a pale ground.
const (
	plain = iota
	comic
	lines
	renderings
)

// loadArt reads the pictures of the styles that are wanted.
func loadArt(folder string, wanted func(Style) bool) (*Artwork, error) {
	a := &Artwork{make([][][renderings]*Picture, len(Concepts))}
	var styles []Style
	for _, s := range Styles {
		if wanted(s) {
			styles = append(styles, s)
		}
	}
	failed := make([]error, len(Concepts))
	var group sync.WaitGroup
	next := make(chan int)
	for range 2 {
		group.Go(func() {
			for i := range next {
				for _, s := range styles {
					img, err := readPicture(filepath.Join(folder, s.Name, s.folder), Concepts[i].Code, s.ending)
					if err != nil {
						failed[i] = fmt.Errorf("%s of %s: %w", s.Name, Concepts[i].Noun, err)
						break
					}
					base := pixelsOf(img)
					a.pictures[i] = append(a.pictures[i], [renderings]*Picture{newPicture(base), newPicture(comicOf(base)), newPicture(linesOf(base))})
				}
			}
		})
	}
	for i := range Concepts {
		next <- i
	}
	close(next)
	group.Wait()
	for _, err := range failed {
		if err != nil {
			return nil, err
		}
	}
	return a, nil
}

// readPicture reads an artwork by its code point, which some packages write with
// the selector of the coloured form behind it.
func readPicture(folder, code, ending string) (image.Image, error) {
	var f *os.File
	var err error
	for _, name := range []string{code, code + "-fe0f", strings.ToUpper(code), strings.ToUpper(code + "-fe0f")} {
		if f, err = os.Open(filepath.Join(folder, name+ending)); err == nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	switch ending {
	case ".png":
		return png.Decode(f)
	case ".webp":
		return webp.Decode(f)
	}
	return rasterise(f, 4*master)
}

// pixelsOf scales a picture to the master's size and cuts its empty margin off.
func pixelsOf(img image.Image) []float32 {
	b := inked(img)
	side := max(b.Dx(), b.Dy())
	square := image.Rect(0, 0, side, side).Add(image.Pt((b.Min.X+b.Max.X-side)/2, (b.Min.Y+b.Max.Y-side)/2))
	dst := image.NewRGBA(image.Rect(0, 0, master, master))
	cut := image.NewRGBA(image.Rect(0, 0, side, side))
	draw.Draw(cut, cut.Bounds(), img, square.Min, draw.Src)
	draw.CatmullRom.Scale(dst, dst.Bounds(), cut, cut.Bounds(), draw.Src, nil)
	p := make([]float32, len(dst.Pix))
	for i, v := range dst.Pix {
		p[i] = float32(v) / 255
	}
	return p
}

// inked is the smallest box that holds everything visible.
func inked(img image.Image) image.Rectangle {
	b, box := img.Bounds(), image.Rectangle{}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if _, _, _, a := img.At(x, y).RGBA(); a > 0x1000 {
				box = box.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	if box.Empty() {
		return b
	}
	return box
}

func newPicture(full []float32) *Picture {
	const half = master / 2
	small := make([]float32, half*half*4)
	for y := range half {
		for x := range half {
			for c := range 4 {
				at := func(dx, dy int) float32 { return full[((2*y+dy)*master+2*x+dx)*4+c] }
				small[(y*half+x)*4+c] = (at(0, 0) + at(1, 0) + at(0, 1) + at(1, 1)) / 4
			}
		}
	}
	return &Picture{[2][]float32{full, small}}
}

// edges is how strongly colour or coverage change at each pixel, 0 to 1.
func edges(p []float32) []float32 {
	e := make([]float32, master*master)
	at := func(x, y, c int) float32 {
		return p[(min(max(y, 0), master-1)*master+min(max(x, 0), master-1))*4+c]
	}
	for y := range master {
		for x := range master {
			var sum float32
			for c := range 4 {
				dx := at(x+1, y, c) - at(x-1, y, c) + (at(x+1, y+1, c)-at(x-1, y+1, c)+at(x+1, y-1, c)-at(x-1, y-1, c))/2
				dy := at(x, y+1, c) - at(x, y-1, c) + (at(x+1, y+1, c)-at(x+1, y-1, c)+at(x-1, y+1, c)-at(x-1, y-1, c))/2
				sum += dx*dx + dy*dy
			}
			e[y*master+x] = float32(math.Min(1, math.Sqrt(float64(sum))*0.6))
		}
	}
	return e
}

// comicOf flattens colours to a few steps and draws black lines where they change.
func comicOf(p []float32) []float32 {
	return outlined(p, 2.2, 0.7, func(v, a float32) float32 {
		if a == 0 {
			return 0
		}
		return float32(math.Round(float64(v/a)*3)) / 3 * a
	})
}

// linesOf keeps the lines only, dark on a pale ground.
func linesOf(p []float32) []float32 {
	return outlined(p, 2, 0.4, func(v, a float32) float32 { return 0.85*a + 0.15*v })
}

// outlined draws lines of a strength gain·edge − bias over an artwork whose
// colours, v with the coverage a, are those that fill gives.
func outlined(p []float32, gain, bias float32, fill func(v, a float32) float32) []float32 {
	out, e := make([]float32, len(p)), edges(p)
	for i := range master * master {
		a := p[i*4+3]
		ink := max(0, min(1, gain*e[i]-bias))
		for c := range 3 {
			out[i*4+c] = fill(p[i*4+c], a) * (1 - ink)
		}
		out[i*4+3] = max(a, ink*min(1, 2*e[i]))
	}
	return out
}
