package jpeg

// convert writes a row of pixels from rows of samples, one for each component
// and at least width long.
func convert(dst []byte, rows *[4][]byte, width int, space colorSpace) {
	switch space {
	case spaceGray:
		copy(dst, rows[0][:width])
	case spaceRGB:
		r, g, b := rows[0][:width], rows[1][:width], rows[2][:width]
		for i := range width {
			p := dst[3*i : 3*i+3 : 3*i+3]
			p[0], p[1], p[2] = r[i], g[i], b[i]
		}
	case spaceYCbCr:
		y, cb, cr := rows[0][:width], rows[1][:width], rows[2][:width]
		for i := range width {
			p := dst[3*i : 3*i+3 : 3*i+3]
			p[0], p[1], p[2] = yccToRGB(y[i], cb[i], cr[i])
		}
	case spaceCMYK:
		// Pillow takes all CMYK files to be inverted, as Adobe's are.
		c, m, y, k := rows[0][:width], rows[1][:width], rows[2][:width], rows[3][:width]
		for i := range width {
			p := dst[4*i : 4*i+4 : 4*i+4]
			p[0], p[1], p[2], p[3] = ^c[i], ^m[i], ^y[i], ^k[i]
		}
	case spaceYCCK:
		// C, M and Y are 255-R, 255-G and 255-B; Pillow inverts those again.
		y, cb, cr, k := rows[0][:width], rows[1][:width], rows[2][:width], rows[3][:width]
		for i := range width {
			p := dst[4*i : 4*i+4 : 4*i+4]
			p[0], p[1], p[2] = yccToRGB(y[i], cb[i], cr[i])
			p[3] = ^k[i]
		}
	}
}

// yccToRGB converts by libjpeg's fixed-point constants, 16 bits of fraction.
func yccToRGB(y, cb, cr byte) (r, g, b byte) {
	yy, u, v := int32(y), int32(cb)-128, int32(cr)-128
	return clamp(yy + (91881*v+32768)>>16),
		clamp(yy + (-22554*u-46802*v+32768)>>16),
		clamp(yy + (116130*u+32768)>>16)
}

func clamp(v int32) byte {
	if uint32(v) > 255 {
		return byte(^(v >> 31))
	}
	return byte(v)
}
