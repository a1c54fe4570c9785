package jpeg

import (
	"errors"
	"io"
)

// A decoder holds everything known about one file while it is read.
type decoder struct {
	src source

	// Markers and tables.
	marker          byte // a marker that was read but not acted on, or 0
	inHeader        bool // before the first scan
	sawSOI, sawSOF  bool
	sawJFIF         bool
	sawAdobe        bool
	adobeTransform  byte
	quant           [4]*[64]uint16
	dcTables        [4]*huffTable
	acTables        [4]*huffTable
	restartInterval int // MCUs, 0 for none
	conditioning    struct {
		dc [16][2]uint8 // bounds L and U
		ac [16]uint8    // Kx
	}

	// Frame.
	width, height int
	progressive   bool
	arith         *arithDecoder // nil for Huffman coding
	onePass       bool          // one scan has everything: no coefficients are kept
	comps         []component
	hMax, vMax    int
	mcusX, mcusY  int
	rowCoefs      int      // coefficients of an MCU row
	coefs         []int16  // of all MCU rows, in multi-scan files
	nonzero       []uint64 // for each block, in zigzag order, which AC coefficients are not zero

	// Scan.
	scan           []*component
	ss, se, ah, al int
	mcuBlocks      int // blocks of an MCU
	scans          int
	work           int64 // blocks visited by the scans so far
	nextRestart    byte  // number of the next RST marker
	restartsLeft   int   // MCUs until then
	eobRun         int
	lastGoodRow    int  // last MCU row for which there were data
	insufficient   bool // the data of this restart interval are used up
	bitState
	err error // why the window could not grow
}

func newDecoder(r io.Reader) *decoder {
	d := &decoder{inHeader: true}
	d.src.r = r
	return d
}

// readHeader reads up to and including the first SOS.
func (d *decoder) readHeader() error {
	if err := d.readSOI(); err != nil {
		return err
	}
	// Pillow wants a marker right behind, without the junk libjpeg skips.
	c, err := d.src.readByte()
	if err != nil {
		return err
	}
	if c != 0xff {
		return d.src.errorf("SOI", "ff d8 ff", "ff d8 %02x", c)
	}
	d.src.pos--
	if _, err := d.readMarkers(); err != nil {
		return err
	}
	d.inHeader = false
	return d.layout()
}

// decode reads the scans and returns the picture.
func (d *decoder) decode() (*Image, error) {
	d.onePass = !d.progressive && len(d.scan) == len(d.comps)
	if !d.progressive && d.arith == nil {
		d.assumeTables()
	}
	if err := d.startScan(); err != nil {
		return nil, err
	}
	out := d.newOutput()
	if d.onePass {
		if err := d.decodeOnePass(out); err != nil {
			return nil, err
		}
		return out.image, d.finish()
	}
	if err := d.decodeScans(); err != nil {
		return nil, err
	}
	d.emitCoefficients(out)
	return out.image, nil
}

// assumeTables puts in the standard Huffman tables where the file has none.
func (d *decoder) assumeTables() {
	dc, ac := standardTables()
	for i := range 2 {
		if d.dcTables[i] == nil {
			d.dcTables[i] = dc[i]
		}
		if d.acTables[i] == nil {
			d.acTables[i] = ac[i]
		}
	}
}

// decodeScans reads all scans of a multi-scan file, to its EOI.
func (d *decoder) decodeScans() error {
	for {
		if err := d.decodeScan(); err != nil {
			return err
		}
		m, err := d.readMarkers()
		if err != nil || m == markerEOI {
			return err
		}
		if err := d.startScan(); err != nil {
			return err
		}
	}
}

// finish looks for the EOI of a one-scan file. Like Pillow it looks no
// further than the data that were read for the picture: what is missing there
// or lies beyond does no harm, but a fault before EOI does.
func (d *decoder) finish() error {
	d.src.frozen = true
	m, err := d.readMarkers()
	if errors.Is(err, errSuspended) {
		return nil
	}
	if err == nil && m == markerSOS {
		return d.src.errorf("SOS", "EOI after the only scan", "another scan")
	}
	return err
}
