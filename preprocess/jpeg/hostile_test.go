package jpeg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A fileBuilder puts together files that no encoder makes.
type fileBuilder struct{ bytes.Buffer }

func (b *fileBuilder) segment(marker byte, payload ...byte) {
	b.Write([]byte{0xff, marker})
	binary.Write(b, binary.BigEndian, uint16(len(payload)+2))
	b.Write(payload)
}

// start writes SOI, a table of ones, the frame header and Huffman tables: DC
// code 0 is a difference of 0; AC code 0 is a run of 2^14 and more blocks
// without coefficients.
func (b *fileBuilder) start(sof byte, width, height, components int) {
	b.Write([]byte{0xff, markerSOI})
	b.segment(markerDQT, append([]byte{0}, bytes.Repeat([]byte{1}, 64)...)...)
	frame := []byte{8, byte(height >> 8), byte(height), byte(width >> 8), byte(width), byte(components)}
	for i := range components {
		frame = append(frame, byte(i+1), 0x11, 0)
	}
	b.segment(sof, frame...)
	counts := []byte{1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	b.segment(markerDHT, append(append([]byte{0x00}, counts...), 0, 5)...)
	b.segment(markerDHT, append(append([]byte{0x10}, counts...), 0xe0, 1)...)
}

func (b *fileBuilder) scan(components []byte, ss, se, bitsHighLow byte, data ...byte) {
	p := []byte{byte(len(components))}
	for _, c := range components {
		p = append(p, c, 0)
	}
	b.segment(markerSOS, append(p, ss, se, bitsHighLow)...)
	b.Write(data)
}

// TestHostile checks that small files which ask for much are answered soon,
// with the error that is due, and within the memory promised.
func TestHostile(t *testing.T) {
	const side = 6000 // 36 million pixels
	tests := []struct {
		name  string
		build func(b *fileBuilder)
		want  any // pointer to the type of the error; nil for an image
	}{
		{"no data", func(b *fileBuilder) {
			b.start(markerSOF0, side, side, 3)
			b.scan([]byte{1, 2, 3}, 0, 63, 0, 0)
		}, new(*FormatError)},
		{"no data but EOI", func(b *fileBuilder) {
			b.start(markerSOF0, side, side, 3)
			b.scan([]byte{1, 2, 3}, 0, 63, 0, 0)
			b.Write([]byte{0xff, markerEOI})
		}, nil},
		{"progressive, no data but EOI", func(b *fileBuilder) {
			b.start(markerSOF2, side, side, 4)
			b.scan([]byte{1, 2, 3, 4}, 0, 0, 0, 0)
			b.Write([]byte{0xff, markerEOI})
		}, nil},
		{"many empty scans", func(b *fileBuilder) {
			b.start(markerSOF2, side, side, 3)
			for range 50000 {
				b.scan([]byte{1, 2, 3}, 0, 0, 0)
			}
		}, new(*LimitError)},
		{"many scans of long runs", func(b *fileBuilder) {
			b.start(markerSOF2, side, side, 1)
			b.scan([]byte{1}, 0, 0, 0, make([]byte, side*side/64/8)...)
			run := bytes.Repeat([]byte{0x7f, 0xfe}, 40) // zero and 15 ones, nearly
			for range 5000 {
				b.scan([]byte{1}, 1, 63, 0, run...)
			}
		}, new(*LimitError)},
		{"many tables", func(b *fileBuilder) {
			b.start(markerSOF0, 8, 8, 1)
			for range 100000 {
				b.segment(markerDHT, append([]byte{0x10, 1}, make([]byte, 16)...)...)
			}
		}, new(*FormatError)},
		{"long junk", func(b *fileBuilder) {
			b.start(markerSOF0, 8, 8, 1)
			b.Write(make([]byte, 8<<20))
		}, new(*FormatError)},
		{"long fill", func(b *fileBuilder) {
			b.start(markerSOF0, 8, 8, 1)
			b.scan([]byte{1}, 0, 63, 0)
			b.Write(bytes.Repeat([]byte{0xff}, 32<<20))
		}, new(*FormatError)},
		{"long fill, progressive", func(b *fileBuilder) {
			b.start(markerSOF2, 8, 8, 1)
			b.scan([]byte{1}, 0, 0, 0)
			b.Write(bytes.Repeat([]byte{0xff}, 32<<20))
		}, new(*FormatError)},
		{"too many pixels", func(b *fileBuilder) {
			b.start(markerSOF0, 65500, 65500, 3)
			b.scan([]byte{1, 2, 3}, 0, 63, 0, 0)
		}, new(*LimitError)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b fileBuilder
			tt.build(&b)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			start := time.Now()
			im, err := Decode(bytes.NewReader(b.Bytes()), Limits{MaxPixels: pillowLimit})
			if d := time.Since(start); d > 20*time.Second { // 2 s on an idle machine
				t.Errorf("took %v", d)
			}
			runtime.ReadMemStats(&after)
			if got := int64(after.TotalAlloc - before.TotalAlloc); got > side*side*17/2+64<<20 {
				t.Errorf("allocated %d MB", got>>20)
			}
			switch {
			case tt.want == nil && err != nil:
				t.Error(err)
			case tt.want == nil && len(im.Pix) != im.Width*im.Height*im.Channels:
				t.Error("an image of the wrong size")
			case tt.want != nil && !errors.As(err, tt.want):
				t.Errorf("got %v, want %T", err, tt.want)
			}
		})
	}
}

// TestErrorsNameTheThing checks what errors say, and what is inside them.
func TestErrorsNameTheThing(t *testing.T) {
	for name, want := range map[string]string{
		"bad/dht-overfull":   "DHT",
		"bad/precision-12":   "12 bits",
		"bad/components-2":   "2 components",
		"bad/sos-unknown-id": "id 9",
		"bad/process-c3":     "lossless",
		"bad/no-tables":      "quantisation table 0",
		"bad/too-large":      "65535x65535",
		"bad/not-jpeg":       "ff d8",
	} {
		found := false
		for _, g := range goldenFiles(t) {
			if g.name != name {
				continue
			}
			found = true
			_, err := Decode(bytes.NewReader(g.data), Limits{})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %q in it", name, err, want)
			}
		}
		if !found {
			t.Errorf("no golden file %s", name)
		}
	}
	if _, err := Decode(bytes.NewReader([]byte{0xff, 0xd8}), Limits{}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a cut file: got %v, want %v inside", err, io.ErrUnexpectedEOF)
	}
	broken := errors.New("broken")
	if _, err := Decode(io.MultiReader(strings.NewReader("\xff\xd8\xff"), errReader{broken}), Limits{}); !errors.Is(err, broken) {
		t.Errorf("a failing reader: got %v, want %v", err, broken)
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }
