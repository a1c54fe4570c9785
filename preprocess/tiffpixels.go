package preprocess

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"golang.org/x/image/ccitt"
	"golang.org/x/image/tiff/lzw"
)

// Values of the compression tag.
const (
	tiffNone       = 1
	tiffG3         = 3
	tiffG4         = 4
	tiffLZW        = 5
	tiffDeflate    = 8
	tiffPackBits   = 32773
	tiffOldDeflate = 32946
)

// maxTIFFRow bounds one row of a strip, of which a buffer is made.
const maxTIFFRow = 32 << 20

// A tiffGrid is the division of a plane into strips or tiles.
type tiffGrid struct {
	tiled           bool
	width, height   int // of a block
	across, down    int // blocks
	offsets, counts tiffValue
	hasCounts       bool
}

func (g *tiffGrid) name() string {
	if g.tiled {
		return "tile"
	}
	return "strip"
}

func (t *tiffReader) grid() (*tiffGrid, error) {
	g := &tiffGrid{width: t.width}
	var ok bool
	var err error
	if g.offsets, ok = t.tags[tagStripOffsets]; ok {
		g.counts, g.hasCounts = t.tags[tagStripCounts]
		if g.height, err = t.one(tagRowsPerStrip, t.height); err != nil {
			return nil, err
		}
	} else if g.offsets, ok = t.tags[tagTileOffsets]; ok {
		g.tiled = true
		g.counts, g.hasCounts = t.tags[tagTileCounts]
		if g.width, err = t.one(tagTileWidth, 0); err != nil {
			return nil, err
		}
		if g.height, err = t.one(tagTileHeight, 0); err != nil {
			return nil, err
		}
		// More than padding needs is a trick to make us work.
		if most := max(t.width+16, 1024); g.width > most {
			return nil, formatErr("TIFF", "TileWidth", fmt.Sprintf("at most %d", most), g.width)
		}
		if most := max(t.height+16, 1024); g.height > most {
			return nil, formatErr("TIFF", "TileLength", fmt.Sprintf("at most %d", most), g.height)
		}
		if !g.hasCounts && t.compression != tiffNone {
			return nil, formatErr("TIFF", "TileByteCounts", "a count for every tile", "none")
		}
	} else {
		return nil, formatErr("TIFF", "StripOffsets", "offsets of strips or tiles", "none")
	}
	if g.width < 1 || g.height < 1 {
		return nil, formatErr("TIFF", g.name()+" size", "at least 1×1", fmt.Sprintf("%d×%d", g.width, g.height))
	}
	g.height = min(g.height, 1<<31) // an absurd number stands for all rows
	g.across, g.down = (t.width-1)/g.width+1, (t.height-1)/g.height+1
	return g, nil
}

// pixels reads all blocks of all planes.
func (t *tiffReader) pixels() (*Image, error) {
	g, err := t.grid()
	if err != nil {
		return nil, err
	}
	planes, spp := 1, t.samples
	if t.planar && t.samples > 1 {
		if t.bits != 8 || t.premultiplied || t.fillOrder == 2 {
			return nil, &UnsupportedError{"TIFF", "separate planes", fmt.Sprintf("%d bits", t.bits), "8 bits, not premultiplied"}
		}
		planes, spp = t.bands, 1
	}
	if err := t.enough(g, planes, spp); err != nil {
		return nil, err
	}
	rowBytes := (g.width*t.bits*spp + 7) / 8
	if rowBytes > maxTIFFRow {
		return nil, &LimitError{Thing: "bytes in a TIFF row", Limit: maxTIFFRow, Found: int64(rowBytes)}
	}
	m := newImage(t.mode, t.width, t.height)
	row := make([]byte, rowBytes)
	codec := &tiffCodec{t: t, g: g, rowBytes: rowBytes}
	perPlane := g.across * g.down
	for plane := range planes {
		for i := range perPlane {
			x, y := i%g.across*g.width, i/g.across*g.height
			rows, cols := min(g.height, t.height-y), min(g.width, t.width-x)
			at := i + plane*perPlane
			if t.compression == tiffNone && perPlane == 1 && !t.planar {
				at = g.offsets.len() - 1 // Pillow takes the last of several
			}
			if at >= g.offsets.len() {
				if t.compression == tiffNone {
					return m, nil // Pillow leaves the rest black
				}
				return nil, formatErr("TIFF", g.name()+" offsets", fmt.Sprint(planes*perPlane), g.offsets.len())
			}
			r, err := codec.block(at, rows)
			if err != nil {
				return nil, err
			}
			for dy := range rows {
				// The last row of an uncompressed block may lack its padding.
				want := rowBytes
				if t.compression == tiffNone && dy == rows-1 {
					want = (cols*t.bits*spp + 7) / 8
				}
				if n, err := io.ReadFull(r, row[:want]); err != nil {
					if err == io.EOF || err == io.ErrUnexpectedEOF {
						return nil, truncated("TIFF", fmt.Sprintf("row %d of %s %d", dy, g.name(), at), want, n)
					}
					return nil, formatErr("TIFF", fmt.Sprintf("row %d of %s %d", dy, g.name(), at), "valid compressed data", err)
				}
				t.unpredict(row, spp)
				t.unpack(m, row, spp, plane, x, y+dy, cols)
			}
			if err := codec.finish(r, at, rows); err != nil {
				return nil, err
			}
		}
	}
	return m, nil
}

// enough refuses a file that is too short for the picture it declares, before
// room for the picture is made. No codec here expands more than deflate does,
// by 1032, but for CCITT, which can describe any row with one bit.
func (t *tiffReader) enough(g *tiffGrid, planes, spp int) error {
	raw := (int64(t.width)*int64(t.bits*spp) + 7) / 8 * int64(t.height) * int64(planes)
	most := int64(len(t.data))
	switch {
	case g.offsets.len() == 0:
		return formatErr("TIFF", g.name()+" offsets", "at least one", "none")
	case t.compression == tiffG3 || t.compression == tiffG4:
		return nil
	case t.compression == tiffNone:
		// Blocks may overlap, but each lies in the file.
		rows := int64(min(g.height, t.height))
		if block := (int64(g.width)*int64(t.bits*spp) + 7) / 8 * rows; block > most && !g.tiled {
			return truncated("TIFF", "first strip", int(min(block, maxInt32)), len(t.data))
		}
		return nil
	case g.offsets.len() < planes*g.across*g.down:
		return formatErr("TIFF", g.name()+" offsets", fmt.Sprint(planes*g.across*g.down), g.offsets.len())
	}
	// Blocks may share their data.
	if raw/1032/int64(g.offsets.len()) > most {
		return truncated("TIFF", "compressed data", int(raw/1032/int64(g.offsets.len())), len(t.data))
	}
	return nil
}

// tiffCodec opens blocks as streams of rows.
type tiffCodec struct {
	t        *tiffReader
	g        *tiffGrid
	rowBytes int
	in       bytes.Reader
	z        io.ReadCloser
}

func (c *tiffCodec) block(i, rows int) (io.Reader, error) {
	t := c.t
	size := int64(len(t.data))
	from := c.g.offsets.at(i)
	thing := fmt.Sprintf("%s %d", c.g.name(), i)
	if from < 0 || from > size { // tags may be of a signed type
		return nil, formatErr("TIFF", thing+" offset", fmt.Sprintf("0 to %d", size), from)
	}
	data := t.data[from:]
	if t.compression == tiffNone {
		c.in.Reset(data) // Pillow ignores the byte count
		return &c.in, nil
	}
	if c.g.hasCounts {
		n := int64(0)
		if i < c.g.counts.len() {
			n = c.g.counts.at(i)
		}
		if n > int64(len(data)) || n <= 0 {
			return nil, formatErr("TIFF", thing+" byte count", fmt.Sprintf("1 to %d", len(data)), n)
		}
		data = data[:n]
	}
	fax := t.compression == tiffG3 || t.compression == tiffG4
	if t.fillOrder == 2 && !fax {
		data = bytes.Clone(data)
		for j, v := range data {
			data[j] = bits.Reverse8(v)
		}
	}
	c.in.Reset(data)
	switch t.compression {
	case tiffLZW:
		return lzw.NewReader(&c.in, lzw.MSB, 8), nil
	case tiffDeflate, tiffOldDeflate:
		var err error
		if c.z == nil {
			c.z, err = zlib.NewReader(&c.in)
		} else {
			err = c.z.(zlib.Resetter).Reset(&c.in, nil)
		}
		if err != nil {
			return nil, formatErr("TIFF", thing, "a zlib stream", err)
		}
		return c.z, nil
	case tiffPackBits:
		return &packBits{r: &c.in}, nil
	}
	if t.bits != 1 || t.samples != 1 {
		return nil, formatErr("TIFF", "CCITT data", "bilevel pixels", fmt.Sprintf("%d samples of %d bits", t.samples, t.bits))
	}
	order, kind := ccitt.MSB, ccitt.Group4
	if t.fillOrder == 2 {
		order = ccitt.LSB
	}
	if t.compression == tiffG3 {
		kind = ccitt.Group3
	}
	// Set bits are black, as libtiff hands them out.
	r := ccitt.NewReader(&c.in, order, kind, c.g.width, rows, &ccitt.Options{Invert: true})
	return bufio.NewReader(r), nil
}

// finish reads what libtiff reads too, though it is not shown: the rest of a
// tile, and the checksum behind deflated data.
func (c *tiffCodec) finish(r io.Reader, i, rows int) error {
	if c.t.compression == tiffNone {
		return nil
	}
	thing := fmt.Sprintf("%s %d", c.g.name(), i)
	if c.g.tiled {
		want := int64(c.g.height-rows) * int64(c.rowBytes)
		if n, err := io.CopyN(io.Discard, r, want); err != nil {
			return formatErr("TIFF", thing, fmt.Sprintf("%d more bytes", want-n), err)
		}
	}
	if c.z != nil {
		if n, err := c.z.Read(make([]byte, 1)); n == 0 && errors.Is(err, zlib.ErrChecksum) {
			return formatErr("TIFF", thing, "a valid checksum", err)
		}
	}
	return nil
}

// unpredict undoes the horizontal differencing of a row.
func (t *tiffReader) unpredict(row []byte, spp int) {
	if t.predictor != 2 || !t.compressible() {
		return
	}
	switch t.bits {
	case 8:
		for i := spp; i < len(row); i++ {
			row[i] += row[i-spp]
		}
	case 16:
		for i := 2 * spp; i+1 < len(row); i += 2 {
			t.order.PutUint16(row[i:], t.order.Uint16(row[i:])+t.order.Uint16(row[i-2*spp:]))
		}
	}
}

// unpack stores cols pixels of a row at (x, y) of m. With separate planes the
// row holds one band.
func (t *tiffReader) unpack(m *Image, row []byte, spp, plane, x, y, cols int) {
	if t.fillOrder == 2 && t.compression == tiffNone {
		for i, v := range row {
			row[i] = bits.Reverse8(v)
		}
	}
	n := m.Mode.PixelSize()
	dst := m.Pix[(y*m.Width+x)*n:][:cols*n]
	high := 0 // index of the high byte of a 16-bit sample
	if t.bits == 16 && !t.bigEndian {
		high = 1
	}
	step := t.bits / 8
	switch {
	case t.bits < 8:
		for i := range dst {
			v := row[i*t.bits/8] << (i * t.bits % 8) >> (8 - t.bits)
			if t.mode != ModeP {
				v *= 255 / (1<<t.bits - 1)
			}
			dst[i] = v
		}
	case m.Mode == ModeI16 || m.Mode == ModeI16B:
		copy(dst, row)
		return
	case t.planar && t.samples > 1:
		for i := range cols {
			dst[i*n+plane] = row[i]
		}
	default:
		for i := range cols {
			for c := range n {
				dst[i*n+c] = row[(i*spp+c)*step+high]
			}
		}
	}
	if t.invert {
		for i := range dst {
			dst[i] = ^dst[i]
		}
	}
	if t.premultiplied {
		unpremultiplyFile(dst)
	}
}

// unpremultiplyFile divides RGBA by alpha as Pillow's unpacker of premultiplied
// files does: colours under alpha 0 become black.
func unpremultiplyFile(pix []byte) {
	for i := 0; i+4 <= len(pix); i += 4 {
		p := pix[i : i+4]
		if p[3] == 0 {
			clear(p)
		}
	}
	unpremultiply(pix, 4)
}

// packBits reads Apple's run-length code.
type packBits struct {
	r      *bytes.Reader
	copies int  // literal bytes to come
	run    int  // repetitions to come
	value  byte // of the run
}

func (p *packBits) Read(b []byte) (int, error) {
	for i := range b {
		for p.copies == 0 && p.run == 0 {
			c, err := p.r.ReadByte()
			if err != nil {
				return i, err
			}
			switch n := int(int8(c)); {
			case n >= 0:
				p.copies = n + 1
			case n != -128:
				p.run = 1 - n
				if p.value, err = p.r.ReadByte(); err != nil {
					return i, err
				}
			}
		}
		if p.run > 0 {
			p.run--
			b[i] = p.value
			continue
		}
		c, err := p.r.ReadByte()
		if err != nil {
			return i, err
		}
		p.copies--
		b[i] = c
	}
	return len(b), nil
}
