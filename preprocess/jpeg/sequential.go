package jpeg

import mathbits "math/bits"

// maxBlockBytes is more than the largest block of a sequential scan needs:
// 64 times a code of 16 and 15 appended bits, every byte stuffed.
const maxBlockBytes = 512

// block is a block of coefficients in row-major order.
type block = [64]int16

// decodeBlock decodes one block of a sequential scan (T.81 F.2.2) with its
// coefficients multiplied by q and returns what is in it. blk must be zero. It reports false if the window ends.
func (d *decoder) decodeBlock(blk *block, c *component, q *[64]uint16) (s shape, ok bool) {
	acc, bits := d.acc, d.bits
	if bits < 32 {
		if acc, bits, ok = d.refill(acc, bits); !ok {
			return s, false
		}
	}
	dc := d.dcTables[c.dcTable]
	var size int
	if e := dc.lut[acc>>(uint(bits-lutBits)&63)&(1<<lutBits-1)]; e != 0 {
		size = int(e & 0xff)
		bits -= int(e >> 8)
	} else {
		symbol, n := dc.long(acc, bits)
		size = int(symbol)
		bits -= n
	}
	if size > 0 {
		bits -= size
		c.dcPred += extend(int32(acc>>(uint(bits)&63))&(1<<size-1), size)
	}
	blk[0] = int16(c.dcPred) * int16(q[0])
	s.sum = magnitude(blk[0])

	ac := d.acTables[c.acTable]
	for k := 1; k < 64; k++ {
		if bits < 32 {
			if acc, bits, ok = d.refill(acc, bits); !ok {
				return s, false
			}
		}
		next := acc >> (uint(bits-lutBits) & 63) & (1<<lutBits - 1)
		if e := ac.direct[next]; e != 0 {
			bits -= int(e & 0xff)
			k += int(e >> 8 & 15)
			if k >= 63 {
				d.tail = mathbits.Len32(uint32(max(int32(e)>>16, -(int32(e) >> 16))))
			}
			z := zigzag[k]
			v := int16(e>>16) * int16(q[z&63])
			blk[z&63] = v
			s.columns |= columnBit[z&63]
			s.sum += magnitude(v)
			s.nonzero |= 1 << min(k, 63)
			continue
		}
		var symbol, length int
		if e := ac.lut[next]; e != 0 {
			symbol, length = int(e&0xff), int(e>>8)
		} else {
			sym, n := ac.long(acc, bits)
			symbol, length = int(sym), n
		}
		bits -= length
		d.tail = length
		k += symbol >> 4
		if size = symbol & 15; size > 0 {
			bits -= size
			d.tail = size
			z := zigzag[k]
			v := int16(extend(int32(acc>>(uint(bits)&63))&(1<<size-1), size)) * int16(q[z&63])
			blk[z&63] = v
			s.columns |= columnBit[z&63]
			s.sum += magnitude(v)
			s.nonzero |= 1 << min(k, 63)
		} else if symbol>>4 != 15 {
			break
		}
	}
	d.acc, d.bits = acc, bits
	return s, true
}
