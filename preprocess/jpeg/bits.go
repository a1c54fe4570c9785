package jpeg

import "encoding/binary"

// bitState is the state of the entropy-coded bit stream. acc holds bits bits,
// right-aligned, the oldest uppermost. The last pad of them are zeros put in
// behind a marker, which ends the data: when bits falls below pad, the data
// were not enough.
type bitState struct {
	acc  uint64
	bits int
	pad  int

	loaded int  // bits loaded since the last restart, without padding
	ahead  bool // loaded in strides of our own, not libjpeg's; see align
	anchor int  // loaded when that began
	tail   int  // bits taken since libjpeg last looked whether it had enough
}

// refill tops up acc to at least 32 bits, enough for one code and the bits
// appended to it. It reports false if the window is used up before that.
func (d *decoder) refill(acc uint64, bits int) (uint64, int, bool) {
	s := &d.src
	if p := s.pos; d.marker == 0 && len(s.buf)-p >= 4 {
		x := binary.BigEndian.Uint32(s.buf[p:])
		// No byte is 0xff if no byte of the complement is zero.
		if (^x-0x01010101)&x&0x80808080 == 0 {
			s.pos = p + 4
			d.loaded += 32
			return acc<<32 | uint64(x), bits + 32, true
		}
	}
	return d.refillSlow(acc, bits)
}

// refillSlow is refill byte by byte, with stuffing and markers.
func (d *decoder) refillSlow(acc uint64, bits int) (uint64, int, bool) {
	for bits < 32 {
		if d.marker != 0 {
			d.pad = min(d.pad, bits) + 32
			return acc << 32, bits + 32, true
		}
		c, ok := d.dataByte()
		if !ok {
			if d.onePass || d.grow() != nil {
				return acc, bits, false
			}
			continue
		}
		if d.marker == 0 {
			acc = acc<<8 | uint64(c)
			bits += 8
			d.loaded += 8
		}
	}
	return acc, bits, true
}

// dataByte takes the next byte of entropy-coded data. A stuffed zero is
// dropped; a marker is left in d.marker. It reports false, having taken
// nothing, if the window ends.
func (d *decoder) dataByte() (byte, bool) {
	s := &d.src
	if s.pos >= len(s.buf) {
		return 0, false
	}
	c := s.buf[s.pos]
	if c != 0xff {
		s.pos++
		return c, true
	}
	// Fill bytes may stand before a marker, and as in libjpeg before a
	// stuffed zero too.
	p := s.pos + 1
	for p < len(s.buf) && s.buf[p] == 0xff {
		p++
	}
	if p >= len(s.buf) {
		return 0, false
	}
	d.marker = s.buf[p]
	s.pos = p + 1
	return c, true
}

// grow reads on, keeping the error for the end of the scan.
func (d *decoder) grow() error {
	d.src.dropFill()
	d.err = d.src.grow()
	return d.err
}

// exhausted reports whether more bits were taken than the data had.
func (b *bitState) exhausted() bool { return b.bits < b.pad }
