package preprocess_test

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"strings"

	"github.com/seed-e0874532/coca/preprocess"
)

// A PPM picture of two pixels, red and blue.
const picture = "P3 2 1 255  255 0 0  0 0 255"

func ExampleDecode() {
	img, err := preprocess.Decode(strings.NewReader(picture), preprocess.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(img.Mode, img.Width, img.Height, img.Pix)
	// Output: RGB 2 1 [255 0 0 0 0 255]
}

func ExampleDecode_errors() {
	_, err := preprocess.Decode(strings.NewReader("P5 30000 30000 255\n"), preprocess.Limits{})
	var limit *preprocess.LimitError
	if errors.As(err, &limit) {
		fmt.Println(limit.Found, limit.Thing)
	}
	fmt.Println(err)
	// Output:
	// 900000000 pixels
	// image: too many pixels: want at most 178956970, found 900000000
}

func ExampleConfig_Apply() {
	img, err := preprocess.Decode(strings.NewReader(picture), preprocess.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	x, err := preprocess.DefaultConfig(1).Apply(img) // the pixel at the centre, [3, 1, 1]
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.4f\n", x)
	// Output: [1.9303 -1.7521 -1.4802]
}

func ExampleParseConfig() {
	c, err := preprocess.ParseConfig([]byte(`{"size": [224, 336], "resize_mode": "squash", "more": "is ignored"}`), 224)
	fmt.Println(c.Height, c.Width, c.ResizeMode, c.Interpolation, err)
	_, err = preprocess.ParseConfig([]byte(`{"interpolation": "nearest"}`), 224)
	fmt.Println(err)
	// Output:
	// 224 336 squash bicubic <nil>
	// preprocess_cfg: interpolation: want bicubic, bilinear or random, found "nearest"
}

func ExampleFromImage() {
	src := image.NewGray(image.Rect(0, 0, 2, 2))
	src.SetGray(1, 1, color.Gray{Y: 200})
	img := preprocess.FromImage(src)
	rgb, err := preprocess.DefaultConfig(2).RGB(img)
	fmt.Println(img.Mode, rgb.Mode, rgb.Pix[9:], err)
	// Output: L RGB [200 200 200] <nil>
}
