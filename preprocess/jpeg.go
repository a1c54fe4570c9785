package preprocess

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/seed-e0874532/coca/preprocess/jpeg"
)

// decodeJPEG decodes with package jpeg and translates its errors.
func decodeJPEG(data []byte, limits Limits) (*Image, error) {
	m, err := jpeg.Decode(bytes.NewReader(data), jpeg.Limits{MaxPixels: limits.maxPixels()})
	if err != nil {
		return nil, jpegErr(err)
	}
	mode, ok := map[int]Mode{1: ModeL, 3: ModeRGB, 4: ModeCMYK}[m.Channels]
	if !ok {
		return nil, &UnsupportedError{"JPEG", "number of channels", fmt.Sprint(m.Channels), "1, 3 or 4"}
	}
	return &Image{Mode: mode, Width: m.Width, Height: m.Height, Pix: m.Pix}, nil
}

func jpegErr(err error) error {
	var (
		format      *jpeg.FormatError
		unsupported *jpeg.UnsupportedError
		limit       *jpeg.LimitError
	)
	switch {
	case errors.As(err, &format):
		return &FormatError{"JPEG", fmt.Sprintf("%s near byte %d", format.Segment, format.Offset), format.Want, format.Found}
	case errors.As(err, &unsupported):
		return &UnsupportedError{"JPEG", unsupported.Segment, unsupported.Feature, "Huffman coding, sequential or progressive, 8 bits a sample"}
	case errors.As(err, &limit):
		return &LimitError{Thing: limit.What, Limit: limit.Limit, Found: limit.Found}
	}
	return fmt.Errorf("JPEG: %w", err)
}
