package preprocess

import (
	"fmt"
	"math"
	"sync"
)

// Apply preprocesses img for the model: resize, crop or pad, convert to RGB,
// scale to 0…1 and normalise, in that order, as OpenCLIP's inference transform
// does. The result is [3, Height, Width], channel by channel.
func (c Config) Apply(img *Image) ([]float32, error) {
	dst := make([]float32, max(0, 3*c.Height*c.Width))
	if err := c.ApplyTo(dst, img); err != nil {
		return nil, err
	}
	return dst, nil
}

// ApplyTo is [Config.Apply] into dst, which must have length 3·Height·Width.
func (c Config) ApplyTo(dst []float32, img *Image) error {
	if err := c.Validate(); err != nil {
		return err
	}
	n := c.Height * c.Width
	if len(dst) != 3*n {
		return &ConfigError{"size", fmt.Sprintf("room for 3×%d×%d numbers", c.Height, c.Width), fmt.Sprintf("%d", len(dst))}
	}
	rgb, err := c.RGB(img)
	if err != nil {
		return err
	}
	table := c.table()
	r, g, b := dst[:n], dst[n:2*n], dst[2*n:3*n]
	pix := rgb.Pix[:3*n]
	for i := range r {
		r[i], g[i], b[i] = table[0][pix[3*i]], table[1][pix[3*i+1]], table[2][pix[3*i+2]]
	}
	return nil
}

// table maps the 256 values of each channel to the model's numbers. Each step
// is rounded to float32.
func (c Config) table() *[3][256]float32 {
	var t [3][256]float32
	for ch := range t {
		mean, std := float32(c.Mean[ch]), float32(c.Std[ch])
		for v := range t[ch] {
			x := float32(float32(v) / 255)
			x = float32(x - mean)
			t[ch][v] = float32(x / std)
		}
	}
	return &t
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// RGB returns the 8-bit picture behind [Config.Apply]: resized, cropped or
// padded, and converted, Height×Width pixels of ModeRGB. img itself is
// returned if nothing is left to do.
//
// A picture so narrow that a side would be scaled to nothing, or beyond 2³¹
// pixels, is a [FormatError] or [LimitError].
func (c Config) RGB(img *Image) (*Image, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if err := img.check(); err != nil {
		return nil, err
	}
	w, h := c.resized(img.Width, img.Height)
	if w < 1 || h < 1 {
		return nil, formatErr("image", "aspect ratio", "sides that are at least one pixel when resized",
			fmt.Sprintf("%d×%d, resized %.0f×%.0f", img.Width, img.Height, w, h))
	}
	if m := max(w, h); m > maxInt32 {
		return nil, &LimitError{Thing: "pixels in a side of the resized image", Limit: maxInt32, Found: int64(min(m, math.MaxInt64/2))}
	}
	k := bicubicKernel
	if c.Interpolation == Bilinear && !(c.ResizeMode == Shortest && c.Height != c.Width) {
		k = bilinearKernel
	}
	// The part of the resized picture that survives the crop, and where it
	// lies on the canvas.
	x0, x1, left := centre(int(w), c.Width)
	y0, y1, top := centre(int(h), c.Height)
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	out := resize(img, int(w), int(h), k, window{x0, y0, x1, y1}, s)
	if out.Width < c.Width || out.Height < c.Height {
		fill := 0
		if c.ResizeMode == Longest {
			fill = c.FillColor
		}
		out = pad(out, c.Width, c.Height, left, top, fill)
	}
	return out.rgb(), nil
}

// resized returns the size that the resize mode gives a w×h picture.
func (c Config) resized(w, h int) (rw, rh float64) {
	fw, fh := float64(w), float64(h)
	tw, th := float64(c.Width), float64(c.Height)
	switch {
	case c.ResizeMode == Squash:
		return tw, th
	case c.ResizeMode == Shortest && c.Width == c.Height:
		// Truncated, the product taken first and exactly.
		if w <= h {
			return tw, math.Trunc(tw * fh / fw)
		}
		return math.Trunc(tw * fw / fh), tw
	}
	ratio := math.Min(fh/th, fw/tw)
	if c.ResizeMode == Longest {
		ratio = math.Max(fh/th, fw/tw)
	}
	return math.RoundToEven(fw / ratio), math.RoundToEven(fh / ratio)
}

// centre places n samples around the middle of size others: the range from lo
// to hi of them is kept, and lies at offset at. What is too long is cropped by
// half, rounded half to even; what is too short gets the odd sample of padding
// behind it.
func centre(n, size int) (lo, hi, at int) {
	if n >= size {
		lo = int(math.RoundToEven(float64(n-size) / 2))
		return lo, lo + size, 0
	}
	return 0, n, (size - n) / 2
}

// pad returns a w×h canvas of the fill value with m at (left, top).
func pad(m *Image, w, h, left, top, fill int) *Image {
	out := newImage(m.Mode, w, h)
	out.Palette = m.Palette
	n := m.Mode.PixelSize()
	if fill != 0 {
		px := fillPixel(m.Mode, fill)
		for i := 0; i < len(out.Pix); i += n {
			copy(out.Pix[i:], px)
		}
	}
	for y := range m.Height {
		copy(out.Pix[((top+y)*w+left)*n:], m.Pix[y*m.Width*n:(y+1)*m.Width*n])
	}
	return out
}

// fillPixel is one pixel of value fill in every channel.
func fillPixel(mode Mode, fill int) []byte {
	v := clip8(fill)
	switch mode {
	case Mode1:
		if fill != 0 {
			v = 255
		}
		return []byte{v}
	case ModeI16:
		f := min(max(fill, 0), 65535)
		return []byte{byte(f), byte(f >> 8)}
	case ModeI16B:
		f := min(max(fill, 0), 65535)
		return []byte{byte(f >> 8), byte(f)}
	case ModeI:
		return []byte{byte(fill), byte(fill >> 8), byte(fill >> 16), byte(fill >> 24)}
	}
	px := make([]byte, mode.PixelSize())
	for i := range px {
		px[i] = v
	}
	return px
}
