package jpeg_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	stdjpeg "image/jpeg"

	"github.com/seed-e0874532/coca/preprocess/jpeg"
)

// grayFile returns a JPEG file, 16 by 8 pixels of one grey.
func grayFile() []byte {
	im := image.NewGray(image.Rect(0, 0, 16, 8))
	for i := range im.Pix {
		im.Pix[i] = color.Gray{Y: 200}.Y
	}
	var b bytes.Buffer
	if err := stdjpeg.Encode(&b, im, nil); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func ExampleDecode() {
	im, err := jpeg.Decode(bytes.NewReader(grayFile()), jpeg.Limits{MaxPixels: 1 << 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(im.Width, im.Height, im.Channels, im.Pix[0])
	// Output: 16 8 1 200
}

func ExampleDecodeConfig() {
	c, err := jpeg.DecodeConfig(bytes.NewReader(grayFile()))
	fmt.Println(c.Width, c.Height, c.Channels, err)
	// Output: 16 8 1 <nil>
}

func ExampleLimitError() {
	_, err := jpeg.Decode(bytes.NewReader(grayFile()), jpeg.Limits{MaxPixels: 100})
	var limit *jpeg.LimitError
	if errors.As(err, &limit) {
		fmt.Println(limit)
	}
	// Output: jpeg: at most 100 pixels allowed, found 128
}
