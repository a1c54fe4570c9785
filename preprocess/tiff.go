package preprocess

import (
	"encoding/binary"
	"fmt"
)

// TIFF, first page only, read as Pillow's TiffImagePlugin does (and libtiff
// behind it, for compressed data). The orientation tag is applied, since
// Pillow applies it to TIFF files, unlike to all others.

// Tags that matter for the pixels.
const (
	tagWidth           = 256
	tagHeight          = 257
	tagBitsPerSample   = 258
	tagCompression     = 259
	tagPhotometric     = 262
	tagFillOrder       = 266
	tagStripOffsets    = 273
	tagOrientation     = 274
	tagSamplesPerPixel = 277
	tagRowsPerStrip    = 278
	tagStripCounts     = 279
	tagPlanar          = 284
	tagPredictor       = 317
	tagColourMap       = 320
	tagTileWidth       = 322
	tagTileHeight      = 323
	tagTileOffsets     = 324
	tagTileCounts      = 325
	tagExtraSamples    = 338
	tagSampleFormat    = 339
)

var tiffTagNames = map[uint16]string{
	tagWidth: "ImageWidth", tagHeight: "ImageLength", tagBitsPerSample: "BitsPerSample", tagCompression: "Compression",
	tagPhotometric: "PhotometricInterpretation", tagFillOrder: "FillOrder", tagStripOffsets: "StripOffsets",
	tagOrientation: "Orientation", tagSamplesPerPixel: "SamplesPerPixel", tagRowsPerStrip: "RowsPerStrip",
	tagStripCounts: "StripByteCounts", tagPlanar: "PlanarConfiguration", tagPredictor: "Predictor",
	tagColourMap: "ColorMap", tagTileWidth: "TileWidth", tagTileHeight: "TileLength", tagTileOffsets: "TileOffsets",
	tagTileCounts: "TileByteCounts", tagExtraSamples: "ExtraSamples", tagSampleFormat: "SampleFormat",
}

// A tiffValue is the list of integers of one tag, read from the file on demand.
type tiffValue struct {
	order  binary.ByteOrder
	size   int // bytes of one integer
	signed bool
	bad    bool // not integers at all
	raw    []byte
}

func (v tiffValue) len() int {
	if v.size == 0 || v.bad {
		return 0
	}
	return len(v.raw) / v.size
}

func (v tiffValue) at(i int) int64 {
	b := v.raw[i*v.size:]
	switch v.size {
	case 1:
		return int64(int8(b[0]))
	case 2:
		if v.signed {
			return int64(int16(v.order.Uint16(b)))
		}
		return int64(v.order.Uint16(b))
	case 4:
		if v.signed {
			return int64(int32(v.order.Uint32(b)))
		}
		return int64(v.order.Uint32(b))
	}
	return int64(v.order.Uint64(b) & (1<<63 - 1))
}

type tiffReader struct {
	data          []byte
	order         binary.ByteOrder
	bigEndian     bool
	tags          map[uint16]tiffValue
	cut           bool // the directory, or one of its values, is cut short
	width, height int
	compression   int
	fillOrder     int
	predictor     int
	planar        bool // one plane per sample
	bits          int  // per sample
	samples       int  // per pixel, in the file
	bands         int  // samples that are used
	mode          Mode
	invert        bool // grey with white as 0
	premultiplied bool
}

func decodeTIFF(data []byte, limits Limits) (*Image, error) {
	t := &tiffReader{data: data, tags: map[uint16]tiffValue{}}
	if err := t.readTags(); err != nil {
		return nil, err
	}
	if err := t.setup(); err != nil {
		return nil, err
	}
	if err := limits.checkSize("TIFF", t.width, t.height); err != nil {
		return nil, err
	}
	m, err := t.pixels()
	if err != nil {
		return nil, err
	}
	if m.Mode == ModeP {
		if m.Palette, err = t.palette(); err != nil {
			return nil, err
		}
	}
	if v, ok := t.tags[tagOrientation]; ok && v.len() == 1 {
		m = orient(m, int(v.at(0)))
	}
	return m, nil
}

// tiffTypes lists the types of values: the size of one, and whether Pillow makes
// integers of it (of plain bytes and fractions it does not).
var tiffTypes = map[uint16]struct {
	size        int
	signed, bad bool
}{
	1: {1, false, true}, 2: {1, false, true}, 3: {2, false, false}, 4: {4, false, false}, 5: {8, false, true}, 6: {1, true, false},
	7: {1, false, true}, 8: {2, true, false}, 9: {4, true, false}, 10: {8, false, true}, 11: {4, false, true}, 12: {8, false, true},
	13: {4, false, false}, 16: {8, false, false},
}

// readTags reads the first directory. Like Pillow it skips values that are
// together larger than the file, takes the first of several equal tags, and
// keeps what it has when the directory, or a value, is cut short.
func (t *tiffReader) readTags() error {
	if len(t.data) < 8 {
		return truncated("TIFF", "header", 8, len(t.data))
	}
	t.order = binary.LittleEndian
	if t.data[0] == 'M' {
		t.order, t.bigEndian = binary.BigEndian, true
	}
	if v := t.order.Uint16(t.data[2:]); v != 42 {
		return &UnsupportedError{"TIFF", "version", fmt.Sprint(v), "42"}
	}
	at, size := int64(t.order.Uint32(t.data[4:])), int64(len(t.data))
	if at < 8 || at+2 > size {
		return formatErr("TIFF", "directory offset", fmt.Sprintf("8 to %d", size-2), at)
	}
	n := int(t.order.Uint16(t.data[at:]))
	entries := t.data[at+2:]
	outside := int64(0) // bytes of values that do not fit into their entries
	for i := range n {
		if len(entries) < 12*(i+1) {
			t.cut = true
			break
		}
		e := entries[12*i : 12*i+12]
		tag := t.order.Uint16(e)
		kind, ok := tiffTypes[t.order.Uint16(e[2:])]
		if _, seen := t.tags[tag]; seen || !ok {
			continue
		}
		v := tiffValue{order: t.order, size: kind.size, signed: kind.signed, bad: kind.bad}
		total := int64(t.order.Uint32(e[4:])) * int64(v.size)
		switch {
		case total == 0:
			continue
		case total <= 4:
			v.raw = e[8 : 8+total]
		default:
			if outside += total; outside > size {
				continue
			}
			from := int64(t.order.Uint32(e[8:]))
			if from+total > size {
				t.cut = true
				return nil
			}
			v.raw = t.data[from : from+total]
		}
		t.tags[tag] = v
	}
	return nil
}

// one returns the first value of a tag, or otherwise if it is absent.
func (t *tiffReader) one(tag uint16, otherwise int) (int, error) {
	v, ok := t.tags[tag]
	if !ok {
		return otherwise, nil
	}
	// Pillow takes the first of several, libtiff refuses them.
	if n := v.len(); n < 1 || n > 1 && t.compression != tiffNone {
		return 0, formatErr("TIFF", tiffTagNames[tag], "one integer", fmt.Sprint(n))
	}
	x := v.at(0)
	if x < 0 || x > 1<<40 {
		return 0, formatErr("TIFF", tiffTagNames[tag], "0 to 2^40", x)
	}
	return int(x), nil
}

// setup interprets the tags.
func (t *tiffReader) setup() error {
	var photo, planar int
	for _, f := range []struct {
		dst       *int
		tag       uint16
		otherwise int
	}{
		{&t.compression, tagCompression, 1}, {&t.width, tagWidth, 0}, {&t.height, tagHeight, 0},
		{&photo, tagPhotometric, 0}, {&t.fillOrder, tagFillOrder, 1}, {&planar, tagPlanar, 1},
		{&t.samples, tagSamplesPerPixel, 1}, {&t.predictor, tagPredictor, 1},
	} {
		var err error
		if *f.dst, err = t.one(f.tag, f.otherwise); err != nil {
			return err
		}
	}
	for _, tag := range []uint16{tagWidth, tagHeight} {
		if _, ok := t.tags[tag]; !ok {
			return formatErr("TIFF", tiffTagNames[tag], "a value", "none")
		}
	}
	switch t.compression {
	case tiffNone, tiffG3, tiffG4, tiffLZW, tiffDeflate, tiffOldDeflate, tiffPackBits:
	default:
		return &UnsupportedError{"TIFF", "compression", fmt.Sprint(t.compression), "none, CCITT group 3 or 4, LZW, deflate or PackBits"}
	}
	if t.compression != tiffNone && (t.cut || planar != 1 && planar != 2) {
		return formatErr("TIFF", "directory", "complete and valid tags for compressed data", fmt.Sprintf("cut short: %v, planar configuration %d", t.cut, planar))
	}
	if t.predictor != 1 && (t.predictor != 2 || t.compression == tiffNone) && t.compressible() {
		return &UnsupportedError{"TIFF", "predictor", fmt.Sprint(t.predictor), "1 or 2"}
	}
	if t.fillOrder != 1 && t.fillOrder != 2 {
		return formatErr("TIFF", "FillOrder", "1 or 2", t.fillOrder)
	}
	t.planar = planar == 2
	return t.layout(photo)
}

// compressible tells the codecs that know predictors.
func (t *tiffReader) compressible() bool {
	return t.compression == tiffLZW || t.compression == tiffDeflate || t.compression == tiffOldDeflate
}
