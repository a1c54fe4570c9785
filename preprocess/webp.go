package preprocess

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"

	"golang.org/x/image/vp8"
	"golang.org/x/image/vp8l"
)

// WebP. Containers are read here, the two bitstreams by golang.org/x/image;
// the colours of lossy pictures are computed as libwebp does (webpcolour.go).
// As in Pillow the result is RGBA if the file says that it has alpha, else
// RGB, and of an animation the first frame on an empty canvas.

func acceptsWebP(head []byte) bool {
	if len(head) < 16 || string(head[:4]) != "RIFF" || string(head[8:12]) != "WEBP" {
		return false
	}
	switch string(head[12:16]) {
	case "VP8 ", "VP8X", "VP8L":
		return true
	}
	return false
}

// webpFrame is the coded picture and where it goes.
type webpFrame struct {
	x, y     int
	alpha    []byte // body of an ALPH chunk, or nil
	image    []byte // body of the VP8 or VP8L chunk
	lossless bool
	rest     []byte // the chunks behind the picture
}

// webpChunk splits the first chunk off b.
func webpChunk(b []byte) (id string, body, rest []byte, err error) {
	if len(b) < 8 {
		return "", nil, nil, truncated("WebP", "chunk header", 8, len(b))
	}
	id = string(b[:4])
	n := binary.LittleEndian.Uint32(b[4:])
	if uint64(n) > uint64(len(b)-8) {
		return "", nil, nil, truncated("WebP", fmt.Sprintf("chunk %q", id), int(min(uint64(n), maxInt32)), len(b)-8)
	}
	end := 8 + int(n)
	return id, b[8:end], b[min(end+int(n&1), len(b)):], nil
}

func decodeWebP(data []byte, limits Limits) (*Image, error) {
	size := uint64(binary.LittleEndian.Uint32(data[4:]))
	if size < 12 || size+8 > uint64(len(data)) {
		return nil, truncated("WebP", "RIFF", int(size), len(data)-8)
	}
	body := data[12 : 8+size]
	id, first, rest, err := webpChunk(body)
	if err != nil {
		return nil, err
	}
	var f webpFrame
	var w, h int
	hasAlpha, extended := false, id == "VP8X"
	if extended {
		if len(first) < 10 {
			return nil, truncated("WebP", "VP8X", 10, len(first))
		}
		if first[0]&1 != 0 {
			return nil, formatErr("WebP", "VP8X reserved bit 0", "0", 1)
		}
		w, h = 1+uint24(first[4:]), 1+uint24(first[7:])
		hasAlpha = first[0]&0x10 != 0
		if err := limits.checkSize("WebP", w, h); err != nil {
			return nil, err
		}
		if first[0]&0x02 != 0 {
			return animatedWebP(rest, w, h, hasAlpha, limits)
		}
		if err := f.find(rest); err != nil {
			return nil, err
		}
	} else if err := f.find(body); err != nil {
		return nil, err
	}
	if err := wholeChunks(f.rest); err != nil {
		return nil, err
	}
	fw, fh, alphaBit, err := f.size()
	if err != nil {
		return nil, err
	}
	if extended && (fw != w || fh != h) {
		return nil, formatErr("WebP", "picture size", fmt.Sprintf("%d×%d, the canvas", w, h), fmt.Sprintf("%d×%d", fw, fh))
	}
	if err := limits.checkSize("WebP", fw, fh); err != nil {
		return nil, err
	}
	if f.lossless {
		hasAlpha = alphaBit
	}
	return f.decode(fw, fh, hasAlpha || f.alpha != nil)
}

// wholeChunks checks that no chunk is cut short. libwebp wants that of a whole
// file, even if only its first frame is asked for.
func wholeChunks(b []byte) error {
	for len(b) > 0 {
		var err error
		if _, _, b, err = webpChunk(b); err != nil {
			return err
		}
	}
	return nil
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// find takes the picture, and the alpha before it, from a list of chunks.
func (f *webpFrame) find(b []byte) error {
	for len(b) > 0 {
		id, body, rest, err := webpChunk(b)
		if err != nil {
			return err
		}
		switch id {
		case "ALPH":
			if f.alpha == nil {
				f.alpha = body
			}
		case "VP8 ", "VP8L":
			f.image, f.lossless, f.rest = body, id == "VP8L", rest
			if f.lossless && f.alpha != nil {
				return formatErr("WebP", "ALPH", "none beside VP8L", "one")
			}
			return nil
		}
		b = rest
	}
	return formatErr("WebP", "picture", "a VP8 or VP8L chunk", "none")
}

// size reads the picture's own header.
func (f *webpFrame) size() (w, h int, alpha bool, err error) {
	b := f.image
	if f.lossless {
		if len(b) < 5 {
			return 0, 0, false, truncated("WebP", "VP8L header", 5, len(b))
		}
		if b[0] != 0x2f {
			return 0, 0, false, formatErr("WebP", "VP8L signature", "2f", fmt.Sprintf("%02x", b[0]))
		}
		v := binary.LittleEndian.Uint32(b[1:])
		if v>>29 != 0 {
			return 0, 0, false, formatErr("WebP", "VP8L version", "0", v>>29)
		}
		return int(v&0x3fff) + 1, int(v>>14&0x3fff) + 1, v>>28&1 == 1, nil
	}
	if len(b) < 10 {
		return 0, 0, false, truncated("WebP", "VP8 header", 10, len(b))
	}
	if b[0]>>4&1 == 0 {
		return 0, 0, false, formatErr("WebP", "VP8 header", "a frame to be shown", "a hidden one")
	}
	if b[0]&1 != 0 || string(b[3:6]) != "\x9d\x01\x2a" {
		return 0, 0, false, formatErr("WebP", "VP8 header", "a key frame", fmt.Sprintf("% x", b[:6]))
	}
	w, h = int(binary.LittleEndian.Uint16(b[6:])&0x3fff), int(binary.LittleEndian.Uint16(b[8:])&0x3fff)
	return w, h, false, nil
}

// animatedWebP composes the first frame: on a canvas that is transparent (or
// black, without alpha), whatever the background colour.
func animatedWebP(b []byte, w, h int, hasAlpha bool, limits Limits) (*Image, error) {
	if err := wholeChunks(b); err != nil {
		return nil, err
	}
	for seen := false; ; {
		id, body, rest, err := webpChunk(b)
		if err != nil {
			return nil, err
		}
		b = rest
		seen = seen || id == "ANIM"
		if id != "ANMF" {
			continue
		}
		if !seen {
			return nil, formatErr("WebP", "ANIM", "one before the first frame", "none")
		}
		if len(body) < 16 {
			return nil, truncated("WebP", "ANMF", 16, len(body))
		}
		f := webpFrame{x: 2 * uint24(body), y: 2 * uint24(body[3:])}
		if err := f.find(body[16:]); err != nil {
			return nil, err
		}
		// libwebp trusts the picture's size, not the frame header's.
		fw, fh, _, err := f.size()
		if err != nil {
			return nil, err
		}
		if f.x+fw > w || f.y+fh > h {
			return nil, formatErr("WebP", "first frame", fmt.Sprintf("one inside %d×%d", w, h),
				fmt.Sprintf("%d×%d at (%d, %d)", fw, fh, f.x, f.y))
		}
		if err := limits.checkSize("WebP", fw, fh); err != nil {
			return nil, err
		}
		m, err := f.decode(fw, fh, hasAlpha)
		if err != nil || fw == w && fh == h {
			return m, err
		}
		n := m.Mode.PixelSize()
		out := newImage(m.Mode, w, h)
		for y := range fh {
			copy(out.Pix[((f.y+y)*w+f.x)*n:], m.Pix[y*fw*n:(y+1)*fw*n])
		}
		return out, nil
	}
}

// decode decodes the picture to RGB or RGBA.
func (f *webpFrame) decode(w, h int, rgba bool) (*Image, error) {
	if f.lossless {
		pix, err := decodeVP8L(bytes.NewReader(f.image), w, h)
		if err != nil {
			return nil, err
		}
		if rgba {
			return &Image{Mode: ModeRGBA, Width: w, Height: h, Pix: pix}, nil
		}
		for i := range w * h { // in place
			copy(pix[3*i:3*i+3], pix[4*i:4*i+3])
		}
		n := 3 * w * h
		return &Image{Mode: ModeRGB, Width: w, Height: h, Pix: pix[:n:n]}, nil
	}
	var alpha []byte
	if f.alpha != nil { // even if it is not shown: it may be damaged
		var err error
		if alpha, err = decodeAlpha(f.alpha, w, h); err != nil {
			return nil, err
		}
	}
	d := vp8.NewDecoder()
	d.Init(bytes.NewReader(f.image), len(f.image))
	if _, err := d.DecodeFrameHeader(); err != nil {
		return nil, formatErr("WebP", "VP8 frame header", "a valid one", err)
	}
	planes, err := d.DecodeFrame()
	if err != nil {
		return nil, formatErr("WebP", "VP8 data", "a complete frame", err)
	}
	mode := ModeRGB
	if rgba {
		mode = ModeRGBA
	}
	m := newImage(mode, w, h)
	webpColours(m, planes)
	if rgba {
		for i := range w * h {
			m.Pix[4*i+3] = 255
			if alpha != nil {
				m.Pix[4*i+3] = alpha[i]
			}
		}
	}
	return m, nil
}

// decodeVP8L returns w×h RGBA pixels.
func decodeVP8L(r *bytes.Reader, w, h int) ([]byte, error) {
	img, err := vp8l.Decode(r)
	if err != nil {
		return nil, formatErr("WebP", "VP8L data", "a complete picture", err)
	}
	m, ok := img.(*image.NRGBA)
	if !ok || m.Stride != 4*w || len(m.Pix) != 4*w*h {
		return nil, formatErr("WebP", "VP8L data", fmt.Sprintf("%d×%d pixels", w, h), img.Bounds())
	}
	return m.Pix, nil
}

// decodeAlpha decodes the body of an ALPH chunk to w×h bytes.
func decodeAlpha(b []byte, w, h int) ([]byte, error) {
	if len(b) < 2 {
		return nil, truncated("WebP", "ALPH", 2, len(b))
	}
	method, filter := b[0]&3, b[0]>>2&3
	b = b[1:]
	var alpha []byte
	switch method {
	case 0:
		if len(b) < w*h {
			return nil, truncated("WebP", "ALPH", w*h, len(b))
		}
		alpha = bytes.Clone(b[:w*h])
	case 1:
		// A VP8L picture without its header, in the green channel.
		v := uint32(w-1) | uint32(h-1)<<14
		head := binary.LittleEndian.AppendUint32([]byte{0x2f}, v)
		pix, err := decodeVP8L(bytes.NewReader(append(head, b...)), w, h)
		if err != nil {
			return nil, err
		}
		alpha = pix[:w*h] // in place
		for i := range alpha {
			alpha[i] = pix[4*i+1]
		}
	default:
		return nil, formatErr("WebP", "ALPH compression", "0 or 1", method)
	}
	unfilterAlpha(alpha, w, filter)
	return alpha, nil
}

// unfilterAlpha undoes the prediction from the left, from above, or by the
// gradient.
func unfilterAlpha(a []byte, w int, filter byte) {
	for i := range a {
		x, y := i%w, i/w
		switch {
		case filter == 0 || x == 0 && y == 0:
		case x == 0: // first column: from above
			a[i] += a[i-w]
		case y == 0, filter == 1: // first row: from the left
			a[i] += a[i-1]
		case filter == 2:
			a[i] += a[i-w]
		default:
			a[i] += clip8(int(a[i-1]) + int(a[i-w]) - int(a[i-w-1]))
		}
	}
}
