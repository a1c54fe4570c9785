package preprocess

import (
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// idatReader reads the bodies of consecutive pixel chunks as one stream, byte
// by byte, so that the inflater takes no more than it needs.
type idatReader struct {
	p       *pngReader
	left    []byte // of the current chunk
	read    int    // bytes handed out
	start   int    // value of read where the current chunk began
	missing int    // bytes that the current chunk promises and the file lacks
	err     error
}

// fill makes left non-empty.
func (r *idatReader) fill() error {
	for len(r.left) == 0 {
		if r.err != nil {
			return r.err
		}
		at := r.p.at
		id, body, err := r.p.next()
		if err != nil {
			r.err = err
			return err
		}
		if id != "IDAT" && id != "fdAT" {
			r.p.at, r.err = at, io.ErrUnexpectedEOF
			return r.err
		}
		r.missing = int(binary.BigEndian.Uint32(r.p.data[at:])) - len(body)
		if id == "fdAT" {
			if len(body) < 4 {
				r.err = truncated("PNG", "fdAT", 4, len(body))
				return r.err
			}
			body = body[4:]
		}
		r.left, r.start = body, r.read
		r.p.at += 4 // the checksum, which Pillow does not verify here
	}
	return nil
}

func (r *idatReader) ReadByte() (byte, error) {
	if len(r.left) == 0 {
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	c := r.left[0]
	r.left = r.left[1:]
	r.read++
	return c, nil
}

func (r *idatReader) Read(b []byte) (int, error) {
	if err := r.fill(); err != nil {
		return 0, err
	}
	n := copy(b, r.left)
	r.left = r.left[n:]
	r.read += n
	return n, nil
}

// endTogether reports, after the whole stream has been read, whether its
// checksum lies in one chunk with the last pixels. Only then does Pillow,
// which inflates chunk by chunk, come to see the end of the stream. The end code
// and the bits beside it take up to three bytes.
func (r *idatReader) endTogether() bool { return r.start <= r.read-4-3 }

// adam7 lists first column and row, and the steps, of each interlaced pass.
var adam7 = [7][4]int{
	{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2},
}

// pixels inflates, unfilters and unpacks the picture, and stands at the
// checksum of the last pixel chunk.
func (p *pngReader) pixels() (*Image, error) {
	frame := [4]int{0, 0, p.width, p.height}
	if p.frame != nil {
		frame = *p.frame
	}
	w, h := frame[2], frame[3]
	if w == 0 || h == 0 {
		return nil, formatErr("PNG", "fcTL frame", "at least 1×1", fmt.Sprintf("%d×%d", w, h))
	}
	bits := p.depth * p.layout.channels
	// Deflate expands less than 1032 times: do not allocate for what cannot come.
	if raw := (int64(w)*int64(bits) + 7) / 8 * int64(h); raw/1032 > int64(len(p.data)) {
		return nil, truncated("PNG", "IDAT", int(raw/1032), len(p.data))
	}
	idat := &idatReader{p: p}
	z, err := zlib.NewReader(idat)
	if err != nil {
		return nil, p.dataErr(err, 0)
	}
	m := newImage(p.layout.mode, p.width, p.height)
	size := (w*bits + 7) / 8
	row, prior := make([]byte, size+1), make([]byte, size+1)
	rows := 0
	passes := adam7[:]
	if !p.interlaced {
		passes = [][4]int{{0, 0, 1, 1}}
	} else {
		frame[0], frame[1] = 0, 0 // as in Pillow, which forgets them here
	}
	for _, pass := range passes {
		cols := (w - pass[0] + pass[2] - 1) / pass[2]
		if cols <= 0 || pass[1] >= h {
			continue
		}
		n := (cols*bits+7)/8 + 1
		clear(prior)
		for y := pass[1]; y < h; y += pass[3] {
			if _, err := io.ReadFull(z, row[:n]); err == io.EOF && rows > 0 && idat.endTogether() {
				// A complete stream of too few rows: Pillow leaves the rest black.
				p.endOfPixels()
				return m, nil
			} else if err != nil {
				return nil, p.dataErr(err, y)
			}
			rows++
			if err := unfilter(row[:n], prior[:n], max(bits/8, 1)); err != nil {
				return nil, err
			}
			at := (frame[1]+y)*p.width + frame[0] + pass[0]
			p.unpack(m, at, pass[2], cols, row[1:n])
			row, prior = prior, row
		}
	}
	// A stream that ends here with a wrong checksum is an error in zlib; more
	// data, or the lack of a checksum, is none.
	if n, err := z.Read(row[:1]); n == 0 && errors.Is(err, zlib.ErrChecksum) && idat.endTogether() {
		return nil, p.dataErr(err, h)
	}
	if idat.missing > 0 && !idat.endTogether() {
		return nil, truncated("PNG", "last IDAT", idat.missing, 0)
	}
	p.endOfPixels()
	return m, nil
}

// endOfPixels moves to the checksum of the chunk in which the picture became
// complete. Surplus data stays for trailer to skip.
func (p *pngReader) endOfPixels() { p.at = min(p.at, len(p.data)) - 4 }

func (p *pngReader) dataErr(err error, y int) error {
	var f *FormatError
	if errors.As(err, &f) {
		return err
	}
	return formatErr("PNG", fmt.Sprintf("compressed data of row %d", y), "a zlib stream of all rows", err)
}

// unfilter undoes the filter named by row[0], given the row before.
func unfilter(row, prior []byte, bpp int) error {
	cur, up := row[1:], prior[1:]
	up = up[:len(cur)]
	switch row[0] {
	case 0:
	case 1:
		for i := bpp; i < len(cur); i++ {
			cur[i] += cur[i-bpp]
		}
	case 2:
		for i, v := range up {
			cur[i] += v
		}
	case 3:
		for i := range min(bpp, len(cur)) {
			cur[i] += up[i] / 2
		}
		for i := bpp; i < len(cur); i++ {
			cur[i] += byte((int(cur[i-bpp]) + int(up[i])) / 2)
		}
	case 4:
		for i := range min(bpp, len(cur)) {
			cur[i] += up[i]
		}
		for i := bpp; i < len(cur); i++ {
			a, b, c := int(cur[i-bpp]), int(up[i]), int(up[i-bpp])
			pa, pb, pc := abs(b-c), abs(a-c), abs(a+b-2*c)
			switch {
			case pa <= pb && pa <= pc:
				cur[i] += byte(a)
			case pb <= pc:
				cur[i] += byte(b)
			default:
				cur[i] += byte(c)
			}
		}
	default:
		return formatErr("PNG", "row filter", "0 to 4", row[0])
	}
	return nil
}

func abs(v int) int {
	if v < 0 {
		return -v
	}
	return v
}

// unpack stores cols pixels of row into m, every step pixels from index at.
func (p *pngReader) unpack(m *Image, at, step, cols int, row []byte) {
	n := m.Mode.PixelSize()
	if step == 1 && p.depth == 8 {
		copy(m.Pix[at*n:(at+cols)*n], row)
		return
	}
	for i := range cols {
		d := m.Pix[(at+i*step)*n : (at+i*step+1)*n]
		switch {
		case p.depth < 8:
			v := row[i*p.depth/8] << (i * p.depth % 8) >> (8 - p.depth)
			if m.Mode != ModeP {
				v *= 255 / (1<<p.depth - 1)
			}
			d[0] = v
		case p.depth == 8:
			copy(d, row[i*n:])
		case m.Mode == ModeI16:
			binary.LittleEndian.PutUint16(d, binary.BigEndian.Uint16(row[2*i:]))
		case p.layout.channels == 2:
			d[0], d[1], d[2], d[3] = row[4*i], row[4*i], row[4*i], row[4*i+2]
		default: // RGB and RGBA: the high bytes
			for c := range n {
				d[c] = row[2*(i*n+c)]
			}
		}
	}
}
