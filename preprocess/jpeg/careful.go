package jpeg

// The careful decoder takes the bytes of a sequential scan exactly when
// libjpeg does. It is used near the end of the window, where that matters: a
// file may lack its last bytes, and whether the picture still counts as whole
// depends on whether libjpeg asked for one of them ahead of its need.

const (
	carefulDepth = 57 // libjpeg fills its 64 bits to at least this
	carefulLook  = 8  // and looks up codes by this many bits
)

// align brings the bit stream to the state that libjpeg's would be in. Far from
// the end of the window libjpeg loads 48 bits whenever it looks, before each
// code and before the bits appended to it, and has no more than 16. So what it
// has loaded follows from what it had when that began and from where it looked
// last.
func (d *decoder) align() {
	if !d.ahead || d.marker != 0 {
		return
	}
	d.ahead = false
	looked := d.loaded - d.bits - d.tail
	want := d.anchor
	if lack := looked + 17 - want; lack > 0 {
		want += (lack + 47) / 48 * 48
	}
	for d.loaded < want {
		c, ok := d.dataByte()
		if !ok || d.marker != 0 {
			break
		}
		d.acc = d.acc<<8 | uint64(c)
		d.bits += 8
		d.loaded += 8
	}
	for d.loaded > want {
		d.unreadByte()
	}
	d.anchor = d.loaded
}

// unreadByte gives back the last byte of data that was loaded, with its
// stuffing.
func (d *decoder) unreadByte() {
	s := &d.src
	s.pos--
	if s.buf[s.pos] == 0 {
		for s.pos > 0 && s.buf[s.pos-1] == 0xff {
			s.pos--
		}
	}
	d.acc >>= 8
	d.bits -= 8
	d.loaded -= 8
}

// carefulBlock is decodeBlock with the reading habits of libjpeg.
func (d *decoder) carefulBlock(blk *block, c *component, q *[64]uint16) (s shape, ok bool) {
	size, ok := d.carefulSymbol(d.dcTables[c.dcTable])
	if !ok {
		return s, false
	}
	diff, ok := d.carefulValue(int(size))
	if !ok {
		return s, false
	}
	c.dcPred += diff
	blk[0] = int16(c.dcPred) * int16(q[0])
	s.sum = magnitude(blk[0])
	for k := 1; k < 64; k++ {
		symbol, ok := d.carefulSymbol(d.acTables[c.acTable])
		if !ok {
			return s, false
		}
		k += int(symbol >> 4)
		if symbol&15 == 0 {
			if symbol>>4 != 15 {
				break
			}
			continue
		}
		v, ok := d.carefulValue(int(symbol & 15))
		if !ok {
			return s, false
		}
		z := zigzag[k]
		blk[z] = int16(v) * int16(q[z])
		s.columns |= columnBit[z]
		s.sum += magnitude(blk[z])
		s.nonzero |= 1 << min(k, 63)
	}
	return s, true
}

// carefulValue takes size appended bits.
func (d *decoder) carefulValue(size int) (int32, bool) {
	if size == 0 {
		return 0, true
	}
	if !d.carefulNeed(size) {
		return 0, false
	}
	d.bits -= size
	return extend(int32(d.acc>>uint(d.bits))&(1<<size-1), size), true
}

func (d *decoder) carefulSymbol(t *huffTable) (byte, bool) {
	length := 1
	if d.bits < carefulLook && !d.carefulFill(0) {
		return 0, false
	}
	if d.bits >= carefulLook {
		look := int32(d.acc>>uint(d.bits-carefulLook)) & (1<<carefulLook - 1)
		// The table's entries are for lutBits bits; any will do that starts with look.
		e := t.lut[look<<(lutBits-carefulLook)]
		if n := int(e >> 8); n != 0 && n <= carefulLook {
			d.bits -= n
			return byte(e), true
		}
		length = carefulLook + 1
	}
	if !d.carefulNeed(length) {
		return 0, false
	}
	d.bits -= length
	code := int32(d.acc>>uint(d.bits)) & (1<<length - 1)
	for ; code > t.maxCode[length]; length++ {
		if !d.carefulNeed(1) {
			return 0, false
		}
		d.bits--
		code = code<<1 | int32(d.acc>>uint(d.bits))&1
	}
	if length > 16 {
		return 0, true
	}
	return t.values[byte(code+t.offset[length])], true
}

// carefulNeed makes n bits available.
func (d *decoder) carefulNeed(n int) bool { return d.bits >= n || d.carefulFill(n) }

// carefulFill reads until the accumulator is full or a marker ends the data.
// If that leaves less than n bits, zeros are put in.
func (d *decoder) carefulFill(n int) bool {
	for d.marker == 0 && d.bits < carefulDepth {
		c, ok := d.dataByte()
		if !ok {
			return false
		}
		if d.marker == 0 {
			d.acc = d.acc<<8 | uint64(c)
			d.bits += 8
			d.loaded += 8
		}
	}
	d.anchor = d.loaded
	if n > d.bits {
		d.insufficient = true
		d.acc <<= uint(carefulDepth - d.bits)
		d.bits = carefulDepth
	}
	return true
}
