#include "textflag.h"

// Each loop runs n rounds of 14 independent sums, more than the latency of the
// instruction times the number of units that execute it.

#define ROUND(f) f(Z0); f(Z1); f(Z2); f(Z3); f(Z4); f(Z5); f(Z6); f(Z7); f(Z8); f(Z9); f(Z10); f(Z11); f(Z12); f(Z13)
#define ROUNDY(f) f(Y0); f(Y1); f(Y2); f(Y3); f(Y4); f(Y5); f(Y6); f(Y7); f(Y8); f(Y9); f(Y10); f(Y11); f(Y12); f(Y13)
#define FMAZ(r) VFMADD231PS Z14, Z15, r
#define FMAY(r) VFMADD231PS Y14, Y15, r
#define DOTB(r) VPDPBUSD Z14, Z15, r

// Go's assembler has no VDPBF16PS: zmm(0..7) and zmm(8..13) += pairs of zmm14·zmm15.
#define PAIRLOW(m) BYTE $0x62; BYTE $0xD2; BYTE $0x0E; BYTE $0x48; BYTE $0x52; BYTE $m
#define PAIRHIGH(m) BYTE $0x62; BYTE $0x52; BYTE $0x0E; BYTE $0x48; BYTE $0x52; BYTE $m

// func fmaAVX512(n int)
TEXT ·fmaAVX512(SB), NOSPLIT, $0-8
	MOVQ n+0(FP), CX
	VPXORD Z14, Z14, Z14
	VPXORD Z15, Z15, Z15
	VPXORD Z0, Z0, Z0
loop:
	ROUND(FMAZ)
	DECQ CX
	JNZ  loop
	VZEROUPPER
	RET

// func fmaAVX2(n int)
TEXT ·fmaAVX2(SB), NOSPLIT, $0-8
	MOVQ n+0(FP), CX
	VPXOR Y14, Y14, Y14
	VPXOR Y15, Y15, Y15
loop:
	ROUNDY(FMAY)
	DECQ CX
	JNZ  loop
	VZEROUPPER
	RET

// func dotBytesAVX512(n int)
TEXT ·dotBytesAVX512(SB), NOSPLIT, $0-8
	MOVQ n+0(FP), CX
	VPXORD Z14, Z14, Z14
	VPXORD Z15, Z15, Z15
loop:
	ROUND(DOTB)
	DECQ CX
	JNZ  loop
	VZEROUPPER
	RET

// func dotPairsAVX512(n int)
TEXT ·dotPairsAVX512(SB), NOSPLIT, $0-8
	MOVQ n+0(FP), CX
	VPXORD Z14, Z14, Z14
	VPXORD Z15, Z15, Z15
loop:
	PAIRLOW(0xC7); PAIRLOW(0xCF); PAIRLOW(0xD7); PAIRLOW(0xDF)
	PAIRLOW(0xE7); PAIRLOW(0xEF); PAIRLOW(0xF7); PAIRLOW(0xFF)
	PAIRHIGH(0xC7); PAIRHIGH(0xCF); PAIRHIGH(0xD7); PAIRHIGH(0xDF)
	PAIRHIGH(0xE7); PAIRHIGH(0xEF)
	DECQ CX
	JNZ  loop
	VZEROUPPER
	RET

// func readAVX2(p *byte, n int)
// Reads n bytes, a multiple of 256, and asks for what comes 4 KiB later.
TEXT ·readAVX2(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), SI
	MOVQ n+8(FP), CX
loop:
	PREFETCHT1 4096(SI)
	PREFETCHT1 4160(SI)
	PREFETCHT1 4224(SI)
	PREFETCHT1 4288(SI)
	VMOVUPS 0(SI), Y0
	VMOVUPS 32(SI), Y1
	VMOVUPS 64(SI), Y2
	VMOVUPS 96(SI), Y3
	VMOVUPS 128(SI), Y4
	VMOVUPS 160(SI), Y5
	VMOVUPS 192(SI), Y6
	VMOVUPS 224(SI), Y7
	ADDQ $256, SI
	SUBQ $256, CX
	JNZ  loop
	VZEROUPPER
	RET
