package jpeg

// The interpolations below are libjpeg's "fancy" ones: a new sample is three
// quarters the nearer and one quarter the farther of two old ones, in one
// direction or in both; the roundings alternate.

// upsampleRow doubles src horizontally. src has at least 3 samples.
func upsampleRow(dst, src []byte) {
	n := len(src)
	dst = dst[:2*n]
	last, this := int(src[0]), int(src[0])
	for i, s := range src[1:] {
		next := int(s)
		dst[2*i] = byte((3*this + last + 1) >> 2)
		dst[2*i+1] = byte((3*this + next + 2) >> 2)
		last, this = this, next
	}
	dst[0] = src[0]
	dst[2*n-2] = byte((3*this + last + 1) >> 2)
	dst[2*n-1] = src[n-1]
}

// upsampleColumn makes one of two rows that come from near; other is the row
// on its other side.
func upsampleColumn(dst, near, other []byte, bias int) {
	other = other[:len(near)]
	dst = dst[:len(near)]
	for i, s := range near {
		dst[i] = byte((3*int(s) + int(other[i]) + bias) >> 2)
	}
}

// upsampleBoth makes one of two rows that come from near, doubled
// horizontally. near has at least 3 samples.
func upsampleBoth(dst, near, other []byte) {
	n := len(near)
	other = other[:n]
	dst = dst[:2*n]
	this := 3*int(near[0]) + int(other[0])
	last := this
	for i, s := range near[1:] {
		next := 3*int(s) + int(other[i+1])
		dst[2*i] = byte((3*this + last + 8) >> 4)
		dst[2*i+1] = byte((3*this + next + 7) >> 4)
		last, this = this, next
	}
	dst[2*n-2] = byte((3*this + last + 8) >> 4)
	dst[2*n-1] = byte((4*this + 7) >> 4)
}

// replicate repeats each sample of src factor times.
func replicate(dst, src []byte, factor int) {
	if factor == 1 {
		copy(dst, src)
		return
	}
	for i, s := range src {
		for j := range factor {
			dst[i*factor+j] = s
		}
	}
}
