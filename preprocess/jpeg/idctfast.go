package jpeg

// plainSum bounds shape.sum for the transforms of this file. A transform in
// one direction makes values at most 1.39 times the sum of its inputs, so up
// to this bound nothing gets near 16 bits after the first pass (times 4), and
// neither wraps nor saturates.
const plainSum = 5800

// rangeLimit maps transform outputs plus rangeBias to samples. Within plainSum
// outputs are less than 5800*1.39*1.39/8 = 1401 in absolute value.
const rangeBias = 2048

var rangeLimit = func() (t [2 * rangeBias]byte) {
	for i := range t {
		t[i] = clampSample(int32(i) - rangeBias)
	}
	return t
}()

// limit scales an output of the second pass, which has half and bias added,
// and limits it to samples.
func limit(v int32) byte { return rangeLimit[uint32(v)>>18&(2*rangeBias-1)] }

const (
	half1 = 1 << 10
	half2 = 1<<17 + rangeBias<<18
)

// idct8 is idct for ordinary blocks.
func idct8(dst []byte, stride int, blk *block, columns uint32) {
	var ws [64]int32
	wide := false
	for c := range 8 {
		x0 := int32(blk[c])
		if columns>>c&1 == 0 {
			if x0 == 0 {
				continue
			}
			wide = wide || c > 3
			for r := c; r < 64; r += 8 {
				ws[r] = x0 << 2
			}
			continue
		}
		wide = wide || c > 3
		x1, x2, x3 := int32(blk[8+c]), int32(blk[16+c]), int32(blk[24+c])
		x4, x5, x6, x7 := int32(blk[32+c]), int32(blk[40+c]), int32(blk[48+c]), int32(blk[56+c])
		z := (x2 + x6) * c0541
		t2 := z - x6*c1847
		t3 := z + x2*c0765
		t0 := (x0+x4)<<13 + half1
		t1 := (x0-x4)<<13 + half1
		a0, a3 := t0+t3, t0-t3
		a1, a2 := t1+t2, t1-t2
		z1 := (x7 + x1) * -c0899
		z2 := (x5 + x3) * -c2562
		z3 := x7 + x3
		z4 := x5 + x1
		z5 := (z3 + z4) * c1175
		z3 = z3*-c1961 + z5
		z4 = z4*-c0390 + z5
		b3 := x7*c0298 + z1 + z3
		b2 := x5*c2053 + z2 + z4
		b1 := x3*c3072 + z2 + z3
		b0 := x1*c1501 + z1 + z4
		ws[c] = (a0 + b0) >> 11
		ws[8+c] = (a1 + b1) >> 11
		ws[16+c] = (a2 + b2) >> 11
		ws[24+c] = (a3 + b3) >> 11
		ws[32+c] = (a3 - b3) >> 11
		ws[40+c] = (a2 - b2) >> 11
		ws[48+c] = (a1 - b1) >> 11
		ws[56+c] = (a0 - b0) >> 11
	}
	if !wide {
		for r := range 8 {
			row4((*[8]byte)(dst[r*stride:]), (*[8]int32)(ws[8*r:]))
		}
		return
	}
	for r := range 8 {
		x := (*[8]int32)(ws[8*r:])
		x0, x1, x2, x3, x4, x5, x6, x7 := x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]
		z := (x2 + x6) * c0541
		t2 := z - x6*c1847
		t3 := z + x2*c0765
		t0 := (x0+x4)<<13 + half2
		t1 := (x0-x4)<<13 + half2
		a0, a3 := t0+t3, t0-t3
		a1, a2 := t1+t2, t1-t2
		z1 := (x7 + x1) * -c0899
		z2 := (x5 + x3) * -c2562
		z3 := x7 + x3
		z4 := x5 + x1
		z5 := (z3 + z4) * c1175
		z3 = z3*-c1961 + z5
		z4 = z4*-c0390 + z5
		b3 := x7*c0298 + z1 + z3
		b2 := x5*c2053 + z2 + z4
		b1 := x3*c3072 + z2 + z3
		b0 := x1*c1501 + z1 + z4
		d := (*[8]byte)(dst[r*stride:])
		d[0] = limit(a0 + b0)
		d[1] = limit(a1 + b1)
		d[2] = limit(a2 + b2)
		d[3] = limit(a3 + b3)
		d[4] = limit(a3 - b3)
		d[5] = limit(a2 - b2)
		d[6] = limit(a1 - b1)
		d[7] = limit(a0 - b0)
	}
}

// idct4 is idct for blocks whose coefficients are all among the first ten in
// zigzag order, and so in the upper left 4 by 4.
func idct4(dst []byte, stride int, blk *block) {
	var ws [64]int32
	for c := range 4 {
		x0, x1, x2, x3 := int32(blk[c]), int32(blk[8+c]), int32(blk[16+c]), int32(blk[24+c])
		t := x0<<13 + half1
		t2, t3 := x2*c0541, x2*(c0541+c0765)
		a0, a3 := t+t3, t-t3
		a1, a2 := t+t2, t-t2
		b0 := x1*(c1501-c0899-c0390+c1175) + x3*c1175
		b1 := x1*c1175 + x3*(c3072-c2562-c1961+c1175)
		b2 := x1*(c1175-c0390) + x3*(c1175-c2562)
		b3 := x1*(c1175-c0899) + x3*(c1175-c1961)
		ws[c] = (a0 + b0) >> 11
		ws[8+c] = (a1 + b1) >> 11
		ws[16+c] = (a2 + b2) >> 11
		ws[24+c] = (a3 + b3) >> 11
		ws[32+c] = (a3 - b3) >> 11
		ws[40+c] = (a2 - b2) >> 11
		ws[48+c] = (a1 - b1) >> 11
		ws[56+c] = (a0 - b0) >> 11
	}
	for r := range 8 {
		row4((*[8]byte)(dst[r*stride:]), (*[8]int32)(ws[8*r:]))
	}
}

// row4 is the second pass for a row of which only the first four are not zero.
func row4(d *[8]byte, x *[8]int32) {
	x0, x1, x2, x3 := x[0], x[1], x[2], x[3]
	t := x0<<13 + half2
	t2, t3 := x2*c0541, x2*(c0541+c0765)
	a0, a3 := t+t3, t-t3
	a1, a2 := t+t2, t-t2
	b0 := x1*(c1501-c0899-c0390+c1175) + x3*c1175
	b1 := x1*c1175 + x3*(c3072-c2562-c1961+c1175)
	b2 := x1*(c1175-c0390) + x3*(c1175-c2562)
	b3 := x1*(c1175-c0899) + x3*(c1175-c1961)
	d[0] = limit(a0 + b0)
	d[1] = limit(a1 + b1)
	d[2] = limit(a2 + b2)
	d[3] = limit(a3 + b3)
	d[4] = limit(a3 - b3)
	d[5] = limit(a2 - b2)
	d[6] = limit(a1 - b1)
	d[7] = limit(a0 - b0)
}
