package main

import (
	"math"
	"math/rand/v2"
)

// A Background is what is behind the objects.
type Background struct {
	Colour  int // of Colours
	Texture Texture
	base    [3]float32
	other   [3]float32
	angle   float64
	period  float64 // of the texture, as a fraction of the scene's side
	phase   float64
	seed    uint64
}

// A Texture is the pattern of a background, in words if it has some.
type Texture string

const (
	Uniform   Texture = ""
	Striped   Texture = "striped"
	Dotted    Texture = "dotted"
	Checkered Texture = "checkered"
	Gradient  Texture = "gradient"
	Clouded   Texture = "clouded" // of no colour that a caption would name
)

// Colours are those that captions name.
var Colours = []struct {
	Name string
	rgb  [3]float32
}{
	{"white", [3]float32{0.97, 0.97, 0.97}}, {"black", [3]float32{0.05, 0.05, 0.05}}, {"grey", [3]float32{0.5, 0.5, 0.5}},
	{"red", [3]float32{0.85, 0.13, 0.13}}, {"orange", [3]float32{0.98, 0.55, 0.1}}, {"yellow", [3]float32{0.97, 0.87, 0.2}},
	{"green", [3]float32{0.2, 0.65, 0.25}}, {"blue", [3]float32{0.15, 0.35, 0.85}}, {"purple", [3]float32{0.5, 0.2, 0.65}},
	{"pink", [3]float32{0.98, 0.65, 0.78}}, {"brown", [3]float32{0.45, 0.28, 0.15}},
}

func newBackground(r *rand.Rand) Background {
	b := Background{Colour: r.IntN(len(Colours)), angle: r.Float64() * math.Pi, period: 0.12 + 0.2*r.Float64(), phase: r.Float64(), seed: r.Uint64()}
	jitter := func(i int) (c [3]float32) {
		for k, v := range Colours[i].rgb {
			c[k] = min(max(v+float32(r.NormFloat64())*0.03, 0), 1)
		}
		return c
	}
	b.base = jitter(b.Colour)
	other := (b.Colour + 1 + r.IntN(len(Colours)-1)) % len(Colours)
	b.other = jitter(other)
	switch p := r.IntN(100); {
	case p < 60:
		b.Texture = Uniform
	case p < 68:
		b.Texture = Striped
	case p < 75:
		b.Texture = Dotted
	case p < 82:
		b.Texture = Checkered
	case p < 88:
		b.Texture = Gradient
	default:
		b.Texture = Clouded
	}
	if b.Texture == Striped || b.Texture == Dotted || b.Texture == Checkered {
		// A pattern of quiet contrast leaves the objects visible.
		for k := range b.other {
			b.other[k] = 0.35*b.other[k] + 0.65*b.base[k]
		}
	}
	return b
}

// paint fills a canvas [side][side][3] of colours from 0 to 1.
func (b Background) paint(canvas []float32, side int) {
	sin, cos := math.Sincos(b.angle)
	var grid [6][6][3]float32
	if b.Texture == Clouded {
		r := rand.New(rand.NewPCG(b.seed, 1))
		for y := range grid {
			for x := range grid[y] {
				for k := range 3 {
					grid[y][x][k] = b.base[k] + (b.other[k]-b.base[k])*r.Float32() + (r.Float32()-0.5)*0.2
				}
			}
		}
	}
	for y := range side {
		for x := range side {
			u, v := float64(x)/float64(side), float64(y)/float64(side)
			s, t := u*cos+v*sin, v*cos-u*sin
			mix := 0.0
			switch b.Texture {
			case Striped:
				mix = step(math.Sin(2 * math.Pi * (s/b.period + b.phase)))
			case Dotted:
				du, dv := frac(s/b.period+b.phase)-0.5, frac(t/b.period+b.phase)-0.5
				mix = step(4 * (0.3 - math.Sqrt(du*du+dv*dv)))
			case Checkered:
				mix = step(2 * math.Sin(math.Pi*(u/b.period+b.phase)) * math.Sin(math.Pi*(v/b.period+b.phase)))
			case Gradient:
				mix = min(max(s*0.7+0.15, 0), 1)
			case Clouded:
				cloud(&grid, u*4.99, v*4.99, canvas[(y*side+x)*3:][:3])
				continue
			}
			for k := range 3 {
				canvas[(y*side+x)*3+k] = b.base[k] + (b.other[k]-b.base[k])*float32(mix)
			}
		}
	}
}

func frac(x float64) float64 { return x - math.Floor(x) }

// step goes from 0 to 1 around 0, softly as a drawn edge does.
func step(x float64) float64 { return min(max(x*3+0.5, 0), 1) }

func cloud(grid *[6][6][3]float32, u, v float64, out []float32) {
	x, y := int(u), int(v)
	fx, fy := float32(u)-float32(x), float32(v)-float32(y)
	fx, fy = fx*fx*(3-2*fx), fy*fy*(3-2*fy)
	for k := range out {
		top := grid[y][x][k] + (grid[y][x+1][k]-grid[y][x][k])*fx
		low := grid[y+1][x][k] + (grid[y+1][x+1][k]-grid[y+1][x][k])*fx
		out[k] = min(max(top+(low-top)*fy, 0), 1)
	}
}
