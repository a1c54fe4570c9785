package main

import (
	"context"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"os"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"

	"github.com/seed-e0874532/coca"
	"github.com/seed-e0874532/coca/internal/atomicfile"
)

// Sizes of the picture of word maps, in pixels.
const (
	tileSide  = 224
	tileLabel = 20
	tileGap   = 6
	tilesWide = 5
)

// writeHeatmap draws where each word of a caption looks: one tile a word, the
// picture as the model sees it under the weights, brightest where it looks most.
func writeHeatmap(ctx context.Context, m *coca.Model, pixels []float32, c coca.Caption, path string) error {
	maps, err := m.WordMaps(ctx, pixels, c.IDs)
	if err != nil {
		return err
	}
	cols := min(tilesWide, len(maps))
	rows := (len(maps) + cols - 1) / cols
	sheet := image.NewRGBA(image.Rect(0, 0, cols*(tileSide+tileGap)+tileGap, rows*(tileSide+tileLabel+tileGap)+tileGap))
	draw.Draw(sheet, sheet.Bounds(), image.White, image.Point{}, draw.Src)
	base := shown(m, pixels)
	for i, w := range maps {
		at := image.Pt(tileGap+i%cols*(tileSide+tileGap), tileGap+i/cols*(tileSide+tileLabel+tileGap))
		drawTile(sheet, at, base, w)
	}
	return writePNG(path, sheet)
}

// shown is the picture that the model sees, undone from its normalisation, at
// the size of a tile.
func shown(m *coca.Model, pixels []float32) *image.RGBA {
	p := m.Preprocessing()
	img := image.NewRGBA(image.Rect(0, 0, tileSide, tileSide))
	for y := range tileSide {
		for x := range tileSide {
			var rgb [3]uint8
			for ch := range rgb {
				v := float64(pixels[(ch*p.Height+y*p.Height/tileSide)*p.Width+x*p.Width/tileSide])
				rgb[ch] = uint8(math.Max(0, math.Min(255, math.Round(255*(v*p.Std[ch]+p.Mean[ch])))))
			}
			img.SetRGBA(x, y, color.RGBA{rgb[0], rgb[1], rgb[2], 255})
		}
	}
	return img
}

// drawTile draws one word's map over the picture, and the word below it.
func drawTile(sheet *image.RGBA, at image.Point, base *image.RGBA, w coca.WordMap) {
	largest := float32(1e-9)
	for _, v := range w.Weights {
		largest = max(largest, v)
	}
	for y := range tileSide {
		for x := range tileSide {
			heat := float64(smooth(w, float64(x)/tileSide, float64(y)/tileSide) / largest)
			c := base.RGBAAt(x, y)
			// Grey where nothing is looked at, towards red where most is.
			mix := func(v uint8, towards float64) uint8 {
				return uint8(0.35*float64(v) + 0.65*(float64(v)*(1-heat)*0.6+towards*heat))
			}
			sheet.SetRGBA(at.X+x, at.Y+y, color.RGBA{mix(c.R, 255), mix(c.G, 80), mix(c.B, 20), 255})
		}
	}
	label := font.Drawer{
		Dst: sheet, Src: image.Black, Face: basicfont.Face7x13,
		Dot: fixed.P(at.X+2, at.Y+tileSide+14),
	}
	label.DrawString(strings.TrimSuffix(w.Piece, "</w>"))
}

// smooth interpolates a map between the centres of its patches; x and y are in [0, 1).
func smooth(w coca.WordMap, x, y float64) float32 {
	gx := math.Max(0, math.Min(float64(w.Cols-1), x*float64(w.Cols)-0.5))
	gy := math.Max(0, math.Min(float64(w.Rows-1), y*float64(w.Rows)-0.5))
	x0, y0 := int(gx), int(gy)
	x1, y1 := min(x0+1, w.Cols-1), min(y0+1, w.Rows-1)
	fx, fy := float32(gx-float64(x0)), float32(gy-float64(y0))
	v := func(x, y int) float32 { return w.Weights[y*w.Cols+x] }
	return (v(x0, y0)*(1-fx)+v(x1, y0)*fx)*(1-fy) + (v(x0, y1)*(1-fx)+v(x1, y1)*fx)*fy
}

// writePNG writes a picture.
func writePNG(path string, img image.Image) error {
	return atomicfile.Write(path, func(f *os.File) error { return png.Encode(f, img) })
}
