package preprocess

import (
	"fmt"
	"image"
	"image/color"
)

// Mode says what the samples of an [Image] mean. The modes and their names are
// Pillow's, since what Pillow makes of a file decides how it is resampled and
// converted.
type Mode uint8

// The modes. Samples are stored interleaved, row after row, without padding.
const (
	Mode1    Mode = iota // bilevel, one byte a pixel, 0 or 255
	ModeL                // grey, one byte
	ModeLA               // grey and alpha, not premultiplied, two bytes
	ModeP                // palette index, one byte
	ModeRGB              // three bytes
	ModeRGBA             // not premultiplied, four bytes
	ModeCMYK             // four bytes, 0 = no ink
	ModeI16              // grey, 16 bits, little-endian, two bytes
	ModeI16B             // grey, 16 bits, big-endian, two bytes
	ModeI                // grey, 32 bits signed, little-endian, four bytes
)

var modes = [...]struct {
	name  string
	bytes int
}{
	Mode1: {"1", 1}, ModeL: {"L", 1}, ModeLA: {"LA", 2}, ModeP: {"P", 1}, ModeRGB: {"RGB", 3},
	ModeRGBA: {"RGBA", 4}, ModeCMYK: {"CMYK", 4}, ModeI16: {"I;16", 2}, ModeI16B: {"I;16B", 2}, ModeI: {"I", 4},
}

// String returns Pillow's name of the mode.
func (m Mode) String() string {
	if int(m) < len(modes) {
		return modes[m].name
	}
	return fmt.Sprintf("Mode(%d)", uint8(m))
}

// PixelSize returns the number of bytes of Pix that one pixel takes, 0 for an
// unknown mode.
func (m Mode) PixelSize() int {
	if int(m) < len(modes) {
		return modes[m].bytes
	}
	return 0
}

// Image is a decoded picture as Pillow would hold it.
type Image struct {
	Mode          Mode
	Width, Height int
	// Pix holds Width × Height pixels of Mode.PixelSize() bytes.
	Pix []byte
	// Palette holds up to 256 RGB triples, for ModeP only. An index beyond it
	// is black.
	Palette []byte
}

// newImage allocates a zeroed image. The caller has checked the size.
func newImage(mode Mode, width, height int) *Image {
	return &Image{Mode: mode, Width: width, Height: height, Pix: make([]byte, width*height*mode.PixelSize())}
}

// check reports an Image that a caller put together wrongly.
func (m *Image) check() error {
	if m == nil {
		return formatErr("image", "value", "an image", "nil")
	}
	n := m.Mode.PixelSize()
	if n == 0 {
		return formatErr("image", "mode", "a known mode", m.Mode)
	}
	if m.Width <= 0 || m.Height <= 0 {
		return formatErr("image", "size", "at least 1×1", fmt.Sprintf("%d×%d", m.Width, m.Height))
	}
	if m.Width > maxInt32 || m.Height > maxInt32 || len(m.Pix)/n/m.Width != m.Height || len(m.Pix) != m.Width*m.Height*n {
		return formatErr("image", "samples", fmt.Sprintf("%d×%d pixels of %d bytes", m.Width, m.Height, n), fmt.Sprintf("%d bytes", len(m.Pix)))
	}
	if len(m.Palette) > 768 {
		return formatErr("image", "palette", "at most 768 bytes", fmt.Sprintf("%d bytes", len(m.Palette)))
	}
	return nil
}

// rgb converts to ModeRGB as Pillow's convert("RGB") does: alpha is dropped
// and not composited, 16-bit and 32-bit greys are clipped to 255 and not
// scaled, a palette is looked up, CMYK is converted without a profile. An RGB
// image is returned unchanged.
func (m *Image) rgb() *Image {
	if m.Mode == ModeRGB {
		return m
	}
	out := newImage(ModeRGB, m.Width, m.Height)
	dst, src := out.Pix, m.Pix
	switch m.Mode {
	case Mode1, ModeL:
		for i, v := range src {
			d := dst[3*i : 3*i+3 : 3*i+3]
			d[0], d[1], d[2] = v, v, v
		}
	case ModeLA:
		for i := range len(dst) / 3 {
			v := src[2*i]
			dst[3*i], dst[3*i+1], dst[3*i+2] = v, v, v
		}
	case ModeP:
		var palette [768]byte
		copy(palette[:], m.Palette)
		for i, v := range src {
			copy(dst[3*i:3*i+3], palette[3*int(v):3*int(v)+3])
		}
	case ModeRGBA:
		for i := range len(dst) / 3 {
			copy(dst[3*i:3*i+3], src[4*i:4*i+3])
		}
	case ModeCMYK:
		for i := range len(dst) / 3 {
			s := src[4*i : 4*i+4 : 4*i+4]
			white := 255 - int(s[3])
			for c := range 3 {
				dst[3*i+c] = byte(max(0, white-int(mulDiv255(s[c], byte(white)))))
			}
		}
	case ModeI16, ModeI16B, ModeI:
		for i := range len(dst) / 3 {
			v := clip8(m.grey(i))
			dst[3*i], dst[3*i+1], dst[3*i+2] = v, v, v
		}
	}
	return out
}

// grey returns sample i of a 16-bit or 32-bit grey image.
func (m *Image) grey(i int) int {
	switch p := m.Pix; m.Mode {
	case ModeI16:
		return int(p[2*i]) | int(p[2*i+1])<<8
	case ModeI16B:
		return int(p[2*i])<<8 | int(p[2*i+1])
	default:
		return int(int32(uint32(p[4*i]) | uint32(p[4*i+1])<<8 | uint32(p[4*i+2])<<16 | uint32(p[4*i+3])<<24))
	}
}

// mulDiv255 returns a·b/255, rounded.
func mulDiv255(a, b byte) byte {
	t := uint(a)*uint(b) + 128
	return byte((t>>8 + t) >> 8)
}

func clip8(v int) byte { return byte(min(max(v, 0), 255)) }

// FromImage makes an Image of any Go image, so that pictures that did not come
// from a file can be preprocessed too.
//
// Grey images become ModeL, paletted ones ModeP (an entry's alpha is ignored),
// CMYK stays CMYK; all others become ModeRGB if they are opaque and ModeRGBA if
// not. Premultiplied colours are divided by their alpha first, since alpha is
// dropped and not composited later. Of 16-bit samples the high byte is kept:
// unlike a 16-bit grey PNG file, an [image.Gray16] keeps its contrast. JPEG
// and WebP files should go through [Decode] and not through Go's decoders,
// whose colours differ.
func FromImage(src image.Image) *Image {
	b := src.Bounds()
	w, h := b.Dx(), b.Dy()
	switch src := src.(type) {
	case *image.Gray:
		out := newImage(ModeL, w, h)
		for y := range h {
			copy(out.Pix[y*w:(y+1)*w], src.Pix[src.PixOffset(b.Min.X, b.Min.Y+y):])
		}
		return out
	case *image.Gray16:
		out := newImage(ModeL, w, h)
		for y := range h {
			row := src.Pix[src.PixOffset(b.Min.X, b.Min.Y+y):]
			for x := range w {
				out.Pix[y*w+x] = row[2*x]
			}
		}
		return out
	case *image.CMYK:
		out := newImage(ModeCMYK, w, h)
		for y := range h {
			copy(out.Pix[4*y*w:4*(y+1)*w], src.Pix[src.PixOffset(b.Min.X, b.Min.Y+y):])
		}
		return out
	case *image.Paletted:
		out := newImage(ModeP, w, h)
		for y := range h {
			copy(out.Pix[y*w:(y+1)*w], src.Pix[src.PixOffset(b.Min.X, b.Min.Y+y):])
		}
		for _, c := range src.Palette[:min(len(src.Palette), 256)] {
			n := color.NRGBAModel.Convert(c).(color.NRGBA)
			out.Palette = append(out.Palette, n.R, n.G, n.B)
		}
		return out
	}
	opaque := false
	if o, ok := src.(interface{ Opaque() bool }); ok {
		opaque = o.Opaque()
	}
	mode := ModeRGBA
	if opaque {
		mode = ModeRGB
	}
	out := newImage(mode, w, h)
	n := mode.PixelSize()
	for y := range h {
		for x := range w {
			c := nrgbaAt(src, b.Min.X+x, b.Min.Y+y)
			d := out.Pix[(y*w+x)*n:]
			d[0], d[1], d[2] = c.R, c.G, c.B
			if n == 4 {
				d[3] = c.A
			}
		}
	}
	return out
}

// nrgbaAt reads one pixel, without an interface allocation for the usual types.
func nrgbaAt(src image.Image, x, y int) color.NRGBA {
	switch src := src.(type) {
	case *image.NRGBA:
		return src.NRGBAAt(x, y)
	case *image.RGBA:
		c := src.RGBAAt(x, y)
		if c.A == 255 {
			return color.NRGBA(c)
		}
		return color.NRGBAModel.Convert(c).(color.NRGBA)
	case *image.YCbCr:
		c := src.YCbCrAt(x, y)
		r, g, b := color.YCbCrToRGB(c.Y, c.Cb, c.Cr)
		return color.NRGBA{r, g, b, 255}
	}
	return color.NRGBAModel.Convert(src.At(x, y)).(color.NRGBA)
}
