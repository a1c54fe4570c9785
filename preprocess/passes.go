package preprocess

// The two passes on 8-bit samples.

// scratch holds buffers that one caller reuses from image to image.
type scratch struct {
	row, middle []byte
	weights     []float64
	fixed       []int32
	bounds      []int
	acc         []int32
}

// sized returns *buf with length n, grown if need be. Its contents are stale.
func sized(buf *[]byte, n int) []byte {
	if cap(*buf) < n {
		*buf = make([]byte, n)
	}
	return (*buf)[:n]
}

// A source hands out rows of samples, premultiplied where there is alpha.
type source struct {
	pix    []byte
	stride int    // bytes per row
	skip   int    // columns that pix lacks on the left
	alpha  int    // bytes per pixel of a source with alpha (the last byte), or 0
	buf    []byte // room for one premultiplied row, if alpha > 0
}

// row returns bytes from to to of row y.
func (s *source) row(y, from, to int) []byte {
	row := s.pix[y*s.stride+from : y*s.stride+to]
	switch s.alpha {
	case 2:
		out := s.buf[:len(row)]
		for i := 0; i+1 < len(row) && i+1 < len(out); i += 2 {
			out[i], out[i+1] = mulDiv255(row[i], row[i+1]), row[i+1]
		}
		return out
	case 4:
		out := s.buf[:len(row)]
		for i := 0; i+4 <= len(row) && i+4 <= len(out); i += 4 {
			p, q := row[i:i+4:i+4], out[i:i+4:i+4]
			a := p[3]
			q[0], q[1], q[2], q[3] = mulDiv255(p[0], a), mulDiv255(p[1], a), mulDiv255(p[2], a), a
		}
		return out
	}
	return row
}

// unpremultiply divides by alpha, the last of n bytes of each pixel. Colours
// under alpha 0 and 255 stay as they are.
func unpremultiply(pix []byte, n int) {
	for i := 0; i+n <= len(pix); i += n {
		p := pix[i : i+n]
		a := int(p[n-1])
		if a == 0 || a == 255 {
			continue
		}
		for c, v := range p[:n-1] {
			p[c] = byte(min(255*int(v)/a, 255))
		}
	}
}

// blockWeights bounds the weights held at a time by horizontal.
const blockWeights = 1 << 16

// horizontal resamples rows y0 to y1 of src (columns wide, ch bytes a pixel) to
// the columns of win and writes them to dst, one row after the other.
func horizontal(src source, width, y0, y1, ch int, ax *axis, win window, dst []byte, s *scratch) {
	stride := win.width() * ch
	for x0 := win.x0; x0 < win.x1; {
		// A block of output columns whose weights fit the bound.
		s.fixed, s.bounds = s.fixed[:0], s.bounds[:0]
		x1 := x0
		for ; x1 < win.x1 && (x1 == x0 || len(s.fixed)+ax.weightCount <= blockWeights); x1++ {
			var lo int
			lo, s.weights = ax.weights(x1, s.weights)
			s.bounds = append(s.bounds, lo-src.skip, len(s.weights))
			s.fixed = quantise(s.weights, s.fixed)
		}
		from, to := s.bounds[0], s.bounds[len(s.bounds)-2]+s.bounds[len(s.bounds)-1]
		for y := y0; y < y1; y++ {
			row := src.row(y, from*ch, to*ch)
			at := (y-y0)*stride + (x0-win.x0)*ch
			out := dst[at : at+(x1-x0)*ch]
			switch ch {
			case 1:
				horizontal1(out, row, from, s.bounds, s.fixed)
			case 2:
				horizontal2(out, row, from, s.bounds, s.fixed)
			case 3:
				horizontal3(out, row, from, s.bounds, s.fixed)
			default:
				horizontal4(out, row, from, s.bounds, s.fixed)
			}
		}
		x0 = x1
	}
}

const half = 1 << (precision - 1)

// The loops below are unrolled by hand, four weights a turn: that halves their
// time. The order of the
// terms does not matter, since int32 addition wraps.

func horizontal1(out, row []byte, from int, bounds []int, weights []int32) {
	for o := range out {
		lo, n := bounds[2*o]-from, bounds[2*o+1]
		k := weights[:n]
		weights = weights[n:]
		p := row[lo : lo+n]
		a := int32(half)
		for len(k) >= 4 && len(p) >= 4 {
			a += int32(p[0])*k[0] + int32(p[1])*k[1] + int32(p[2])*k[2] + int32(p[3])*k[3]
			k, p = k[4:], p[4:]
		}
		for i, w := range k[:len(p)] {
			a += int32(p[i]) * w
		}
		out[o] = clip8(int(a >> precision))
	}
}

func horizontal2(out, row []byte, from int, bounds []int, weights []int32) {
	for o := 0; 2*o+2 <= len(out); o++ {
		lo, n := bounds[2*o]-from, bounds[2*o+1]
		k := weights[:n]
		weights = weights[n:]
		p := row[2*lo : 2*(lo+n)]
		a, b := int32(half), int32(half)
		for len(k) >= 4 && len(p) >= 8 {
			a += int32(p[0])*k[0] + int32(p[2])*k[1] + int32(p[4])*k[2] + int32(p[6])*k[3]
			b += int32(p[1])*k[0] + int32(p[3])*k[1] + int32(p[5])*k[2] + int32(p[7])*k[3]
			k, p = k[4:], p[8:]
		}
		for _, w := range k {
			a += int32(p[0]) * w
			b += int32(p[1]) * w
			p = p[2:]
		}
		out[2*o], out[2*o+1] = clip8(int(a>>precision)), clip8(int(b>>precision))
	}
}

func horizontal3(out, row []byte, from int, bounds []int, weights []int32) {
	for o := 0; 3*o+3 <= len(out); o++ {
		lo, n := bounds[2*o]-from, bounds[2*o+1]
		k := weights[:n]
		weights = weights[n:]
		p := row[3*lo : 3*(lo+n)]
		a, b, c := int32(half), int32(half), int32(half)
		for len(k) >= 4 && len(p) >= 12 {
			w0, w1, w2, w3 := k[0], k[1], k[2], k[3]
			a += int32(p[0])*w0 + int32(p[3])*w1 + int32(p[6])*w2 + int32(p[9])*w3
			b += int32(p[1])*w0 + int32(p[4])*w1 + int32(p[7])*w2 + int32(p[10])*w3
			c += int32(p[2])*w0 + int32(p[5])*w1 + int32(p[8])*w2 + int32(p[11])*w3
			k, p = k[4:], p[12:]
		}
		for _, w := range k {
			a += int32(p[0]) * w
			b += int32(p[1]) * w
			c += int32(p[2]) * w
			p = p[3:]
		}
		q := out[3*o : 3*o+3 : 3*o+3]
		q[0], q[1], q[2] = clip8(int(a>>precision)), clip8(int(b>>precision)), clip8(int(c>>precision))
	}
}

func horizontal4(out, row []byte, from int, bounds []int, weights []int32) {
	for o := 0; 4*o+4 <= len(out); o++ {
		lo, n := bounds[2*o]-from, bounds[2*o+1]
		k := weights[:n]
		weights = weights[n:]
		p := row[4*lo : 4*(lo+n)]
		a, b, c, d := int32(half), int32(half), int32(half), int32(half)
		for len(k) >= 2 && len(p) >= 8 {
			w0, w1 := k[0], k[1]
			a += int32(p[0])*w0 + int32(p[4])*w1
			b += int32(p[1])*w0 + int32(p[5])*w1
			c += int32(p[2])*w0 + int32(p[6])*w1
			d += int32(p[3])*w0 + int32(p[7])*w1
			k, p = k[2:], p[8:]
		}
		for _, w := range k {
			a += int32(p[0]) * w
			b += int32(p[1]) * w
			c += int32(p[2]) * w
			d += int32(p[3]) * w
			p = p[4:]
		}
		q := out[4*o : 4*o+4 : 4*o+4]
		q[0], q[1] = clip8(int(a>>precision)), clip8(int(b>>precision))
		q[2], q[3] = clip8(int(c>>precision)), clip8(int(d>>precision))
	}
}

// vertical resamples bytes from to to of every row of src to the rows of win
// and writes them to dst. Row 0 of src is row first of the axis.
func vertical(src source, first, from, to int, ay *axis, win window, dst []byte, s *scratch) {
	n := to - from
	if cap(s.acc) < n {
		s.acc = make([]int32, n)
	}
	acc := s.acc[:n]
	for y := win.y0; y < win.y1; y++ {
		var lo int
		lo, s.weights = ay.weights(y, s.weights)
		s.fixed = quantise(s.weights, s.fixed[:0])
		for i := range acc {
			acc[i] = half
		}
		for i, w := range s.fixed {
			row := src.row(lo+i-first, from, to)
			row = row[:len(acc)]
			for j, v := range row {
				acc[j] += int32(v) * w
			}
		}
		out := dst[(y-win.y0)*n : (y-win.y0+1)*n]
		for i, v := range acc[:len(out)] {
			out[i] = clip8(int(v >> precision))
		}
	}
}
