package jpeg

import "fmt"

// A component is one plane of the image as the file stores it.
type component struct {
	id      byte
	h, v    int // sampling factors, 1 to 4
	quantID byte

	quant *[64]uint16 // row-major; set at the first scan of the component

	width, height      int // samples that count
	blocksX            int // blocks that count, a row
	blocksY            int // block rows that count
	stride             int // blocks stored a row: blocksX rounded up to whole MCUs
	coefOffset         int // of its first block within the coefficients of an MCU row
	dcTable            int // of the current scan
	acTable            int
	dcPred             int32
	dcContext          int       // of arithmetic coding
	plane              []byte    // ring of two MCU rows of samples
	planeStride        int       // bytes a row of plane
	hExpand            int       // hmax / h
	vExpand            int       // vmax / v
	fancyH, fancyV     bool      // interpolated, not replicated
	upsampled          []byte    // one output row
	known, knownBefore knownBits // now, and before the last scan; see smoother
}

// colour spaces of the coded samples
type colorSpace int

const (
	spaceGray colorSpace = iota
	spaceYCbCr
	spaceRGB
	spaceCMYK
	spaceYCCK
)

// maxDimension is libjpeg's limit on width and height.
const maxDimension = 65500

// parseSOF reads a frame header (T.81 B.2.2).
func (d *decoder) parseSOF(m byte, s *segment) error {
	name := segmentName(m)
	b, err := s.next(s.size)
	if err != nil {
		return err
	}
	if len(b) < 6 {
		return d.src.errorf(name, "at least 6 bytes", "%d", len(b))
	}
	d.height = int(b[1])<<8 | int(b[2])
	d.width = int(b[3])<<8 | int(b[4])
	n := int(b[5])
	if len(b) != 6+3*n {
		return d.src.errorf(name, fmt.Sprintf("%d bytes for %d components", 6+3*n, n), "%d", len(b))
	}
	if b[0] != 8 {
		return &UnsupportedError{name, fmt.Sprintf("%d bits a sample (8 are)", b[0])}
	}
	if d.width == 0 || d.height == 0 {
		return d.src.errorf(name, "a width and height above 0", "%dx%d", d.width, d.height)
	}
	if n != 1 && n != 3 && n != 4 {
		return &UnsupportedError{name, fmt.Sprintf("an image of %d components (1, 3 and 4 are)", n)}
	}
	switch m {
	case markerSOF0, markerSOF1:
	case markerSOF2:
		d.progressive = true
	case markerSOF9:
		d.arith = new(arithDecoder)
	case markerSOF10:
		d.arith, d.progressive = new(arithDecoder), true
	default:
		return &UnsupportedError{name, processName(m)}
	}
	if d.width > maxDimension || d.height > maxDimension {
		return d.src.errorf(name, fmt.Sprintf("a width and height of at most %d", maxDimension), "%dx%d", d.width, d.height)
	}
	d.comps = make([]component, n)
	for i := range d.comps {
		c := &d.comps[i]
		p := b[6+3*i:]
		c.known = unknownBits
		c.id, c.h, c.v, c.quantID = p[0], int(p[1]>>4), int(p[1]&15), p[2]
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 {
			return d.src.errorf(name, "sampling factors 1 to 4", "%dx%d", c.h, c.v)
		}
		d.hMax, d.vMax = max(d.hMax, c.h), max(d.vMax, c.v)
	}
	d.sawSOF = true
	return nil
}

func processName(m byte) string {
	if m == 0xc3 || m == 0xcb {
		return "lossless coding"
	}
	return "hierarchical coding"
}

// layout computes the sizes of MCUs and planes.
func (d *decoder) layout() error {
	if len(d.comps) == 1 && !d.progressive {
		// One component is never interleaved: its factors mean nothing, save
		// to libjpeg where it smooths an unfinished progressive file.
		d.comps[0].h, d.comps[0].v, d.hMax, d.vMax = 1, 1, 1, 1
	}
	d.mcusX = ceilDiv(d.width, 8*d.hMax)
	d.mcusY = ceilDiv(d.height, 8*d.vMax)
	d.rowCoefs = 0
	for i := range d.comps {
		c := &d.comps[i]
		if d.hMax%c.h != 0 || d.vMax%c.v != 0 {
			return &UnsupportedError{"SOF", fmt.Sprintf("sampling %dx%d beside %dx%d", c.h, c.v, d.hMax, d.vMax)}
		}
		c.width = ceilDiv(d.width*c.h, d.hMax)
		c.height = ceilDiv(d.height*c.v, d.vMax)
		c.blocksX = ceilDiv(c.width, 8)
		c.blocksY = ceilDiv(c.height, 8)
		c.stride = d.mcusX * c.h
		c.coefOffset = d.rowCoefs
		d.rowCoefs += c.stride * c.v * 64
		c.hExpand, c.vExpand = d.hMax/c.h, d.vMax/c.v
		switch {
		case c.hExpand == 2 && c.vExpand == 1:
			c.fancyH = c.width > 2
		case c.hExpand == 1 && c.vExpand == 2:
			c.fancyV = true
		case c.hExpand == 2 && c.vExpand == 2:
			c.fancyH = c.width > 2
			c.fancyV = c.fancyH
		}
	}
	return nil
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// space tells how the samples are coded, by libjpeg's rules.
func (d *decoder) space() colorSpace {
	switch len(d.comps) {
	case 1:
		return spaceGray
	case 3:
		switch {
		case d.sawJFIF:
			return spaceYCbCr
		case d.sawAdobe:
			if d.adobeTransform == 0 {
				return spaceRGB
			}
			return spaceYCbCr
		case d.comps[0].id == 'R' && d.comps[1].id == 'G' && d.comps[2].id == 'B':
			return spaceRGB
		}
		return spaceYCbCr
	}
	if d.sawAdobe && d.adobeTransform != 0 {
		return spaceYCCK
	}
	return spaceCMYK
}

// parseSOS reads a scan header (T.81 B.2.3).
func (d *decoder) parseSOS(s *segment) error {
	b, err := s.next(1)
	if err != nil {
		return err
	}
	n := int(b[0])
	if n < 1 || n > 4 || s.size != 3+2*n {
		return d.src.errorf("SOS", "1 to 4 components, 2 bytes for each and 3 more", "%d and %d bytes", n, s.size)
	}
	d.scan = d.scan[:0]
	for i := range n {
		p, err := s.next(2)
		if err != nil {
			return err
		}
		// The components of a scan stand in the order of the frame header;
		// libjpeg finds none before the place of this one.
		var c *component
		for j := i; j < len(d.comps) && c == nil; j++ {
			if d.comps[j].id == p[0] {
				c = &d.comps[j]
			}
		}
		if c == nil {
			return d.src.errorf("SOS", "a component of the frame, in its order", "id %d", p[0])
		}
		for _, o := range d.scan {
			if o == c {
				return d.src.errorf("SOS", "a component once", "id %d twice", p[0])
			}
		}
		c.dcTable, c.acTable = int(p[1]>>4), int(p[1]&15)
		d.scan = append(d.scan, c)
	}
	p, err := s.next(3)
	if err != nil {
		return err
	}
	d.ss, d.se, d.ah, d.al = int(p[0]), int(p[1]), int(p[2]>>4), int(p[2]&15)
	d.nextRestart = 0
	d.scans++
	return nil
}
