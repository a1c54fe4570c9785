package preprocess

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
)

// DefaultMaxPixels is Pillow's limit: Image.open refuses an image of more.
const DefaultMaxPixels = 2 * 89478485

// DefaultMaxBytes is the default limit on the bytes of an image file.
const DefaultMaxBytes = 1 << 29

// Limits bounds what decoding may cost. The zero value means the defaults.
type Limits struct {
	// MaxPixels is the largest declared width × height; 0 stands for
	// DefaultMaxPixels, a negative number for no limit but that of memory.
	MaxPixels int64
	// MaxBytes is the largest file; 0 stands for DefaultMaxBytes, a negative
	// number for no limit.
	MaxBytes int64
}

func (l Limits) maxPixels() int64 { return limitOr(l.MaxPixels, DefaultMaxPixels) }
func (l Limits) maxBytes() int64  { return limitOr(l.MaxBytes, DefaultMaxBytes) }

func limitOr(v, otherwise int64) int64 {
	switch {
	case v == 0:
		return otherwise
	case v < 0:
		return math.MaxInt64
	}
	return v
}

// checkSize refuses a declared size that is empty or above the limit, before
// anything of that size is allocated.
func (l Limits) checkSize(format string, w, h int) error {
	if w < 1 || h < 1 {
		return formatErr(format, "image size", "at least 1×1", fmt.Sprintf("%d×%d", w, h))
	}
	limit := min(l.maxPixels(), math.MaxInt/8)
	if w > maxInt32 || h > maxInt32 || int64(w) > limit/int64(h) {
		found := int64(math.MaxInt64)
		if int64(w) <= math.MaxInt64/int64(h) {
			found = int64(w) * int64(h)
		}
		return &LimitError{Thing: "pixels", Limit: limit, Found: found}
	}
	return nil
}

// Decode reads one image. The format is told by the content: PNG, JPEG, WebP,
// BMP, GIF, TIFF, PBM, PGM or PPM. Of an animation it returns the first frame.
//
// The result equals what Pillow makes of the file, sample by sample, and a
// file that Pillow refuses is refused: with a [FormatError] if it is damaged,
// an [UnsupportedError] if it uses a variant listed in the package comment, a
// [LimitError] if it is too large. Errors of r are returned wrapped.
func Decode(r io.Reader, limits Limits) (*Image, error) {
	data, err := readAll(r, limits)
	if err != nil {
		return nil, err
	}
	return DecodeBytes(data, limits)
}

// formats holds the decoders in the order in which they are tried.
var formats = []struct {
	accepts func(head []byte) bool
	decode  func(data []byte, limits Limits) (*Image, error)
}{
	{prefixed("BM"), decodeBMP},
	{prefixed("GIF87a", "GIF89a"), decodeGIF},
	{prefixed("\xff\xd8\xff"), decodeJPEG},
	{acceptsPNM, decodePNM},
	{prefixed(pngMagic), decodePNG},
	{prefixed("II\x2a\x00", "MM\x00\x2a", "II\x2b\x00", "MM\x00\x2b", "MM\x2a\x00", "II\x00\x2a"), decodeTIFF},
	{acceptsWebP, decodeWebP},
}

const headLen = 16 // bytes that are enough to tell every format

func prefixed(prefixes ...string) func([]byte) bool {
	return func(head []byte) bool {
		for _, p := range prefixes {
			if bytes.HasPrefix(head, []byte(p)) {
				return true
			}
		}
		return false
	}
}

// DecodeBytes is [Decode] for a file in memory. The result does not keep data.
func DecodeBytes(data []byte, limits Limits) (*Image, error) {
	head := data[:min(len(data), headLen)]
	for _, f := range formats {
		if f.accepts(head) {
			return f.decode(data, limits)
		}
	}
	return nil, unknownFormat(head)
}

func known(head []byte) bool {
	for _, f := range formats {
		if f.accepts(head) {
			return true
		}
	}
	return false
}

func unknownFormat(head []byte) error {
	if len(head) == 0 {
		return formatErr("image", "data", "PNG, JPEG, WebP, BMP, GIF, TIFF or PNM", "nothing")
	}
	return formatErr("image", "first bytes", "those of PNG, JPEG, WebP, BMP, GIF, TIFF or PNM", fmt.Sprintf("%q", head))
}

// DecodeFile decodes the named file.
func DecodeFile(name string, limits Limits) (*Image, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Decode(f, limits)
}

// readAll reads r up to the limit. It looks at the first bytes before it reads
// the rest, and makes one buffer where the size is known.
func readAll(r io.Reader, limits Limits) ([]byte, error) {
	head := make([]byte, headLen)
	n, err := io.ReadFull(r, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, fmt.Errorf("image: reading: %w", err)
	}
	head = head[:n]
	if !known(head) {
		return nil, unknownFormat(head)
	}
	limit := limits.maxBytes()
	var size int64
	switch r := r.(type) {
	case interface{ Len() int }: // of what is left
		size = int64(n) + int64(r.Len())
	case interface{ Stat() (os.FileInfo, error) }:
		if info, err := r.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
	}
	if size > limit {
		return nil, &LimitError{Thing: "input bytes", Limit: limit, Found: size}
	}
	var buf bytes.Buffer
	buf.Grow(int(max(size, 4096)) + bytes.MinRead)
	buf.Write(head)
	rest := limit - int64(n)
	if rest < math.MaxInt64 {
		r = io.LimitReader(r, rest+1) // one more than allowed, to notice it
	}
	if _, err := buf.ReadFrom(r); err != nil {
		return nil, fmt.Errorf("image: reading: %w", err)
	}
	if int64(buf.Len()) > limit {
		return nil, &LimitError{Thing: "input bytes", Limit: limit, Found: int64(buf.Len())}
	}
	return buf.Bytes(), nil
}
