//go:build amd64 || arm64

package kernel

// asmTile is a tile of one number of rows in assembly. It may ask for memory from
// ahead on, which it does not need itself.
type asmTile func(n int, a *float32, stride int, b *float32, c *float32, ahead *float32)

// asmStrip is a strip of one number of rows in assembly; n > 0 and panels > 0.
type asmStrip func(panels, n int, a *float32, stride int, b *float32, c *float32, cRow int)

// asmTiles are those of 1, 2, … rows; the first of each list stands for no rows. Of a
// number of rows that has a strip, it is the tile too.
type asmTiles struct {
	strips []asmStrip
	tiles  []asmTile
	width  int // columns of a tile
	halves int // words of a that one word of the panel meets
}

// aheadWords is how much of the panel to come a tile of n steps asks for in each
// part of a panel: that many cache lines of 16 words for every four steps.
func aheadWords(n, lines int) int { return n / 4 * 16 * lines }

func (t asmTiles) tile() tileFunc {
	ahead := t.ahead(0)
	return func(rows, n int, a []float32, stride int, panel, c []float32) {
		ahead(rows, n, a, stride, panel, c, nil)
	}
}

// ahead makes a tileAheadFunc; lines are those that the tiles ask for.
func (t asmTiles) ahead(lines int) tileAheadFunc {
	return func(rows, n int, a []float32, stride int, panel, c, next []float32) (asked int) {
		if n == 0 {
			clear(c[:rows*panelWidth])
			return 0
		}
		_, _, _ = a[(t.halves*n-1)*stride+rows-1], panel[n*panelWidth-1], c[rows*panelWidth-1]
		if rows < len(t.strips) {
			t.strips[rows](1, n, &a[0], stride, &panel[0], &c[0], panelWidth)
			return 0
		}
		for j := 0; j < panelWidth; j += t.width {
			ahead := &panel[j] // asked for again: it costs next to nothing
			if asked < len(next) {
				ahead = &next[asked]
				asked += aheadWords(n, lines)
			}
			t.tiles[rows](n, &a[0], stride, &panel[j], &c[j], ahead)
		}
		return asked
	}
}

// strip makes a stripFunc.
func (t asmTiles) strip() stripFunc {
	if t.strips == nil {
		return nil
	}
	return func(rows, panels, n int, a []float32, stride int, words, c []float32, cRow int) {
		_, _, _ = a[(t.halves*n-1)*stride+rows-1], words[panels*n*panelWidth-1], c[(rows-1)*cRow+panels*panelWidth-1]
		t.strips[rows](panels, n, &a[0], stride, &words[0], &c[0], cRow)
	}
}

// first is the address of a slice's first element, nil for a nil slice.
func first(s []float32) *float32 {
	if s == nil {
		return nil
	}
	return &s[0]
}

// checkEpilogue panics as a slice expression would if assembly were to leave a slice.
func checkEpilogue(rows, cols int, dst []float32, dstRow int, src []float32, srcRow int,
	bias, scale, residual []float32, residualRow int) {
	_ = dst[(rows-1)*dstRow+cols-1]
	_ = src[(rows-1)*srcRow+cols-1]
	if bias != nil {
		_ = bias[cols-1]
	}
	if scale != nil {
		_ = scale[cols-1]
	}
	if residual != nil {
		_ = residual[(rows-1)*residualRow+cols-1]
	}
}
