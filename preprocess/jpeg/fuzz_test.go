package jpeg

import (
	"bytes"
	"testing"
	"testing/iotest"
)

// FuzzDecode checks that no input makes the decoder panic, return an error of
// no type or a wrong amount of pixels, or depend on how the data arrive.
func FuzzDecode(f *testing.F) {
	for _, g := range goldenFiles(f) {
		if len(g.data) < 2000 {
			f.Add(g.data)
		}
	}
	limits := Limits{MaxPixels: 1 << 16}
	f.Fuzz(func(t *testing.T, data []byte) {
		im, err := Decode(bytes.NewReader(data), limits)
		if err != nil {
			if !isTyped(err) {
				t.Fatalf("error of type %T: %v", err, err)
			}
			return
		}
		if n := im.Width * im.Height; n > 1<<16 || len(im.Pix) != n*im.Channels {
			t.Fatalf("%d bytes for %dx%dx%d", len(im.Pix), im.Width, im.Height, im.Channels)
		}
		c, err := DecodeConfig(bytes.NewReader(data))
		if err != nil || c != (Config{im.Width, im.Height, im.Channels}) {
			t.Fatalf("DecodeConfig: %v, %v", c, err)
		}
		again, err := Decode(iotest.HalfReader(bytes.NewReader(data)), limits)
		if err != nil || !bytes.Equal(again.Pix, im.Pix) {
			t.Fatalf("another result from another reader: %v", err)
		}
	})
}
