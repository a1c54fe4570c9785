package coca

import (
	"context"
	"image"
	"io"
	"io/fs"

	"github.com/seed-e0874532/coca/preprocess"
)

// Image is a decoded picture; see package preprocess.
type Image = preprocess.Image

// Limits bounds what decoding an image may cost; the zero value means Pillow's
// limit of pixels and a limit on the size of a file.
type Limits = preprocess.Limits

// DecodeImage reads one picture: PNG, JPEG, WebP, BMP, GIF, TIFF or PNM, told by its content.
func DecodeImage(r io.Reader) (*Image, error) { return preprocess.Decode(r, Limits{}) }

// DecodeImageLimits is [DecodeImage] with limits of the caller's.
func DecodeImageLimits(r io.Reader, limits Limits) (*Image, error) {
	return preprocess.Decode(r, limits)
}

// OpenImage reads a picture from a file system.
func OpenImage(fsys fs.FS, name string) (*Image, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return DecodeImage(f)
}

// FromImage takes a picture that Go has decoded already.
func FromImage(src image.Image) *Image { return preprocess.FromImage(src) }

// pixels prepares images for the model.
func (m *Model) pixels(ctx context.Context, images []*Image) ([][]float32, error) {
	list := make([][]float32, len(images))
	for i, img := range images {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var err error
		if list[i], err = m.pre.Apply(img); err != nil {
			return nil, err
		}
	}
	return list, nil
}
