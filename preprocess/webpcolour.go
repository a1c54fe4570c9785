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
// the second nearest vertically. Beyond the ends stands the last sample.
func upsampleRow(dst, near, other []byte) {
	other = other[:len(near)]
	left, leftOther := int(near[0]), int(other[0])
	for i, v := range near {
		a, c := int(v), int(other[i])
		right, rightOther := a, c
		if i+1 < len(near) {
			right, rightOther = int(near[i+1]), int(other[i+1])
		}
		dst[2*i] = mixChroma(a, left, c, leftOther)
		if 2*i+1 < len(dst) {
			dst[2*i+1] = mixChroma(a, right, c, rightOther)
		}
		left, leftOther = a, c
	}
}

// mixChroma interpolates from the nearest sample a, its neighbours b and c
// along the row and across, and the diagonal one.
func mixChroma(a, b, c, d int) byte {
	t := a + b + c + d + 8
	return byte(((t+2*(b+c))>>3 + a) >> 1)
}
