package preprocess

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestLimits(t *testing.T) {
	data := readZip(t, "files.zip")["png/text.png"] // 21×15
	for _, g := range []struct {
		limits Limits
		thing  string
	}{
		{Limits{}, ""}, {Limits{MaxPixels: 21 * 15}, ""}, {Limits{MaxPixels: 21*15 - 1}, "pixels"}, {Limits{MaxPixels: -1, MaxBytes: -1}, ""},
		{Limits{MaxBytes: int64(len(data))}, ""}, {Limits{MaxBytes: int64(len(data)) - 1}, "input bytes"}, {Limits{MaxBytes: 3}, "input bytes"},
	} {
		for name, r := range map[string]io.Reader{
			"bytes": bytes.NewReader(data), "stream": iotest.OneByteReader(bytes.NewReader(data)), "chunks": iotest.HalfReader(bytes.NewReader(data)),
		} {
			m, err := Decode(r, g.limits)
			var l *LimitError
			switch {
			case g.thing == "" && (err != nil || m.Width != 21 || m.Height != 15):
				t.Errorf("%+v, %s: %v", g.limits, name, err)
			case g.thing != "" && (!errors.As(err, &l) || l.Thing != g.thing):
				t.Errorf("%+v, %s: %v, want too many %s", g.limits, name, err, g.thing)
			}
		}
	}
}

// TestPillowLimit checks both sides of Pillow's limit on a header alone.
func TestPillowLimit(t *testing.T) {
	var l *LimitError
	var f *FormatError
	if _, err := DecodeBytes([]byte("P5 178956970 1 255\n"), Limits{}); !errors.As(err, &f) {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := DecodeBytes([]byte("P5 178956971 1 255\n"), Limits{}); !errors.As(err, &l) || l.Limit != DefaultMaxPixels {
		t.Errorf("above the limit: %v", err)
	}
}

// endless is a reader that never ends.
type endless struct{ read int }

func (e *endless) Read(b []byte) (int, error) {
	e.read += len(b)
	clear(b)
	return len(b), nil
}

func TestReading(t *testing.T) {
	// What is no image is refused before it is read.
	e := &endless{}
	if _, err := Decode(e, Limits{}); !isTyped(err) || e.read > 4096 {
		t.Errorf("%v after %d bytes", err, e.read)
	}
	// An image without end is read up to the limit only.
	e = &endless{}
	var l *LimitError
	if _, err := Decode(io.MultiReader(strings.NewReader("GIF89a          "), e), Limits{MaxBytes: 1 << 20}); !errors.As(err, &l) || e.read > 4<<20 {
		t.Errorf("%v after %d bytes", err, e.read)
	}
	// An error of the reader comes through.
	broken := errors.New("broken")
	for _, r := range []io.Reader{iotest.ErrReader(broken), io.MultiReader(strings.NewReader("GIF89a          "), iotest.ErrReader(broken))} {
		if _, err := Decode(r, Limits{}); !errors.Is(err, broken) {
			t.Errorf("%v, want the reader's error", err)
		}
	}
	if _, err := Decode(strings.NewReader(""), Limits{}); !isTyped(err) {
		t.Errorf("nothing: %v", err)
	}
}

func TestDecodeFile(t *testing.T) {
	data := readZip(t, "files.zip")["bmp/rgb-top-down.bmp"]
	name := filepath.Join(t.TempDir(), "picture.png") // a name that lies
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := DecodeFile(name, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want, err := DecodeBytes(data, Limits{})
	if err != nil || !slices.Equal(m.Pix, want.Pix) {
		t.Errorf("the file differs from its bytes; %v", err)
	}
	if _, err := DecodeFile(name+"x", Limits{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

// TestDecodeKeepsNoInput decodes from a buffer that is then overwritten.
func TestDecodeKeepsNoInput(t *testing.T) {
	for name, data := range readZip(t, "files.zip") {
		m, err := DecodeBytes(data, Limits{})
		if err != nil {
			continue
		}
		pix, palette := slices.Clone(m.Pix), slices.Clone(m.Palette)
		clear(data)
		if !slices.Equal(pix, m.Pix) || !slices.Equal(palette, m.Palette) {
			t.Errorf("%s: the image shares memory with the file", name)
		}
	}
}

// TestTruncation cuts one file of each kind at every byte: no panic, and only
// typed errors.
func TestTruncation(t *testing.T) {
	for name, data := range readZip(t, "files.zip") {
		if len(data) > 1200 {
			continue
		}
		for n := range len(data) {
			if m, err := DecodeBytes(data[:n], Limits{}); err != nil && !isTyped(err) || err == nil && m.check() != nil {
				t.Fatalf("%s cut at %d: %v", name, n, err)
			}
		}
	}
}
