package main

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
)

// Hand draws scenes. It keeps its canvas and is for one goroutine.
type Hand struct {
	art           *Artwork
	side          int
	canvas, other []float32 // [side][side][3]
	rgba          *image.RGBA
	buf           bytes.Buffer
}

func newHand(art *Artwork, side int) *Hand {
	return &Hand{art: art, side: side, canvas: make([]float32, side*side*3), other: make([]float32, side*side*3), rgba: image.NewRGBA(image.Rect(0, 0, side, side))}
}

// Draw gives the JPEG file of a scene.
func (h *Hand) Draw(r *rand.Rand, s Scene) []byte {
	s.Background.paint(h.canvas, h.side)
	looks := map[int]look{} // all of one concept look alike
	for _, o := range s.Objects {
		l, ok := looks[o.Concept]
		if !ok {
			l = newLook(r, h.art.pictures[o.Concept], Concepts[o.Concept].Coloured)
			looks[o.Concept] = l
		}
		h.object(o, l)
	}
	h.disturb(r)
	for i := range h.side * h.side {
		c := color.RGBA{A: 255}
		c.R, c.G, c.B = level(h.canvas[i*3]), level(h.canvas[i*3+1]), level(h.canvas[i*3+2])
		h.rgba.Pix[i*4], h.rgba.Pix[i*4+1], h.rgba.Pix[i*4+2], h.rgba.Pix[i*4+3] = c.R, c.G, c.B, 255
	}
	h.buf.Reset()
	if err := jpeg.Encode(&h.buf, h.rgba, &jpeg.Options{Quality: 60 + r.IntN(36)}); err != nil {
		panic(err) // a buffer does not fail
	}
	return bytes.Clone(h.buf.Bytes())
}

func level(v float32) uint8 { return uint8(min(max(v, 0), 1)*255 + 0.5) }

// A look is how all objects of one concept appear in a scene.
type look struct {
	picture *Picture
	angle   float64
	mirror  bool
	colours [9]float32 // a matrix on red, green and blue
}

func newLook(r *rand.Rand, styles [][renderings]*Picture, coloured bool) look {
	l := look{mirror: r.IntN(2) == 0, angle: r.NormFloat64() * 0.12, colours: [9]float32{1, 0, 0, 0, 1, 0, 0, 0, 1}}
	if r.IntN(8) == 0 {
		l.angle *= 4
	}
	style := styles[r.IntN(len(styles))]
	switch p := r.IntN(100); {
	case p < 72:
		l.picture = style[plain]
	case p < 92 || coloured:
		l.picture = style[comic]
	default:
		l.picture = style[lines]
	}
	switch p := r.IntN(100); {
	case coloured || p < 70:
	case p < 85:
		l.colours = hue((r.Float64()*2 - 1) * math.Pi)
	case p < 92:
		l.colours = saturation(0)
	default:
		l.colours = saturation(float32(0.4 + 1.2*r.Float64()))
	}
	return l
}

var luma = [3]float32{0.299, 0.587, 0.114}

func saturation(s float32) (m [9]float32) {
	for i := range 3 {
		for j := range 3 {
			m[i*3+j] = (1 - s) * luma[j]
		}
		m[i*3+i] += s
	}
	return m
}

// hue turns colours around the grey axis.
func hue(angle float64) (m [9]float32) {
	sin, cos := math.Sincos(angle)
	third, root := (1-cos)/3, math.Sqrt(1./3)*sin
	for i := range 3 {
		m[i*3+i] = float32(cos + third)
		m[i*3+(i+1)%3] = float32(third - root)
		m[i*3+(i+2)%3] = float32(third + root)
	}
	return m
}

// object lays an artwork over the canvas.
func (h *Hand) object(o Object, l look) {
	side := float64(h.side)
	size := o.Size * side
	source, width := l.picture.levels[0], master
	if size < master*0.75 {
		source, width = l.picture.levels[1], master/2
	}
	sin, cos := math.Sincos(l.angle)
	scale := float64(width) / size
	reach := size / 2 * (abs(sin) + abs(cos))
	cx, cy := o.X*side, o.Y*side
	for y := max(0, int(cy-reach)); y < min(h.side, int(cy+reach)+1); y++ {
		for x := max(0, int(cx-reach)); x < min(h.side, int(cx+reach)+1); x++ {
			dx, dy := float64(x)+0.5-cx, float64(y)+0.5-cy
			u, v := (dx*cos+dy*sin)*scale, (dy*cos-dx*sin)*scale
			if l.mirror {
				u = -u
			}
			var p [4]float32
			if !sample(source, width, float32(u)+float32(width)/2-0.5, float32(v)+float32(width)/2-0.5, &p) {
				continue
			}
			m, c := &l.colours, h.canvas[(y*h.side+x)*3:][:3]
			for k := range 3 {
				ink := m[k*3]*p[0] + m[k*3+1]*p[1] + m[k*3+2]*p[2]
				c[k] = c[k]*(1-p[3]) + min(max(ink, 0), p[3])
			}
		}
	}
}

// sample reads an artwork between its pixels; outside it is clear.
func sample(source []float32, width int, u, v float32, p *[4]float32) bool {
	if u <= -1 || v <= -1 || u >= float32(width) || v >= float32(width) {
		return false
	}
	x, y := int(u+1)-1, int(v+1)-1
	fx, fy := u-float32(x), v-float32(y)
	add := func(x, y int, w float32) {
		if x >= 0 && y >= 0 && x < width && y < width {
			s := source[(y*width+x)*4:][:4]
			p[0], p[1], p[2], p[3] = p[0]+w*s[0], p[1]+w*s[1], p[2]+w*s[2], p[3]+w*s[3]
		}
	}
	add(x, y, (1-fx)*(1-fy))
	add(x+1, y, fx*(1-fy))
	add(x, y+1, (1-fx)*fy)
	add(x+1, y+1, fx*fy)
	return p[3] > 0
}

// disturb does what cameras and networks do: blur, noise, light.
func (h *Hand) disturb(r *rand.Rand) {
	if r.IntN(8) == 0 {
		h.blur(0.4 + 0.8*r.Float64())
	}
	if r.IntN(3) == 0 {
		gain, offset := float32(0.75+0.5*r.Float64()), float32(r.NormFloat64()*0.06)
		for i, v := range h.canvas {
			h.canvas[i] = (v-0.5)*gain + 0.5 + offset
		}
	}
	if r.IntN(4) == 0 {
		amount, at := float32(0.01+0.05*r.Float64()), r.Uint32()
		for i := range h.canvas {
			h.canvas[i] += amount * grain[at>>20]
			at = at*1664525 + 1013904223
		}
	}
}

// grain are normal numbers, of which noise takes a new order each time: drawing as many would cost more than the scene.
var grain = func() (list [4096]float32) {
	r := rand.New(rand.NewPCG(0, 0))
	for i := range list {
		list[i] = float32(r.NormFloat64())
	}
	return list
}()

// blur is Gaussian, with a radius of three pixels.
func (h *Hand) blur(sigma float64) {
	var w [4]float32
	sum := float32(0)
	for i := range w {
		w[i] = float32(math.Exp(-float64(i*i) / (2 * sigma * sigma)))
		sum += w[i]
		if i > 0 {
			sum += w[i]
		}
	}
	for i := range w {
		w[i] /= sum
	}
	pass := func(dst, src []float32, stride, across int) {
		for line := range h.side {
			for i := range h.side {
				for k := range 3 {
					v := w[0] * src[line*across+i*stride+k]
					for d := 1; d < 4; d++ {
						v += w[d] * (src[line*across+max(i-d, 0)*stride+k] + src[line*across+min(i+d, h.side-1)*stride+k])
					}
					dst[line*across+i*stride+k] = v
				}
			}
		}
	}
	pass(h.other, h.canvas, 3, h.side*3)
	pass(h.canvas, h.other, h.side*3, 3)
}
