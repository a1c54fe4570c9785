package preprocess

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// PNG, read as Pillow reads it: which chunks are checked, which errors are
// forgiven and which mode results all follow PngImagePlugin and ZipDecode.

const pngMagic = "\x89PNG\r\n\x1a\n"

// maxText bounds the inflated size of one compressed text or profile.
const maxText = 1 << 20

type pngLayout struct {
	mode     Mode
	channels int
}

// pngLayouts maps (bit depth, colour type) to what Pillow makes of it.
var pngLayouts = map[[2]byte]pngLayout{
	{1, 0}: {Mode1, 1}, {2, 0}: {ModeL, 1}, {4, 0}: {ModeL, 1}, {8, 0}: {ModeL, 1}, {16, 0}: {ModeI16, 1},
	{8, 2}: {ModeRGB, 3}, {16, 2}: {ModeRGB, 3},
	{1, 3}: {ModeP, 1}, {2, 3}: {ModeP, 1}, {4, 3}: {ModeP, 1}, {8, 3}: {ModeP, 1},
	{8, 4}: {ModeLA, 2}, {16, 4}: {ModeRGBA, 2},
	{8, 6}: {ModeRGBA, 4}, {16, 6}: {ModeRGBA, 4},
}

type pngReader struct {
	data          []byte
	at            int // of the next chunk
	seenHeader    bool
	width, height int
	depth         int // bits per sample
	layout        pngLayout
	hasLayout     bool
	interlaced    bool
	palette       []byte
	frame         *[4]int // left, top, width, height of a preceding fcTL
	sequence      int64   // of the last fcTL or fdAT, -1 before the first
	animated      bool
}

func decodePNG(data []byte, limits Limits) (*Image, error) {
	p := &pngReader{data: data, at: len(pngMagic), sequence: -1}
	for {
		id, body, err := p.next()
		if err != nil {
			return nil, err
		}
		if id == "IDAT" || id == "fdAT" || id == "IEND" {
			p.at -= len(body) + 8 // for the pixel reader
			break
		}
		if err := p.chunk(id, body); err != nil {
			return nil, err
		}
		if p.at+4 > len(data) {
			return nil, truncated("PNG", id+" checksum", 4, len(data)-p.at)
		}
		sum := crc32.Update(crc32.ChecksumIEEE([]byte(id)), crc32.IEEETable, body)
		if found := binary.BigEndian.Uint32(data[p.at:]); found != sum {
			return nil, formatErr("PNG", id+" checksum", fmt.Sprintf("%08x", sum), fmt.Sprintf("%08x", found))
		}
		p.at += 4
	}
	if !p.seenHeader {
		return nil, formatErr("PNG", "IHDR", "a header before the pixels", "none")
	}
	if !p.hasLayout {
		return nil, formatErr("PNG", "IHDR", "a valid pair of bit depth and colour type", "none")
	}
	if err := limits.checkSize("PNG", p.width, p.height); err != nil {
		return nil, err
	}
	m, err := p.pixels()
	if err != nil {
		return nil, err
	}
	if err := p.trailer(); err != nil {
		return nil, err
	}
	if m.Mode == ModeP {
		n := len(p.palette) / 3
		if n > 256 {
			return nil, formatErr("PNG", "PLTE", "at most 256 colours", n)
		}
		m.Palette = bytes.Clone(p.palette[:3*n])
	}
	return m, nil
}

// next reads a chunk's header and body and stands behind the body. A body that
// is cut short is an error, but for pixel data, whose reader says more.
func (p *pngReader) next() (id string, body []byte, err error) {
	if p.at > len(p.data) || len(p.data)-p.at < 8 {
		return "", nil, truncated("PNG", "chunk header", 8, max(0, len(p.data)-p.at))
	}
	n := int64(binary.BigEndian.Uint32(p.data[p.at:]))
	id = string(p.data[p.at+4 : p.at+8])
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '_' {
			return "", nil, formatErr("PNG", "chunk name", "four letters", fmt.Sprintf("%q", id))
		}
	}
	rest := p.data[p.at+8:]
	if n > int64(len(rest)) {
		if id != "IDAT" && id != "fdAT" && id != "IEND" {
			return "", nil, truncated("PNG", id, int(n), len(rest))
		}
		n = int64(len(rest))
	}
	p.at += 8 + int(n)
	return id, rest[:n], nil
}

// chunk checks one chunk other than pixel data as Pillow does.
func (p *pngReader) chunk(id string, body []byte) error {
	need := map[string]int{"IHDR": 13, "gAMA": 4, "cHRM": 32, "sRGB": 1, "pHYs": 9, "acTL": 8, "fcTL": 26}[id]
	if len(body) < need {
		return truncated("PNG", id, need, len(body))
	}
	switch id {
	case "IHDR":
		return p.header(body)
	case "PLTE":
		if p.layout.mode == ModeP && p.hasLayout {
			p.palette = body
		}
	case "tRNS":
		need := 0
		if p.hasLayout {
			need = map[Mode]int{Mode1: 2, ModeL: 2, ModeI16: 2, ModeRGB: 6}[p.layout.mode]
		}
		if len(body) < need {
			return truncated("PNG", id, need, len(body))
		}
	case "acTL":
		if n := binary.BigEndian.Uint32(body); n != 0 && n <= 1<<31 {
			p.animated = !p.animated // a second one revokes the first
		}
	case "fcTL":
		return p.frameControl(body)
	case "iCCP", "zTXt", "iTXt":
		return compressedText(id, body)
	}
	return nil
}

func (p *pngReader) header(b []byte) error {
	w, h := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	p.width, p.height = int(min(w, 1<<31)), int(min(h, 1<<31))
	p.seenHeader = true
	if l, ok := pngLayouts[[2]byte{b[8], b[9]}]; ok {
		p.layout, p.hasLayout, p.depth = l, true, int(b[8])
	} else if !p.hasLayout {
		return formatErr("PNG", "IHDR bit depth and colour type", "a valid pair", fmt.Sprintf("%d and %d", b[8], b[9]))
	}
	if b[12] != 0 {
		p.interlaced = true
	}
	if b[11] != 0 {
		return formatErr("PNG", "IHDR filter method", "0", b[11])
	}
	return nil
}

func (p *pngReader) frameControl(b []byte) error {
	seq := int64(binary.BigEndian.Uint32(b))
	if seq != p.sequence+1 {
		return formatErr("PNG", "fcTL sequence number", fmt.Sprint(p.sequence+1), seq)
	}
	p.sequence = seq
	var v [4]int // width, height, x, y
	for i := range v {
		v[i] = int(binary.BigEndian.Uint32(b[4+4*i:]))
	}
	if v[2]+v[0] > p.width || v[3]+v[1] > p.height {
		return formatErr("PNG", "fcTL frame", fmt.Sprintf("one inside %d×%d", p.width, p.height),
			fmt.Sprintf("%d×%d at (%d, %d)", v[0], v[1], v[2], v[3]))
	}
	p.frame = &[4]int{v[2], v[3], v[0], v[1]}
	return nil
}

// compressedText refuses what Pillow refuses: an unknown method and text that
// inflates to more than a megabyte. Damaged text is ignored.
func compressedText(id string, b []byte) error {
	key := bytes.IndexByte(b, 0)
	switch {
	case id == "iTXt":
		if key < 0 || len(b) < key+3 || b[key+1] == 0 || b[key+2] != 0 {
			return nil
		}
		rest := b[key+3:]
		for range 2 { // language and translated keyword
			i := bytes.IndexByte(rest, 0)
			if i < 0 {
				return nil
			}
			rest = rest[i+1:]
		}
		return inflatesWithin(id, rest)
	case key < 0 && id == "zTXt" || key == len(b)-1 && id == "zTXt":
		return nil
	case key+1 >= len(b):
		return truncated("PNG", id, key+2, len(b))
	case b[key+1] != 0:
		return formatErr("PNG", id+" compression method", "0", b[key+1])
	}
	return inflatesWithin(id, b[key+2:])
}

func inflatesWithin(id string, b []byte) error {
	z, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil
	}
	if n, _ := io.CopyN(io.Discard, z, maxText+1); n > maxText {
		return &LimitError{Thing: "bytes in a compressed PNG " + id, Limit: maxText, Found: n}
	}
	return nil
}

// trailer walks over the chunks behind the pixels. Checksums are not verified
// there and a missing end is forgiven, but a body cut short is not.
func (p *pngReader) trailer() error {
	for {
		p.at += 4 // checksum of the chunk before
		if p.at > len(p.data) {
			return nil
		}
		start := p.at
		id, body, err := p.next()
		if err != nil {
			if p.at == start && !isTruncatedBody(err) {
				return nil
			}
			return err
		}
		switch {
		case id == "IEND", id == "fcTL" && p.animated:
			return nil
		case id == "IDAT" || id == "fdAT":
			if n := int(binary.BigEndian.Uint32(p.data[start:])); n > len(body) {
				return truncated("PNG", id, n, len(body))
			}
			continue
		}
		if err := p.chunk(id, body); err != nil {
			return err
		}
	}
}

// isTruncatedBody tells a chunk that promises more than the file holds from a
// file that ends or turns to garbage between chunks.
func isTruncatedBody(err error) bool {
	var f *FormatError
	return errors.As(err, &f) && f.Thing != "chunk header" && f.Thing != "chunk name"
}
