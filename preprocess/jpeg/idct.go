package jpeg

// columnBit maps the place of a coefficient in the block to its bit in the
// mask that decodeBlock returns.
var columnBit = func() (t [64]uint32) {
	for z := range t {
		t[z] = 1 << (z & 7)
		if z < 8 {
			t[z] <<= 8
		}
	}
	return t
}()

// The constants of libjpeg's accurate integer IDCT, times 2^13.
const (
	c0298 = 2446
	c0390 = 3196
	c0541 = 4433
	c0765 = 6270
	c0899 = 7373
	c1175 = 9633
	c1501 = 12299
	c1847 = 15137
	c1961 = 16069
	c2053 = 16819
	c2562 = 20995
	c3072 = 25172
)

// transform8 is the one-dimensional transform of Loeffler, Ligtenberg and
// Moschytz with 11 multiplications, scaled by 2^13. Where libjpeg's vector
// code keeps sums in 16 bits they wrap here too.
func transform8(x0, x1, x2, x3, x4, x5, x6, x7 int32) (o0, o1, o2, o3, o4, o5, o6, o7 int32) {
	z := (x2 + x6) * c0541
	t2 := z - x6*c1847
	t3 := z + x2*c0765
	t0 := int32(int16(x0+x4)) << 13
	t1 := int32(int16(x0-x4)) << 13
	a0, a3 := t0+t3, t0-t3
	a1, a2 := t1+t2, t1-t2

	z3 := int32(int16(x7 + x3))
	z4 := int32(int16(x5 + x1))
	z5 := (z3 + z4) * c1175
	z1 := (x7 + x1) * -c0899
	z2 := (x5 + x3) * -c2562
	z3 = z3*-c1961 + z5
	z4 = z4*-c0390 + z5
	b3 := x7*c0298 + z1 + z3
	b2 := x5*c2053 + z2 + z4
	b1 := x3*c3072 + z2 + z3
	b0 := x1*c1501 + z1 + z4
	return a0 + b0, a1 + b1, a2 + b2, a3 + b3, a3 - b3, a2 - b2, a1 - b1, a0 - b0
}

// saturate16 is the pack instruction at the end of libjpeg's column pass.
func saturate16(v int32) int32 { return min(max(v, -1<<15), 1<<15-1) }

// clampSample moves a transform output to the range of samples.
func clampSample(v int32) byte {
	if v += 128; uint32(v) > 255 {
		return byte(^(v >> 31))
	}
	return byte(v)
}

// idct writes the 8 by 8 samples of a block of dequantised coefficients to
// dst, whose rows are stride bytes apart. mask is as decodeBlock returns it.
// It equals jsimd_idct_islow of libjpeg-turbo (x86-64) for every input.
func idct(dst []byte, stride int, blk *block, mask uint32) {
	var ws [64]int32
	last := 0
	if mask&0xff == 0 {
		for c := range 8 {
			// No saturation here: the shortcut of the vector code wraps.
			if v := int32(blk[c] << 2); v != 0 {
				last = c
				for r := c; r < 64; r += 8 {
					ws[r] = v
				}
			}
		}
	} else {
		for c := range 8 {
			if mask>>c&1 == 0 {
				if blk[c] != 0 {
					last = c
					v := saturate16(int32(blk[c]) << 2)
					for r := c; r < 64; r += 8 {
						ws[r] = v
					}
				}
				continue
			}
			last = c
			o0, o1, o2, o3, o4, o5, o6, o7 := transform8(
				int32(blk[c]), int32(blk[8+c]), int32(blk[16+c]), int32(blk[24+c]),
				int32(blk[32+c]), int32(blk[40+c]), int32(blk[48+c]), int32(blk[56+c]))
			const half = 1 << 10
			ws[c] = saturate16((o0 + half) >> 11)
			ws[8+c] = saturate16((o1 + half) >> 11)
			ws[16+c] = saturate16((o2 + half) >> 11)
			ws[24+c] = saturate16((o3 + half) >> 11)
			ws[32+c] = saturate16((o4 + half) >> 11)
			ws[40+c] = saturate16((o5 + half) >> 11)
			ws[48+c] = saturate16((o6 + half) >> 11)
			ws[56+c] = saturate16((o7 + half) >> 11)
		}
	}
	for r := range 8 {
		w := ws[8*r : 8*r+8 : 8*r+8]
		d := dst[r*stride : r*stride+8 : r*stride+8]
		if last == 0 {
			v := clampSample((w[0] + 16) >> 5)
			for i := range d {
				d[i] = v
			}
			continue
		}
		o0, o1, o2, o3, o4, o5, o6, o7 := transform8(w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7])
		const half = 1 << 17
		d[0] = clampSample((o0 + half) >> 18)
		d[1] = clampSample((o1 + half) >> 18)
		d[2] = clampSample((o2 + half) >> 18)
		d[3] = clampSample((o3 + half) >> 18)
		d[4] = clampSample((o4 + half) >> 18)
		d[5] = clampSample((o5 + half) >> 18)
		d[6] = clampSample((o6 + half) >> 18)
		d[7] = clampSample((o7 + half) >> 18)
	}
}
