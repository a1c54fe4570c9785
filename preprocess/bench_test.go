package preprocess

import (
	"fmt"
	"testing"
)

func BenchmarkApply(b *testing.B) {
	for _, g := range []struct {
		mode string
		w, h int
	}{
		{"RGB", 4000, 3000}, {"RGB", 3000, 6100}, {"RGB", 640, 480}, {"RGB", 100, 80}, {"L", 4000, 3000},
		{"RGBA", 4000, 3000}, {"CMYK", 2000, 1500}, {"P", 4000, 3000}, {"I;16", 2000, 1500},
	} {
		b.Run(fmt.Sprintf("%s-%dx%d", g.mode, g.w, g.h), func(b *testing.B) {
			m := formulaPicture(b, g.mode, g.w, g.h)
			c := DefaultConfig(224)
			dst := make([]float32, 3*224*224)
			b.SetBytes(int64(len(m.Pix)))
			b.ReportAllocs()
			for b.Loop() {
				if err := c.ApplyTo(dst, m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	files := readZip(b, "files.zip")
	for _, name := range []string{"png/8bit-colour6-40x30-2.png", "jpeg/rgb-120x90.jpg", "webp/lossy-rgb-120x90.webp", "gif/colour-64x48.gif"} {
		if files[name] == nil {
			continue
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := DecodeBytes(files[name], Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
