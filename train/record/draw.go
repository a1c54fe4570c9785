package record

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"math"
	"os"
	"strconv"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"

	"github.com/seed-e0874532/coca/internal/atomicfile"
)

// The picture and the plot in it, in pixels.
const (
	pictureWidth, pictureHeight                    = 960, 540
	marginLeft, marginRight, marginTop, marginFoot = 72, 24, 40, 48
	charWidth, charHeight                          = 7, 13
)

var plotArea = image.Rect(marginLeft, marginTop, pictureWidth-marginRight, pictureHeight-marginFoot)

var (
	white = color.RGBA{255, 255, 255, 255}
	black = color.RGBA{32, 32, 32, 255}
	grey  = color.RGBA{226, 226, 226, 255}
	blue  = color.RGBA{31, 95, 178, 255}
	red   = color.RGBA{200, 70, 30, 255}
)

// series is a line of the picture.
type series struct {
	name   string
	line   *Line
	smooth []float64
	color  color.RGBA
}

// Draw writes the picture as PNG: both losses over the steps, the values pale and
// their running mean in full colour. A loss that was always 0 is left out.
func (c *Curve) Draw(w io.Writer) error {
	var list []series
	for _, s := range []series{{name: "caption_loss", line: &c.Caption, color: blue}, {name: "contrastive_loss", line: &c.Contrastive, color: red}} {
		if len(s.line.points) > 0 && !s.line.zero() {
			s.smooth = s.line.smooth()
			list = append(list, s)
		}
	}
	return png.Encode(w, newPicture(list).draw())
}

// WriteFile draws into a file, which is never seen half written.
func (c *Curve) WriteFile(path string) error {
	return atomicfile.Write(path, func(f *os.File) error { return c.Draw(f) })
}

// A picture maps steps and losses to pixels.
type picture struct {
	*image.RGBA
	series []series
	x, y   axis
}

// newPicture scales the axes: to all steps, and to the running means with a part of
// the values' spread around them; single outliers fall outside.
func newPicture(list []series) *picture {
	p := &picture{RGBA: image.NewRGBA(image.Rect(0, 0, pictureWidth, pictureHeight)), series: list}
	x0, x1, y0, y1 := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, s := range list {
		points := s.line.points
		x0, x1 = min(x0, points[0].step), max(x1, points[len(points)-1].step)
		spread := 0.0
		for i, v := range s.smooth {
			y0, y1 = min(y0, v), max(y1, v)
			spread += math.Abs(points[i].mean-v) / float64(len(points))
		}
		for _, v := range s.smooth {
			y0, y1 = min(y0, max(0, v-2*spread)), max(y1, v+2*spread)
		}
	}
	if len(list) == 0 {
		x0, x1, y0, y1 = 0, 1, 0, 1
	}
	if y0 < y1/2 { // as good as from 0
		y0 = min(y0, 0)
	}
	p.x, p.y = newAxis(x0, x1, 9), newAxis(y0, y1, 8)
	return p
}

func (p *picture) draw() image.Image {
	draw.Draw(p, p.Bounds(), image.NewUniform(white), image.Point{}, draw.Src)
	p.axes()
	for _, s := range p.series {
		p.values(s)
	}
	for i, s := range p.series {
		p.path(s)
		last := s.smooth[len(s.smooth)-1]
		p.text(plotArea.Max.X-250, plotArea.Min.Y+18+i*(charHeight+5), fmt.Sprintf("%-17s %.4g", s.name, last), s.color)
	}
	p.text(plotArea.Min.X, marginTop-14, "loss (weighted), each step and its running mean", black)
	p.text((plotArea.Min.X+plotArea.Max.X)/2-2*charWidth, pictureHeight-12, "step", black)
	return p
}

// axes draws the frame, the grid and its numbers.
func (p *picture) axes() {
	for _, v := range p.x.marks {
		x := int(p.px(v))
		p.fill(image.Rect(x, plotArea.Min.Y, x+1, plotArea.Max.Y+4), grey)
		label := strconv.FormatFloat(v, 'f', p.x.digits, 64)
		p.text(x-len(label)*charWidth/2, plotArea.Max.Y+4+charHeight, label, black)
	}
	for _, v := range p.y.marks {
		y := int(p.py(v))
		p.fill(image.Rect(plotArea.Min.X-4, y, plotArea.Max.X, y+1), grey)
		label := strconv.FormatFloat(v, 'f', p.y.digits, 64)
		p.text(plotArea.Min.X-8-len(label)*charWidth, y+charHeight/3, label, black)
	}
	p.fill(image.Rect(plotArea.Min.X-1, plotArea.Min.Y, plotArea.Min.X, plotArea.Max.Y+1), black)
	p.fill(image.Rect(plotArea.Min.X-1, plotArea.Max.Y, plotArea.Max.X, plotArea.Max.Y+1), black)
}

// values draws the range of the values in each column of pixels, pale.
func (p *picture) values(s series) {
	pale := image.NewUniform(color.NRGBA{s.color.R, s.color.G, s.color.B, 60})
	points := s.line.points
	for i := 0; i < len(points); {
		x, low, high := int(p.px(points[i].step)), points[i].min, points[i].max
		for ; i < len(points) && int(p.px(points[i].step)) == x; i++ {
			low, high = min(low, points[i].min), max(high, points[i].max)
		}
		r := image.Rect(x, int(p.py(high)), x+1, int(p.py(low))+1).Intersect(plotArea)
		draw.Draw(p, r, pale, image.Point{}, draw.Over)
	}
}

// path draws the running mean, two pixels wide. All pieces turn the same way round, so that they
// do not take each other away where they overlap.
func (p *picture) path(s series) {
	z := vector.NewRasterizer(plotArea.Dx(), plotArea.Dy())
	at := func(i int) (x, y float64) {
		x, y = p.px(s.line.points[i].step), p.py(s.smooth[i])
		return x - float64(plotArea.Min.X), y - float64(plotArea.Min.Y)
	}
	for i := 1; i < len(s.smooth); i++ {
		x0, y0 := at(i - 1)
		x1, y1 := at(i)
		length := math.Hypot(x1-x0, y1-y0)
		if length == 0 {
			continue
		}
		nx, ny := (y1-y0)/length, (x0-x1)/length
		z.MoveTo(float32(x0+nx), float32(y0+ny))
		z.LineTo(float32(x1+nx), float32(y1+ny))
		z.LineTo(float32(x1-nx), float32(y1-ny))
		z.LineTo(float32(x0-nx), float32(y0-ny))
		z.ClosePath()
	}
	z.Draw(p, plotArea, image.NewUniform(s.color), image.Point{})
	if len(s.smooth) == 1 {
		x, y := int(p.px(s.line.points[0].step)), int(p.py(s.smooth[0]))
		p.fill(image.Rect(x-2, y-2, x+3, y+3), s.color)
	}
}

func (p *picture) px(step float64) float64 {
	return float64(plotArea.Min.X) + (step-p.x.low)/(p.x.high-p.x.low)*float64(plotArea.Dx()-1)
}

func (p *picture) py(v float64) float64 {
	return float64(plotArea.Max.Y-1) - (v-p.y.low)/(p.y.high-p.y.low)*float64(plotArea.Dy()-1)
}

func (p *picture) fill(r image.Rectangle, c color.RGBA) {
	draw.Draw(p, r, image.NewUniform(c), image.Point{}, draw.Src)
}

// text writes with the left end of the base line at x, y.
func (p *picture) text(x, y int, s string, c color.RGBA) {
	d := font.Drawer{Dst: p, Src: image.NewUniform(c), Face: basicfont.Face7x13, Dot: fixed.P(x, y)}
	d.DrawString(s)
}
