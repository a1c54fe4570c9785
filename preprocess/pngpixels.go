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

// pngSegment bounds the bytes of a row that are held at a time. It is a multiple
// of every size of a pixel.
const pngSegment = 3 << 16

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
	idat := &idatReader{p: p}
	z, err := zlib.NewReader(idat)
	if err != nil {
		return nil, p.dataErr(err, 0)
	}
	passes := adam7[:]
	if !p.interlaced {
		passes = [][4]int{{0, 0, 1, 1}}
	} else {
		frame[0], frame[1] = 0, 0 // as in Pillow, which forgets them here
	}
	bits := p.depth * p.layout.channels
	row := newPNGRow(z, bits)
	var m *Image
	for _, pass := range passes {
		cols := (w - pass[0] + pass[2] - 1) / pass[2]
		if cols <= 0 || pass[1] >= h {
			continue
		}
		row.reset((cols*bits+7)/8, pass[1]+pass[3] < h)
		for y := pass[1]; y < h; y += pass[3] {
			if err := row.start(); err == io.EOF && m != nil && idat.endTogether() {
				// A complete stream of too few rows: Pillow leaves the rest black.
				p.endOfPixels()
				return m, nil
			} else if err != nil {
				return nil, p.dataErr(err, y)
			}
			if m == nil { // not before something has come
				m = newImage(p.layout.mode, p.width, p.height)
			}
			at := (frame[1]+y)*p.width + frame[0] + pass[0]
			for done := 0; done < cols; {
				segment, err := row.next()
				if err != nil {
					return nil, p.dataErr(err, y)
				}
				n := min(len(segment)*8/bits, cols-done)
				p.unpack(m, at+done*pass[2], pass[2], n, segment)
				done += n
			}
		}
	}
	// A stream that ends here with a wrong checksum is an error in zlib; more
	// data, or the lack of a checksum, is none.
	if n, err := z.Read(row.cur[:1]); n == 0 && errors.Is(err, zlib.ErrChecksum) && idat.endTogether() {
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

// pngRow undoes the filters of a pass, row by row, in segments.
type pngRow struct {
	z      io.Reader
	bpp    int // bytes of a pixel, at least 1: the distance of the filters
	size   int // bytes of a row
	at     int // bytes of this row that are done
	filter byte
	prior  []byte // the row above, overwritten as this one is made; nil in a pass of one row
	// The segment in hand and what stands above it, each behind bpp bytes of
	// what stands to its left.
	cur, up []byte
}

func newPNGRow(z io.Reader, bits int) *pngRow {
	return &pngRow{z: z, bpp: max(bits/8, 1), cur: make([]byte, 8)}
}

// reset begins a pass with rows of size bytes.
func (r *pngRow) reset(size int, several bool) {
	r.size, r.at = size, 0
	if n := r.bpp + min(size, pngSegment); cap(r.cur) < n {
		r.cur, r.up = make([]byte, n), make([]byte, n)
	} else if r.up == nil {
		r.up = make([]byte, cap(r.cur))
	}
	if several {
		if cap(r.prior) < size {
			r.prior = make([]byte, size)
		}
		r.prior = r.prior[:size]
		clear(r.prior)
	} else {
		r.prior = nil
		clear(r.up[:cap(r.up)])
	}
}

// start reads the filter of the next row. The end of the stream is io.EOF.
func (r *pngRow) start() error {
	r.at = 0
	clear(r.cur[:r.bpp])
	clear(r.up[:r.bpp])
	if _, err := io.ReadFull(r.z, r.cur[r.bpp:r.bpp+1]); err != nil {
		return err
	}
	if r.filter = r.cur[r.bpp]; r.filter > 4 {
		return formatErr("PNG", "row filter", "0 to 4", r.filter)
	}
	return nil
}

// next returns the next bytes of the row.
func (r *pngRow) next() ([]byte, error) {
	n := min(r.size-r.at, pngSegment)
	bpp := r.bpp
	if r.at > 0 { // the end of the segment before stands to the left
		copy(r.cur[:bpp], r.cur[pngSegment:pngSegment+bpp])
		copy(r.up[:bpp], r.up[pngSegment:pngSegment+bpp])
	}
	cur, up := r.cur[:bpp+n], r.up[:bpp+n]
	if _, err := io.ReadFull(r.z, cur[bpp:]); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if r.prior != nil {
		copy(up[bpp:], r.prior[r.at:])
	}
	unfilter(r.filter, cur, up, bpp)
	if r.prior != nil {
		copy(r.prior[r.at:], cur[bpp:])
	}
	r.at += n
	return cur[bpp:], nil
}

// unfilter undoes a filter from cur[bpp] on, given the samples above.
func unfilter(filter byte, cur, up []byte, bpp int) {
	up = up[:len(cur)]
	switch filter {
	case 1:
		for i := bpp; i < len(cur); i++ {
			cur[i] += cur[i-bpp]
		}
	case 2:
		for i := bpp; i < len(cur); i++ {
			cur[i] += up[i]
		}
	case 3:
		for i := bpp; i < len(cur); i++ {
			cur[i] += byte((int(cur[i-bpp]) + int(up[i])) / 2)
		}
	case 4:
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
	}
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
