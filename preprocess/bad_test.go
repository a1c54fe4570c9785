package preprocess

import (
	"errors"
	"runtime"
	"testing"
	"time"
)

// TestBadFiles decodes damaged and hostile files. What Pillow refuses is
// refused with an error that names the thing; what Pillow reads all the same is
// read with the same samples or is unsupported. Time and memory stay bounded:
// all that is ever allocated, let alone the peak, is at most 64 MB and 8 bytes a
// declared pixel (of a size within the limits).
func TestBadFiles(t *testing.T) {
	files := readZip(t, "bad.zip")
	cases := readGolden[goldenCase](t, "bad.json")
	if len(cases) < 200 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, g := range cases {
		t.Run(g.File, func(t *testing.T) {
			data := files[g.File]
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			m, err := DecodeBytes(data, Limits{})
			took := time.Since(start)
			runtime.ReadMemStats(&after)

			for try := 0; took > 2*time.Second && try < 3; try++ { // the machine may be busy
				start = time.Now()
				DecodeBytes(data, Limits{})
				took = time.Since(start)
			}
			if took > 2*time.Second {
				t.Errorf("took %v", took)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20+8*declaredPixels(g.File) {
				t.Errorf("allocated %d bytes", used)
			}
			switch {
			case err != nil && !isTyped(err):
				t.Errorf("untyped error %v", err)
			case err != nil:
				named(t, err)
				var u *UnsupportedError
				if g.Error == "" && !errors.As(err, &u) {
					t.Errorf("error %v, but Pillow reads it as %s %v", err, g.Mode, g.Size)
				}
			case g.Error != "":
				t.Errorf("decoded as %v %d×%d, but Pillow says %s", m.Mode, m.Width, m.Height, g.Error)
			case m.Mode.String() != g.Mode || m.Width != g.Size[0] || m.Height != g.Size[1] || crc(m.Pix) != g.Pixels:
				t.Errorf("decoded as %v %d×%d %s, Pillow as %s %v %s", m.Mode, m.Width, m.Height, crc(m.Pix), g.Mode, g.Size, g.Pixels)
			}
		})
	}
}

// named checks that an error names the format, the thing, and what was wanted
// and found.
func named(t *testing.T, err error) {
	t.Helper()
	var f *FormatError
	var u *UnsupportedError
	var l *LimitError
	switch {
	case errors.As(err, &f):
		if f.Format == "" || f.Thing == "" || f.Want == "" || f.Found == "" {
			t.Errorf("%#v says too little", f)
		}
	case errors.As(err, &u):
		if u.Format == "" || u.Feature == "" || u.Want == "" || u.Found == "" {
			t.Errorf("%#v says too little", u)
		}
	case errors.As(err, &l):
		if l.Thing == "" || l.Found <= l.Limit {
			t.Errorf("%#v says too little", l)
		}
	}
}

// declaredPixels is the size within the limits that some bad files declare.
func declaredPixels(file string) uint64 {
	switch file {
	case "png/size-13000x13000-without-data", "bmp/size-13000x13000", "tiff/size-13000", "tiff/size-13000-deflate",
		"webp/lossy-16383-without-data", "pnm/no-data", "pnm/plain-no-data", "webp/canvas-within-limit":
		return 13000 * 13000
	case "png/size-1x178956970-without-data", "png/size-178956970x1-without-data", "tiff/size-178956970x1":
		return 178956970
	case "webp/lossless-16384-without-data":
		return 16384 * 10923
	case "gif/frame-tall", "gif/frame-size-65535":
		return 65535 * 19
	}
	return 0
}
