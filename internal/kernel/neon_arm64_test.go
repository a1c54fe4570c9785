package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"golang.org/x/sys/cpu"
)

// Both tiles of bytes give the integers of the plain one, whichever the processor
// would choose.
func TestByteTilesAgree(t *testing.T) {
	tiles := map[string]tileFunc{"long": tileLongBytesNEON}
	if cpu.ARM64.HasASIMDDP {
		tiles["dot"] = tileDotBytesNEON
	}
	r := newRand(12)
	random := func(n int) []float32 {
		words := make([]float32, n)
		for i := range words {
			words[i] = math.Float32frombits(r.Uint32())
		}
		return words
	}
	for rows := 1; rows <= 12; rows++ {
		for _, n := range []int{1, 2, 7, 40} {
			for _, extreme := range []uint32{0, 0x80808080, 0x7f7f7f7f, 0xffffffff} {
				a, panel := random(n*16), random(n*panelWidth)
				if extreme != 0 { // the largest sums
					for i := range panel {
						panel[i] = math.Float32frombits(extreme)
					}
					a[0] = math.Float32frombits(0xffffffff)
				}
				want := make([]float32, rows*panelWidth)
				tileInt8Generic(rows, n, a, 16, panel, want)
				for name, tile := range tiles {
					got := newGuarded(rows*panelWidth, 1)
					tile(rows, n, a, 16, panel, got.slice())
					got.check(t, name)
					if !slices.EqualFunc(got.slice(), want, sameBits) {
						t.Fatalf("%s: %s", name, fmt.Sprint(rows, n, extreme))
					}
				}
			}
		}
	}
}
