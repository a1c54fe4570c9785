package jpeg

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"testing"
)

// TestSpecVectors decodes the self-check vectors of the specification, whose
// samples Pillow made.
func TestSpecVectors(t *testing.T) {
	data, err := os.ReadFile("../../testdata/golden/jpeg/spec_vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors map[string]struct {
		Mode  string
		Size  [2]int
		CRC32 string
		First []int
		File  []byte
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	channels := map[string]int{"L": 1, "RGB": 3, "CMYK": 4}
	for name, v := range vectors {
		t.Run(name, func(t *testing.T) {
			im, err := Decode(bytes.NewReader(v.File), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if im.Width != v.Size[0] || im.Height != v.Size[1] || im.Channels != channels[v.Mode] {
				t.Fatalf("got %dx%dx%d, want %v %s", im.Width, im.Height, im.Channels, v.Size, v.Mode)
			}
			for i, want := range v.First {
				if int(im.Pix[i]) != want {
					t.Errorf("sample %d: got %d, want %d", i, im.Pix[i], want)
				}
			}
			if got := fmt.Sprintf("%08x", crc32.ChecksumIEEE(im.Pix)); got != v.CRC32 {
				t.Errorf("CRC-32 of the samples: got %s, want %s", got, v.CRC32)
			}
		})
	}
}
