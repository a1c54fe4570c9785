package jpeg

import (
	"math"
	"math/bits"
)

// blockIndex returns the place of the stored block at column bx, row by of
// component c: its coefficients begin at 64 times that.
func (d *decoder) blockIndex(c *component, bx, by int) int {
	return ((by/c.v)*d.rowCoefs+c.coefOffset)/64 + (by%c.v)*c.stride + bx
}

// coefficients returns stored block i.
func (d *decoder) coefficients(i int) *block { return (*block)(d.coefs[64*i:]) }

// decodeScan decodes one scan of a multi-scan file into d.coefs.
func (d *decoder) decodeScan() error {
	decode := d.scanFunc()
	if len(d.scan) == 1 {
		c := d.scan[0]
		for by := range c.blocksY {
			i := d.blockIndex(c, 0, by)
			for bx := range c.blocksX {
				if err := d.startMCU(by / c.v); err != nil {
					return err
				}
				if d.insufficient {
					continue
				}
				if !decode(d, i+bx, c) {
					return d.err
				}
				d.insufficient = d.exhausted()
			}
		}
		return nil
	}
	for my := range d.mcusY {
		for mx := range d.mcusX {
			if err := d.startMCU(my); err != nil {
				return err
			}
			if d.insufficient {
				continue
			}
			for _, c := range d.scan {
				for y := range c.v {
					i := d.blockIndex(c, mx*c.h, my*c.v+y)
					for x := range c.h {
						if !decode(d, i+x, c) {
							return d.err
						}
					}
				}
			}
			d.insufficient = d.exhausted()
		}
	}
	return nil
}

// scanFunc returns the function that decodes a block of the current scan.
func (d *decoder) scanFunc() func(d *decoder, i int, c *component) bool {
	kind := 0 // one of the four of a progressive file
	if d.ss > 0 {
		kind += 2
	}
	if d.ah > 0 {
		kind++
	}
	switch {
	case !d.progressive && d.arith == nil:
		return (*decoder).sequentialBlock
	case !d.progressive:
		return (*decoder).arithSequential
	case d.arith == nil:
		return [4]func(*decoder, int, *component) bool{
			(*decoder).firstDC, (*decoder).refineDC, (*decoder).firstAC, (*decoder).refineAC,
		}[kind]
	}
	return [4]func(*decoder, int, *component) bool{
		(*decoder).arithFirstDC, (*decoder).arithRefineDC, (*decoder).arithFirstAC, (*decoder).arithRefineAC,
	}[kind]
}

// startMCU does what is due before an MCU in row my of a multi-scan file.
func (d *decoder) startMCU(my int) error {
	if !d.insufficient {
		d.lastGoodRow = my
	}
	if d.restartInterval > 0 {
		if d.restartsLeft == 0 {
			if err := d.restart(); err != nil {
				return err
			}
		}
		d.restartsLeft--
	}
	return nil
}

// unity is the table that leaves coefficients as they are.
var unity = func() (t [64]uint16) {
	for i := range t {
		t[i] = 1
	}
	return t
}()

// sequentialBlock decodes a block of a sequential scan. A later scan of the
// same component writes over what is there, without clearing it first.
func (d *decoder) sequentialBlock(i int, c *component) bool {
	s, ok := d.decodeBlock(d.coefficients(i), c, &unity)
	d.nonzero[i] |= s.nonzero
	return ok
}

// firstDC decodes the DC coefficient of a block, without its last d.al bits
// (T.81 G.1.2.1).
func (d *decoder) firstDC(i int, c *component) bool {
	acc, bits, ok := d.acc, d.bits, true
	if bits < 32 {
		if acc, bits, ok = d.refill(acc, bits); !ok {
			return false
		}
	}
	t := d.dcTables[c.dcTable]
	symbol, length := t.decode(acc, bits)
	bits -= length
	if symbol > 0 {
		size := int(symbol)
		bits -= size
		diff := extend(int32(acc>>uint(bits))&(1<<size-1), size)
		sum := int64(c.dcPred) + int64(diff)
		if sum > math.MaxInt32 || sum < math.MinInt32 {
			d.err = d.src.errorf("scan", "DC coefficients of 32 bits", "%d", sum)
			return false
		}
		c.dcPred = int32(sum)
	}
	d.coefs[64*i] = int16(c.dcPred << d.al)
	d.acc, d.bits = acc, bits
	return true
}

// refineDC appends a bit to the DC coefficient of a block.
func (d *decoder) refineDC(i int, _ *component) bool {
	if d.bits < 1 {
		var ok bool
		if d.acc, d.bits, ok = d.refill(d.acc, d.bits); !ok {
			return false
		}
	}
	d.bits--
	d.coefs[64*i] |= int16(d.acc>>uint(d.bits)&1) << d.al
	return true
}

// firstAC decodes coefficients d.ss to d.se of a block, without their last
// d.al bits (T.81 G.1.2.2).
func (d *decoder) firstAC(i int, c *component) bool {
	if d.eobRun > 0 {
		d.eobRun--
		return true
	}
	acc, bits, ok := d.acc, d.bits, true
	t := d.acTables[c.acTable]
	blk, nonzero := d.coefficients(i), d.nonzero[i]
	put := func(k int, v int16) {
		// A value whose bits were all shifted out clears what was there.
		k = min(k, 63)
		blk[zigzag[k]&63] = v
		nonzero &^= 1 << k
		if v != 0 {
			nonzero |= 1 << k
		}
	}
	for k := d.ss; k <= d.se; k++ {
		if bits < 32 {
			if acc, bits, ok = d.refill(acc, bits); !ok {
				return false
			}
		}
		if e := t.direct[acc>>(uint(bits-lutBits)&63)&(1<<lutBits-1)]; e != 0 {
			bits -= int(e & 0xff)
			k += int(e >> 8 & 15)
			put(k, int16(int32(e)>>16)<<d.al)
			continue
		}
		symbol, length := t.decode(acc, bits)
		bits -= length
		run, size := int(symbol>>4), int(symbol&15)
		if size > 0 {
			k += run
			bits -= size
			v := extend(int32(acc>>uint(bits))&(1<<size-1), size)
			put(k, int16(v<<d.al))
			continue
		}
		if run == 15 {
			k += 15
			continue
		}
		bits -= run
		d.eobRun = 1<<run + int(acc>>uint(bits))&(1<<run-1) - 1
		break
	}
	d.acc, d.bits = acc, bits
	d.nonzero[i] = nonzero
	return true
}

// refineAC appends a bit to each nonzero coefficient d.ss to d.se of a block
// and puts in those that become nonzero (T.81 G.1.2.3).
func (d *decoder) refineAC(i int, c *component) bool {
	one := int16(1) << d.al
	blk, nonzero := d.coefficients(i), d.nonzero[i]
	k := d.ss
	if d.eobRun == 0 {
		t := d.acTables[c.acTable]
		for ; k <= d.se; k++ {
			acc, left, ok := d.acc, d.bits, true
			if left < 32 {
				if acc, left, ok = d.refill(acc, left); !ok {
					return false
				}
			}
			symbol, length := t.decode(acc, left)
			left -= length
			run, value := int(symbol>>4), int16(0)
			if symbol&15 != 0 {
				// The size should be 1; libjpeg takes any for it.
				left--
				value = -one
				if acc>>uint(left)&1 != 0 {
					value = one
				}
			} else if run != 15 {
				left -= run
				d.eobRun = 1<<run + int(acc>>uint(left))&(1<<run-1)
				d.acc, d.bits = acc, left
				break
			}
			d.acc, d.bits = acc, left
			// Pass run zero coefficients, refining the others on the way, to
			// the next zero one.
			for k <= d.se {
				zeros := bits.TrailingZeros64(nonzero >> k)
				if run < zeros {
					k += run
					break
				}
				run -= zeros
				if k += zeros; k <= d.se {
					if !d.refineBit(&blk[zigzag[k]&63], one) {
						return false
					}
					k++
				}
			}
			k = min(k, d.se+1)
			if value != 0 {
				at := min(k, 63)
				blk[zigzag[at]&63] = value
				nonzero |= 1 << at
			}
		}
	}
	if d.eobRun > 0 {
		d.eobRun--
		for k <= d.se {
			if k += bits.TrailingZeros64(nonzero >> k); k > d.se {
				break
			}
			if !d.refineBit(&blk[zigzag[k]&63], one) {
				return false
			}
			k++
		}
	}
	d.nonzero[i] = nonzero
	return true
}

// refineBit reads a bit and, if it is set, makes a coefficient larger by one
// in absolute value, unless that bit is set in it already.
func (d *decoder) refineBit(v *int16, one int16) (ok bool) {
	if d.bits < 1 {
		if d.acc, d.bits, ok = d.refill(d.acc, d.bits); !ok {
			return false
		}
	}
	d.bits--
	if d.acc>>uint(d.bits)&1 != 0 && *v&one == 0 {
		if *v >= 0 {
			*v += one
		} else {
			*v -= one
		}
	}
	return true
}

// decode returns the next symbol and the length of its code.
func (t *huffTable) decode(acc uint64, bits int) (symbol byte, length int) {
	if e := t.lut[acc>>(uint(bits-lutBits)&63)&(1<<lutBits-1)]; e != 0 {
		return byte(e), int(e >> 8)
	}
	return t.long(acc, bits)
}
