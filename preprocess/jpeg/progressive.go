package jpeg

import "math"

// coefficients returns the stored block at column bx, row by of component c.
func (d *decoder) coefficients(c *component, bx, by int) *block {
	i := (by/c.v)*d.rowCoefs + c.coefOffset + ((by%c.v)*c.stride+bx)*64
	return (*block)(d.coefs[i : i+64])
}

// decodeScan decodes one scan of a multi-scan file into d.coefs.
func (d *decoder) decodeScan() error {
	decode := (*decoder).sequentialBlock
	if d.progressive {
		switch {
		case d.ss == 0 && d.ah == 0:
			decode = (*decoder).firstDC
		case d.ss == 0:
			decode = (*decoder).refineDC
		case d.ah == 0:
			decode = (*decoder).firstAC
		default:
			decode = (*decoder).refineAC
		}
	}
	if len(d.scan) == 1 {
		c := d.scan[0]
		for by := range c.blocksY {
			for bx := range c.blocksX {
				if err := d.startMCU(by / c.v); err != nil {
					return err
				}
				if d.insufficient {
					continue
				}
				if !decode(d, d.coefficients(c, bx, by), c) {
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
					for x := range c.h {
						if !decode(d, d.coefficients(c, mx*c.h+x, my*c.v+y), c) {
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
func (d *decoder) sequentialBlock(blk *block, c *component) bool {
	_, ok := d.decodeBlock(blk, c, &unity)
	return ok
}

// firstDC decodes the DC coefficient of a block, without its last d.al bits
// (T.81 G.1.2.1).
func (d *decoder) firstDC(blk *block, c *component) bool {
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
	blk[0] = int16(c.dcPred << d.al)
	d.acc, d.bits = acc, bits
	return true
}

// refineDC appends a bit to the DC coefficient of a block.
func (d *decoder) refineDC(blk *block, _ *component) bool {
	if d.bits < 1 {
		var ok bool
		if d.acc, d.bits, ok = d.refill(d.acc, d.bits); !ok {
			return false
		}
	}
	d.bits--
	blk[0] |= int16(d.acc>>uint(d.bits)&1) << d.al
	return true
}

// firstAC decodes coefficients d.ss to d.se of a block, without their last
// d.al bits (T.81 G.1.2.2).
func (d *decoder) firstAC(blk *block, c *component) bool {
	if d.eobRun > 0 {
		d.eobRun--
		return true
	}
	acc, bits, ok := d.acc, d.bits, true
	t := d.acTables[c.acTable]
	for k := d.ss; k <= d.se; k++ {
		if bits < 32 {
			if acc, bits, ok = d.refill(acc, bits); !ok {
				return false
			}
		}
		if e := t.direct[acc>>(uint(bits-lutBits)&63)&(1<<lutBits-1)]; e != 0 {
			bits -= int(e & 0xff)
			k += int(e >> 8 & 15)
			blk[zigzag[k]&63] = int16(int32(e)>>16) << d.al
			continue
		}
		symbol, length := t.decode(acc, bits)
		bits -= length
		run, size := int(symbol>>4), int(symbol&15)
		if size > 0 {
			k += run
			bits -= size
			v := extend(int32(acc>>uint(bits))&(1<<size-1), size)
			blk[zigzag[k]&63] = int16(v << d.al)
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
	return true
}

// refineAC appends a bit to each nonzero coefficient d.ss to d.se of a block
// and puts in those that become nonzero (T.81 G.1.2.3).
func (d *decoder) refineAC(blk *block, c *component) bool {
	acc, bits, ok := d.acc, d.bits, true
	one := int16(1) << d.al
	k := d.ss
	if d.eobRun == 0 {
		t := d.acTables[c.acTable]
	band:
		for ; k <= d.se; k++ {
			if bits < 32 {
				if acc, bits, ok = d.refill(acc, bits); !ok {
					return false
				}
			}
			symbol, length := t.decode(acc, bits)
			bits -= length
			run, value := int(symbol>>4), int16(0)
			if symbol&15 != 0 {
				// The size should be 1; libjpeg takes any for it.
				bits--
				value = -one
				if acc>>uint(bits)&1 != 0 {
					value = one
				}
			} else if run != 15 {
				bits -= run
				d.eobRun = 1<<run + int(acc>>uint(bits))&(1<<run-1)
				break band
			}
			for ; k <= d.se; k++ {
				z := zigzag[k] & 63
				if blk[z] == 0 {
					if run == 0 {
						break
					}
					run--
					continue
				}
				if bits < 1 {
					if acc, bits, ok = d.refill(acc, bits); !ok {
						return false
					}
				}
				bits--
				if acc>>(uint(bits)&63)&1 != 0 {
					refine(&blk[z], one)
				}
			}
			if value != 0 {
				blk[zigzag[k]&63] = value
			}
		}
	}
	if d.eobRun > 0 {
		for ; k <= d.se; k++ {
			z := zigzag[k] & 63
			if blk[z] == 0 {
				continue
			}
			if bits < 1 {
				if acc, bits, ok = d.refill(acc, bits); !ok {
					return false
				}
			}
			bits--
			if acc>>(uint(bits)&63)&1 != 0 {
				refine(&blk[z], one)
			}
		}
		d.eobRun--
	}
	d.acc, d.bits = acc, bits
	return true
}

// refine makes a coefficient larger by one in absolute value, unless that bit
// is set already.
func refine(v *int16, one int16) {
	switch {
	case *v&one != 0:
	case *v >= 0:
		*v += one
	default:
		*v -= one
	}
}

// decode returns the next symbol and the length of its code.
func (t *huffTable) decode(acc uint64, bits int) (symbol byte, length int) {
	if e := t.lut[acc>>(uint(bits-lutBits)&63)&(1<<lutBits-1)]; e != 0 {
		return byte(e), int(e >> 8)
	}
	return t.long(acc, bits)
}
