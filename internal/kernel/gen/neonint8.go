package main

import "fmt"

// Tiles of bytes. Activations are unsigned bytes with 128 added, weights signed
// ones; NEON multiplies bytes of one kind. The activations' highest bits are
// flipped, which takes the 128 away, and 128·Σw is added at the end: the
// multiplication of the weights by the mask of those bits, −128 each, gives it.

const (
	neonDotTileRows  = 12
	neonLongTileRows = 4
)

func (w *neonWriter) bytesTile(name string, rows int, body func()) {
	w.function(name, fmt.Sprintf("stores in c[i·32+j], i < %d, j < %d, the sum over k < n of %s. n > 0.", rows, neonTileColumns, int8Tile.doc),
		"n int, a *float32, stride int, b *float32, c *float32, ahead *float32", "n", "a", "stride", "b", "c", "ahead")
	body()
	w.f("RET")
}

// sdotLane adds to each lane of d the dot product of four bytes of n and those of lane of m.
func (w *neonWriter) sdotLane(d, n, m, lane int) {
	encoding := 0x4f80e000 | uint32(lane&1<<21|m<<16|lane>>1<<11|n<<5|d)
	w.f("WORD $0x%08x // SDOT V%d.4S, V%d.16B, V%d.4B[%d]", encoding, d, n, m, lane)
}

// inputs loads the next words of rows rows to registers from r on, four in each;
// no more is read than there is. R5 is spoilt.
func (w *neonWriter) inputs(rows, r int) {
	for g := 0; g < rows; g, r = g+4, r+1 {
		switch rows - g {
		case 1:
			w.f("FMOVS %d(R1), F%d", 4*g, r)
		case 2:
			w.f("FMOVD %d(R1), F%d", 4*g, r)
		case 3:
			w.f("FMOVD %d(R1), F%d", 4*g, r)
			w.f("ADD $%d, R1, R5", 4*g+8)
			w.f("VLD1 (R5), V%d.S[2]", r)
		default:
			w.f("FMOVQ %d(R1), F%d", 4*g, r)
		}
	}
}

// dotBytes emits a tile for processors with SDOT.
func (w *neonWriter) dotBytes(rows int) {
	w.bytesTile(fmt.Sprintf("tileDotBytes%dNEON", rows), rows, func() {
		const weights, sums, inputs, mask = 24, 26, 28, 31
		w.f("LSL $2, R2, R2")
		for i := range 2 * rows {
			w.zero(i)
		}
		w.zero(sums)
		w.zero(sums + 1)
		w.f("VMOVI $128, V%d.B16", mask)
		w.at("loop")
		w.f("VLD1 (R3), [V%d.S4, V%d.S4]", weights, weights+1)
		w.f("PRFM 1024(R3), PLDL1KEEP")
		w.inputs(rows, inputs)
		for g := 0; g < rows; g += 4 {
			w.f("VEOR V%d.B16, V%d.B16, V%d.B16", mask, inputs+g/4, inputs+g/4)
		}
		for j := range 2 {
			w.sdotLane(sums+j, weights+j, mask, 0)
		}
		for i := range rows {
			for j := range 2 {
				w.sdotLane(2*i+j, weights+j, inputs+i/4, i%4)
			}
		}
		w.f("ADD R2, R1, R1")
		w.f("ADD $%d, R3, R3", panelBytes)
		w.f("SUBS $1, R0, R0")
		w.f("BNE loop")
		for i := range rows {
			for j := range 2 {
				w.f("VSUB V%d.S4, V%d.S4, V%d.S4", sums+j, 2*i+j, 2*i+j)
				w.f("FMOVQ F%d, %d(R4)", 2*i+j, panelBytes*i+16*j)
			}
		}
	})
}

// smull multiplies the low or high eight signed bytes of n and m to 16 bits,
// which even -128·-128 does not leave; sadalp adds pairs of those to d.
func (w *neonWriter) smull(d, n, m, high int) {
	suffix := []string{"", "2"}[high]
	w.f("WORD $0x%08x // SMULL%s V%d.8H, V%d.16B, V%d.16B", 0x0e20c000|uint32(high<<30|m<<16|n<<5|d), suffix, d, n, m)
}

func (w *neonWriter) sadalp(d, n int) {
	w.f("WORD $0x%08x // SADALP V%d.4S, V%d.8H", 0x4e606800|uint32(n<<5|d), d, n)
}

func (w *neonWriter) addp(d, n, m int) { w.word("ADDP", 0x4ea0bc00, d, n, m) }

// longBytes emits a tile for every processor: two sums for each output.
func (w *neonWriter) longBytes(rows int) {
	w.bytesTile(fmt.Sprintf("tileBytes%dNEON", rows), rows, func() {
		const sums, weights, inputs, row, product, mask = 16, 20, 22, 23, 24, 31
		w.f("LSL $2, R2, R2")
		for i := range 4 * rows {
			w.zero(i)
		}
		for i := range 4 {
			w.zero(sums + i)
		}
		w.f("VMOVI $128, V%d.B16", mask)
		w.at("loop")
		w.f("VLD1 (R3), [V%d.S4, V%d.S4]", weights, weights+1)
		w.f("PRFM 1024(R3), PLDL1KEEP")
		w.inputs(rows, inputs)
		w.f("VEOR V%d.B16, V%d.B16, V%d.B16", mask, inputs, inputs)
		for i := -1; i < rows; i++ {
			to, by := 4*i, row
			if i < 0 {
				to, by = sums, mask
			} else {
				w.f("VDUP V%d.S[%d], V%d.S4", inputs, i, row)
			}
			for h := range 4 {
				p := product + h
				w.smull(p, weights+h/2, by, h%2)
				w.sadalp(to+h, p)
			}
		}
		w.f("ADD R2, R1, R1")
		w.f("ADD $%d, R3, R3", panelBytes)
		w.f("SUBS $1, R0, R0")
		w.f("BNE loop")
		for i := range rows {
			for j := range 2 {
				for h := range 2 {
					r := 2*j + h
					w.f("VSUB V%d.S4, V%d.S4, V%d.S4", sums+r, 4*i+r, 4*i+r)
				}
				w.addp(4*i+2*j, 4*i+2*j, 4*i+2*j+1)
				w.f("FMOVQ F%d, %d(R4)", 4*i+2*j, panelBytes*i+16*j)
			}
		}
	})
}
