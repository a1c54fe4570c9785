package kernel

import "fmt"

// panelWidth is the number of neighbouring outputs in a panel.
const panelWidth = 32

// Panels is a packed weight. It may be stored, and mapped as it is; the layout
// is the same for every instruction set.
//
// A panel holds the weights of 32 neighbouring outputs step by step: words[k][j]
// is the word of output o0+j at step k, zero beyond the last output. A word is 4
// bytes: the float32 weight of one input, two bfloat16 weights of neighbouring
// inputs, or four int8 ones, the first in the low bits. All the panels lie one
// after another, so that a product reads memory in one direction only.
type Panels struct {
	Precision Precision
	Out, In   int

	// Words are the panels, [⌈Out/32⌉, ⌈In/perWord⌉, 32]; float32 stands for any
	// word of 4 bytes.
	Words []float32

	// For Int8, the scale of each output and 128 times the sum of its quantised
	// weights, [⌈Out/32⌉·32] each: activations are multiplied as unsigned bytes
	// with 128 added.
	Scale      []float32
	Correction []int32
}

// count is the number of panels, steps the number of words of an output.
func (w *Panels) count() int { return (w.Out + panelWidth - 1) / panelWidth }
func (w *Panels) steps() int {
	n := w.Precision.perWord()
	return (w.In + n - 1) / n
}

// NewMatrixPanels wraps a weight that is packed already, without copying it.
func NewMatrixPanels(w Panels) (*Matrix, error) {
	if w.Out < 0 || w.In < 0 || w.Precision > Int8 {
		return nil, fmt.Errorf("kernel: panels of %d outputs, %d inputs, precision %d", w.Out, w.In, w.Precision)
	}
	if got, want := len(w.Words), w.count()*w.steps()*panelWidth; got != want {
		return nil, fmt.Errorf("kernel: %v panels of %d outputs and %d inputs: have %d words, want %d", w.Precision, w.Out, w.In, got, want)
	}
	if w.Precision == Int8 {
		if want := w.count() * panelWidth; len(w.Scale) != want || len(w.Correction) != want {
			return nil, fmt.Errorf("kernel: int8 panels of %d outputs: have %d scales and %d corrections, want %d",
				w.Out, len(w.Scale), len(w.Correction), want)
		}
	}
	m := &Matrix{out: w.Out, in: w.In, precision: w.Precision}
	m.panels.Store(&w)
	return m, nil
}

// Panels packs the weight if it is not packed and returns the panels, which must
// not be changed.
func (m *Matrix) Panels(p *Pool) *Panels {
	m.Pack(p)
	return m.panels.Load()
}

// Pack makes the panels, whatever the number of rows to come, unless they exist
// already. It is Prepare for many rows, spread over a pool.
func (m *Matrix) Pack(p *Pool) {
	if m.panels.Load() != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.panels.Load() != nil {
		return
	}
	w := &Panels{Precision: m.precision, Out: m.out, In: m.in}
	w.Words = p.words(w.count() * w.steps() * panelWidth)
	if m.precision == Int8 {
		w.Scale = make([]float32, w.count()*panelWidth)
		w.Correction = make([]int32, w.count()*panelWidth)
	}
	f := p.frame()
	f.pack = packTask{w, *m.source.Load(), m.order, f}
	p.Run(w.count(), &f.pack)
	p.release(f)
	m.panels.Store(w)
	m.source.Store(nil)
}

// packTask makes one panel at a time.
type packTask struct {
	w     *Panels
	from  source
	order Order
	frame *frame
}

func (t *packTask) Do(worker, i int) {
	w := t.w
	in, steps := w.In, w.steps()
	o0 := i * panelWidth
	width := min(panelWidth, w.Out-o0)
	panel := w.Words[o0*steps:][:panelWidth*steps]
	if w.Precision == F32 {
		t.packFloat(panel, o0, width)
		return
	}
	// Scratch: the outputs as rows of float32, and as rows of words.
	s := t.frame.scratch(worker, panelWidth*(in+steps)+blockInputs*panelWidth)
	rows, words, block := s[:panelWidth*in], s[panelWidth*in:][:panelWidth*steps], s[panelWidth*(in+steps):]
	t.widen(rows, block, o0, width)
	for j := range width {
		line, row := words[j*steps:][:steps], rows[j*in:][:in]
		if w.Precision == BF16 {
			wordsBF16(line, row)
			continue
		}
		w.Scale[o0+j] = wordsInt8(line, row)
		sum := 0
		bytes := bytesOf(line)
		for k, b := range bytes[:in] { // weights are signed: without the 128 that was added
			bytes[k] = b ^ 0x80
			sum += int(b) - 128
		}
		w.Correction[o0+j] = int32(128 * sum)
	}
	inner.transpose(width, steps, panel, panelWidth, words, steps)
}

func (t *packTask) packFloat(panel []float32, o0, width int) {
	out, in := t.w.Out, t.w.In
	if t.order == OutIn {
		inner.transpose(width, in, panel, panelWidth, t.from.wide[o0*in:], in)
		return
	}
	for k := range in {
		copy(panel[k*panelWidth:][:panelWidth], t.from.wide[k*out+o0:][:width])
	}
}

// blockInputs is the number of rows of an [in, out] weight that are turned at a time.
const blockInputs = 8

// widen stores outputs o0, …, o0+width-1 as rows of float32. block is scratch of
// blockInputs·panelWidth floats.
func (t *packTask) widen(rows, block []float32, o0, width int) {
	out, in := t.w.Out, t.w.In
	if t.order == OutIn {
		if t.from.narrow != nil {
			inner.widenBF16(rows[:width*in], t.from.narrow[o0*in:][:width*in])
		} else {
			copy(rows[:width*in], t.from.wide[o0*in:])
		}
		return
	}
	for k := 0; k < in; k += blockInputs {
		n := min(blockInputs, in-k)
		for i := range n {
			line := block[i*panelWidth:][:width]
			if t.from.narrow != nil {
				inner.widenBF16(line, t.from.narrow[(k+i)*out+o0:][:width])
			} else {
				copy(line, t.from.wide[(k+i)*out+o0:])
			}
		}
		if n == blockInputs { // a transposition of fewer would write beyond a row
			inner.transpose(n, width, rows[k:], in, block, panelWidth)
		} else {
			transposeGeneric(n, width, rows[k:], in, block, panelWidth)
		}
	}
}
