package jpeg

import "encoding/binary"

// A shape tells what is in a block of dequantised coefficients.
type shape struct {
	columns uint32 // bit c: column c has a coefficient below the first row
	nonzero uint64 // bit k: there is an AC coefficient at place k in zigzag order
	sum     int32  // no less than the sum of absolute values
}

// columnBit maps the place of a coefficient in the block to its bit in
// shape.columns.
var columnBit = func() (t [64]uint32) {
	for z := 8; z < 64; z++ {
		t[z] = 1 << (z & 7)
	}
	return t
}()

// magnitude returns the absolute value, or one less for negative ones, whose
// excess the bounds of shape.sum have room for.
func magnitude(v int16) int32 { return int32(v ^ v>>15) }

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
func transform8(x *[8]int32) {
	z := (x[2] + x[6]) * c0541
	t2 := z - x[6]*c1847
	t3 := z + x[2]*c0765
	t0 := int32(int16(x[0]+x[4])) << 13
	t1 := int32(int16(x[0]-x[4])) << 13
	a0, a3 := t0+t3, t0-t3
	a1, a2 := t1+t2, t1-t2

	z3 := int32(int16(x[7] + x[3]))
	z4 := int32(int16(x[5] + x[1]))
	z5 := (z3 + z4) * c1175
	z1 := (x[7] + x[1]) * -c0899
	z2 := (x[5] + x[3]) * -c2562
	z3 = z3*-c1961 + z5
	z4 = z4*-c0390 + z5
	b3 := x[7]*c0298 + z1 + z3
	b2 := x[5]*c2053 + z2 + z4
	b1 := x[3]*c3072 + z2 + z3
	b0 := x[1]*c1501 + z1 + z4
	*x = [8]int32{a0 + b0, a1 + b1, a2 + b2, a3 + b3, a3 - b3, a2 - b2, a1 - b1, a0 - b0}
}

// saturate16 is the pack instruction at the end of libjpeg's column pass.
func saturate16(v int32) int32 { return min(max(v, -1<<15), 1<<15-1) }

// clampSample moves a transform output to the range of samples.
func clampSample(v int32) byte {
	return byte(min(max(v+128, 0), 255))
}

// idct writes the 8 by 8 samples of a block of dequantised coefficients to
// dst, whose rows are stride bytes apart. It equals jsimd_idct_islow of
// libjpeg-turbo (x86-64) for every input.
func idct(dst []byte, stride int, blk *block, s shape) {
	switch {
	case s.nonzero == 0:
		idctDC(dst, stride, blk[0])
	case s.sum > plainSum:
		idctExact(dst, stride, blk, s.columns != 0)
	case s.nonzero < 1<<10:
		idct4(dst, stride, blk)
	default:
		idct8(dst, stride, blk, s.columns)
	}
}

// idctDC is idct for a block with nothing but a DC coefficient.
func idctDC(dst []byte, stride int, dc int16) {
	v := uint64(clampSample((int32(dc<<2)+16)>>5)) * 0x0101010101010101
	for r := range 8 {
		binary.LittleEndian.PutUint64(dst[r*stride:], v)
	}
}

// idctExact is idct for blocks that no encoder makes: its sums wrap and
// saturate at 16 bits where libjpeg's vector code does. It is also the plain
// statement of the transform. rows tells whether there are coefficients below
// the first row.
func idctExact(dst []byte, stride int, blk *block, rows bool) {
	var ws [64]int32
	for c := range 8 {
		if !rows {
			// No saturation: the shortcut of the vector code shifts bits out.
			for r := range 8 {
				ws[8*r+c] = int32(blk[c] << 2)
			}
			continue
		}
		var x [8]int32
		for r := range x {
			x[r] = int32(blk[8*r+c])
		}
		transform8(&x)
		for r, v := range x {
			ws[8*r+c] = saturate16((v + 1<<10) >> 11)
		}
	}
	for r := range 8 {
		x := [8]int32(ws[8*r:])
		transform8(&x)
		for c, v := range x {
			dst[r*stride+c] = clampSample((v + 1<<17) >> 18)
		}
	}
}
