package kernel

// Patches cuts x [batch, channels, height, width] into squares and lays each
// out as a row of dst [batch·(height/patch)·(width/patch), channels·patch·patch],
// in the order channel, row, column, so that a convolution whose stride equals
// its size becomes a matrix product. Pixels beyond the last whole square are
// dropped.
func Patches(p *Pool, dst, x []float32, batch, channels, height, width, patch int) {
	gh, gw := height/patch, width/patch
	f := p.frame()
	f.patches = patchesTask{dst[:batch*gh*gw*channels*patch*patch], x[:batch*channels*height*width], channels, height, width, patch, gh, gw}
	p.Run(batch*gh, &f.patches)
	p.release(f)
}

type patchesTask struct {
	dst, x                         []float32
	channels, height, width, patch int
	gh, gw                         int
}

// Do copies one row of patches.
func (t *patchesTask) Do(_, i int) {
	b, gy := i/t.gh, i%t.gh
	size := t.patch * t.patch
	for gx := range t.gw {
		out := t.dst[(i*t.gw+gx)*t.channels*size:]
		for c := range t.channels {
			plane := t.x[(b*t.channels+c)*t.height*t.width:]
			for ky := range t.patch {
				from := (gy*t.patch+ky)*t.width + gx*t.patch
				copy(out[c*size+ky*t.patch:][:t.patch], plane[from:][:t.patch])
			}
		}
	}
}

// Embed copies row ids[i] of table [vocabulary, width] to row i of dst
// [len(ids), width]. An id outside the table panics: callers check ids.
func Embed(p *Pool, dst []float32, ids []int32, table []float32, width int) {
	f := p.frame()
	f.embed = embedTask{dst[:len(ids)*width], table, ids, width}
	p.Run((len(ids)+embedChunk-1)/embedChunk, &f.embed)
	p.release(f)
}

const embedChunk = 32 // rows in one piece of work

type embedTask struct {
	dst, table []float32
	ids        []int32
	width      int
}

func (t *embedTask) Do(_, i int) {
	for r := i * embedChunk; r < min(len(t.ids), (i+1)*embedChunk); r++ {
		copy(t.dst[r*t.width:][:t.width], t.table[int(t.ids[r])*t.width:][:t.width])
	}
}
