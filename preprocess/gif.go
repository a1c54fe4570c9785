package preprocess

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// GIF, first frame only, read as Pillow's GifImagePlugin and GifDecode do: a
// frame that reaches beyond the canvas enlarges it, and everything behind the
// frame's pixels is ignored.

type gifReader struct {
	data []byte
	at   int
}

// take returns the next n bytes, or fewer at the end.
func (g *gifReader) take(n int) []byte {
	n = min(n, len(g.data)-g.at)
	g.at += n
	return g.data[g.at-n : g.at]
}

// block returns the next sub-block, nil for a terminator or the end.
func (g *gifReader) block() []byte {
	if n := g.take(1); len(n) == 1 && n[0] > 0 {
		return g.take(int(n[0]))
	}
	return nil
}

func (g *gifReader) skipBlocks() {
	for len(g.block()) > 0 {
	}
}

// colourTable reads a colour table of 2^bits entries. It returns nil for the
// table that maps every index to its own grey: such an image is grey.
func (g *gifReader) colourTable(flags byte) ([]byte, error) {
	n := 3 << (flags&7 + 1)
	p := g.take(n)
	if len(p) < n {
		return nil, truncated("GIF", "colour table", n, len(p))
	}
	for i := range n / 3 {
		if v := byte(i); p[3*i] != v || p[3*i+1] != v || p[3*i+2] != v {
			return p, nil
		}
	}
	return nil, nil
}

func decodeGIF(data []byte, limits Limits) (*Image, error) {
	g := &gifReader{data: data}
	head := g.take(13)
	if len(head) < 13 {
		return nil, truncated("GIF", "header", 13, len(head))
	}
	w, h := int(binary.LittleEndian.Uint16(head[6:])), int(binary.LittleEndian.Uint16(head[8:]))
	var palette []byte
	if head[10]&0x80 != 0 {
		var err error
		if palette, err = g.colourTable(head[10]); err != nil {
			return nil, err
		}
	}
	transparent, err := g.findFrame()
	if err != nil {
		return nil, err
	}
	desc := g.take(9)
	if len(desc) < 9 {
		return nil, truncated("GIF", "image descriptor", 9, len(desc))
	}
	var rect [4]int // x, y, width, height
	for i := range rect {
		rect[i] = int(binary.LittleEndian.Uint16(desc[2*i:]))
	}
	w, h = max(w, rect[0]+rect[2]), max(h, rect[1]+rect[3])
	if err := limits.checkSize("GIF", w, h); err != nil {
		return nil, err
	}
	if rect[2] == 0 || rect[3] == 0 {
		return nil, formatErr("GIF", "frame size", "at least 1×1", fmt.Sprintf("%d×%d", rect[2], rect[3]))
	}
	if desc[8]&0x80 != 0 {
		if palette, err = g.colourTable(desc[8]); err != nil {
			return nil, err
		}
	}
	bits := g.take(1)
	if len(bits) < 1 {
		return nil, truncated("GIF", "code size", 1, 0)
	}
	if bits[0] > 12 {
		return nil, formatErr("GIF", "code size", "0 to 12", bits[0])
	}
	mode := ModeL
	if palette != nil {
		mode = ModeP
	}
	m := newImage(mode, w, h)
	m.Palette = bytes.Clone(palette)
	if transparent > 0 {
		for i := range m.Pix {
			m.Pix[i] = byte(transparent)
		}
	}
	d := gifDecoder{m: m, x0: rect[0], y0: rect[1], w: rect[2], h: rect[3], step: 1}
	if desc[8]&0x40 != 0 {
		d.step, d.interlace = 8, 1
	}
	if err := d.decode(g, uint(bits[0])); err != nil {
		return nil, err
	}
	return m, nil
}

// findFrame reads extensions up to the first image separator and returns the
// transparent index, or -1.
func (g *gifReader) findFrame() (transparent int, err error) {
	transparent = -1
	for {
		c := g.take(1)
		if len(c) == 0 || c[0] == ';' {
			return 0, formatErr("GIF", "frame", "at least one", "the end of the data")
		}
		switch c[0] {
		case ',':
			return transparent, nil
		case '!':
			label := g.take(1)
			if len(label) == 0 {
				return 0, truncated("GIF", "extension", 1, 0)
			}
			block := g.block()
			switch {
			case label[0] == 249 && block != nil:
				if len(block) < 3 || block[0]&1 != 0 && len(block) < 4 {
					return 0, truncated("GIF", "graphic control extension", 4, len(block))
				}
				if block[0]&1 != 0 {
					transparent = int(block[3])
				}
			case label[0] == 254:
				if len(block) > 0 {
					g.skipBlocks()
				}
				continue
			case label[0] == 255 && bytes.HasPrefix(block, []byte("NETSCAPE2.0")):
				g.block()
			}
			g.skipBlocks()
		}
	}
}

// gifDecoder writes the pixels of a frame at (x0, y0) of m.
type gifDecoder struct {
	m              *Image
	x0, y0, w, h   int
	x, y           int
	step           int
	interlace      int // 1 to 3 in the passes before the last, else 0
	bitBuf         uint32
	bitCount, left uint // left: bytes of the sub-block not read yet
}

const (
	gifBits  = 12
	gifTable = 1 << gifBits
)

func (d *gifDecoder) decode(g *gifReader, bits uint) error {
	var (
		suffix   [gifTable]byte
		prefix   [gifTable]uint16
		text     [gifTable]byte // an expanded code, filled from the right
		clearC   = 1 << bits
		end      = clearC + 1
		next     = clearC + 2
		size     = bits + 1
		fresh    = true // no code since the last clear
		last     int    // code before
		lastByte byte
	)
	for {
		c, ok := d.code(g, size)
		if !ok {
			return formatErr("GIF", "compressed data", fmt.Sprintf("%d rows", d.h), fmt.Sprintf("the end of the data in row %d", d.y))
		}
		switch {
		case c == clearC:
			next, size, fresh = clearC+2, bits+1, true
			continue
		case c == end:
			return formatErr("GIF", "compressed data", fmt.Sprintf("%d rows", d.h), fmt.Sprintf("an end code in row %d", d.y))
		case fresh:
			if c > clearC {
				return formatErr("GIF", "first code", fmt.Sprintf("below %d", clearC), c)
			}
			last, lastByte, fresh = c, byte(c), false
			if d.put([]byte{lastByte}) {
				return nil
			}
			continue
		case c > next:
			return formatErr("GIF", "code", fmt.Sprintf("at most %d", next), c)
		}
		this, at := c, gifTable
		if c == next {
			at--
			text[at], c = lastByte, last
		}
		for c >= clearC {
			if at <= 0 || c >= gifTable {
				return formatErr("GIF", "code", "one that is in the table", c)
			}
			at--
			text[at], c = suffix[c], int(prefix[c])
		}
		lastByte = byte(c)
		if next < gifTable {
			suffix[next], prefix[next] = lastByte, uint16(last)
			if next == 1<<size-1 && size < gifBits {
				size++
			}
			next++
		}
		last = this
		if d.put([]byte{lastByte}) || d.put(text[at:]) {
			return nil
		}
	}
}

// code reads one code of size bits, low bits first.
func (d *gifDecoder) code(g *gifReader, size uint) (int, bool) {
	for d.bitCount < size {
		if d.left == 0 {
			if g.at >= len(g.data) || len(g.data)-g.at-1 < int(g.data[g.at]) {
				return 0, false // Pillow wants whole sub-blocks
			}
			d.left = uint(g.data[g.at])
			g.at++
			continue
		}
		d.bitBuf |= uint32(g.data[g.at]) << d.bitCount
		d.bitCount += 8
		g.at++
		d.left--
	}
	c := d.bitBuf & (1<<size - 1)
	d.bitBuf >>= size
	d.bitCount -= size
	return int(c), true
}

// put writes pixels and reports whether the frame is complete.
func (d *gifDecoder) put(p []byte) (done bool) {
	for len(p) > 0 {
		n := min(len(p), d.w-d.x)
		copy(d.m.Pix[(d.y0+d.y)*d.m.Width+d.x0+d.x:], p[:n])
		p = p[n:]
		if d.x += n; d.x < d.w {
			return false
		}
		d.x = 0
		d.y += d.step
		for d.y >= d.h {
			switch d.interlace {
			case 1:
				d.y, d.interlace = 4, 2
			case 2:
				d.y, d.step, d.interlace = 2, 4, 3
			case 3:
				d.y, d.step, d.interlace = 1, 2, 0
			default:
				return true
			}
		}
	}
	return false
}
