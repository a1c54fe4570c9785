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

// VDPBF16PS and VCVTNE2PS2BF16 are known neither to avo nor to Go's assembler.
// They are written as other instructions with the same operands that are used
// nowhere else, and replaced by their bytes once registers have been assigned.
var standIns = map[string]struct {
	name   string
	encode func(dst, src1, src2 int) []byte
}{
	"VPDPWSSD": {"VDPBF16PS", encodeVDPBF16PS},
	"VPSADBW":  {"VCVTNE2PS2BF16", encodeVCVTNE2PS2BF16},
}

// vdpbf16ps adds to each lane of acc the dot product of the pairs of bfloat16
// values in x and w.
func vdpbf16ps(x, w, acc reg.VecVirtual) { VPDPWSSD(x, w, acc) }

// vcvtne2ps2bf16 rounds two vectors to one of bfloat16 values, those of low first.
// Denormal numbers become zeros, as VDPBF16PS takes them.
func vcvtne2ps2bf16(low, high, dst reg.VecVirtual) { VPSADBW(low, high, dst) }

var standInLine = regexp.MustCompile(`(VPDPWSSD|VPSADBW) +Z(\d+), Z(\d+), Z(\d+)`)

// vexLine is an instruction that AVX-VNNI has in a short encoding, which Go's
// assembler does not know: it writes the one of AVX-512.
var vexLine = regexp.MustCompile(`VPDPBUSD +Y(\d+), Y(\d+), Y(\d+)`)

// encodeStandIns rewrites an assembly file in place.
func encodeStandIns(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if vexLine.Match(text) { // in a comment
		text = bytes.ReplaceAll(text, []byte("AVX512VL, AVX512VNNI"), []byte("AVX-VNNI"))
	}
	text = vexLine.ReplaceAllFunc(text, func(line []byte) []byte {
		var r [3]int
		for i, digits := range vexLine.FindSubmatch(line)[1:] {
			r[i], _ = strconv.Atoi(string(digits))
		}
		var out bytes.Buffer
		for _, b := range encodeVPDPBUSD(r[2], r[1], r[0]) {
			fmt.Fprintf(&out, "BYTE $0x%02x; ", b)
		}
		fmt.Fprintf(&out, "// {vex} VPDPBUSD Y%d, Y%d, Y%d", r[0], r[1], r[2])
		return out.Bytes()
	})
	text = standInLine.ReplaceAllFunc(text, func(line []byte) []byte {
		var r [3]int
		parts := standInLine.FindSubmatch(line)
		for i, digits := range parts[2:] {
			r[i], _ = strconv.Atoi(string(digits))
		}
		of := standIns[string(parts[1])]
		var out bytes.Buffer
		for _, b := range of.encode(r[2], r[1], r[0]) {
			fmt.Fprintf(&out, "BYTE $0x%02x; ", b)
		}
		fmt.Fprintf(&out, "// %s Z%d, Z%d, Z%d", of.name, r[0], r[1], r[2])
		return out.Bytes()
	})
	for name := range standIns {
		if bytes.Contains(text, []byte(name+" ")) {
			return fmt.Errorf("%s: a %s was not replaced", path, name)
		}
	}
	return os.WriteFile(path, text, 0o666)
}

// encodeVDPBF16PS encodes VDPBF16PS zmm(dst), zmm(src1), zmm(src2), in Intel's
// order: EVEX.512.F3.0F38.W0 52 /r.
func encodeVDPBF16PS(dst, src1, src2 int) []byte {
	const prefixF3 = 2
	return encodeEVEX(prefixF3, 0x52, dst, src1, src2)
}

// encodeVCVTNE2PS2BF16 encodes VCVTNE2PS2BF16 zmm(dst), zmm(src1), zmm(src2), in
// Intel's order: EVEX.512.F2.0F38.W0 72 /r.
func encodeVCVTNE2PS2BF16(dst, src1, src2 int) []byte {
	const prefixF2 = 3
	return encodeEVEX(prefixF2, 0x72, dst, src1, src2)
}

// encodeEVEX encodes an instruction of three ZMM registers in the map 0F38. The EVEX
// prefix carries the high bits of the register numbers, inverted.
func encodeEVEX(prefix, opcode byte, dst, src1, src2 int) []byte {
	inverted := func(n, bit int) int { return 1 - n>>bit&1 }
	const (
		map0F38 = 2
		bits512 = 2
	)
	return []byte{
		0x62,
		byte(inverted(dst, 3)<<7 | inverted(src2, 4)<<6 | inverted(src2, 3)<<5 | inverted(dst, 4)<<4 | map0F38),
		byte(^src1&15<<3|1<<2) | prefix,
		byte(bits512<<5 | inverted(src1, 4)<<3),
		opcode,
		byte(3<<6 | dst&7<<3 | src2&7),
	}
}

// encodeVPDPBUSD encodes {vex} VPDPBUSD ymm(dst), ymm(src1), ymm(src2), in Intel's
// order: VEX.256.66.0F38.W0 50 /r. src1 has the unsigned bytes. The VEX prefix
// carries the high bits of the register numbers, inverted.
func encodeVPDPBUSD(dst, src1, src2 int) []byte {
	const (
		map0F38  = 2
		bits256  = 1
		prefix66 = 1
	)
	inverted := func(n int) int { return 1 - n>>3&1 }
	return []byte{
		0xc4,
		byte(inverted(dst)<<7 | 1<<6 | inverted(src2)<<5 | map0F38),
		byte(^src1&15<<3 | bits256<<2 | prefix66),
		0x50,
		byte(3<<6 | dst&7<<3 | src2&7),
	}
}
