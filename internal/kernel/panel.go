package kernel

// A panel holds panelWidth neighbouring outputs of a weight, input by input:
// panel[k][j] is the weight from input k to output o0+j, zero beyond the last
// output. All the panels of a weight lie one after another, so that the product
// reads memory in one direction only.
const panelWidth = 32

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
	n := (m.out + panelWidth - 1) / panelWidth
	panels := make([]float32, n*panelWidth*m.in)
	f := p.frame()
	f.pack = packTask{panels, *m.data.Load(), m.out, m.in, m.order}
	p.Run(n, &f.pack)
	p.release(f)
	m.panels.Store(&panels)
	m.data.Store(nil)
}

type packTask struct {
	panels, data []float32
	out, in      int
	order        Order
}

func (t *packTask) Do(_, i int) {
	packPanel(t.panels[i*panelWidth*t.in:][:panelWidth*t.in], t.data, t.out, t.in, i*panelWidth, t.order)
}

// packPanel fills the panel of outputs o0, o0+1, ….
func packPanel(panel, w []float32, out, in, o0 int, order Order) {
	width := min(panelWidth, out-o0)
	if order == InOut {
		for k := range in {
			copy(panel[k*panelWidth:][:panelWidth], w[k*out+o0:][:width])
		}
		return
	}
	inner.transpose(width, in, panel, panelWidth, w[o0*in:], in)
}
