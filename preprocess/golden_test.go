package preprocess

import (
	"archive/zip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Golden files made by testdata/reference/preprocess.py.

const goldenDir = "../testdata/golden/preprocess"

// goldenConfig is a preprocess_cfg with its expected outcome.
type goldenConfig struct {
	Cfg         json.RawMessage
	Error       string
	RGB, Tensor string
	RGBFirst    []byte16  `json:"rgb_first"`
	TensorFirst []float64 `json:"tensor_first"`
}

// byte16 keeps encoding/json from reading a list of bytes as base64.
type byte16 uint16

type goldenCase struct {
	File, Format, Mode string
	Size               [2]int
	Pixels, Palette    string
	First              []byte16
	Error              string
	Configs            []goldenConfig
	goldenConfig
}

func readGolden[T any](t testing.TB, name string) []T {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(goldenDir, name))
	if err != nil {
		t.Fatal(err)
	}
	var g struct {
		Versions map[string]string
		Cases    []T
	}
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	if g.Versions["Pillow"] != "13.0.0" || g.Versions["open_clip"] != "3.3.0" {
		t.Fatalf("golden made by %v", g.Versions)
	}
	return g.Cases
}

func readZip(t testing.TB, name string) map[string][]byte {
	t.Helper()
	z, err := zip.OpenReader(filepath.Join(goldenDir, name))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	files := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func crc(b []byte) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE(b)) }

func firsts(got []byte, want []byte16) string {
	return fmt.Sprintf("first samples %v, want %v", got[:min(len(got), len(want))], want)
}

// isTyped reports whether err is one of the package's errors.
func isTyped(err error) bool {
	var f *FormatError
	var u *UnsupportedError
	var l *LimitError
	return errors.As(err, &f) || errors.As(err, &u) || errors.As(err, &l)
}

// checkConfig compares the transform of m with the golden outcome.
func checkConfig(t *testing.T, m *Image, g goldenConfig) {
	t.Helper()
	c, err := ParseConfig(g.Cfg, 224)
	if err != nil {
		t.Fatalf("%s: %v", g.Cfg, err)
	}
	before := crc(m.Pix)
	rgb, err := c.RGB(m)
	if g.Error != "" {
		if !isTyped(err) {
			t.Errorf("%s: error %v, the reference says %s", g.Cfg, err, g.Error)
		}
		return
	}
	if err != nil {
		t.Errorf("%s: %v", g.Cfg, err)
		return
	}
	if rgb.Mode != ModeRGB || rgb.Width != c.Width || rgb.Height != c.Height || crc(rgb.Pix) != g.RGB {
		t.Errorf("%s: picture %v %d×%d %s, want %s; %s", g.Cfg, rgb.Mode, rgb.Width, rgb.Height, crc(rgb.Pix), g.RGB, firsts(rgb.Pix, g.RGBFirst))
		return
	}
	x, err := c.Apply(m)
	if err != nil {
		t.Fatal(err)
	}
	raw := make([]byte, 0, 4*len(x))
	for _, v := range x {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	if crc(raw) != g.Tensor {
		t.Errorf("%s: tensor %s, want %s; first %v, want %v", g.Cfg, crc(raw), g.Tensor, x[:min(4, len(x))], g.TensorFirst)
	}
	if crc(m.Pix) != before {
		t.Errorf("%s: the source was changed", g.Cfg)
	}
}

func TestGoldenFiles(t *testing.T) {
	files := readZip(t, "files.zip")
	cases := readGolden[goldenCase](t, "cases.json")
	if len(cases) < 400 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, g := range cases {
		t.Run(g.File, func(t *testing.T) {
			m, err := DecodeBytes(files[g.File], Limits{})
			if g.Error != "" {
				if !isTyped(err) {
					t.Fatalf("error %v, Pillow says %s", err, g.Error)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if m.Mode.String() != g.Mode || m.Width != g.Size[0] || m.Height != g.Size[1] {
				t.Fatalf("%v %d×%d, want %s %v", m.Mode, m.Width, m.Height, g.Mode, g.Size)
			}
			if crc(m.Pix) != g.Pixels {
				t.Fatalf("samples %s, want %s; %s", crc(m.Pix), g.Pixels, firsts(m.Pix, g.First))
			}
			if g.Palette != "" {
				p := make([]byte, 768)
				copy(p, m.Palette)
				if crc(p) != g.Palette {
					t.Errorf("palette %s, want %s", crc(p), g.Palette)
				}
			}
			for _, c := range g.Configs {
				checkConfig(t, m, c)
			}
		})
	}
}

// formulaPicture is the picture of formula() in the reference script.
func formulaPicture(t testing.TB, name string, w, h int) *Image {
	for mode := range modes {
		if mode := Mode(mode); mode.String() == name {
			m := newImage(mode, w, h)
			n := mode.PixelSize()
			for y := range h {
				for x := range w {
					at := (y*w + x) * n
					switch grey := 997*x + 1201*y; mode {
					case ModeI16:
						binary.LittleEndian.PutUint16(m.Pix[at:], uint16(grey%400))
					case ModeI16B:
						binary.BigEndian.PutUint16(m.Pix[at:], uint16(grey%400))
					case ModeI:
						binary.LittleEndian.PutUint32(m.Pix[at:], uint32(int32(grey%70000-100)))
					default:
						for c := range n {
							v := byte(37*x + 91*y + 53*c + x*y)
							if mode == Mode1 {
								v = v >> 7 * 255
							}
							m.Pix[at+c] = v
						}
					}
				}
			}
			if mode == ModeP {
				for i := range 256 {
					m.Palette = append(m.Palette, byte(3*i), byte(5*i), byte(7*i))
				}
			}
			return m
		}
	}
	t.Fatalf("unknown mode %q", name)
	return nil
}

func TestGoldenFormula(t *testing.T) {
	cases := readGolden[goldenCase](t, "formula.json")
	if len(cases) < 250 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, g := range cases {
		m := formulaPicture(t, g.Mode, g.Size[0], g.Size[1])
		name := strings.ReplaceAll(fmt.Sprintf("%s %v %s", g.Mode, g.Size, g.Cfg), "/", "")
		t.Run(name, func(t *testing.T) {
			c := g.goldenConfig
			c.Error = g.Error
			checkConfig(t, m, c)
		})
	}
}
