package preprocess

import "image"

// webpColours fills the colours of m from 4:2:0 planes with libwebp's
// arithmetic: video range, and chroma interpolated with the weights 9, 3, 3, 1
// in two roundings.
func webpColours(m *Image, p *image.YCbCr) {
	n := m.Mode.PixelSize()
	w, h := m.Width, m.Height
	cw, ch := (w+1)/2, (h+1)/2
	// Chroma of one output row, interpolated.
	us, vs := make([]byte, w), make([]byte, w)
	for y := range h {
		near := y / 2
		other := near - 1
		if y%2 == 1 {
			other = near + 1
		}
		other = min(max(other, 0), ch-1)
		upsampleRow(us, p.Cb[near*p.CStride:][:cw], p.Cb[other*p.CStride:][:cw])
		upsampleRow(vs, p.Cr[near*p.CStride:][:cw], p.Cr[other*p.CStride:][:cw])
		ys := p.Y[y*p.YStride:][:w]
		out := m.Pix[y*w*n : (y+1)*w*n]
		for x, luma := range ys {
			v, u := int(vs[x]), int(us[x])
			yy := int(luma) * 19077 >> 8
			d := out[x*n : x*n+3 : x*n+3]
			d[0] = clip6(yy + v*26149>>8 - 14234)
			d[1] = clip6(yy - u*6419>>8 - v*13320>>8 + 8708)
			d[2] = clip6(yy + u*33050>>8 - 17685)
		}
	}
}

// clip6 drops six fraction bits and clamps.
func clip6(v int) byte { return clip8(v >> 6) }

// upsampleRow doubles a row of chroma horizontally, mixing in the row that is
// the second nearest vertically.
func upsampleRow(dst, near, other []byte) {
	last := len(near) - 1
	for x := range dst {
		i := x / 2
		j := i - 1
		if x%2 == 1 {
			j = i + 1
		}
		j = min(max(j, 0), last)
		a, b, c, d := int(near[i]), int(near[j]), int(other[i]), int(other[j])
		t := a + b + c + d + 8
		dst[x] = byte(((t+2*(b+c))>>3 + a) >> 1)
	}
}
