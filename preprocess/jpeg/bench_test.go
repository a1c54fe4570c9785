package jpeg

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	stdjpeg "image/jpeg"
	"math"
	"math/rand/v2"
	"testing"
)

// photo returns a picture with the statistics of a photograph: smooth areas,
// edges and some noise.
func photo(w, h int) *image.RGBA {
	r := rand.New(rand.NewPCG(1, 2))
	im := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			fx, fy := float64(x), float64(y)
			v := 60*math.Sin(fx/37)*math.Cos(fy/53) + 30*math.Sin((fx+fy)/11) + 6*r.NormFloat64()
			if (x/90+y/70)%3 == 0 {
				v += 50
			}
			c := func(k float64) uint8 { return uint8(min(max(128+v*k+20*math.Sin(fx*k/40), 0), 255)) }
			im.SetRGBA(x, y, color.RGBA{c(1), c(0.8), c(-0.6), 255})
		}
	}
	return im
}

// photoFile is that picture as the standard library encodes it (4:2:0).
func photoFile(b *testing.B, quality int) []byte {
	b.Helper()
	var buf bytes.Buffer
	if err := stdjpeg.Encode(&buf, photo(1280, 960), &stdjpeg.Options{Quality: quality}); err != nil {
		b.Fatal(err)
	}
	return buf.Bytes()
}

func BenchmarkDecode(b *testing.B) {
	for _, q := range []struct {
		name    string
		quality int
	}{{"q75", 75}, {"q92", 92}} {
		data := photoFile(b, q.quality)
		run := func(name string, decode func() error) {
			b.Run(q.name+"/"+name, func(b *testing.B) {
				b.SetBytes(1280 * 960)
				for range b.N {
					if err := decode(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		run("own", func() error {
			_, err := Decode(bytes.NewReader(data), Limits{})
			return err
		})
		run("std-planes", func() error { // no upsampling, no conversion to RGB
			_, err := stdjpeg.Decode(bytes.NewReader(data))
			return err
		})
		run("std-rgba", func() error {
			im, err := stdjpeg.Decode(bytes.NewReader(data))
			if err == nil {
				rgba := image.NewRGBA(im.Bounds())
				draw.Draw(rgba, rgba.Bounds(), im, image.Point{}, draw.Src)
			}
			return err
		})
	}
}
