package jpeg

// The interpolations below are libjpeg's "fancy" ones: a new sample is three
// quarters the nearer and one quarter the farther of two old ones, in one
// direction or in both. The roundings differ between even and odd places.

// rounding of horizontal interpolation, added before division by 16.
type rounding struct{ even, odd uint32 }

var (
	rowRounding  = rounding{4, 8} // of 2:1 horizontally only: 1 and 2 before division by 4
	bothRounding = rounding{8, 7} // of 2:1 both ways
)

// neighbours returns the two rows of samples between which row y of the image
// lies, the nearer first. They are the same row if there is no interpolation
// between rows. lower tells that y is the lower of the rows nearest to it.
func (c *component) neighbours(y int) (near, other []byte, lower bool) {
	near = c.planeRow(y / c.vExpand)
	if !c.fancyV {
		return near, near, false
	}
	if y&1 == 1 {
		return near, c.planeRow(y/2 + 1), true
	}
	return near, c.planeRow(y/2 - 1), false
}

// upsample returns row y of a component at the size of the image; it may be
// longer than that.
func (c *component) upsample(y int) []byte {
	near, other, lower := c.neighbours(y)
	dst := c.upsampled
	switch {
	case c.fancyH && c.fancyV:
		upsampleRow(dst, near, other, bothRounding)
	case c.fancyH:
		upsampleRow(dst, near, near, rowRounding)
	case c.fancyV && lower:
		upsampleColumn(dst, near, other, 2)
	case c.fancyV:
		upsampleColumn(dst, near, other, 1)
	case c.hExpand > 1:
		replicate(dst, near, c.hExpand)
	default:
		return near
	}
	return dst
}

// upsampleRow makes a row that lies between near and other, doubled
// horizontally.
func upsampleRow(dst, near, other []byte, round rounding) {
	n := len(near)
	other = other[:n]
	dst = dst[:2*n]
	this := 3*uint32(near[0]) + uint32(other[0])
	last := this
	for i := 1; i < n; i++ {
		next := 3*uint32(near[i]) + uint32(other[i])
		dst[0] = byte((3*this + last + round.even) >> 4)
		dst[1] = byte((3*this + next + round.odd) >> 4)
		dst = dst[2:]
		last, this = this, next
	}
	dst[0] = byte((3*this + last + round.even) >> 4)
	dst[1] = byte((4*this + round.odd) >> 4)
}

// upsampleColumn makes one of two rows that come from near; other is the row
// on its other side.
func upsampleColumn(dst, near, other []byte, round int) {
	other = other[:len(near)]
	dst = dst[:len(near)]
	for i, s := range near {
		dst[i] = byte((3*int(s) + int(other[i]) + round) >> 2)
	}
}

// replicate repeats each sample of src factor times.
func replicate(dst, src []byte, factor int) {
	for i, s := range src {
		for j := range factor {
			dst[i*factor+j] = s
		}
	}
}
