package preprocess

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// fuzzDecode feeds a decoder with the golden and the bad files of one format
// and what the fuzzer makes of them. A decoder must return a consistent image
// that can be preprocessed, or a typed error.
func fuzzDecode(f *testing.F, format string, decode func([]byte, Limits) (*Image, error)) {
	for _, zip := range []string{"files.zip", "bad.zip"} {
		for name, data := range readZip(f, zip) {
			if strings.HasPrefix(name, format+"/") && len(data) < 3000 {
				f.Add(data)
			}
		}
	}
	limits := Limits{MaxPixels: 1 << 16}
	config := DefaultConfig(8)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 18 {
			return // the shortest header that a decoder is handed
		}
		m, err := decode(data, limits)
		if err != nil {
			if !isTyped(err) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		if err := m.check(); err != nil {
			t.Fatal(err)
		}
		if int64(m.Width)*int64(m.Height) > limits.MaxPixels {
			t.Fatalf("%d×%d pixels", m.Width, m.Height)
		}
		x, err := config.Apply(m)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range x {
			if math.IsNaN(float64(v)) || math.Abs(float64(v)) > 3 {
				t.Fatalf("pixel value %v", v)
			}
		}
	})
}

func FuzzDecodePNG(f *testing.F)  { fuzzDecode(f, "png", decodePNG) }
func FuzzDecodeGIF(f *testing.F)  { fuzzDecode(f, "gif", decodeGIF) }
func FuzzDecodeWebP(f *testing.F) { fuzzDecode(f, "webp", decodeWebP) }
func FuzzDecodeBMP(f *testing.F)  { fuzzDecode(f, "bmp", decodeBMP) }
func FuzzDecodeTIFF(f *testing.F) { fuzzDecode(f, "tiff", decodeTIFF) }
func FuzzDecodePNM(f *testing.F)  { fuzzDecode(f, "pnm", decodePNM) }

// FuzzDecode goes through the front door.
func FuzzDecode(f *testing.F) {
	fuzzDecode(f, "other", DecodeBytes)
}

func FuzzConfig(f *testing.F) {
	for _, s := range []string{
		`{}`, `null`, `[]`, `{"size": 224}`, `{"size": [224, 336], "mode": "RGB"}`, `{"mean": 0, "std": [1]}`,
		`{"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bilinear", "resize_mode": "squash"}`,
		`{"fill_color": -7, "resize_mode": "longest", "unknown": {}}`, `{"std": [1e-300, 1, 1]}`, `{"size": 1e9}`,
	} {
		f.Add([]byte(s))
	}
	m := &Image{Mode: ModeL, Width: 3, Height: 2, Pix: make([]byte, 6)}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseConfig(data, 8)
		if err != nil {
			var e *ConfigError
			if !errors.As(err, &e) {
				t.Fatalf("untyped error %v", err)
			}
			if c != DefaultConfig(8) {
				t.Fatalf("an error left %+v", c)
			}
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		if c.Height*c.Width > 1<<12 {
			return
		}
		if _, err := c.Apply(m); err != nil && !isTyped(err) {
			t.Fatalf("untyped error %v", err)
		}
	})
}
