package jpeg

// convert writes a row of pixels from rows of samples, one for each component
// and at least width long.
func convert(dst []byte, rows *[4][]byte, width int, space colorSpace) {
	switch space {
	case spaceGray:
		copy(dst, rows[0][:width])
	case spaceRGB:
		r, g, b := rows[0][:width], rows[1][:width], rows[2][:width]
		for i := range r {
			p := dst[3*i : 3*i+3 : 3*i+3]
			p[0], p[1], p[2] = r[i], g[i], b[i]
		}
	case spaceYCbCr:
		convertYCbCr(dst, rows[0][:width], rows[1][:width], rows[2][:width])
	case spaceCMYK:
		// Pillow takes all CMYK files to be inverted, as Adobe's are.
		c, m, y, k := rows[0][:width], rows[1][:width], rows[2][:width], rows[3][:width]
		for i := range c {
			p := dst[4*i : 4*i+4 : 4*i+4]
			p[0], p[1], p[2], p[3] = ^c[i], ^m[i], ^y[i], ^k[i]
		}
	case spaceYCCK:
		// C, M and Y are 255-R, 255-G and 255-B; Pillow inverts those again.
		y, cb, cr, k := rows[0][:width], rows[1][:width], rows[2][:width], rows[3][:width]
		for i := range y {
			s := addYCC(y[i], cb[i], cr[i])
			p := dst[4*i : 4*i+4 : 4*i+4]
			p[0], p[1], p[2], p[3] = clamped[s>>48], clamped[s>>32&1023], clamped[s&1023], ^k[i]
		}
	}
}

func convertYCbCr(dst, y, cb, cr []byte) {
	dst = dst[:3*len(y)]
	cb, cr = cb[:len(y)], cr[:len(y)]
	for i := range y {
		s := addYCC(y[i], cb[i], cr[i])
		dst[0] = clamped[s>>48&1023]
		dst[1] = clamped[s>>32&1023]
		dst[2] = clamped[s&1023]
		dst = dst[3:]
	}
}

// convertDoubled is convertYCbCr of luma y and of the chroma that upsampleRow
// makes from cb, cr and the rows next to them, in one go.
func convertDoubled(dst, y, cb, cbOther, cr, crOther []byte, round rounding) {
	n := len(cb)
	cbOther, cr, crOther = cbOther[:n], cr[:n], crOther[:n]
	// Two sums travel in one word, cb below and cr above.
	const both = 1<<16 | 1
	even, odd := round.even*both, round.odd*both
	sum := func(i int) uint32 {
		return 3*(uint32(cb[i])|uint32(cr[i])<<16) + (uint32(cbOther[i]) | uint32(crOther[i])<<16)
	}
	this := sum(0)
	last := this
	for i := range n {
		next := this
		if i+1 < n {
			next = sum(i + 1)
		}
		t := (3*this + last + even) >> 4
		s := addYCC(y[0], byte(t), byte(t>>16))
		dst[0], dst[1], dst[2] = clamped[s>>48&1023], clamped[s>>32&1023], clamped[s&1023]
		if len(y) == 1 { // the last of an odd width
			return
		}
		t = (3*this + next + odd) >> 4
		s = addYCC(y[1], byte(t), byte(t>>16))
		dst[3], dst[4], dst[5] = clamped[s>>48&1023], clamped[s>>32&1023], clamped[s&1023]
		y, dst = y[2:], dst[6:]
		last, this = this, next
	}
}

// Conversion adds three words, each with a part for red (bits 48 up), green
// (bits 16 to 47, with 16 bits of fraction) and blue (bits 0 to 15). Every
// part of the sum is 256 too large and so never negative.
var (
	crParts, cbParts = makeColorParts()
	clamped          = makeClamped()
)

func addYCC(y, cb, cr byte) uint64 {
	return uint64(y)*(1<<48|1<<32|1) + cbParts[cb] + crParts[cr]
}

// makeColorParts computes the parts with libjpeg's fixed-point constants:
//
//	R = Y + 1.40200 Cr,  B = Y + 1.77200 Cb
//	G = Y - 0.34414 Cb - 0.71414 Cr
func makeColorParts() (cr, cb [256]uint64) {
	for i := range 256 {
		v := i - 128
		red := (91881*v + 32768) >> 16
		blue := (116130*v + 32768) >> 16
		cr[i] = uint64(red+256)<<48 + uint64(128<<16-46802*v)<<16
		cb[i] = uint64(blue+256) + uint64(128<<16+32768-22554*v)<<16
	}
	return cr, cb
}

// makeClamped returns the table from a sample plus 256 to the nearest byte.
func makeClamped() (t [1024]byte) {
	for i := range t {
		t[i] = byte(min(max(i-256, 0), 255))
	}
	return t
}
