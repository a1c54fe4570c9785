package data

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/seed-e0874532/coca/preprocess"
	"pgregory.net/rapid"
)

type cropGolden struct {
	Size         int
	DefaultScale [2]float64 `json:"default_scale"`
	DefaultRatio [2]float64 `json:"default_ratio"`
	Boxes        []struct {
		Width, Height int
		Scale, Ratio  [2]float64
		Uniforms      []float64
		Draws         int
		Placed        bool
		Left, Top     int
		BoxWidth      int `json:"box_width"`
		BoxHeight     int `json:"box_height"`
	}
	Pixels []struct {
		Image     string
		Left, Top int
		BoxWidth  int `json:"box_width"`
		BoxHeight int `json:"box_height"`
		SHA256    string
	}
}

func readCropGolden(t *testing.T) (g cropGolden) {
	t.Helper()
	data, err := os.ReadFile("../../testdata/golden/train/crop.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// script is a source whose Float64 are given numbers, and then random.
type script struct {
	numbers []float64
	used    int
	then    *rand.PCG
}

func (s *script) Uint64() uint64 {
	if s.used < len(s.numbers) {
		s.used++
		return uint64(s.numbers[s.used-1] * (1 << 53))
	}
	return s.then.Uint64()
}

// TestBoxEqualsTorchvision on the same uniform numbers: size, number of draws,
// and the place of a box that no draw gave.
func TestBoxEqualsTorchvision(t *testing.T) {
	g := readCropGolden(t)
	if len(g.Boxes) < 80 || g.DefaultScale != DefaultCrop.Scale || g.DefaultRatio != DefaultCrop.Ratio {
		t.Fatalf("%d boxes, scale %v, ratio %v", len(g.Boxes), g.DefaultScale, g.DefaultRatio)
	}
	for i, b := range g.Boxes {
		s := &script{numbers: b.Uniforms[:2*b.Draws], then: rand.NewPCG(1, uint64(i))}
		left, top, width, height := Crop{b.Scale, b.Ratio}.Box(rand.New(s), b.Width, b.Height)
		if width != b.BoxWidth || height != b.BoxHeight || s.used != 2*b.Draws {
			t.Errorf("box %d: %d×%d after %d numbers, want %d×%d after %d", i, width, height, s.used, b.BoxWidth, b.BoxHeight, 2*b.Draws)
		}
		if !b.Placed && (left != b.Left || top != b.Top) {
			t.Errorf("box %d lies at %d, %d, want %d, %d", i, left, top, b.Left, b.Top)
		}
	}
}

// TestTrainingPixelsEqualOpenCLIP compares the transform of given boxes, every
// bit of it.
func TestTrainingPixelsEqualOpenCLIP(t *testing.T) {
	g := readCropGolden(t)
	if len(g.Pixels) != 12 {
		t.Fatalf("%d pictures", len(g.Pixels))
	}
	for _, p := range g.Pixels {
		img, err := preprocess.DecodeFile("../../testdata/images/"+p.Image, preprocess.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		c := preprocess.DefaultConfig(g.Size)
		c.ResizeMode = preprocess.Squash
		pixels, err := c.Apply(cut(img, p.Left, p.Top, p.BoxWidth, p.BoxHeight))
		if err != nil {
			t.Fatal(err)
		}
		h := sha256.New()
		binary.Write(h, binary.LittleEndian, pixels)
		if got := hex.EncodeToString(h.Sum(nil)); got != p.SHA256 {
			t.Errorf("%s, %d×%d at %d, %d: other pixels than OpenCLIP's", p.Image, p.BoxWidth, p.BoxHeight, p.Left, p.Top)
		}
	}
}

// TestWholeSquare: with scale 1, a square picture is taken whole in every draw
// that fits or else, as OpenCLIP's users do to switch crops off.
func TestWholeSquare(t *testing.T) {
	c := Crop{Scale: [2]float64{1, 1}, Ratio: DefaultCrop.Ratio}
	r := rand.New(rand.NewPCG(1, 1))
	for range 500 {
		if l, top, w, h := c.Box(r, 48, 48); l != 0 || top != 0 || w != 48 || h != 48 {
			t.Fatalf("%d×%d at %d, %d", w, h, l, top)
		}
	}
}

func TestBoxLiesInside(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(1, 3000).Draw(t, "w"), rapid.IntRange(1, 3000).Draw(t, "h")
		low := rapid.Float64Range(0.01, 1).Draw(t, "low")
		c := Crop{Scale: [2]float64{low, rapid.Float64Range(low, 1).Draw(t, "high")}}
		c.Ratio[0] = rapid.Float64Range(0.05, 5).Draw(t, "ratio")
		c.Ratio[1] = c.Ratio[0] * rapid.Float64Range(1, 4).Draw(t, "wider")
		seed := rapid.Uint64().Draw(t, "seed")
		left, top, bw, bh := c.Box(rand.New(rand.NewPCG(seed, 1)), w, h)
		if left < 0 || top < 0 || bw < 1 || bh < 1 || left+bw > w || top+bh > h {
			t.Fatalf("%d×%d at %d, %d is not inside %d×%d", bw, bh, left, top, w, h)
		}
		l2, t2, w2, h2 := c.Box(rand.New(rand.NewPCG(seed, 1)), w, h)
		if l2 != left || t2 != top || w2 != bw || h2 != bh {
			t.Fatal("the same seed gives another box")
		}
	})
}

// TestBoxIsSpread: areas are even over their range, places over the room.
func TestBoxIsSpread(t *testing.T) {
	c := Crop{Scale: [2]float64{0.2, 0.4}, Ratio: [2]float64{0.9, 1.1}}
	r := rand.New(rand.NewPCG(5, 5))
	const n = 4000
	var area, x, y float64
	for range n {
		left, top, w, h := c.Box(r, 800, 600)
		area += float64(w*h) / (800 * 600) / n
		x += float64(left) / float64(800-w) / n
		y += float64(top) / float64(600-h) / n
	}
	if math.Abs(area-0.3) > 0.005 || math.Abs(x-0.5) > 0.02 || math.Abs(y-0.5) > 0.02 {
		t.Errorf("mean area %.3f, place %.3f, %.3f; want 0.3, 0.5, 0.5", area, x, y)
	}
}

func TestCropRefuses(t *testing.T) {
	for _, c := range []Crop{{}, {Scale: [2]float64{0.5, 0.4}, Ratio: DefaultCrop.Ratio}, {Scale: DefaultCrop.Scale, Ratio: [2]float64{1, math.Inf(1)}}, {Scale: [2]float64{math.NaN(), 1}, Ratio: DefaultCrop.Ratio}} {
		var e *Error
		if err := c.Validate(); !errors.As(err, &e) {
			t.Errorf("%v: %v, want an Error", c, err)
		}
	}
	if err := DefaultCrop.Validate(); err != nil {
		t.Error(err)
	}
}

// TestRGBFirst: what WebDataset's order of conversions changes, and what not.
func TestRGBFirst(t *testing.T) {
	img, err := rgb(&preprocess.Image{Mode: preprocess.ModeP, Width: 2, Height: 1, Pix: []byte{1, 0}, Palette: []byte{1, 2, 3, 4, 5, 6}})
	if err != nil || img.Mode != preprocess.ModeRGB || fmt.Sprint(img.Pix) != "[4 5 6 1 2 3]" {
		t.Errorf("got %+v, %v", img, err)
	}
}

func ExampleCrop_Box() {
	r := rand.New(rand.NewPCG(1, 2))
	_, _, w, h := DefaultCrop.Box(r, 640, 480)
	fmt.Println(w*h >= 640*480*89/100)
	// Output: true
}
