package infer

import (
	"context"
	"fmt"
	"math"

	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/nn/op"
)

type stateSize struct{ slots, images int }

// stateProgram is the memory of decode steps with the programs, one per number
// of rows, that work on it.
type stateProgram struct {
	*model.State
	steps map[int]*stepProgram
}

type stepProgram struct {
	*exec.Program
	tokens, pos, table, textTable, image []int32
	logits, norms                        []float32
}

// Session is a search over a set of encoded images: it satisfies
// generate.Model and generate.Normalizer. Between Open and Close it holds the runtime.
type Session struct {
	r     *Runtime
	state *stateProgram
	pos   int // tokens fed so far
	rows  []history
	spare []history
	out   [][]float32
	norms []float32 // of the last step
}

// history is what one row has been fed.
type history struct {
	image int32
	slots []int32 // by position: the slot that holds the key; -1 beyond the history
	text  []int32 // the same for the text tower, where keys may be hidden: -1
	hide  bool    // the next key of the text tower is hidden
}

// Open encodes images, normalised pixels [3, H, W] each, and begins a session of up to
// slots rows on them. Their keys, which are large, go straight to where steps read them.
func (r *Runtime) Open(ctx context.Context, pixels [][]float32, slots int) (s *Session, err error) {
	if err := r.lock(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if s == nil {
			r.unlock()
		}
	}()
	st := r.state(slots, len(pixels))
	err = r.eachBatch(ctx, pixels, packedKeys, func(p *imageProgram, first, batch int) {
		for l, k := range p.keys {
			keys := p.Floats(k)
			copy(op.Floats(st.Keys[l])[first*(len(keys)/batch):], keys)
		}
	})
	if err != nil {
		return nil, err
	}
	return &Session{r: r, state: st}, nil
}

// state finds the memory for a session. One memory is kept: a caller that always
// asks for the same sizes pays once.
func (r *Runtime) state(slots, images int) *stateProgram {
	size := stateSize{slots, images}
	st := r.states[size]
	if st == nil {
		clear(r.states)
		st = &stateProgram{r.Model.NewState(slots, images, r.keyPrecision()), map[int]*stepProgram{}}
		r.states[size] = st
	}
	return st
}

// Close ends the session and lets others use the runtime.
func (s *Session) Close() {
	if s.r != nil {
		s.r.unlock()
		s.r = nil
	}
}

// VocabSize is the number of logits of a row.
func (s *Session) VocabSize() int { return s.r.Model.Config.Text.VocabSize }

// Start drops all histories and begins an empty one for each element of images.
func (s *Session) Start(_ context.Context, images []int) error {
	if len(images) > s.state.Slots {
		return fmt.Errorf("decode: want at most %d rows, got %d", s.state.Slots, len(images))
	}
	s.pos = 0
	s.rows = s.grow(s.rows, len(images))
	for i, image := range images {
		s.rows[i].image, s.rows[i].hide = int32(image), false
	}
	return nil
}

// grow gives a list of n histories, those that it has and new ones.
func (s *Session) grow(list []history, n int) []history {
	for list = list[:min(n, cap(list))]; len(list) < n; {
		list = append(list, history{})
	}
	for i := range list {
		if list[i].slots == nil {
			list[i].slots, list[i].text = make([]int32, s.state.Length), make([]int32, s.state.Length)
		}
	}
	return list
}

// Step appends tokens[i] to the history of row parents[i], which becomes row
// i, and returns the logits that follow.
func (s *Session) Step(ctx context.Context, parents []int, tokens []int32) ([][]float32, error) {
	if s.pos >= s.state.Length {
		return nil, fmt.Errorf("decode: want at most %d tokens, got one more", s.state.Length)
	}
	if len(tokens) > s.state.Slots {
		return nil, fmt.Errorf("decode: want at most %d rows, got %d", s.state.Slots, len(tokens))
	}
	p, err := s.program(len(tokens))
	if err != nil {
		return nil, err
	}
	s.follow(parents, tokens)
	copy(p.tokens, tokens)
	for i, row := range s.rows {
		p.image[i], p.pos[i] = row.image, int32(s.pos)
		copy(p.table[i*s.state.Length:], row.slots)
		copy(p.textTable[i*s.state.Length:], row.text)
	}
	if err := p.Run(ctx); err != nil {
		return nil, err
	}
	s.pos++
	s.out, s.norms = s.out[:0], p.norms
	vocab := s.VocabSize()
	for i := range tokens {
		s.out = append(s.out, p.logits[i*vocab:(i+1)*vocab:(i+1)*vocab])
	}
	return s.out, nil
}

// LogSumExp implements generate.Normalizer.
func (s *Session) LogSumExp(row int) float64 {
	return float64(s.norms[2*row]) + math.Log(float64(s.norms[2*row+1]))
}

// follow makes the new rows' histories. The key of row i at a position is
// written to slot i and never again, so a row shares the past of its parent by
// copying the parent's list of slots.
func (s *Session) follow(parents []int, tokens []int32) {
	cfg := s.r.Model.Config.Text
	next := s.grow(s.spare, len(tokens))
	for i, p := range parents {
		parent, row := &s.rows[p], &next[i]
		row.image = parent.image
		copy(row.slots, parent.slots[:s.pos])
		copy(row.text, parent.text[:s.pos])
		row.slots[s.pos], row.text[s.pos] = int32(i), int32(i)
		if parent.hide {
			row.text[s.pos] = -1
		}
		// OpenCLIP's padding mask hides the key after a padding id, here as in
		// the text tower's PaddingMask.
		row.hide = cfg.EmbedCLS && tokens[i] == int32(cfg.PadID)
	}
	s.rows, s.spare = next, s.rows
}

// program is the step for a number of rows, compiled when first needed.
func (s *Session) program(rows int) (*stepProgram, error) {
	if p := s.state.steps[rows]; p != nil {
		return p, nil
	}
	g, err := s.r.Model.StepGraph(rows, s.state.State)
	if err != nil {
		return nil, err
	}
	program, err := exec.Compile(s.r.device, g.Logits, g.Norms)
	if err != nil {
		return nil, err
	}
	p := &stepProgram{
		Program: program, tokens: op.Ints(g.Tokens.Value()), pos: op.Ints(g.Pos.Value()), image: op.Ints(g.Image.Value()),
		table: op.Ints(g.Table.Value()), textTable: op.Ints(g.TextTable.Value()), logits: program.Floats(g.Logits), norms: program.Floats(g.Norms),
	}
	s.state.steps[rows] = p
	return p, nil
}
