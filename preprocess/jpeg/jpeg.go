// Package jpeg decodes JPEG images to the samples that Pillow 13.0.0 (on
// libjpeg-turbo 3.2, x86-64) gives, bit for bit.
//
// The standard library's image/jpeg uses another inverse DCT and replicates
// chroma samples where libjpeg interpolates them, so its pixels differ by
// several units. This package follows libjpeg: its accurate integer IDCT, its
// triangular ("fancy") upsampling, its colour arithmetic, its choice of the
// colour space, and its way with damaged data: what Pillow decodes after a
// warning is decoded alike, what Pillow refuses is an error.
//
// Baseline, extended sequential and progressive files with 8 bits a sample are
// decoded, in Huffman or arithmetic coding, grey, YCbCr, RGB, CMYK and YCCK, at
// every sampling with whole ratios. Lossless coding, which Pillow decodes, is an
// UnsupportedError, as are hierarchical coding and 12 bits a sample.
//
// # How it works
//
// A source reads the file in blocks of 64 KiB (source.go), markers and headers
// are in marker.go and frame.go. The only scan of an ordinary baseline file is
// decoded MCU by MCU into strips of samples (scan.go, sequential.go); files of
// several scans are first collected as coefficients (progressive.go, arith.go)
// and transformed at the end (output.go). The strips are upsampled and
// converted to pixels as soon as their rows are complete (upsample.go,
// color.go).
package jpeg

import "io"

// An Image is a decoded picture as Pillow shows it.
type Image struct {
	Width, Height int
	Channels      int    // 1 grey, 3 RGB, 4 CMYK (inverted, as Pillow has it)
	Pix           []byte // samples, interleaved, row-major: Height x Width x Channels
}

// A Config is what the header says of an image.
type Config struct {
	Width, Height int
	Channels      int // as in Image
}

// Limits bounds what Decode accepts.
type Limits struct {
	MaxPixels int64 // largest Width*Height, 0 for any
}

// DecodeConfig reads the header of a JPEG file, up to its first scan.
func DecodeConfig(r io.Reader) (Config, error) {
	d := newDecoder(r)
	if err := d.readHeader(); err != nil {
		return Config{}, err
	}
	return Config{d.width, d.height, len(d.comps)}, nil
}

// Decode reads a JPEG file and returns its samples. It reads no further than
// the end of the image, save to the end of the 64 KiB block where that lies.
//
// The limits are checked before anything of the size of the image is
// allocated. The memory taken is at most about 8.5 bytes a pixel, the result
// included (Pix of a large multi-scan file may keep all of that alive). The
// scans of a multi-scan file may visit each block of 8 by 8 samples some 32
// times, those of small files more often; Pillow has no such bound.
//
// Errors are a *FormatError, *UnsupportedError or *LimitError, or what r
// returned.
func Decode(r io.Reader, limits Limits) (*Image, error) {
	d := newDecoder(r)
	if err := d.readHeader(); err != nil {
		return nil, err
	}
	if n := int64(d.width) * int64(d.height); limits.MaxPixels > 0 && n > limits.MaxPixels {
		return nil, &LimitError{"pixels", limits.MaxPixels, n}
	}
	return d.decode()
}
