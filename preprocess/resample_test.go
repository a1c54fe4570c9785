package preprocess

import (
	"fmt"
	"image"
	"image/color"
	"slices"
	"testing"
)

// The vectors of this file are Pillow 13.0.0's, worked out for the
// specification, and independent of the golden files.

func TestWeights(t *testing.T) {
	type output struct {
		lo int
		k  []int32
	}
	for _, g := range []struct {
		n, m int
		want []output
	}{
		{5, 3, []output{
			{0, []int32{2452055, 1871305, 0, -129056}},
			{0, []int32{-156067, 1033945, 2438549, 1033945, -156067}},
			{1, []int32{-129056, 0, 1871305, 2452055}},
		}},
		{3, 5, []output{
			{0, []int32{4510855, -316551}}, {0, []int32{2723168, 1658941, -187805}}, {0, []int32{0, 4194304, 0}},
			{0, []int32{-187805, 1658941, 2723168}}, {1, []int32{-316551, 4510855}},
		}},
	} {
		a := newAxis(g.n, g.m, bicubicKernel)
		for o, want := range g.want {
			lo, w := a.weights(o, nil)
			if k := quantise(w, nil); lo != want.lo || !slices.Equal(k, want.k) {
				t.Errorf("%d→%d output %d: %d %v, want %d %v", g.n, g.m, o, lo, k, want.lo, want.k)
			}
		}
	}
}

// TestFormulaPictures has CRC-32 of the picture that enters to-tensor.
func TestFormulaPictures(t *testing.T) {
	for _, g := range []struct {
		mode string
		w, h int
		crc  string
	}{
		{"RGB", 640, 480, "7f6e69b7"}, {"RGB", 480, 641, "83cd559f"}, {"RGB", 300, 700, "ab6ab0cd"}, {"RGB", 100, 90, "4d4c35f6"},
		{"RGB", 3, 400, "12931c07"}, {"L", 333, 225, "3e82d576"}, {"RGBA", 401, 300, "8d1572ab"}, {"LA", 401, 300, "8fde47fc"},
		{"P", 401, 300, "34f0ee97"}, {"1", 401, 300, "885bb821"}, {"CMYK", 401, 300, "008885ec"}, {"I;16", 401, 300, "6821ebb5"},
	} {
		m, err := DefaultConfig(224).RGB(formulaPicture(t, g.mode, g.w, g.h))
		if err != nil || crc(m.Pix) != g.crc {
			t.Errorf("%s %d×%d: %v, %s, want %s", g.mode, g.w, g.h, err, crc(m.Pix), g.crc)
		}
	}
}

// greyPicture has the value (37x + 91y) mod 256.
func greyPicture(w, h int) *Image {
	m := newImage(ModeL, w, h)
	for i := range m.Pix {
		m.Pix[i] = byte(37*(i%w) + 91*(i/w))
	}
	return m
}

func resizeAll(m *Image, w, h int) []byte {
	return resize(m, w, h, bicubicKernel, window{0, 0, w, h}, new(scratch)).Pix
}

func TestResizeVectors(t *testing.T) {
	row := func(p ...byte) *Image { return &Image{Mode: ModeL, Width: len(p), Height: 1, Pix: p} }
	for _, g := range []struct {
		m     *Image
		w, h  int
		first bool // want is the first row only
		want  []byte
	}{
		{row(0, 50, 100, 200, 255), 3, 1, false, []byte{16, 110, 237}},
		{row(0, 128, 255), 5, 1, false, []byte{0, 39, 128, 216, 255}},
		{greyPicture(9, 7), 4, 3, false, []byte{91, 132, 131, 101, 114, 108, 127, 129, 128, 112, 116, 128}},
		{greyPicture(9, 7), 12, 10, true, []byte{0, 15, 45, 73, 100, 127, 162, 202, 241, 78, 0, 36}},
		{greyPicture(5, 17), 4, 6, false, []byte{87, 105, 110, 161, 117, 124, 115, 96, 134, 143, 132, 111,
			139, 130, 155, 129, 143, 117, 125, 126, 153, 151, 133, 135}},
	} {
		got := resizeAll(g.m, g.w, g.h)
		if g.first {
			got = got[:g.w]
		}
		if !slices.Equal(got, g.want) {
			t.Errorf("%d×%d → %d×%d: %v, want %v", g.m.Width, g.m.Height, g.w, g.h, got, g.want)
		}
	}
}

func TestVerticalFirst(t *testing.T) {
	for _, g := range []struct {
		w, h int
		want bool
	}{{1080, 2160, false}, {500, 1000, false}, {1080, 2400, true}, {300, 700, true}, {600, 1201, true}, {640, 480, false}, {100, 100, false}} {
		w, h := DefaultConfig(224).resized(g.w, g.h)
		if got := verticalFirst(g.w, g.h, int(w), int(h)); got != g.want {
			t.Errorf("%d×%d → %v×%v: %v", g.w, g.h, w, h, got)
		}
	}
}

func TestSizesAndOffsets(t *testing.T) {
	c := DefaultConfig(224)
	for _, g := range [][4]int{{640, 480, 298, 224}, {1000, 1300, 224, 291}, {7, 7, 224, 224}} {
		if w, h := c.resized(g[0], g[1]); int(w) != g[2] || int(h) != g[3] {
			t.Errorf("%d×%d → %v×%v, want %d×%d", g[0], g[1], w, h, g[2], g[3])
		}
	}
	for size, want := range map[int]int{225: 0, 227: 2, 229: 2, 231: 4, 298: 37, 291: 34} {
		if lo, hi, at := centre(size, 224); lo != want || hi != want+224 || at != 0 {
			t.Errorf("crop of %d: %d to %d at %d, want %d", size, lo, hi, at, want)
		}
	}
	if lo, hi, at := centre(9, 14); lo != 0 || hi != 9 || at != 2 {
		t.Errorf("padding of 9 to 14: %d to %d at %d", lo, hi, at)
	}
}

// TestWindow checks that computing a part gives what computing all gives, in
// every mode and order of passes.
func TestWindow(t *testing.T) {
	for mode := range modes {
		for _, g := range [][4]int{{61, 47, 30, 20}, {20, 90, 31, 17}, {47, 33, 90, 33}, {33, 47, 33, 11}, {9, 9, 40, 40}} {
			m := formulaPicture(t, Mode(mode).String(), g[0], g[1])
			w, h := g[2], g[3]
			whole := resize(m, w, h, bilinearKernel, window{0, 0, w, h}, new(scratch))
			win := window{w / 4, h / 3, w - 2, h - 1}
			part := resize(m, w, h, bilinearKernel, win, new(scratch))
			if want := crop(whole, win); !slices.Equal(part.Pix, want.Pix) {
				t.Errorf("%v %v: the window differs", m.Mode, g)
			}
		}
	}
}

// TestWeightBlocks resamples a row whose weights need several blocks.
func TestWeightBlocks(t *testing.T) {
	m := greyPicture(90_000, 2)
	got := resizeAll(m, 400, 2)
	a := newAxis(90_000, 400, bicubicKernel)
	for o := range 400 {
		lo, w := a.weights(o, nil)
		acc := int32(half)
		for i, k := range quantise(w, nil) {
			acc += int32(m.Pix[90_000+lo+i]) * k
		}
		if want := clip8(int(acc >> precision)); got[400+o] != want {
			t.Fatalf("output %d: %d, want %d", o, got[400+o], want)
		}
	}
}

func TestFromImage(t *testing.T) {
	r := image.Rect(2, 3, 5, 5) // bounds that do not start at 0
	fill := func(m interface {
		image.Image
		Set(x, y int, c color.Color)
	}, c color.Color) image.Image {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x++ {
				m.Set(x, y, c)
			}
		}
		return m
	}
	half := color.NRGBA{200, 100, 50, 128}
	palette := color.Palette{color.NRGBA{1, 2, 3, 255}, color.NRGBA{200, 100, 50, 255}}
	for _, g := range []struct {
		src  image.Image
		mode Mode
		want []byte
	}{
		{fill(image.NewGray(r), color.Gray{77}), ModeL, []byte{77}},
		{fill(image.NewGray16(r), color.Gray16{0x4d99}), ModeL, []byte{0x4d}},
		{fill(image.NewNRGBA(r), half), ModeRGBA, []byte{200, 100, 50, 128}},
		{fill(image.NewRGBA(r), half), ModeRGBA, []byte{199, 99, 49, 128}}, // stored premultiplied, so rounded
		{fill(image.NewRGBA(r), color.RGBA{9, 8, 7, 255}), ModeRGB, []byte{9, 8, 7}},
		{fill(image.NewNRGBA64(r), color.NRGBA64{0x1234, 0x5678, 0x9abc, 0xffff}), ModeRGB, []byte{0x12, 0x56, 0x9a}},
		{fill(image.NewCMYK(r), color.CMYK{1, 2, 3, 4}), ModeCMYK, []byte{1, 2, 3, 4}},
		{fill(image.NewPaletted(r, palette), palette[1]), ModeP, []byte{1}},
		{image.NewYCbCr(r, image.YCbCrSubsampleRatio420), ModeRGB, []byte{0, 135, 0}},
	} {
		t.Run(fmt.Sprintf("%T", g.src), func(t *testing.T) {
			m := FromImage(g.src)
			if m.Mode != g.mode || m.Width != 3 || m.Height != 2 {
				t.Fatalf("%v %d×%d, want %v 3×2", m.Mode, m.Width, m.Height, g.mode)
			}
			if err := m.check(); err != nil {
				t.Fatal(err)
			}
			if got := m.Pix[len(m.Pix)-len(g.want):]; !slices.Equal(got, g.want) {
				t.Errorf("last pixel %v, want %v", got, g.want)
			}
			if m.Mode == ModeP && !slices.Equal(m.Palette, []byte{1, 2, 3, 200, 100, 50}) {
				t.Errorf("palette %v", m.Palette)
			}
		})
	}
}
