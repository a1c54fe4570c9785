package preprocess

import (
	"encoding/binary"
	"fmt"
)

// BMP, read as Pillow's BmpImagePlugin does, without run-length coding.

type bmpHeader struct {
	size, width, height int
	bits                int
	compression         uint32
	colours             int64
	padding             int // bytes of a palette entry
	topDown             bool
	masks               [4]uint32 // red, green, blue, alpha
}

// bmpOrders maps the masks of 32-bit pixels to the order of their bytes.
var bmpOrders = map[[4]uint32]string{
	{0xff0000, 0xff00, 0xff, 0}:            "BGRX",
	{0xff000000, 0xff0000, 0xff00, 0}:      "XBGR",
	{0xff000000, 0xff00, 0xff, 0}:          "BGXR",
	{0xff000000, 0xff0000, 0xff00, 0xff}:   "ABGR",
	{0xff, 0xff00, 0xff0000, 0xff000000}:   "RGBA",
	{0xff0000, 0xff00, 0xff, 0xff000000}:   "BGRA",
	{0xff000000, 0xff00, 0xff, 0x00ff0000}: "BGAR",
	{0, 0, 0, 0}:                           "BGRA",
}

const (
	bmpRaw       = 0
	bmpBitFields = 3
)

func decodeBMP(data []byte, limits Limits) (*Image, error) {
	h, at, err := readBMPHeader(data)
	if err != nil {
		return nil, err
	}
	if err := limits.checkSize("BMP", h.width, h.height); err != nil {
		return nil, err
	}
	offset := int64(binary.LittleEndian.Uint32(data[10:]))
	if offset == int64(14+h.size) && h.bits <= 8 {
		offset += int64(h.padding) * h.colours
	}
	mode, order, err := h.layout()
	if err != nil {
		return nil, err
	}
	rowBits := h.bits // of a pixel in the file, as it will be read
	var palette []byte
	if h.bits <= 8 {
		var grey bool
		if palette, at, grey, err = h.palette(data, at); err != nil {
			return nil, err
		}
		switch {
		case grey && h.colours <= 2:
			mode, rowBits, palette = Mode1, 1, nil
		case grey:
			mode, rowBits, palette = ModeL, 8, nil
		default:
			mode = ModeP
		}
	}
	if offset == 0 {
		offset = int64(at)
	}
	used := (int64(h.width)*int64(rowBits) + 7) / 8
	stride := (int64(h.width)*int64(h.bits) + 31) >> 3 &^ 3
	if used > stride {
		// The palette is a grey ramp, and Pillow then reads whole bytes.
		return nil, &UnsupportedError{"BMP", "grey palette", fmt.Sprintf("%d bits a pixel", h.bits), "8 bits a pixel"}
	}
	if need := offset + stride*int64(h.height-1) + used; need > int64(len(data)) {
		return nil, truncated("BMP", "pixels", int(need), len(data))
	}
	m := newImage(mode, h.width, h.height)
	m.Palette = palette
	n := mode.PixelSize() * h.width
	for y := range h.height {
		row := data[offset+int64(y)*stride:][:used]
		to := h.height - 1 - y
		if h.topDown {
			to = y
		}
		unpackBMP(m.Pix[to*n:(to+1)*n], row, rowBits, mode, order)
	}
	return m, nil
}

// readBMPHeader returns the header and the position behind it.
func readBMPHeader(data []byte) (h bmpHeader, at int, err error) {
	le := binary.LittleEndian
	if len(data) < 18 {
		return h, 0, truncated("BMP", "file header", 18, len(data))
	}
	size := le.Uint32(data[14:])
	switch size {
	case 12, 40, 52, 56, 64, 108, 124:
	default:
		return h, 0, &UnsupportedError{"BMP", "header size", fmt.Sprint(size), "12, 40, 52, 56, 64, 108 or 124 bytes"}
	}
	h.size = int(size)
	at = 14 + h.size
	if len(data) < at {
		return h, 0, truncated("BMP", "header", at, len(data))
	}
	b := data[18:at]
	if h.size == 12 {
		h.width, h.height = int(le.Uint16(b)), int(le.Uint16(b[2:]))
		h.bits, h.padding = int(le.Uint16(b[6:])), 3
	} else {
		h.topDown = b[7] == 0xff
		rows := le.Uint32(b[4:])
		if h.topDown {
			rows = -rows
		}
		h.width, h.height = int(min(le.Uint32(b), 1<<31)), int(min(rows, 1<<31))
		h.bits, h.compression = int(le.Uint16(b[10:])), le.Uint32(b[12:])
		h.colours, h.padding = int64(le.Uint32(b[28:])), 4
		if h.compression == bmpBitFields {
			m := b[min(36, len(b)):]
			if h.size == 40 { // the masks follow the header
				if len(data) < at+12 {
					return h, 0, truncated("BMP", "bit masks", at+12, len(data))
				}
				m = data[at : at+12]
				at += 12
			}
			for i := range h.masks {
				if len(m) >= 4*i+4 && (i < 3 || h.size >= 56) {
					h.masks[i] = le.Uint32(m[4*i:])
				}
			}
		}
	}
	if h.colours == 0 && h.bits <= 32 {
		h.colours = 1 << h.bits
	}
	return h, at, nil
}

// layout checks depth and compression and returns mode and byte order of
// pixels without a palette.
func (h *bmpHeader) layout() (mode Mode, order string, err error) {
	order, ok := map[int]string{1: "", 4: "", 8: "", 16: "555", 24: "BGR", 32: "BGRX"}[h.bits]
	if !ok {
		return 0, "", &UnsupportedError{"BMP", "bits per pixel", fmt.Sprint(h.bits), "1, 4, 8, 16, 24 or 32"}
	}
	mode = ModeRGB
	switch h.compression {
	case bmpRaw:
		return mode, order, nil
	case bmpBitFields:
		rgb := [3]uint32(h.masks[:3])
		switch {
		case h.bits == 32:
			if order, ok = bmpOrders[h.masks]; ok {
				for _, c := range order {
					if c == 'A' {
						mode = ModeRGBA
					}
				}
				return mode, order, nil
			}
		case h.bits == 24 && rgb == [3]uint32{0xff0000, 0xff00, 0xff}:
			return mode, "BGR", nil
		case h.bits == 16 && rgb == [3]uint32{0xf800, 0x7e0, 0x1f}:
			return mode, "565", nil
		case h.bits == 16 && rgb == [3]uint32{0x7c00, 0x3e0, 0x1f}:
			return mode, "555", nil
		}
		return 0, "", &UnsupportedError{"BMP", "bit masks", fmt.Sprintf("%08x for %d bits", h.masks, h.bits), "a usual layout"}
	}
	names := map[uint32]string{1: " (RLE8)", 2: " (RLE4)", 4: " (JPEG)", 5: " (PNG)"}
	return 0, "", &UnsupportedError{"BMP", "compression", fmt.Sprint(h.compression) + names[h.compression], "0 (none) or 3 (bit masks)"}
}

// palette reads the palette at at, as RGB triples. A ramp of greys (or black
// and white, for two colours) means that the pixels are greys themselves.
func (h *bmpHeader) palette(data []byte, at int) (rgb []byte, end int, grey bool, err error) {
	if h.colours < 1 || h.colours > 65536 {
		return nil, 0, false, formatErr("BMP", "palette size", "1 to 65536", h.colours)
	}
	n := int(h.colours)
	raw := data[at:min(len(data), at+n*h.padding)]
	grey = len(raw) >= n*h.padding-(h.padding-3)
	for i := 0; i < n && grey; i++ {
		v := byte(i)
		if n == 2 && i == 1 {
			v = 255
		}
		e := raw[i*h.padding:]
		grey = e[0] == v && e[1] == v && e[2] == v
	}
	if !grey && len(raw)/h.padding > 256 {
		return nil, 0, false, formatErr("BMP", "palette size", "at most 256", n)
	}
	if !grey {
		for i := range len(raw) / h.padding {
			e := raw[i*h.padding:]
			rgb = append(rgb, e[2], e[1], e[0])
		}
	}
	return rgb, at + len(raw), grey, nil
}

// unpackBMP converts one row.
func unpackBMP(dst, row []byte, bits int, mode Mode, order string) {
	switch {
	case bits < 8:
		for x := range dst {
			v := row[x*bits/8] << (x * bits % 8) >> (8 - bits)
			if mode == Mode1 {
				v *= 255
			}
			dst[x] = v
		}
	case bits == 8:
		copy(dst, row)
	case bits == 16:
		greens, shift := 31, 10
		if order == "565" {
			greens, shift = 63, 11
		}
		for x := range len(dst) / 3 {
			v := int(binary.LittleEndian.Uint16(row[2*x:]))
			dst[3*x] = byte((v >> shift & 31) * 255 / 31)
			dst[3*x+1] = byte((v >> 5 & greens) * 255 / greens)
			dst[3*x+2] = byte((v & 31) * 255 / 31)
		}
	default:
		n, step := mode.PixelSize(), bits/8
		var from [4]int // where each channel stands in a pixel of the file
		for i, c := range order {
			for ch, name := range "RGBA" {
				if c == name {
					from[ch] = i
				}
			}
		}
		for x := range len(dst) / n {
			for ch := range n {
				dst[x*n+ch] = row[x*step+from[ch]]
			}
		}
	}
}
