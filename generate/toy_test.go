package generate

import "context"

// toyModel is a captioner whose logits are a formula of the history, so that the
// reference implementation and this one can be run on the same model. Image i has
// the seed seeds[i].
type toyModel struct {
	vocab  int
	coarse bool // multiples of 1/100, with many ties, instead of 24-bit values
	seeds  []int64
	eot    int32
	lift   float32 // added to the logit of eot

	rows      []toyRow
	steps     int // calls of Step
	processed int // rows computed
}

type toyRow struct {
	image int
	ids   []int32
}

func (m *toyModel) VocabSize() int { return m.vocab }

func (m *toyModel) Start(_ context.Context, images []int) error {
	m.rows = nil
	for _, i := range images {
		m.rows = append(m.rows, toyRow{image: i})
	}
	return nil
}

func (m *toyModel) Step(_ context.Context, parents []int, tokens []int32) ([][]float32, error) {
	rows := make([]toyRow, len(parents))
	logits := make([][]float32, len(parents))
	for i, p := range parents {
		old := m.rows[p]
		rows[i] = toyRow{old.image, append(append([]int32(nil), old.ids...), tokens[i])}
		logits[i] = m.logits(rows[i])
	}
	m.rows = rows
	m.steps++
	m.processed += len(rows)
	return logits, nil
}

// logits returns the logits that follow a history.
func (m *toyModel) logits(r toyRow) []float32 {
	out := make([]float32, m.vocab)
	m.formula(out, r)
	out[m.eot] += m.lift
	return out
}

// formula is the twin of those in testdata/reference/generate_toy.py.
func (m *toyModel) formula(out []float32, r toyRow) {
	seed := m.seeds[r.image]
	if m.coarse {
		acc := 6151 * seed
		for j, x := range r.ids {
			acc += int64(x+1) * int64(j+3) * 7919
		}
		for v := range out {
			n := int64(len(r.ids))
			out[v] = float32(float64((acc+104729*int64(v)+31*n*int64(v)*int64(v))%2003)/100 - 5)
		}
		return
	}
	h := mix(uint64(seed))
	for _, x := range r.ids {
		h = mix(h ^ uint64(x+1))
	}
	for v := range out {
		out[v] = float32(mix(h^uint64(v)<<32)>>40)/(1<<20) - 6 // [-6, 10)
	}
}

// mix is the finaliser of SplitMix64.
func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
