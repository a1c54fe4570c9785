package data

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/seed-e0874532/coca/preprocess"
)

type augmentGolden struct {
	Adjustments []struct {
		Picture, What int
		Factor        float64
		SHA256        string
	}
	Orders struct {
		Picture int
		Factors []float64
		Orders  []struct {
			Order  []int
			SHA256 string
		}
	}
	Transforms []struct {
		Image   string
		Box     [4]int
		Order   []int
		Factors []float64
		Grey    bool
		Size    [2]int // height, width
		SHA256  string
	}
	Flags []struct {
		Values       []string
		Error        string
		Scale, Ratio [2]float64
		Jitter       *struct {
			P      float64
			Ranges [4]*[2]float64
		}
		Grey float64
	}
}

func readAugmentGolden(t *testing.T) (g augmentGolden) {
	t.Helper()
	data, err := os.ReadFile("../../testdata/golden/train/augment.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// every lists all colours whose parts, plus one, are multiples of step; all there are for step 1.
func every(step int) (pix []byte) {
	var v []byte
	for i := step - 1; i < 256; i += step {
		v = append(v, byte(i))
	}
	for _, r := range v {
		for _, g := range v {
			for _, b := range v {
				pix = append(pix, r, g, b)
			}
		}
	}
	return pix
}

func sha(data any) string {
	h := sha256.New()
	binary.Write(h, binary.LittleEndian, data)
	return hex.EncodeToString(h.Sum(nil))
}

// TestColoursEqualTorchvision: every adjustment with given factors, on colours spread over the whole cube, and
// hue's way there and back on all of them.
func TestColoursEqualTorchvision(t *testing.T) {
	g := readAugmentGolden(t)
	if len(g.Adjustments) != 33 {
		t.Fatalf("%d adjustments", len(g.Adjustments))
	}
	for _, a := range g.Adjustments {
		pix := every(a.Picture)
		if a.What == 4 {
			greyScale(pix)
		} else {
			adjust(pix, a.What, a.Factor)
		}
		if sha(pix) != a.SHA256 {
			t.Errorf("adjustment %d by %v gives other pixels", a.What, a.Factor)
		}
	}
}

// TestColoursInEachOrder: the 24 orders that ColorJitter may draw.
func TestColoursInEachOrder(t *testing.T) {
	g := readAugmentGolden(t).Orders
	if len(g.Orders) != 24 {
		t.Fatalf("%d orders", len(g.Orders))
	}
	for _, o := range g.Orders {
		pix := every(g.Picture)
		for _, what := range o.Order {
			adjust(pix, what, g.Factors[what])
		}
		if sha(pix) != o.SHA256 {
			t.Errorf("order %v gives other pixels", o.Order)
		}
	}
}

// formula is the picture that the golden's script makes of a mode.
func formula(mode preprocess.Mode) *preprocess.Image {
	img := &preprocess.Image{Mode: mode, Width: 40, Height: 36, Pix: make([]byte, 40*36*mode.PixelSize())}
	for k := range img.Pix {
		img.Pix[k] = byte((31*k*k + 7*k) % 251)
	}
	if mode == preprocess.ModeP {
		for k := range 768 {
			img.Palette = append(img.Palette, byte(97*k+13))
		}
	}
	return img
}

// TestTransformEqualsOpenCLIP is the whole transform of training, with what it draws given: the
// crop, and each colour's factor and place.
func TestTransformEqualsOpenCLIP(t *testing.T) {
	g := readAugmentGolden(t)
	if len(g.Transforms) != 8 {
		t.Fatalf("%d pictures", len(g.Transforms))
	}
	modes := map[string]preprocess.Mode{"L": preprocess.ModeL, "LA": preprocess.ModeLA, "P": preprocess.ModeP, "RGBA": preprocess.ModeRGBA, "RGB": preprocess.ModeRGB}
	for _, c := range g.Transforms {
		img := formula(modes[c.Image])
		if strings.Contains(c.Image, ".") {
			var err error
			if img, err = preprocess.DecodeFile("../../testdata/images/"+c.Image, preprocess.Limits{}); err != nil {
				t.Fatal(err)
			}
		}
		before := slices.Clone(img.Pix)
		// The box and the order are what a source of random numbers gives; here both are imposed: a
		// picture that is the box already, taken whole, and one adjustment after the other.
		part := cut(img, c.Box[0], c.Box[1], c.Box[2], c.Box[3])
		model := preprocess.DefaultConfig(8)
		model.Height, model.Width, model.Interpolation = c.Size[0], c.Size[1], preprocess.Bilinear
		grey := 0.0
		if c.Grey {
			grey = 1
		}
		for _, what := range c.Order[:3] { // all but the last by hand
			model := model
			model.ResizeMode, model.Interpolation = preprocess.Squash, preprocess.Bicubic
			rgb, err := model.RGB(part)
			if err != nil {
				t.Fatal(err)
			}
			part = &preprocess.Image{Mode: rgb.Mode, Width: rgb.Width, Height: rgb.Height, Pix: slices.Clone(rgb.Pix)}
			adjust(part.Pix, what, c.Factors[what])
		}
		jitter := only(c.Order[3], c.Factors[c.Order[3]])
		tr := Augment{Crop: whole, Jitter: &jitter, Grey: grey}.Transform(model)
		pixels := make([]float32, 3*model.Height*model.Width)
		if err := tr.ApplyTo(pixels, part, rand.New(rand.NewPCG(1, 1))); err != nil {
			t.Fatal(err)
		}
		if sha(pixels) != c.SHA256 {
			t.Errorf("%s: other pixels than OpenCLIP's", c.Image)
		}
		if !slices.Equal(before, img.Pix) {
			t.Errorf("%s: the picture itself was changed", c.Image)
		}
	}
}

// whole takes any picture as it is, if not in one of ten draws then after them.
var whole = Crop{Scale: [2]float64{1, 1}, Ratio: [2]float64{0.01, 100}}

// only makes one adjustment, always.
func only(what int, factor float64) Jitter {
	j := Jitter{Probability: 1, Brightness: [2]float64{1, 1}, Contrast: [2]float64{1, 1}, Saturation: [2]float64{1, 1}}
	*[]*[2]float64{&j.Brightness, &j.Contrast, &j.Saturation, &j.Hue}[what] = [2]float64{factor, factor}
	return j
}

// TestParseAugCfgEqualsOpenCLIP: what the flag means there, and what it refuses.
func TestParseAugCfgEqualsOpenCLIP(t *testing.T) {
	g := readAugmentGolden(t)
	if len(g.Flags) < 40 {
		t.Fatalf("%d flags", len(g.Flags))
	}
	for _, f := range g.Flags {
		a, err := ParseAugCfg(f.Values)
		if f.Error != "" {
			var e *Error
			if !errors.As(err, &e) {
				t.Errorf("%q: got %+v, %v; OpenCLIP: %s", f.Values, a, err, f.Error)
			}
			continue
		}
		want := Augment{Crop: Crop{f.Scale, f.Ratio}, Grey: f.Grey, Unused: a.Unused}
		if f.Jitter != nil {
			want.Jitter = &Jitter{Probability: f.Jitter.P}
			for i, into := range []*[2]float64{&want.Jitter.Brightness, &want.Jitter.Contrast, &want.Jitter.Saturation, &want.Jitter.Hue} {
				if r := f.Jitter.Ranges[i]; r != nil {
					*into = *r
				} else if i != hue {
					*into = [2]float64{1, 1}
				}
			}
		}
		if err != nil || !reflect.DeepEqual(a, want) {
			t.Errorf("%q: got %+v, %v, want %+v", f.Values, a, err, want)
		}
	}
}

func TestParseAugCfgSaysWhy(t *testing.T) {
	for value, want := range map[string]string{
		"use_timm=True": "timm", "use_timm=1": "timm", "flip=0.5": "re_count", "scale=(0.5, 2)": "at most 1", "scale=(0, 1)": "positive", "scale=(1, 0.5)": "range",
		"color_jitter_prob=1": "four", "scale=" + strings.Repeat("(", 900): "Python", "scale={}": "Python", "scale=[": "Python", "scale=": "Python",
	} {
		if _, err := ParseAugCfg([]string{value}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want one that says %q", value, err, want)
		}
	}
	a, err := ParseAugCfg([]string{"ratio=(1, 1)", "scale=(1, 1)", "re_prob=0.2", "re_count=None", "color_jitter=(0, 0, 0, 0)"})
	if want := []string{"ratio", "re_prob", "color_jitter"}; err != nil || !slices.Equal(a.Unused, want) {
		t.Errorf("unused are %q, %v, want %q", a.Unused, err, want)
	}
}

// TestJitterDraws: how often, in which orders and how far, and always the same with the same seed.
func TestJitterDraws(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	j := Jitter{Probability: 0.8, Brightness: [2]float64{0.5, 1.5}, Contrast: [2]float64{1, 1}, Saturation: [2]float64{1, 1}}
	const n = 4000
	changed, sum := 0, 0.0
	for range n {
		img := &preprocess.Image{Mode: preprocess.ModeRGB, Width: 1, Height: 1, Pix: []byte{100, 100, 100}}
		j.apply(img, r)
		if v := img.Pix[0]; v != 100 {
			changed++
			if sum += float64(v); v < 50 || v > 150 {
				t.Fatalf("100 became %d", v)
			}
		}
	}
	if p := float64(changed) / n; p < 0.77 || p > 0.82 {
		t.Errorf("%.3f of the pictures changed, want 0.8", p)
	}
	if mean := sum / float64(changed); mean < 97 || mean > 102 {
		t.Errorf("the mean is %.1f, want 99.5", mean)
	}
	seen := map[string]bool{}
	j = Jitter{Probability: 1, Brightness: [2]float64{1.5, 1.5}, Contrast: [2]float64{0.5, 0.5}, Saturation: [2]float64{2, 2}, Hue: [2]float64{0.2, 0.2}}
	for range 600 {
		img := &preprocess.Image{Mode: preprocess.ModeRGB, Width: 6, Height: 6, Pix: every(43)[:108]}
		j.apply(img, r)
		seen[sha(img.Pix)] = true
	}
	if len(seen) < 8 {
		t.Errorf("the orders gave %d different pictures", len(seen))
	}
}

// TestGreyDraws, and a shared picture stays as it is.
func TestGreyDraws(t *testing.T) {
	tr := Augment{Crop: whole, Grey: 0.25}.Transform(preprocess.DefaultConfig(2))
	tr.Model.Mean, tr.Model.Std = [3]float64{}, [3]float64{1, 1, 1}
	img := &preprocess.Image{Mode: preprocess.ModeRGB, Width: 2, Height: 2, Pix: []byte{255, 0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0}}
	r, grey, dst := rand.New(rand.NewPCG(2, 2)), 0, make([]float32, 12)
	for range 2000 {
		if err := tr.ApplyTo(dst, img, r); err != nil {
			t.Fatal(err)
		}
		if dst[0] == dst[4] {
			grey++
		}
	}
	if grey < 430 || grey > 570 {
		t.Errorf("%d of 2000 pictures are grey, want 500", grey)
	}
	if img.Pix[1] != 0 {
		t.Error("the picture itself became grey")
	}
}

func TestTransformRefuses(t *testing.T) {
	good := Transform{Model: preprocess.DefaultConfig(4), Crop: &whole}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for _, change := range []func(*Transform){
		func(t *Transform) { t.Grey = 1.5 }, func(t *Transform) { t.Model.Width = 0 }, func(t *Transform) { t.Crop = &Crop{} },
		func(t *Transform) { t.Jitter = &Jitter{Probability: 2} },
		func(t *Transform) { t.Jitter = &Jitter{Hue: [2]float64{-1, 0}} }, func(t *Transform) { t.Jitter = &Jitter{Contrast: [2]float64{2, 1}} },
	} {
		bad := good
		change(&bad)
		if bad.Validate() == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

func TestOverride(t *testing.T) {
	c, err := Override{Mean: []float64{0.5}, Std: []float64{0.1, 0.2, 0.3}, Interpolation: "bilinear", ResizeMode: "longest"}.Apply(preprocess.DefaultConfig(8))
	if err != nil || c.Mean != [3]float64{0.5, 0.5, 0.5} || c.Std != [3]float64{0.1, 0.2, 0.3} || c.Interpolation != preprocess.Bilinear || c.ResizeMode != preprocess.Longest || c.Width != 8 {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := (Override{}).Apply(preprocess.DefaultConfig(8)); err != nil || c != preprocess.DefaultConfig(8) {
		t.Errorf("nothing changes to %+v, %v", c, err)
	}
	for _, o := range []Override{{Mean: []float64{1, 2}}, {Std: []float64{0}}, {Interpolation: "nearest"}, {ResizeMode: "crop"}} {
		if _, err := o.Apply(preprocess.DefaultConfig(8)); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

func FuzzParseAugCfg(f *testing.F) {
	f.Add("scale=(0.5, 1.0)")
	f.Add("color_jitter=[1,(0,'x'),]")
	f.Fuzz(func(t *testing.T, s string) {
		if a, err := ParseAugCfg([]string{s}); err == nil && a.Crop.Validate() != nil {
			t.Errorf("%q gives %+v", s, a)
		}
	})
}

func ExampleParseAugCfg() {
	a, err := ParseAugCfg([]string{"scale=(0.5, 1.0)", "gray_scale_prob=0.1", "ratio=(1.0, 1.0)"})
	fmt.Println(a.Crop.Scale, a.Grey, a.Unused, err)
	// Output: [0.5 1] 0.1 [ratio] <nil>
}
