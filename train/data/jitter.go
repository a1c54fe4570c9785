package data

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/seed-e0874532/coca/preprocess"
)

// Jitter changes the colours of a picture at random, as torchvision's ColorJitter does (but not with
// PyTorch's random numbers). Each factor is drawn evenly from a range.
type Jitter struct {
	Probability float64 // that a picture is changed at all

	Brightness, Contrast, Saturation [2]float64 // 1 changes nothing; from 0
	Hue                              [2]float64 // parts of a turn, −½ to ½; 0 changes nothing
}

// Validate returns an [Error] for the first number that cannot be used.
func (j Jitter) Validate() error {
	if !(j.Probability >= 0 && j.Probability <= 1) {
		return &Error{"aug-cfg", "color_jitter_prob", "0 to 1", fmt.Sprint(j.Probability)}
	}
	for i, r := range [4][2]float64{j.Brightness, j.Contrast, j.Saturation, j.Hue} {
		low, high, want := 0., math.MaxFloat32, "a range of numbers from 0"
		if i == hue {
			low, high, want = -0.5, 0.5, "a range within -0.5 to 0.5"
		}
		if !(low <= r[0] && r[0] <= r[1] && r[1] <= high) {
			return &Error{"aug-cfg", "color_jitter: " + adjustments[i], want, fmt.Sprint(r)}
		}
	}
	return nil
}

// The four adjustments, as torchvision numbers them.
const (
	brightness = iota
	contrast
	saturation
	hue
)

var adjustments = [4]string{"brightness", "contrast", "saturation", "hue"}

// apply adjusts a picture of ModeRGB in place, in an order that is drawn, too.
func (j Jitter) apply(img *preprocess.Image, r *rand.Rand) {
	if !(r.Float64() < j.Probability) {
		return
	}
	order := r.Perm(4)
	ranges := [4][2]float64{j.Brightness, j.Contrast, j.Saturation, j.Hue}
	var factors [4]float64
	for i, v := range ranges {
		factors[i] = float64(float32(v[0] + float64(r.Float64()*(v[1]-v[0]))))
	}
	for _, i := range order {
		// A turn by nothing would still round, but a range of nothing is no turn.
		if none := [4]float64{1, 1, 1, 0}[i]; ranges[i] != [2]float64{none, none} {
			adjust(img.Pix, i, factors[i])
		}
	}
}

// adjust changes pixels of three bytes. It computes what Pillow computes, in the same
// precision, for torchvision leaves pictures to it.
func adjust(pix []byte, what int, factor float64) {
	switch f := float32(factor); what {
	case brightness:
		t := blendTable(0, f)
		for i, v := range pix {
			pix[i] = t[v]
		}
	case contrast: // away from the picture's mean grey
		sum := 0
		for i := 0; i+2 < len(pix); i += 3 {
			sum += int(grey(pix[i], pix[i+1], pix[i+2]))
		}
		t := blendTable(byte(float64(sum)/float64(max(len(pix)/3, 1))+0.5), f)
		for i, v := range pix {
			pix[i] = t[v]
		}
	case saturation: // away from the pixel's own grey
		for i := 0; i+2 < len(pix); i += 3 {
			p := pix[i : i+3 : i+3]
			g := grey(p[0], p[1], p[2])
			p[0], p[1], p[2] = blend(g, p[0], f), blend(g, p[1], f), blend(g, p[2], f)
		}
	case hue:
		turn := byte(int(factor * 255)) // towards zero, and around
		for i := 0; i+2 < len(pix); i += 3 {
			p := pix[i : i+3 : i+3]
			h, s, v := toHSV(p[0], p[1], p[2])
			p[0], p[1], p[2] = fromHSV(h+turn, s, v)
		}
	}
}

// grey is Pillow's luma of ITU-R 601.
func grey(r, g, b byte) byte {
	return byte((19595*uint32(r) + 38470*uint32(g) + 7471*uint32(b) + 1<<15) >> 16)
}

// greyScale makes a picture of ModeRGB grey.
func greyScale(pix []byte) {
	for i := 0; i+2 < len(pix); i += 3 {
		p := pix[i : i+3 : i+3]
		g := grey(p[0], p[1], p[2])
		p[0], p[1], p[2] = g, g, g
	}
}

// blend goes from a to b as far as f says, and beyond if f is over 1. Fractions are cut off.
func blend(a, b byte, f float32) byte {
	v := float32(float32(a) + float32(f*float32(int(b)-int(a))))
	return byte(min(max(v, 0), 255))
}

func blendTable(a byte, f float32) (t [256]byte) {
	for b := range t {
		t[b] = blend(a, byte(b), f)
	}
	return t
}

// toHSV gives hue, saturation and value in 0…255, the first two rounded down.
func toHSV(r, g, b byte) (h, s, v byte) {
	high, low := max(r, g, b), min(r, g, b)
	if high == low {
		return 0, 0, high
	}
	spread := float32(high - low)
	below := func(c byte) float32 { return float32(high-c) / spread }
	var turn float32 // in sixths of a turn
	switch high {
	case r:
		turn = below(b) - below(g)
	case g:
		turn = float32(2 + float64(below(r)) - float64(below(b)))
	default:
		turn = float32(4 + float64(below(g)) - float64(below(r)))
	}
	turn = float32(math.Mod(float64(turn)/6+1, 1))
	return byte(float64(turn) * 255), byte(float64(spread/float32(high)) * 255), high
}

// fromHSV rounds half away from zero.
func fromHSV(h, s, v byte) (r, g, b byte) {
	if s == 0 {
		return v, v, v
	}
	sixths := float64(float64(h)*6) / 255
	sector := math.Floor(sixths)
	f, fs := float32(sixths-sector), float32(float64(s)/255)
	part := func(x float64) byte { return byte(math.Round(float64(v) * (1 - x))) }
	p, q, t := part(float64(fs)), part(float64(float32(fs*f))), part(float64(float64(fs)*(1-float64(f))))
	switch int(sector) % 6 {
	case 0:
		return v, t, p
	case 1:
		return q, v, p
	case 2:
		return p, v, t
	case 3:
		return p, q, v
	case 4:
		return t, p, v
	}
	return v, p, q
}
