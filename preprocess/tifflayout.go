package preprocess

import "fmt"

// layout finds mode and sample layout from the photometric interpretation and
// the sample tags: the part of Pillow's table that this package decodes.
func (t *tiffReader) layout(photo int) error {
	var extra []int64
	for _, tag := range []uint16{tagBitsPerSample, tagExtraSamples, tagSampleFormat} {
		if v, ok := t.tags[tag]; ok && v.len() == 0 {
			return formatErr("TIFF", tiffTagNames[tag], "integers", "another type")
		}
	}
	for i := range t.tags[tagExtraSamples].len() {
		if i > 8 {
			break
		}
		extra = append(extra, t.tags[tagExtraSamples].at(i))
	}
	if t.samples < 1 || t.samples > 6 {
		return formatErr("TIFF", "SamplesPerPixel", "1 to 6", t.samples)
	}
	depths := t.tags[tagBitsPerSample]
	t.bits = 1
	for i := range depths.len() {
		if i == 0 {
			t.bits = int(min(depths.at(0), 1<<16))
		} else if i < t.samples && depths.at(i) != int64(t.bits) {
			return &UnsupportedError{"TIFF", "BitsPerSample", fmt.Sprintf("%d and %d", t.bits, depths.at(i)), "one depth for all samples"}
		}
	}
	if n := depths.len(); n > 1 && n < t.samples {
		return formatErr("TIFF", "BitsPerSample", fmt.Sprintf("%d values", t.samples), n)
	}
	if f := t.tags[tagSampleFormat]; f.len() > 0 && f.at(0) != 1 {
		return &UnsupportedError{"TIFF", "SampleFormat", fmt.Sprint(f.at(0)), "1 (unsigned)"}
	}
	unsupported := func() error {
		return &UnsupportedError{"TIFF", "pixel layout",
			fmt.Sprintf("photometric %d, %d samples of %d bits, extra samples %v, fill order %d", photo, t.samples, t.bits, extra, t.fillOrder),
			"bilevel, grey, RGB, palette or CMYK, in a usual depth"}
	}
	colours := map[int]int{0: 1, 1: 1, 2: 3, 3: 1, 5: 4}[photo]
	if colours == 0 || t.samples < colours {
		return unsupported()
	}
	surplus := t.samples - colours
	alpha := int64(-1) // meaning of the first surplus sample
	switch {
	case len(extra) > 0 && len(extra) == surplus:
		alpha = extra[0]
		for _, e := range extra[1:] {
			if e != 0 {
				return unsupported()
			}
		}
	case photo == 2 && surplus == 1 && len(extra) == 0:
		alpha = 2 // ExtraSamples forgotten
	case surplus != 0 || len(extra) != 0:
		return unsupported()
	}
	if alpha == 999 && photo == 2 && surplus == 1 && t.bits == 8 {
		alpha = 2 // a habit of Corel Draw
	}
	t.bands = colours
	small := t.bits == 1 || t.bits == 2 || t.bits == 4 || t.bits == 8
	switch {
	case photo == 0 && t.bits == 8 && t.fillOrder == 2 && t.compression == tiffNone:
		return unsupported() // Pillow has no such unpacker
	case photo <= 1 && surplus == 0 && small:
		t.mode, t.invert = ModeL, photo == 0
		if t.bits == 1 {
			t.mode = Mode1
		}
		return nil
	case photo == 3 && surplus == 0 && small:
		t.mode = ModeP
		return nil
	case t.fillOrder == 2 && (photo != 2 || surplus != 0 || t.bits != 8):
		return unsupported()
	case photo <= 1 && surplus == 0 && t.bits == 16 && !(photo == 0 && t.bigEndian):
		t.mode = ModeI16 // Pillow does not invert these
		if t.bigEndian {
			t.mode = ModeI16B
		}
		return nil
	case photo == 1 && surplus == 1 && t.bits == 8 && alpha == 0:
		t.mode = ModeL
		return nil
	case photo == 1 && surplus == 1 && t.bits == 8 && alpha == 2:
		t.mode, t.bands = ModeLA, 2
		return nil
	case photo == 3 && surplus == 1 && t.bits == 8 && alpha == 0:
		t.mode = ModeP
		return nil
	case photo == 2 && (t.bits == 8 || t.bits == 16 && surplus <= 1) && alpha <= 2:
		t.mode = ModeRGB
		if alpha > 0 {
			t.mode, t.bands, t.premultiplied = ModeRGBA, 4, alpha == 1
		}
		return nil
	case photo == 5 && (t.bits == 8 || t.bits == 16 && surplus == 0) && alpha <= 0:
		t.mode = ModeCMYK
		return nil
	}
	return unsupported()
}

// palette converts the colour map, 16 bits a value, plane by plane.
func (t *tiffReader) palette() ([]byte, error) {
	v, ok := t.tags[tagColourMap]
	n := v.len() / 3
	if !ok || n > 256 {
		return nil, formatErr("TIFF", "ColorMap", "3 times up to 256 values", fmt.Sprint(v.len()))
	}
	rgb := make([]byte, 3*n)
	for i := range n {
		for c := range 3 {
			rgb[3*i+c] = byte(v.at(c*n+i) / 256)
		}
	}
	return rgb, nil
}

// orient turns or mirrors m as the orientation tag asks.
func orient(m *Image, orientation int) *Image {
	if orientation < 2 || orientation > 8 {
		return m
	}
	w, h := m.Width, m.Height
	if orientation >= 5 {
		w, h = h, w
	}
	out := newImage(m.Mode, w, h)
	out.Palette = m.Palette
	n := m.Mode.PixelSize()
	lastX, lastY := m.Width-1, m.Height-1
	for y := range h {
		for x := range w {
			sx, sy := x, y
			if orientation >= 5 {
				sx, sy = y, x
			}
			switch orientation {
			case 2, 8:
				sx = lastX - sx
			case 3, 7:
				sx, sy = lastX-sx, lastY-sy
			case 4, 6:
				sy = lastY - sy
			}
			copy(out.Pix[(y*w+x)*n:][:n], m.Pix[(sy*m.Width+sx)*n:])
		}
	}
	return out
}
