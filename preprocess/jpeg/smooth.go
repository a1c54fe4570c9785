package jpeg

// A progressive file may end before its coefficients are known to the last
// bit. libjpeg then guesses the lowest of those that are still zero from the
// DC values of the 5 by 5 blocks around (an extension of T.81 K.8), so that
// the picture looks less blocky. This file does the same.

// knownBits tells how far the coefficients of a component are known: the
// number of low bits still missing from the first ten, in zigzag order; -1 if
// no scan had them yet.
type knownBits [smoothed + 1]int

// smoothed is the number of AC coefficients that are guessed.
const smoothed = 9

var unknownBits = knownBits{-1, -1, -1, -1, -1, -1, -1, -1, -1, -1}

// noteProgress records what the scan about to start will add.
func (d *decoder) noteProgress() {
	for _, c := range d.scan {
		for k := min(d.ss, 1); k <= smoothed; k++ {
			c.knownBefore[k] = 0
			if d.scans > 1 {
				c.knownBefore[k] = c.known[k]
			}
		}
		for k := d.ss; k <= min(d.se, smoothed); k++ {
			c.known[k] = d.al
		}
	}
}

// A kernel weighs the DC values of 5 by 5 blocks, row-major.
type kernel [25]int

func (k kernel) transposed() (t kernel) {
	for i, v := range k {
		t[i%5*5+i/5] = v
	}
	return t
}

// Kernels for the coefficients 1 to 9 in zigzag order, times 256; k[0] is for
// the DC value itself. If not even a first approximation of AC coefficients
// is known all of them are used, else the narrower ones for 1 to 5.
var (
	wideKernels   = makeWideKernels()
	narrowKernels = makeNarrowKernels()
)

func makeWideKernels() (k [smoothed + 1]kernel) {
	k[0] = kernel{
		-2, -6, -8, -6, -2,
		-6, 6, 42, 6, -6,
		-8, 42, 152, 42, -8,
		-6, 6, 42, 6, -6,
		-2, -6, -8, -6, -2,
	}
	k[1] = kernel{
		-1, -1, 0, 1, 1,
		-3, 13, 0, -13, 3,
		-3, 38, 0, -38, 3,
		-3, 13, 0, -13, 3,
		-1, -1, 0, 1, 1,
	}
	k[2] = k[1].transposed()
	k[3] = kernel{2: 1, 6: 2, 7: 7, 8: 2, 11: -5, 12: -14, 13: -5, 16: 2, 17: 7, 18: 2, 22: 1}
	k[4] = kernel{0: -1, 4: 1, 6: 9, 8: -9, 16: -9, 18: 9, 20: 1, 24: -1}
	k[5] = k[3].transposed()
	k[6] = kernel{6: 1, 8: -1, 11: 2, 13: -2, 16: 1, 18: -1}
	k[7] = kernel{6: 1, 7: -3, 8: 1, 16: -1, 17: 3, 18: -1}
	k[8] = k[7].transposed()
	k[9] = k[6].transposed()
	return k
}

func makeNarrowKernels() (k [smoothed + 1]kernel) {
	k[1] = kernel{10: -7, 11: 50, 13: -50, 14: 7}
	k[2] = k[1].transposed()
	k[3] = kernel{2: -1, 7: 13, 12: -24, 17: 13, 22: -1}
	k[4] = kernel{1: -1, 3: 1, 5: -1, 6: 10, 8: -10, 9: 1, 15: 1, 16: -10, 18: 10, 19: -1, 21: 1, 23: -1}
	k[5] = k[3].transposed()
	return k
}

// A smoother guesses coefficients of the components of a file.
type smoother struct {
	d  *decoder
	dc [][]int16 // DC values of each component, stride by stored block rows
}

// newSmoother returns a smoother, or nil if the file needs none or does not
// have what it takes.
func (d *decoder) newSmoother() *smoother {
	useful := false
	for i := range d.comps {
		c := &d.comps[i]
		if c.quant == nil || c.known[0] < 0 {
			return nil
		}
		for k := range smoothed + 1 {
			if c.quant[zigzag[k]] == 0 {
				return nil
			}
			if k > 0 && c.known[k] != 0 {
				useful = true
			}
		}
	}
	if !d.progressive || !useful {
		return nil
	}
	// Coefficients may be overwritten by pixels while they are used, so the
	// DC values are put aside.
	s := &smoother{d, make([][]int16, len(d.comps))}
	for i := range d.comps {
		c := &d.comps[i]
		s.dc[i] = make([]int16, 0, c.stride*c.v*d.mcusY)
		for by := range c.v * d.mcusY {
			for bx := range c.stride {
				s.dc[i] = append(s.dc[i], d.coefs[64*d.blockIndex(c, bx, by)])
			}
		}
	}
	return s
}

// apply returns block (bx, y) of component i in MCU row my with guesses put
// in. src is the block as decoded.
func (s *smoother) apply(src *block, i, bx, y, my int) block {
	d := s.d
	c := &d.comps[i]
	known := &c.known
	if my > d.lastGoodRow { // the last scan did not get here
		known = &c.knownBefore
		if d.scans <= 1 {
			known = &unknownBits
		}
	}
	kernels := &narrowKernels
	if [smoothed]int(known[1:]) == [smoothed]int(unknownBits[1:]) {
		kernels = &wideKernels
	}
	window := s.window(i, bx, y, my)
	if uniform(&window) {
		return *src // the kernels would say the same, at length
	}
	guess := func(k int) int64 {
		sum := 0
		for j, w := range kernels[k] {
			sum += w * window[j]
		}
		num, q := int64(c.quant[0])*int64(sum), int64(c.quant[zigzag[k]])
		pred := (q<<7 + max(num, -num)) / (q << 8)
		if al := known[k]; k > 0 && al > 0 {
			pred = min(pred, 1<<al-1)
		}
		if num < 0 {
			pred = -pred
		}
		return pred
	}
	blk := *src
	for k := 1; k <= smoothed; k++ {
		if k > 5 && kernels == &narrowKernels {
			break
		}
		if z := zigzag[k]; known[k] != 0 && blk[z] == 0 {
			blk[z] = int16(guess(k))
		}
	}
	if kernels == &wideKernels {
		blk[0] = int16(guess(0))
	}
	return blk
}

// window returns the DC values of the 5 by 5 blocks around one. At the edges
// of the picture the nearest block stands for those beyond.
func (s *smoother) window(i, bx, y, my int) (w [25]int) {
	d := s.d
	c := &d.comps[i]
	// libjpeg counts the block rows as if all MCU rows had as many as this
	// one, which matters where the last has fewer.
	rows := c.v
	if my == d.mcusY-1 {
		rows = c.blocksY - my*c.v
	}
	at, end := my*rows+y, rows*d.mcusY
	by := my*c.v + y
	var source [5]int
	for j := range source {
		source[j] = by + min(max(j-2, -at), end-1-at)
	}
	for j, row := range source {
		dc := s.dc[i][row*c.stride:]
		for k := range 5 {
			w[5*j+k] = int(dc[min(max(bx+k-2, 0), c.blocksX-1)])
		}
	}
	return w
}

func uniform(w *[25]int) bool {
	for _, v := range w[1:] {
		if v != w[0] {
			return false
		}
	}
	return true
}
