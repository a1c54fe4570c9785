package preprocess

import "math"

// Pillow's resampling (Resample.c and Geometry.c of Pillow 13.0.0), bit for
// bit: a separable, antialiasing filter in two passes, with a rounded
// intermediate picture between them.

const (
	maxInt32 = math.MaxInt32
	// precision is the number of fraction bits of a quantised weight.
	precision = 32 - 8 - 2
)

// A kernel is an interpolation filter and its support on each side, in source
// pixels at scale 1.
type kernel struct {
	at      func(x float64) float64
	support float64
}

var (
	bicubicKernel  = kernel{bicubic, 2}
	bilinearKernel = kernel{bilinear, 1}
)

// bicubic is Keys' cubic with a = -0.5. The products are wrapped so that no
// compiler may fuse them with an addition.
func bicubic(x float64) float64 {
	const a = -0.5
	x = math.Abs(x)
	switch {
	case x < 1:
		t := float64((a+2)*x) - (a + 3)
		return float64(float64(t*x)*x) + 1
	case x < 2:
		t := float64((x-5)*x) + 8
		return float64((float64(t*x) - 4) * a)
	}
	return 0
}

func bilinear(x float64) float64 {
	if x = math.Abs(x); x < 1 {
		return 1 - x
	}
	return 0
}

// An axis maps n source samples to m output samples with a kernel.
type axis struct {
	n, m        int
	kernel      kernel
	scale       float64 // source samples per output sample
	support     float64 // of the widened kernel
	invFilter   float64 // 1 / max(scale, 1)
	weightCount int     // the most weights of one output
}

func newAxis(n, m int, k kernel) *axis {
	// Pillow hands the source size over as a float32.
	scale := float64(float32(n)) / float64(m)
	filter := math.Max(scale, 1)
	support := float64(k.support * filter)
	return &axis{n: n, m: m, kernel: k, scale: scale, support: support, invFilter: 1 / filter,
		weightCount: int(math.Ceil(support))*2 + 1}
}

// span returns the half-open range of source samples that output o reads.
func (a *axis) span(o int) (lo, hi int) {
	c := float64((float64(o) + 0.5) * a.scale)
	lo = max(int(c-a.support+0.5), 0)
	hi = min(int(c+a.support+0.5), a.n)
	return min(lo, hi), hi
}

// weights appends the normalised weights of output o to buf[:0] and returns
// them with the first source sample.
func (a *axis) weights(o int, buf []float64) (lo int, w []float64) {
	c := float64((float64(o) + 0.5) * a.scale)
	lo, hi := a.span(o)
	w = buf[:0]
	sum := 0.0
	for x := lo; x < hi; x++ {
		v := a.kernel.at(float64((float64(x) - c + 0.5) * a.invFilter))
		w = append(w, v)
		sum += v
	}
	if sum != 0 {
		for i := range w {
			w[i] /= sum
		}
	}
	return lo, w
}

// quantise appends w in fixed point to buf.
func quantise(w []float64, buf []int32) []int32 {
	for _, v := range w {
		half := 0.5
		if v < 0 {
			half = -0.5
		}
		buf = append(buf, int32(half+float64(v*(1<<precision))))
	}
	return buf
}

// A window is a rectangle of output pixels: only these are computed.
type window struct{ x0, y0, x1, y1 int }

func (w window) width() int  { return w.x1 - w.x0 }
func (w window) height() int { return w.y1 - w.y0 }

// verticalFirst is Pillow 13.0's choice of the first pass.
func verticalFirst(w, h, toW, toH int) bool {
	return h-toH > 0 && h-toH > 2*(w-toW)
}

// resize returns the window win of m resized to w×h. It reads and computes
// only what the window needs. The scratch buffers of s are reused.
func resize(m *Image, w, h int, k kernel, win window, s *scratch) *Image {
	if m.Width == w && m.Height == h {
		return crop(m, win)
	}
	if m.Mode == Mode1 || m.Mode == ModeP {
		return nearest(m, w, h, win)
	}
	out := newImage(m.Mode, win.width(), win.height())
	ax, ay := newAxis(m.Width, w, k), newAxis(m.Height, h, k)
	src := source{pix: m.Pix, stride: m.Width * m.Mode.PixelSize()}
	switch m.Mode {
	case ModeI16, ModeI16B, ModeI:
		resizeWide(m, ax, ay, win, out)
		return out
	case ModeLA, ModeRGBA:
		src.alpha = m.Mode.PixelSize()
		src.buf = sized(&s.row, src.stride)
	}
	ch := m.Mode.PixelSize()
	switch {
	case h == m.Height:
		horizontal(src, m.Width, win.y0, win.y1, ch, ax, win, out.Pix, s)
	case w == m.Width:
		vertical(src, 0, win.x0*ch, win.x1*ch, ay, win, out.Pix, s)
	case verticalFirst(m.Width, m.Height, w, h):
		// Columns that the horizontal pass reads.
		lo, _ := ax.span(win.x0)
		_, hi := ax.span(win.x1 - 1)
		mid := sized(&s.middle, (hi-lo)*ch*win.height())
		vertical(src, 0, lo*ch, hi*ch, ay, win, mid, s)
		part := source{pix: mid, stride: (hi - lo) * ch, skip: lo}
		horizontal(part, m.Width, 0, win.height(), ch, ax, win, out.Pix, s)
	default:
		// Rows that the vertical pass reads.
		lo, _ := ay.span(win.y0)
		_, hi := ay.span(win.y1 - 1)
		mid := sized(&s.middle, win.width()*ch*(hi-lo))
		horizontal(src, m.Width, lo, hi, ch, ax, win, mid, s)
		part := source{pix: mid, stride: win.width() * ch}
		vertical(part, lo, 0, part.stride, ay, win, out.Pix, s)
	}
	if src.alpha > 0 {
		unpremultiply(out.Pix, ch)
	}
	return out
}

// crop copies the window win of m.
func crop(m *Image, win window) *Image {
	if win == (window{0, 0, m.Width, m.Height}) {
		return m
	}
	out := newImage(m.Mode, win.width(), win.height())
	out.Palette = m.Palette
	n := m.Mode.PixelSize()
	for y := range win.height() {
		at := ((win.y0+y)*m.Width + win.x0) * n
		copy(out.Pix[y*out.Width*n:(y+1)*out.Width*n], m.Pix[at:])
	}
	return out
}

// nearest resizes with the nearest sample. As in Pillow the position is
// accumulated in float64 and not computed anew for each output: the rounding
// errors that pile up decide ties.
func nearest(m *Image, w, h int, win window) *Image {
	out := newImage(m.Mode, win.width(), win.height())
	out.Palette = m.Palette
	xs := nearestIndex(m.Width, w, win.x0, win.x1)
	ys := nearestIndex(m.Height, h, win.y0, win.y1)
	i := 0
	for _, y := range ys {
		row := m.Pix[y*m.Width : (y+1)*m.Width]
		for _, x := range xs {
			out.Pix[i] = row[x]
			i++
		}
	}
	return out
}

func nearestIndex(n, m, from, to int) []int {
	step := float64(float32(n)) / float64(m)
	index := make([]int, 0, to-from)
	pos := float64(step * 0.5)
	for o := range to {
		if o >= from {
			index = append(index, min(int(pos), n-1))
		}
		pos += step
	}
	return index
}
