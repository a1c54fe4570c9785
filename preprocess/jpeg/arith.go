package jpeg

// An arithDecoder decodes the binary decisions of arithmetic coding (T.81
// annex D) and the coefficients made of them (F.2.4 and G.2). A statistics bin
// is a byte: the state below, the more probable symbol in the uppermost bit.
type arithDecoder struct {
	c, a  int64
	shift int // bits of c not yet used; arithBroken after an error
	dc    [16][64]byte
	ac    [16][256]byte
	fair  byte
}

// arithBroken is the value of arithDecoder.shift once the data made no sense:
// nothing more is decoded up to the next restart.
const arithBroken = -1

// reset starts a scan or a restart interval.
func (e *arithDecoder) reset() { *e = arithDecoder{shift: -16, fair: fairState} }

// arithByte takes the next byte of data. Zeros follow a marker: that is how
// arithmetic coding ends. libjpeg cannot wait for data here, so that Pillow
// refuses files that are longer than its block of 64 KiB.
func (d *decoder) arithByte() byte {
	if d.marker != 0 || d.err != nil {
		return 0
	}
	c, ok := d.dataByte()
	if !ok {
		d.err = d.arithEnd()
	}
	if !ok || d.marker != 0 {
		return 0
	}
	return c
}

// arithEnd is the error for data that go on beyond the window.
func (d *decoder) arithEnd() error {
	if d.src.eof {
		return d.src.truncated()
	}
	return &UnsupportedError{"scan", "arithmetic coding of more than 64 KiB"}
}

// decide decodes a decision by the bin st.
func (d *decoder) decide(st *byte) bool {
	e := d.arith
	for e.a < 0x8000 {
		if e.shift--; e.shift < 0 {
			e.c = e.c<<8 | int64(d.arithByte())
			if e.shift += 8; e.shift < 0 {
				if e.shift++; e.shift == 0 {
					e.a = 0x8000 // the first two bytes are in
				}
			}
		}
		e.a <<= 1
	}
	s := &arithStates[*st&0x7f]
	more := *st & 0x80 // the more probable symbol
	qe := int64(s.qe)
	e.a -= qe
	lower := e.a << e.shift
	less := false // whether the less probable symbol came
	switch {
	case e.c >= lower:
		e.c -= lower
		less = e.a >= qe
		e.a = qe
	case e.a < 0x8000:
		less = e.a < qe
	default:
		return more != 0
	}
	if less {
		*st = more ^ (s.swap<<7 | s.lps)
		return more == 0
	}
	*st = more ^ s.mps
	return more != 0
}

// magnitudeBits decodes what follows the category m of a magnitude: the bits
// below its first one. st is the bin of the last decision on m.
func (d *decoder) magnitudeBits(stats []byte, st, m int) int {
	v := m
	for m >>= 1; m != 0; m >>= 1 {
		if d.decide(&stats[st+14]) {
			v |= m
		}
	}
	return v + 1
}

// category goes on decoding the category of a magnitude that is at least m, at
// bin st. It reports false for one that is too large.
func (d *decoder) category(stats []byte, st, m int) (int, int, bool) {
	for d.decide(&stats[st]) {
		if m <<= 1; m == 0x8000 {
			d.arith.shift = arithBroken
			return st, m, false
		}
		st++
	}
	return st, m, true
}

// arithDC decodes the DC difference of a block.
func (d *decoder) arithDC(c *component) bool {
	stats := d.arith.dc[c.dcTable][:]
	if !d.decide(&stats[c.dcContext]) {
		c.dcContext = 0
		return true
	}
	sign := 0
	if d.decide(&stats[c.dcContext+1]) {
		sign = 1
	}
	st, m, ok := c.dcContext+2+sign, 0, true
	if d.decide(&stats[st]) {
		if st, m, ok = d.category(stats, 20, 1); !ok {
			return false
		}
	}
	switch bounds := d.conditioning.dc[c.dcTable]; {
	case m < 1<<bounds[0]>>1:
		c.dcContext = 0
	case m > 1<<bounds[1]>>1:
		c.dcContext = 12 + 4*sign
	default:
		c.dcContext = 4 + 4*sign
	}
	v := d.magnitudeBits(stats, st, m)
	if sign != 0 {
		v = -v
	}
	c.dcPred = (c.dcPred + int32(v)) & 0xffff
	return true
}

// arithAC decodes coefficients ss to se of a block, without their last al bits.
func (d *decoder) arithAC(blk *block, c *component, ss, se, al int) (nonzero uint64) {
	stats := d.arith.ac[c.acTable][:]
	for k := ss; k <= se; k++ {
		st := 3 * (k - 1)
		if d.decide(&stats[st]) {
			break // end of block
		}
		for !d.decide(&stats[st+1]) {
			st += 3
			if k++; k > se {
				d.arith.shift = arithBroken
				return nonzero
			}
		}
		negative := d.decide(&d.arith.fair)
		st, m, ok := st+2, 0, true
		if d.decide(&stats[st]) {
			m = 1
			if d.decide(&stats[st]) {
				st = 217
				if k <= int(d.conditioning.ac[c.acTable]) {
					st = 189
				}
				if st, m, ok = d.category(stats, st, 2); !ok {
					return nonzero
				}
			}
		}
		v := d.magnitudeBits(stats, st, m)
		if negative {
			v = -v
		}
		blk[zigzag[k]] = int16(v << al)
		nonzero |= 1 << k
	}
	return nonzero
}

// arithBlock is decodeBlock for arithmetic coding.
func (d *decoder) arithBlock(blk *block, c *component, q *[64]uint16) (shape, bool) {
	var raw block
	nonzero := d.arithCoefficients(&raw, c)
	return dequantise(blk, &raw, nonzero, q), d.err == nil
}

func (d *decoder) arithCoefficients(blk *block, c *component) uint64 {
	if d.arith.shift == arithBroken || !d.arithDC(c) {
		return 0
	}
	blk[0] = int16(c.dcPred)
	return d.arithAC(blk, c, 1, 63, 0)
}

// The functions below decode block i of a multi-scan file, as those in
// progressive.go do for Huffman coding.

func (d *decoder) arithSequential(i int, c *component) bool {
	d.nonzero[i] |= d.arithCoefficients(d.coefficients(i), c)
	return d.err == nil
}

func (d *decoder) arithFirstDC(i int, c *component) bool {
	if d.arith.shift != arithBroken && d.arithDC(c) {
		d.coefs[64*i] = int16(c.dcPred << d.al)
	}
	return d.err == nil
}

func (d *decoder) arithRefineDC(i int, _ *component) bool {
	if d.decide(&d.arith.fair) {
		d.coefs[64*i] |= 1 << d.al
	}
	return d.err == nil
}

func (d *decoder) arithFirstAC(i int, c *component) bool {
	if d.arith.shift != arithBroken {
		d.nonzero[i] |= d.arithAC(d.coefficients(i), c, d.ss, d.se, d.al)
	}
	return d.err == nil
}

func (d *decoder) arithRefineAC(i int, c *component) bool {
	if d.arith.shift == arithBroken {
		return true
	}
	blk, stats := d.coefficients(i), d.arith.ac[c.acTable][:]
	one := int16(1) << d.al
	last := d.se // of the coefficients that were not zero before
	for last > 0 && blk[zigzag[last]] == 0 {
		last--
	}
	for k := d.ss; k <= d.se; k++ {
		st := 3 * (k - 1)
		if k > last && d.decide(&stats[st]) {
			break
		}
		for {
			v := &blk[zigzag[k]]
			if *v != 0 {
				if d.decide(&stats[st+2]) {
					if *v < 0 {
						*v -= one
					} else {
						*v += one
					}
				}
				break
			}
			if d.decide(&stats[st+1]) {
				*v = one
				if d.decide(&d.arith.fair) {
					*v = -one
				}
				d.nonzero[i] |= 1 << k
				break
			}
			st += 3
			if k++; k > d.se {
				d.arith.shift = arithBroken
				return d.err == nil
			}
		}
	}
	return d.err == nil
}
