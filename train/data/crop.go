package data

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/seed-e0874532/coca/preprocess"
)

// Crop chooses the part of a picture that a training step sees, as
// torchvision's RandomResizedCrop does (but not with PyTorch's random numbers).
type Crop struct {
	Scale [2]float64 // of the part's area to the picture's
	Ratio [2]float64 // of the part's width to its height
}

// DefaultCrop is OpenCLIP's: nearly the whole picture.
var DefaultCrop = Crop{Scale: [2]float64{0.9, 1}, Ratio: [2]float64{3. / 4, 4. / 3}}

// Validate returns an [Error] for the first range that cannot be used.
func (c Crop) Validate() error {
	for name, r := range map[string][2]float64{"scale": c.Scale, "ratio": c.Ratio} {
		if !(r[0] > 0 && r[0] <= r[1]) || math.IsInf(r[1], 1) {
			return &Error{"aug-cfg", name, "a range of positive numbers", fmt.Sprint(r)}
		}
	}
	if c.Scale[1] > 1 {
		return &Error{"aug-cfg", "scale", "at most 1", fmt.Sprint(c.Scale)}
	}
	return nil
}

// Box draws the part of a picture of w×h pixels: of ten draws of an area and an aspect
// ratio, evenly on a logarithmic scale, the first that fits, anywhere; if none fits, the
// largest part in the middle whose ratio is allowed.
func (c Crop) Box(r *rand.Rand, w, h int) (left, top, width, height int) {
	low, high := math.Log(c.Ratio[0]), math.Log(c.Ratio[1])
	for range 10 {
		area := float64(w) * float64(h) * (c.Scale[0] + float64(r.Float64()*(c.Scale[1]-c.Scale[0])))
		ratio := math.Exp(low + float64(r.Float64()*(high-low)))
		bw, bh := math.RoundToEven(math.Sqrt(area*ratio)), math.RoundToEven(math.Sqrt(area/ratio))
		if bw >= 1 && bw <= float64(w) && bh >= 1 && bh <= float64(h) {
			width, height = int(bw), int(bh)
			top = r.IntN(h - height + 1)
			return r.IntN(w - width + 1), top, width, height
		}
	}
	width, height = w, h
	if ratio := float64(w) / float64(h); ratio < c.Ratio[0] {
		height = min(h, max(1, int(math.RoundToEven(float64(w)/c.Ratio[0]))))
	} else if ratio > c.Ratio[1] {
		width = min(w, max(1, int(math.RoundToEven(float64(h)*c.Ratio[1]))))
	}
	return (w - width) / 2, (h - height) / 2, width, height
}

// cut copies a part of a picture.
func cut(img *preprocess.Image, left, top, width, height int) *preprocess.Image {
	if width == img.Width && height == img.Height {
		return img
	}
	n := img.Mode.PixelSize()
	out := &preprocess.Image{Mode: img.Mode, Width: width, Height: height, Palette: img.Palette, Pix: make([]byte, width*height*n)}
	for y := range height {
		copy(out.Pix[y*width*n:(y+1)*width*n], img.Pix[((top+y)*img.Width+left)*n:])
	}
	return out
}

// Transform turns a picture into the pixels of a training step: crop, resize to
// the model's size whatever the ratio, RGB, colours, normalise.
type Transform struct {
	// Model says size, mean, deviation and, without a crop, filter and resize mode.
	Model preprocess.Config

	// Crop is nil for validation, which sees what a caption sees: nothing of what
	// follows acts then.
	Crop *Crop

	Jitter *Jitter // nil: colours stay
	Grey   float64 // the probability that a picture becomes grey
}

// Validate returns the error of the first part that cannot be used.
func (t Transform) Validate() error {
	err := t.Model.Validate()
	if err == nil && t.Crop != nil {
		err = t.Crop.Validate()
	}
	if err == nil && t.Jitter != nil {
		err = t.Jitter.Validate()
	}
	if err == nil && !(t.Grey >= 0 && t.Grey <= 1) {
		err = &Error{"aug-cfg", "gray_scale_prob", "0 to 1", fmt.Sprint(t.Grey)}
	}
	return err
}

// ApplyTo writes [3, Height, Width] to dst.
func (t Transform) ApplyTo(dst []float32, img *preprocess.Image, r *rand.Rand) error {
	c := t.Model
	if t.Crop == nil {
		return c.ApplyTo(dst, img)
	}
	if img.Width < 1 || img.Height < 1 || len(img.Pix) != img.Width*img.Height*img.Mode.PixelSize() {
		return c.ApplyTo(dst, img) // which refuses it
	}
	left, top, width, height := t.Crop.Box(r, img.Width, img.Height)
	c.ResizeMode, c.Interpolation = preprocess.Squash, preprocess.Bicubic
	part := cut(img, left, top, width, height)
	if t.Jitter == nil && t.Grey == 0 {
		return c.ApplyTo(dst, part)
	}
	colours, err := c.RGB(part)
	if err != nil {
		return err
	}
	if colours == img { // it belongs to others, too
		own := *img
		own.Pix = slices.Clone(img.Pix)
		colours = &own
	}
	if t.Jitter != nil {
		t.Jitter.apply(colours, r)
	}
	if t.Grey > 0 && r.Float64() < t.Grey {
		greyScale(colours.Pix)
	}
	return c.ApplyTo(dst, colours)
}

// rgb converts a picture as Pillow does before anything else happens to it.
func rgb(img *preprocess.Image) (*preprocess.Image, error) {
	if img.Mode == preprocess.ModeRGB || img.Width < 1 || img.Height < 1 {
		return img, nil
	}
	c := preprocess.DefaultConfig(1)
	c.Width, c.Height, c.ResizeMode = img.Width, img.Height, preprocess.Squash
	return c.RGB(img)
}
