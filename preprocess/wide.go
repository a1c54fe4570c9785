package preprocess

// resizeWide resamples 16-bit and 32-bit greys in float64 with weights that
// are not quantised. Each pass rounds half away from zero; 16-bit samples are
// clamped too. Pillow on a little-endian machine reads a big-endian image
// (I;16B) with its bytes swapped here; so does this.
func resizeWide(m *Image, ax, ay *axis, win window, out *Image) {
	src := *m
	if src.Mode == ModeI16B {
		src.Mode = ModeI16
	}
	clamp := src.Mode == ModeI16
	// A pass over a grid of integers: at gives the input, put takes the output.
	at := func(x, y int) float64 { return float64(src.grey(y*src.Width + x)) }
	put := func(x, y int, v int32) { putGrey(out, (y-win.y0)*out.Width+x-win.x0, v) }
	var buf []float64
	pass := func(a *axis, o0, o1, l0, l1 int, at func(i, l int) float64, put func(o, l int, v int32)) {
		for o := o0; o < o1; o++ {
			var lo int
			lo, buf = a.weights(o, buf)
			for l := l0; l < l1; l++ {
				sum := 0.0
				for i, w := range buf {
					sum += float64(at(lo+i, l) * w)
				}
				put(o, l, roundWide(sum, clamp))
			}
		}
	}
	transposed := func(f func(x, y int) float64) func(i, l int) float64 {
		return func(i, l int) float64 { return f(l, i) }
	}
	switch {
	case ay.n == ay.m:
		pass(ax, win.x0, win.x1, win.y0, win.y1, at, put)
	case ax.n == ax.m:
		pass(ay, win.y0, win.y1, win.x0, win.x1, transposed(at), func(o, l int, v int32) { put(l, o, v) })
	case verticalFirst(ax.n, ay.n, ax.m, ay.m):
		lo, _ := ax.span(win.x0)
		_, hi := ax.span(win.x1 - 1)
		w := hi - lo
		mid := make([]int32, w*win.height())
		pass(ay, win.y0, win.y1, lo, hi, transposed(at), func(o, l int, v int32) { mid[(o-win.y0)*w+l-lo] = v })
		pass(ax, win.x0, win.x1, win.y0, win.y1,
			func(i, l int) float64 { return float64(mid[(l-win.y0)*w+i-lo]) }, put)
	default:
		lo, _ := ay.span(win.y0)
		_, hi := ay.span(win.y1 - 1)
		w := win.width()
		mid := make([]int32, w*(hi-lo))
		pass(ax, win.x0, win.x1, lo, hi, at, func(o, l int, v int32) { mid[(l-lo)*w+o-win.x0] = v })
		pass(ay, win.y0, win.y1, win.x0, win.x1,
			func(i, l int) float64 { return float64(mid[(i-lo)*w+l-win.x0]) },
			func(o, l int, v int32) { put(l, o, v) })
	}
}

func roundWide(v float64, clamp bool) int32 {
	if v >= 0 {
		v += 0.5
	} else {
		v -= 0.5
	}
	i := int32(min(max(v, -1<<31), 1<<31-1))
	if clamp {
		i = min(max(i, 0), 65535)
	}
	return i
}

// putGrey stores sample i of a 16-bit (either byte order: see resizeWide) or
// 32-bit grey image, little-endian.
func putGrey(m *Image, i int, v int32) {
	n := m.Mode.PixelSize()
	for b := range n {
		m.Pix[n*i+b] = byte(v >> (8 * b))
	}
}
