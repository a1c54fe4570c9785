package jpeg

import (
	"math/bits"
	"unsafe"
)

// An output turns the planes into rows of pixels. Each plane is a ring of two
// MCU rows, so that interpolation between rows can look one row back and, as
// output lags by vMax rows, one row ahead.
type output struct {
	d       *decoder
	image   *Image
	next    int // first row of the image not yet written
	space   colorSpace
	doubled bool // see isDoubled
}

// newOutput allocates the image, the planes and, for multi-scan files, the
// coefficients. Large coefficient stores share their memory with the image,
// which overwrites those that were used: pixels take at most 4 bytes where
// coefficients take 2 for each sample.
func (d *decoder) newOutput() *output {
	size := d.width * d.height * len(d.comps)
	o := &output{d: d, space: d.space(), doubled: d.isDoubled(), image: &Image{
		Width: d.width, Height: d.height, Channels: len(d.comps),
	}}
	if d.onePass {
		o.image.Pix = make([]byte, size)
	} else {
		d.nonzero = make([]uint64, d.mcusY*d.rowCoefs/64)
		d.coefs, o.image.Pix = allocCoefficients(d.mcusY, d.rowCoefs, d.vMax*8*d.width*len(d.comps), size)
	}
	for i := range d.comps {
		c := &d.comps[i]
		c.planeStride = c.blocksX * 8
		c.plane = make([]byte, 2*c.v*8*c.planeStride)
		if c.hExpand > 1 || c.vExpand > 1 {
			c.upsampled = make([]byte, c.width*c.hExpand)
		}
	}
	return o
}

// shareAbove is the size of coefficients, in bytes, from which on they share
// memory with the image.
const shareAbove = 32 << 20

// allocCoefficients returns room for rows times rowCoefs coefficients and for
// size bytes of pixels, rowBytes of which belong to a row of MCUs.
func allocCoefficients(rows, rowCoefs, rowBytes, size int) (coefs []int16, pix []byte) {
	n := rows * rowCoefs
	if 2*n < shareAbove {
		return make([]int16, n), make([]byte, size)
	}
	// The coefficients stand at the end. Before those of row i+1 there is then
	// always room for the pixels of rows 0 to i, whichever of the two is larger.
	total := max(n, (rows*rowBytes+1)/2)
	all := make([]int16, total)
	pix = unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(all))), 2*total)
	return all[total-n:], pix[:size:size]
}

// emitCoefficients transforms all stored coefficients and writes the image.
func (d *decoder) emitCoefficients(o *output) {
	var blk block
	smoother := d.newSmoother()
	for my := range d.mcusY {
		for i := range d.comps {
			c := &d.comps[i]
			for y := range c.v {
				by := my*c.v + y
				if by >= c.blocksY {
					break
				}
				row := c.plane[by%(2*c.v)*8*c.planeStride:]
				for bx := range c.blocksX {
					var s shape
					at := d.blockIndex(c, bx, by)
					switch src := d.coefficients(at); {
					case c.quant == nil: // no scan had this component
						blk = block{}
					case smoother != nil:
						guessed := smoother.apply(src, i, bx, y, my)
						s = dequantise(&blk, &guessed, ^uint64(0), c.quant)
					default:
						s = dequantise(&blk, src, d.nonzero[at], c.quant)
					}
					idct(row[bx*8:], c.planeStride, &blk, s)
				}
			}
		}
		o.emit(my)
	}
}

// dequantise sets dst to src times q and tells what is in it. Where nonzero
// has no bit the coefficient of src at that place in zigzag order is zero.
func dequantise(dst, src *block, nonzero uint64, q *[64]uint16) (s shape) {
	*dst = block{src[0] * int16(q[0])}
	s.sum = magnitude(dst[0])
	for nonzero &^= 1; nonzero != 0; nonzero &= nonzero - 1 {
		k := bits.TrailingZeros64(nonzero)
		z := zigzag[k] & 63
		if src[z] == 0 {
			continue
		}
		v := src[z] * int16(q[z])
		dst[z] = v
		s.columns |= columnBit[z]
		s.sum += magnitude(v)
		s.nonzero |= 1 << k
	}
	return s
}

// emit writes the rows of the image that are complete once MCU row my is in
// the planes: all but the last vMax, which may need the row below.
func (o *output) emit(my int) {
	d := o.d
	end := (my+1)*8*d.vMax - d.vMax
	if my == d.mcusY-1 {
		end = d.height
	}
	var rows [4][]byte
	n := d.width * len(d.comps)
	for ; o.next < end; o.next++ {
		dst := o.image.Pix[o.next*n : (o.next+1)*n]
		if o.doubled {
			o.emitDoubled(dst, o.next)
			continue
		}
		for i := range d.comps {
			rows[i] = d.comps[i].upsample(o.next)
		}
		convert(dst, &rows, d.width, o.space)
	}
}

// planeRow returns row i of the samples of a component, or the nearest row
// that it has.
func (c *component) planeRow(i int) []byte {
	i = min(max(i, 0), c.height-1)
	p := c.plane[i%(16*c.v)*c.planeStride:]
	return p[:c.width]
}

// isDoubled reports whether the image is YCbCr with full luma and chroma that
// is interpolated horizontally, as most are.
func (d *decoder) isDoubled() bool {
	if d.space() != spaceYCbCr {
		return false
	}
	y, cb, cr := &d.comps[0], &d.comps[1], &d.comps[2]
	return y.hExpand == 1 && y.vExpand == 1 && cb.fancyH && cr.fancyH && cb.fancyV == cr.fancyV
}

// emitDoubled writes row y of such an image.
func (o *output) emitDoubled(dst []byte, y int) {
	c := o.d.comps
	cb, cbOther, _ := c[1].neighbours(y)
	cr, crOther, _ := c[2].neighbours(y)
	round := rowRounding
	if c[1].fancyV {
		round = bothRounding
	}
	convertDoubled(dst, c[0].planeRow(y), cb, cbOther, cr, crOther, round)
}
