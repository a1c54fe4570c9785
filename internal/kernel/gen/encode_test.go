package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The bytes are those that binutils gives for the same instructions.
var encodings = []struct {
	dst, src1, src2 int
	want            []byte
}{
	{0, 1, 2, []byte{0x62, 0xf2, 0x76, 0x48, 0x52, 0xc2}},
	{3, 30, 17, []byte{0x62, 0xb2, 0x0e, 0x40, 0x52, 0xd9}},
	{31, 15, 8, []byte{0x62, 0x42, 0x06, 0x48, 0x52, 0xf8}},
	{16, 7, 24, []byte{0x62, 0x82, 0x46, 0x48, 0x52, 0xc0}},
	{9, 16, 31, []byte{0x62, 0x12, 0x7e, 0x40, 0x52, 0xcf}},
}

func TestEncodeVDPBF16PS(t *testing.T) {
	for _, e := range encodings {
		if got := encodeVDPBF16PS(e.dst, e.src1, e.src2); !bytes.Equal(got, e.want) {
			t.Errorf("vdpbf16ps zmm%d, zmm%d, zmm%d = % x, want % x", e.dst, e.src1, e.src2, got, e.want)
		}
	}
}

func TestEncodeVCVTNE2PS2BF16(t *testing.T) {
	for _, e := range []struct {
		dst, src1, src2 int
		want            []byte
	}{
		{0, 1, 2, []byte{0x62, 0xf2, 0x77, 0x48, 0x72, 0xc2}},
		{3, 30, 17, []byte{0x62, 0xb2, 0x0f, 0x40, 0x72, 0xd9}},
		{31, 15, 8, []byte{0x62, 0x42, 0x07, 0x48, 0x72, 0xf8}},
	} {
		if got := encodeVCVTNE2PS2BF16(e.dst, e.src1, e.src2); !bytes.Equal(got, e.want) {
			t.Errorf("vcvtne2ps2bf16 zmm%d, zmm%d, zmm%d = % x, want % x", e.dst, e.src1, e.src2, got, e.want)
		}
	}
}

func TestEncodeVPDPBUSD(t *testing.T) {
	for _, e := range []struct {
		dst, src1, src2 int
		want            []byte
	}{
		{0, 1, 2, []byte{0xc4, 0xe2, 0x75, 0x50, 0xc2}},
		{11, 12, 14, []byte{0xc4, 0x42, 0x1d, 0x50, 0xde}},
		{5, 3, 9, []byte{0xc4, 0xc2, 0x65, 0x50, 0xe9}},
		{8, 15, 7, []byte{0xc4, 0x62, 0x05, 0x50, 0xc7}},
	} {
		if got := encodeVPDPBUSD(e.dst, e.src1, e.src2); !bytes.Equal(got, e.want) {
			t.Errorf("{vex} vpdpbusd ymm%d, ymm%d, ymm%d = % x, want % x", e.dst, e.src1, e.src2, got, e.want)
		}
	}
}

func TestEncodeStandIns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.s")
	if err := os.WriteFile(path, []byte("\tVPDPWSSD Z3, Z30, Z17\n\tVPDPBUSD Y2, Y1, Y0\n\tVPDPBUSD Z2, Z1, Z0\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := encodeStandIns(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(text); !strings.HasPrefix(got, "\tBYTE $0x62;") || !strings.Contains(got, "// VDPBF16PS Z3, Z30, Z17") {
		t.Errorf("got %q", got)
	}
	if got := string(text); !strings.Contains(got, "\tBYTE $0xc4; BYTE $0xe2; BYTE $0x75; BYTE $0x50; BYTE $0xc2; // {vex} VPDPBUSD Y2, Y1, Y0\n") ||
		!strings.HasSuffix(got, "\tVPDPBUSD Z2, Z1, Z0\n") {
		t.Errorf("got %q, want AVX-VNNI's instruction in bytes and the other one as it was", got)
	}
}
