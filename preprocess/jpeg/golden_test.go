package jpeg

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// pillowLimit is Pillow's limit on pixels, twice its warning level.
const pillowLimit = 178956970

// A goldenFile is a file with what Pillow makes of it.
type goldenFile struct {
	name string
	size string // "WxHxC", or "error"
	crc  string // CRC-32 of the samples, or the exception
	data []byte
}

// goldenFiles reads the archive that testdata/reference/jpeg.py wrote.
func goldenFiles(tb testing.TB) []goldenFile {
	tb.Helper()
	f, err := os.Open("../../testdata/golden/jpeg/files.tar.gz")
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	gz, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	content := map[string][]byte{}
	for tr := tar.NewReader(gz); ; {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			tb.Fatal(err)
		}
		if content[h.Name], err = io.ReadAll(tr); err != nil {
			tb.Fatal(err)
		}
	}
	var files []goldenFile
	for line := range strings.Lines(string(content["list.tsv"])) {
		if strings.HasPrefix(line, "#") {
			tb.Log(strings.TrimSpace(line))
			continue
		}
		p := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		data, ok := content[p[0]]
		if !ok || len(p) != 3 {
			tb.Fatalf("list.tsv: no file for %q", line)
		}
		files = append(files, goldenFile{p[0], p[1], p[2], data})
	}
	return files
}

// describe returns the size and CRC-32 of an image as the list has them.
func describe(im *Image) (size, crc string) {
	return fmt.Sprintf("%dx%dx%d", im.Width, im.Height, im.Channels),
		fmt.Sprintf("%08x", crc32.ChecksumIEEE(im.Pix))
}

func isTyped(err error) bool {
	var f *FormatError
	var u *UnsupportedError
	var l *LimitError
	return errors.As(err, &f) || errors.As(err, &u) || errors.As(err, &l)
}

// TestGolden decodes every golden file. Where Pillow gives an image the
// samples must be the same, where it refuses the file the error must be typed.
func TestGolden(t *testing.T) {
	good, accepted, refused := 0, 0, 0
	for _, g := range goldenFiles(t) {
		t.Run(g.name, func(t *testing.T) {
			start := time.Now()
			im, err := Decode(bytes.NewReader(g.data), Limits{MaxPixels: pillowLimit})
			if d := time.Since(start); d > 2*time.Second {
				t.Errorf("took %v", d)
			}
			switch {
			case g.size == "error":
				refused++
				if err == nil {
					t.Fatalf("decoded; Pillow refuses it: %s", g.crc)
				}
				if !isTyped(err) {
					t.Errorf("error of type %T: %v", err, err)
				}
				return
			case err != nil:
				t.Fatalf("%v; Pillow gives %s", err, g.size)
			case strings.HasPrefix(g.name, "good/"):
				good++
			default:
				accepted++
			}
			if size, crc := describe(im); size != g.size || crc != g.crc {
				t.Errorf("got %s, CRC-32 %s; Pillow has %s, %s", size, crc, g.size, g.crc)
			}
			c, err := DecodeConfig(bytes.NewReader(g.data))
			if err != nil || c.Width != im.Width || c.Height != im.Height || c.Channels != im.Channels {
				t.Errorf("DecodeConfig: %v, %v; the image has %s", c, err, g.size)
			}
		})
	}
	t.Logf("%d valid files equal, %d damaged ones equal, %d refused", good, accepted, refused)
	if !t.Failed() && (good < 200 || accepted < 20 || refused < 25) {
		t.Error("too few golden files")
	}
}
