package kernel

import (
	"fmt"
	"math"
)

// PackedKeys says how the keys and values of an attention with few queries at a time
// are laid out: those of an image, which every step of every beam reads anew. Each head's
// keys are panels whose outputs are the scores, and its values panels whose outputs
// are the head's channels, so that both products stream memory, as those of weights do.
//
//	[Heads][⌈Tokens/32⌉ panels of HeadDim inputs, ⌈HeadDim/32⌉ panels of Tokens inputs]
//
// Precision is F32 or BF16, see [Precision].
type PackedKeys struct {
	Heads, HeadDim, Tokens int
	Precision              Precision
}

// panelSet is the number and size, in steps, of panels of one kind.
type panelSet struct{ count, steps int }

func (s panelSet) words() int { return s.count * s.steps * panelWidth }

func (k PackedKeys) panels(out, in int) panelSet {
	w := Panels{Precision: k.Precision, Out: out, In: in}
	return panelSet{w.count(), w.steps()}
}

func (k PackedKeys) keys() panelSet   { return k.panels(k.Tokens, k.HeadDim) }
func (k PackedKeys) values() panelSet { return k.panels(k.HeadDim, k.Tokens) }

// headWords is the number of words of one head: those of its keys, then those of its values.
func (k PackedKeys) headWords() int { return k.keys().words() + k.values().words() }

// Words is the number of words, of 4 bytes each, for one image.
func (k PackedKeys) Words() int { return k.Heads * k.headWords() }

// Width is the number of channels of a query, a key or a value.
func (k PackedKeys) Width() int { return k.Heads * k.HeadDim }

// Key is channel c of the key of a token in the layout of one image, Value that of the value.
func (k PackedKeys) Key(packed []float32, head, token, c int) float32 {
	return k.at(packed[head*k.headWords():], k.keys(), token, c)
}

// Value is like Key.
func (k PackedKeys) Value(packed []float32, head, token, c int) float32 {
	return k.at(packed[head*k.headWords()+k.keys().words():], k.values(), c, token)
}

// at is the number of an output and an input in panels.
func (k PackedKeys) at(words []float32, s panelSet, out, in int) float32 {
	perWord := k.Precision.perWord()
	word := words[(out/panelWidth*s.steps+in/perWord)*panelWidth+out%panelWidth]
	switch {
	case k.Precision == F32:
		return word
	case in%perWord == 0:
		return math.Float32frombits(math.Float32bits(word) << 16)
	}
	return math.Float32frombits(math.Float32bits(word) &^ 0xffff)
}

func (k PackedKeys) check() {
	if k.Heads < 1 || k.HeadDim < 1 || k.Tokens < 1 || k.Precision > BF16 {
		panic(fmt.Sprintf("kernel: packed keys of %d heads, %d channels, %d tokens in %v", k.Heads, k.HeadDim, k.Tokens, k.Precision))
	}
}

// Pack lays out the keys and values kv [images, Tokens, 2·Heads·HeadDim] in dst
// [images, Words].
func (k PackedKeys) Pack(p *Pool, dst, kv []float32, images int) {
	k.check()
	f := p.frame()
	f.packKeys = packKeysTask{k, f, dst[:images*k.Words()], kv[:images*k.Tokens*2*k.Width()]}
	p.Run(images*k.Heads, &f.packKeys)
	p.release(f)
}

type packKeysTask struct {
	k       PackedKeys
	frame   *frame
	dst, kv []float32
}

// Do lays out one head of one image.
func (t *packKeysTask) Do(worker, i int) {
	k := &t.k
	image, head := i/k.Heads, i%k.Heads
	row := 2 * k.Width()
	keys := t.kv[image*k.Tokens*row+head*k.HeadDim:]
	values := keys[k.Width():]
	ks, vs := k.keys(), k.values()
	dst := t.dst[i*k.headWords():][:k.headWords()]
	lines := t.frame.scratch(worker, panelWidth*max(ks.steps, 2))
	for p := range ks.count {
		j := p * panelWidth
		panel := dst[p*ks.steps*panelWidth:][:ks.steps*panelWidth]
		n := min(panelWidth, k.Tokens-j)
		if n < panelWidth {
			clear(panel)
		}
		turnRows(n, k.HeadDim, panel, panelWidth, keys[j*row:], row, k.Precision, lines, nil)
	}
	dst = dst[ks.words():]
	for p := range vs.count {
		c := p * panelWidth
		panel := dst[p*vs.steps*panelWidth:][:vs.steps*panelWidth]
		n := min(panelWidth, k.HeadDim-c)
		if n < panelWidth {
			clear(panel)
		}
		k.packValues(panel, values[c:], row, n, lines)
	}
}

// packValues lays out n channels of all tokens. lines is scratch of two rows.
func (k *PackedKeys) packValues(panel, values []float32, row, n int, lines []float32) {
	if k.Precision == F32 {
		inner.copyRows(k.Tokens, n, panel, panelWidth, values, row)
		return
	}
	pairTokens(panel, panelWidth, n, values, row, k.Tokens, lines)
}

// PackedAttention is softmax(q·kᵀ/√HeadDim)·v for one query a row, [Rows,
// Heads·HeadDim] each, where row r reads the keys and values of image Index[r]. Rows of
// one image that follow one another, its beams, read them together. Queries, scores and
// weights are float32 in every precision.
type PackedAttention struct {
	PackedKeys
	Rows   int
	Q      []float32 // [Rows, Heads·HeadDim]
	Packed []float32 // [images, Words]
	Index  []int32   // [Rows]
	Dst    []float32 // [Rows, Heads·HeadDim]
}

// beamsTogether is the largest number of rows that read keys and values together; every
// strip is for as many.
const beamsTogether = 4

// Run computes Dst.
func (a *PackedAttention) Run(p *Pool) {
	a.check()
	f := p.frame()
	f.packed = packedTask{*a, f}
	p.Run(a.Rows*a.Heads, &f.packed)
	p.release(f)
}

type packedTask struct {
	a     PackedAttention
	frame *frame
}

// group is the number of rows from row on that are computed together; 0 if row is
// computed with one before it.
func (a *PackedAttention) group(row int) int {
	if row%beamsTogether > 0 && a.Index[row-1] == a.Index[row] {
		return 0
	}
	n := 1
	for row+n < a.Rows && (row+n)%beamsTogether > 0 && a.Index[row+n] == a.Index[row] {
		n++
	}
	return n
}

// Do computes one head of a group of rows.
func (t *packedTask) Do(worker, i int) {
	a := &t.a
	row, head := i/a.Heads, i%a.Heads
	n := a.group(row)
	if n == 0 {
		return
	}
	ks, vs := a.keys(), a.values()
	words := a.Packed[int(a.Index[row])*a.Words()+head*a.headWords():][:a.headWords()]
	width, scores, out := a.Width(), ks.count*panelWidth, vs.count*panelWidth
	perWord, stride := a.Precision.perWord(), rowStride(n)
	x := max(ks.steps, vs.steps) * perWord * stride
	// The scratch is cut into activations, step by step, and results.
	s := t.frame.scratch(worker, x+n*(scores+out+panelWidth))
	turned, s := s[:x], s[x:]
	weights, s := s[:n*scores], s[n*scores:]
	sums, tile := s[:n*out], s[n*out:]

	multiply := func(set panelSet, words, x []float32, xRow, in int, sums []float32) {
		turned := turned[:set.steps*perWord*stride]
		turnRows(n, in, turned, stride, x, xRow, F32, nil, nil)
		strip(a.Precision, n, set, turned, stride, words, sums, tile)
	}
	multiply(ks, words, a.Q[row*width+head*a.HeadDim:], width, a.HeadDim, weights)
	scale := float32(1 / math.Sqrt(float64(a.HeadDim)))
	for r := range n {
		w := weights[r*scores:][:a.Tokens]
		inner.softmax(w, w, scale)
	}
	multiply(vs, words[ks.words():], weights, scores, a.Tokens, sums)
	for r := range n {
		copy(a.Dst[(row+r)*width+head*a.HeadDim:][:a.HeadDim], sums[r*out:])
	}
}

// strip multiplies few float32 rows by panels that lie one after another; sums are [rows,
// 32·panels]. tile is scratch for the sums of one of them.
func strip(p Precision, rows int, set panelSet, x []float32, stride int, words, sums, tile []float32) {
	f := inner.strip[p]
	if p == BF16 {
		f = inner.wideStrip
	}
	if f != nil {
		f(rows, set.count, set.steps, x, stride, words, sums, set.count*panelWidth)
		return
	}
	for i := range set.count {
		inner.tile[p](rows, set.steps, x, stride, words[i*set.steps*panelWidth:], tile)
		for r := range rows {
			copy(sums[(r*set.count+i)*panelWidth:][:panelWidth], tile[r*panelWidth:])
		}
	}
}
