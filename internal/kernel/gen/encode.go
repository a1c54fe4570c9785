package main

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strconv"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/reg"
)

// VDPBF16PS is known neither to avo nor to Go's assembler. It is written as
// another instruction with the same operands that is used nowhere else, and
// replaced by its bytes once registers have been assigned.
const standIn = "VPDPWSSD"

// vdpbf16ps adds to each lane of acc the dot product of the pairs of bfloat16
// values in x and w.
func vdpbf16ps(x, w, acc reg.VecVirtual) { VPDPWSSD(x, w, acc) }

var standInLine = regexp.MustCompile(standIn + ` +Z(\d+), Z(\d+), Z(\d+)`)

// encodeStandIns rewrites an assembly file in place.
func encodeStandIns(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text = standInLine.ReplaceAllFunc(text, func(line []byte) []byte {
		var r [3]int
		for i, digits := range standInLine.FindSubmatch(line)[1:] {
			r[i], _ = strconv.Atoi(string(digits))
		}
		var out bytes.Buffer
		for _, b := range encodeVDPBF16PS(r[2], r[1], r[0]) {
			fmt.Fprintf(&out, "BYTE $0x%02x; ", b)
		}
		fmt.Fprintf(&out, "// VDPBF16PS Z%d, Z%d, Z%d", r[0], r[1], r[2])
		return out.Bytes()
	})
	if bytes.Contains(text, []byte(standIn+" ")) {
		return fmt.Errorf("%s: a %s was not replaced", path, standIn)
	}
	return os.WriteFile(path, text, 0o666)
}

// encodeVDPBF16PS encodes VDPBF16PS zmm(dst), zmm(src1), zmm(src2), in Intel's
// order: EVEX.512.F3.0F38.W0 52 /r. The EVEX prefix carries the high bits of the
// register numbers, inverted.
func encodeVDPBF16PS(dst, src1, src2 int) []byte {
	inverted := func(n, bit int) int { return 1 - n>>bit&1 }
	const (
		map0F38  = 2
		prefixF3 = 2
		bits512  = 2
	)
	return []byte{
		0x62,
		byte(inverted(dst, 3)<<7 | inverted(src2, 4)<<6 | inverted(src2, 3)<<5 | inverted(dst, 4)<<4 | map0F38),
		byte(^src1&15<<3 | 1<<2 | prefixF3),
		byte(bits512<<5 | inverted(src1, 4)<<3),
		0x52,
		byte(3<<6 | dst&7<<3 | src2&7),
	}
}
