package jpeg

import (
	"errors"
	"fmt"
)

// Marker codes (T.81 table B.1).
const (
	markerTEM   = 0x01
	markerSOF0  = 0xc0 // baseline
	markerSOF1  = 0xc1 // extended sequential, Huffman
	markerSOF2  = 0xc2 // progressive, Huffman
	markerDHT   = 0xc4
	markerSOF9  = 0xc9 // extended sequential, arithmetic
	markerSOF10 = 0xca // progressive, arithmetic
	markerJPG   = 0xc8
	markerDAC   = 0xcc
	markerSOF15 = 0xcf
	markerRST0  = 0xd0
	markerRST7  = 0xd7
	markerSOI   = 0xd8
	markerEOI   = 0xd9
	markerSOS   = 0xda
	markerDQT   = 0xdb
	markerDNL   = 0xdc
	markerDRI   = 0xdd
	markerAPP0  = 0xe0
	markerAPP2  = 0xe2
	markerAPP14 = 0xee
	markerAPP15 = 0xef
	markerCOM   = 0xfe
)

// errSuspended says that the data at hand is used up while no more may be
// read. It never leaves the package.
var errSuspended = errors.New("jpeg: suspended")

// zigzag maps the order of coefficients in the file to their place in the
// block, row-major. Corrupt data can run up to 16 places beyond the block;
// like libjpeg's table this one sends those to the last place.
var zigzag = [64 + 16]uint8{
	0, 1, 8, 16, 9, 2, 3, 10,
	17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34,
	27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36,
	29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46,
	53, 60, 61, 54, 47, 55, 62, 63,
	63, 63, 63, 63, 63, 63, 63, 63,
	63, 63, 63, 63, 63, 63, 63, 63,
}

// nextMarker finds the next marker and leaves it in d.marker. Bytes that
// belong to no marker are skipped, as are stuffed zeros and fill bytes.
func (d *decoder) nextMarker() error {
	for {
		c, err := d.src.readByte()
		for ; err == nil && c != 0xff; c, err = d.src.readByte() {
		}
		for ; err == nil && c == 0xff; c, err = d.src.readByte() {
		}
		if err != nil {
			return err
		}
		if c != 0 {
			d.marker = c
			return nil
		}
	}
}

// readSOI reads the two bytes with which every image must start.
func (d *decoder) readSOI() error {
	var b [2]byte
	if err := d.src.readFull(b[:]); err != nil {
		return err
	}
	if b != [2]byte{0xff, markerSOI} {
		return d.src.errorf("SOI", "ff d8", "% x", b[:])
	}
	d.resetImage()
	return nil
}

// resetImage sets what a SOI marker sets.
func (d *decoder) resetImage() {
	d.sawSOI = true
	d.restartInterval = 0
	d.sawJFIF, d.sawAdobe, d.adobeTransform = false, false, 0
	for i := range d.conditioning.dc {
		d.conditioning.dc[i], d.conditioning.ac[i] = [2]uint8{0, 1}, 5
	}
}

// readMarkers reads segments up to and including the next SOS or EOI and
// returns which it was.
func (d *decoder) readMarkers() (byte, error) {
	for {
		if d.marker == 0 {
			if err := d.nextMarker(); err != nil {
				return 0, err
			}
		}
		m := d.marker
		d.marker = 0
		if d.inHeader && m < markerSOF0 {
			// Pillow's own look at the header knows no such markers.
			return 0, d.src.errorf("header", "a marker", "ff %02x", m)
		}
		switch {
		case m == markerEOI:
			if !d.inHeader {
				return m, nil
			}
			// A stream of tables only; another may follow and use them.
			if d.sawSOF {
				return 0, d.src.errorf("header", "SOS", "EOI")
			}
			d.sawSOI = false
			if err := d.readSOI(); err != nil {
				return 0, err
			}
		case m == markerSOI:
			return 0, d.src.errorf("header", "one SOI", "another")
		case m == markerTEM, m >= markerRST0 && m <= markerRST7:
			// No parameters, no meaning here.
		default:
			if err := d.readSegment(m); err != nil {
				return 0, err
			}
			if m == markerSOS {
				return m, nil
			}
		}
	}
}

// readSegment reads the segment of marker m.
func (d *decoder) readSegment(m byte) error {
	switch {
	case m == markerDHT, m == markerDQT, m == markerDRI, m == markerDAC, m == markerSOS:
	case m == markerDNL, m == markerCOM, m >= markerAPP0 && m <= markerAPP15:
		return d.readSkipped(m)
	case m >= markerSOF0 && m <= markerSOF15 && m != markerJPG:
		if d.sawSOF {
			return d.src.errorf(segmentName(m), "one frame header", "another")
		}
	default:
		return d.src.errorf("marker", "a known marker", "ff %02x", m)
	}
	if m == markerSOS && !d.sawSOF {
		return d.src.errorf("SOS", "a frame header before it", "none")
	}
	s, err := d.readPayload(m)
	if err != nil {
		return err
	}
	switch m {
	case markerDHT:
		return d.parseDHT(s)
	case markerDQT:
		return d.parseDQT(s)
	case markerDAC:
		return d.parseDAC(s)
	case markerDRI:
		if s.size != 2 {
			return d.src.errorf("DRI", "2 bytes", "%d", s.size)
		}
		b, err := s.next(2)
		if err == nil {
			d.restartInterval = int(b[0])<<8 | int(b[1])
		}
		return err
	case markerSOS:
		return d.parseSOS(s)
	}
	return d.parseSOF(m, s)
}

// A segment is the content of a segment. Less of it may be at hand than it
// claims to have: past the end of a picture that does no harm by itself, while
// a fault in what is at hand does.
type segment struct {
	src  *source
	name string
	data []byte
	size int // what is left of the claimed size
}

// next takes n bytes, or returns errSuspended if fewer are at hand.
func (s *segment) next(n int) ([]byte, error) {
	if n > s.size {
		return nil, s.src.errorf(s.name, fmt.Sprintf("%d bytes", n), "%d", s.size)
	}
	if n > len(s.data) {
		return nil, errSuspended
	}
	b := s.data[:n]
	s.data, s.size = s.data[n:], s.size-n
	return b, nil
}

// readLength returns the number of bytes of a segment after its length word,
// which may be negative if the word is wrong.
func (d *decoder) readLength() (int, error) {
	var b [2]byte
	if err := d.src.readFull(b[:]); err != nil {
		return 0, err
	}
	return int(b[0])<<8 | int(b[1]) - 2, nil
}

// readPayload reads the segment behind marker m.
func (d *decoder) readPayload(m byte) (*segment, error) {
	n, err := d.readLength()
	if err != nil {
		return nil, err
	}
	if n < 0 {
		return nil, d.src.errorf(segmentName(m), "a length of at least 2", "%d", n+2)
	}
	have := n
	if d.src.frozen {
		have = min(n, len(d.src.buf)-d.src.pos)
	}
	b := make([]byte, have)
	return &segment{&d.src, segmentName(m), b, n}, d.src.readFull(b)
}

// readSkipped passes over a segment, noting what JFIF and Adobe segments say
// about colour. In the header it refuses the segments that Pillow refuses.
func (d *decoder) readSkipped(m byte) error {
	n, err := d.readLength()
	if err != nil {
		return err
	}
	n = max(n, 0) // libjpeg forgives a wrong length here, and here only
	b := make([]byte, min(n, 14))
	if err := d.src.readFull(b); err != nil {
		return err
	}
	has := func(prefix string) bool { return len(b) >= len(prefix) && string(b[:len(prefix)]) == prefix }
	short := 0
	switch {
	case m == markerAPP0 && has("JFIF"):
		short = 7
		d.sawJFIF = d.sawJFIF || has("JFIF\x00") && len(b) >= 14
	case m == markerAPP14 && has("Adobe"):
		short = 7
		if len(b) >= 12 {
			d.sawAdobe, d.adobeTransform = true, b[11]
		}
	case m == markerAPP2 && has("ICC_PROFILE\x00"):
		short = 14
	}
	if d.inHeader && n < short {
		return d.src.errorf(segmentName(m), fmt.Sprintf("at least %d bytes", short), "%d", n)
	}
	return d.src.skip(n - len(b))
}

func (d *decoder) parseDHT(s *segment) error {
	for s.size > 16 {
		b, err := s.next(17)
		if err != nil {
			return err
		}
		tables, id := &d.dcTables, int(b[0]&^0x10)
		if b[0]&0x10 != 0 {
			tables = &d.acTables
		}
		var count [17]int
		total := 0
		for i := 1; i <= 16; i++ {
			count[i] = int(b[i])
			total += count[i]
		}
		if total > 256 || total > s.size {
			return d.src.errorf("DHT", fmt.Sprintf("at most %d symbols", min(256, s.size)), "%d", total)
		}
		if b, err = s.next(total); err != nil {
			return err
		}
		if id > 3 {
			return d.src.errorf("DHT", "table 0 to 3", "%d", id)
		}
		if tables[id] == nil {
			tables[id] = new(huffTable)
		}
		tables[id].define(count, b)
	}
	if s.size != 0 {
		return d.src.errorf("DHT", "whole tables", "%d bytes more", s.size)
	}
	return nil
}

func (d *decoder) parseDQT(s *segment) error {
	for s.size > 0 {
		b, err := s.next(1)
		if err != nil {
			return err
		}
		precision, id := b[0]>>4, b[0]&15
		if id > 3 {
			return d.src.errorf("DQT", "table 0 to 3", "%d", id)
		}
		size := 64
		if precision != 0 {
			size = 128
		}
		if s.size < size {
			if d.src.frozen && len(s.data)+len(d.src.buf)-d.src.pos < size {
				return errSuspended // libjpeg reads on past the claimed end
			}
			return d.src.errorf("DQT", fmt.Sprintf("%d bytes", size), "%d", s.size)
		}
		if b, err = s.next(size); err != nil {
			return err
		}
		// A new value: components that were scanned keep the table they had.
		t := new([64]uint16)
		for i := range t {
			if precision != 0 {
				t[zigzag[i]] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
			} else {
				t[zigzag[i]] = uint16(b[i])
			}
		}
		d.quant[id] = t
	}
	return nil
}

// parseDAC reads the conditioning for arithmetic coding (T.81 B.2.4.3). A file
// that is not so coded may have a DAC segment too, but not a wrong one.
func (d *decoder) parseDAC(s *segment) error {
	for s.size > 0 {
		b, err := s.next(2)
		if err != nil {
			return err
		}
		if b[0] > 31 || b[0] < 16 && b[1]&15 > b[1]>>4 {
			return d.src.errorf("DAC", "table 0 to 31 and bounds in order", "%d with %#02x", b[0], b[1])
		}
		if i := b[0] & 15; b[0] < 16 {
			d.conditioning.dc[i] = [2]uint8{b[1] & 15, b[1] >> 4}
		} else {
			d.conditioning.ac[i] = b[1]
		}
	}
	return nil
}

// segmentName returns the usual name of a marker.
func segmentName(m byte) string {
	switch {
	case m == markerDHT:
		return "DHT"
	case m == markerDQT:
		return "DQT"
	case m == markerDRI:
		return "DRI"
	case m == markerDAC:
		return "DAC"
	case m == markerSOS:
		return "SOS"
	case m >= markerAPP0 && m <= markerAPP15:
		return fmt.Sprintf("APP%d", m-markerAPP0)
	case m >= markerSOF0 && m <= markerSOF15:
		return fmt.Sprintf("SOF%d", m-markerSOF0)
	}
	return fmt.Sprintf("marker ff %02x", m)
}
