package generate

import (
	"context"
	"math/rand/v2"
	"slices"
)

// sample is one sequence of a sampling search.
type sample struct {
	image    int
	row      int // its row in the model; samples that have not parted share one
	ids      []int32
	logProbs []float64 // of ids[1:]
	random   *rand.Rand
}

// sampler is the state of a sampling search. A greedy search is one in which
// only the greatest logit can be drawn.
type sampler struct {
	opts    Options
	steps   *stepper
	process *processor
	filter  *filter
	greedy  bool
	length  int // ids of each live sample
	all     []sample
	live    []*sample
	rows    map[edge]int // row of the next step
	windows [][]int32    // what the model sees of each row of the next step
}

// edge is a step from a row to a new one.
type edge struct {
	parent int
	token  int32
}

// sampleSearch draws o.NumCaptions samples for each image. A greedy search draws
// one.
func sampleSearch(ctx context.Context, s *stepper, images int, o Options) ([][]Caption, error) {
	d := &sampler{opts: o, steps: s, process: newProcessor(o), filter: newFilter(o), rows: map[edge]int{}}
	d.greedy = o.Type == BeamSearch
	if err := d.begin(ctx, images); err != nil {
		return nil, err
	}
	for len(d.live) > 0 {
		rows := len(s.logits)
		for _, x := range d.live {
			if err := d.extend(x); err != nil {
				return nil, err
			}
		}
		d.length++
		d.live = slices.DeleteFunc(d.live, func(x *sample) bool {
			return d.length >= o.SeqLen || d.finished(x)
		})
		d.report(images, rows)
		if len(d.live) == 0 {
			break
		}
		if err := d.step(ctx); err != nil {
			return nil, err
		}
	}
	return d.captions(images), nil
}

// begin feeds the prompt and makes the samples of each image.
func (d *sampler) begin(ctx context.Context, images int) error {
	ids := d.opts.start()
	logProbs, err := d.steps.begin(ctx, images, ids, max(1, d.opts.window(len(ids))))
	if err != nil {
		return err
	}
	n := d.opts.NumCaptions
	if d.greedy {
		n = 1
	}
	d.all = make([]sample, 0, images*n)
	for i := range images {
		for j := range n {
			d.all = append(d.all, sample{
				image:    i,
				row:      i,
				ids:      append(make([]int32, 0, max(d.opts.SeqLen, len(ids)+1)), ids...),
				logProbs: append(make([]float64, 0, max(d.opts.SeqLen, len(ids)+1)), logProbs[i]...),
				random:   rand.New(rand.NewPCG(d.opts.Seed, uint64(j))),
			})
		}
	}
	d.length = len(ids)
	for i := range d.all {
		// OpenCLIP 3.3.0 takes a prompt that ends in EOT or the pad id for a
		// finished caption. If it pads, it does so once more than needed.
		x := &d.all[i]
		switch {
		case d.opts.Profile == Main || !d.finished(x):
			d.live = append(d.live, x)
		case d.opts.FixedOutputLength:
			x.ids = append(x.ids, d.opts.Pad)
		}
	}
	return nil
}

// finished reports whether x has come to its end.
func (d *sampler) finished(x *sample) bool {
	last := x.ids[len(x.ids)-1]
	return last == d.opts.EOT || last == d.opts.Pad && d.opts.Profile == OpenCLIP33
}

// visible returns the ids of x that the model sees.
func (d *sampler) visible(x *sample) []int32 {
	return x.ids[len(x.ids)-d.opts.window(len(x.ids)):]
}

// extend draws the next id of x.
func (d *sampler) extend(x *sample) error {
	token, err := d.choose(x)
	if err != nil {
		return err
	}
	logProb, err := d.steps.logProb(x.row, token)
	if err != nil {
		return err
	}
	x.ids = append(x.ids, token)
	x.logProbs = append(x.logProbs, logProb)
	return nil
}

func (d *sampler) choose(x *sample) (int32, error) {
	s := d.steps
	ids := d.visible(x)
	if d.opts.Profile == OpenCLIP33 && len(ids)+1 == d.opts.SeqLen {
		// The place for the last id is EOT's. As what counts is the part that the
		// model sees, a window shorter than that never gets there.
		return d.opts.EOT, nil
	}
	row := d.process.apply(s.logits[x.row], ids)
	if d.greedy {
		d.filter.best.reset(1)
		if d.filter.best.offer(row, 0, 0) >= 0 {
			return 0, s.logitError(x.row)
		}
		return int32(d.filter.best.ranked()[0].flat), nil
	}
	tokens, weights, ok := d.filter.apply(row)
	if !ok {
		return 0, s.logitError(x.row)
	}
	return draw(tokens, weights, x.random.Float64()), nil
}

// step runs the model on the last ids of the live samples, once for those that
// are still equal.
func (d *sampler) step(ctx context.Context) error {
	s := d.steps
	clear(d.rows)
	d.windows = d.windows[:0]
	for _, x := range d.live {
		e := edge{x.row, x.ids[len(x.ids)-1]}
		row, ok := d.rows[e]
		if !ok {
			row = s.push(e.parent, e.token)
			d.rows[e] = row
			d.windows = append(d.windows, d.visible(x))
		}
		x.row = row
	}
	if len(d.windows[0]) <= s.seen {
		// The window is full: the ids that leave it change every cached row.
		return s.replay(ctx, d.windows)
	}
	return s.step(ctx)
}

func (d *sampler) report(images, rows int) {
	if d.opts.Observe == nil {
		return
	}
	busy, last := 0, -1
	for _, x := range d.live {
		if x.image != last {
			busy, last = busy+1, x.image
		}
	}
	d.opts.report(Progress{Length: d.length, Rows: rows, Finished: images - busy, Images: images})
}

// captions ranks the samples of each image by log-probability.
func (d *sampler) captions(images int) [][]Caption {
	hyps := make([][]hypothesis, images)
	for i := range d.all {
		x := &d.all[i]
		hyps[x.image] = append(hyps[x.image], hypothesis{ids: x.ids, logProbs: x.logProbs, score: sum(x.logProbs)})
	}
	out := make([][]Caption, images)
	for i, h := range hyps {
		slices.SortStableFunc(h, byScore)
		out[i] = captions(h, d.opts)
	}
	return out
}
