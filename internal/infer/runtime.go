// Package infer runs a model's programs: it compiles the graphs of package
// model for the sizes that are asked for, keeps them, and feeds them. It knows
// tensors; images, texts and searches are its callers' business.
package infer

import (
	"context"
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/nn/exec"
	"github.com/seed-e0874532/coca/nn/op"
)

// Runtime holds the compiled programs of one model on one device. It is safe
// for concurrent use; calls take turns, since each of them uses all threads.
type Runtime struct {
	Model  *model.CoCa
	device exec.Device
	turn   chan struct{} // holds one token: a lock that a context can stop waiting for

	images map[imageSize]*imageProgram
	texts  map[textSize]*textProgram
	scores map[textSize]*scoreProgram
	states map[stateSize]*stateProgram

	settled bool // the precision of each weight is chosen
	closed  bool
}

// New makes a runtime. It takes over the device.
func New(m *model.CoCa, dev exec.Device) *Runtime {
	r := &Runtime{
		Model: m, device: dev, turn: make(chan struct{}, 1),
		images: map[imageSize]*imageProgram{}, texts: map[textSize]*textProgram{},
		scores: map[textSize]*scoreProgram{}, states: map[stateSize]*stateProgram{},
	}
	r.start()
	return r
}

// Device is what the programs run on.
func (r *Runtime) Device() exec.Device { return r.device }

// ErrClosed is returned by a runtime that was closed.
var ErrClosed = fmt.Errorf("the model is closed")

// lock waits for the caller's turn.
func (r *Runtime) lock(ctx context.Context) error {
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if r.closed {
		<-r.turn
		return ErrClosed
	}
	return nil
}

func (r *Runtime) unlock() { <-r.turn }

// Close waits for the running call, if any, and closes the device. Later calls fail.
func (r *Runtime) Close() error {
	r.turn <- struct{}{}
	defer r.unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	return r.device.Close()
}

// maxImageBatch is how many images go through the visual tower at once: enough
// rows for the matrix products to reach their speed, few enough for caches.
const maxImageBatch = 8

// want is what is asked of images.
type want int

const (
	features   want = iota
	keys            // and the keys and values of all decoder layers, for texts as a whole
	packedKeys      // nothing but these, laid out for decode steps
)

type imageSize struct {
	batch int
	want  want
}

// imageProgram encodes a batch of images.
type imageProgram struct {
	graph *model.ImageGraph
	keys  []*G.Node // if wanted, per decoder layer
	*exec.Program
}

func (r *Runtime) imageProgram(batch int, w want) (*imageProgram, error) {
	size := imageSize{batch, w}
	if p := r.images[size]; p != nil {
		return p, nil
	}
	g, err := r.Model.ImageGraph(batch)
	if err != nil {
		return nil, err
	}
	p := &imageProgram{graph: g}
	outputs := []*G.Node{g.Latent, g.Features}
	switch w {
	case keys:
		p.keys = g.Keys
	case packedKeys:
		p.keys, outputs = r.Model.Packed(g, r.keyPrecision()), nil
	}
	if err := g.Err(); err != nil {
		return nil, err
	}
	if p.Program, err = exec.Compile(r.device, append(outputs, p.keys...)...); err != nil {
		return nil, err
	}
	r.images[size] = p
	return p, nil
}

// keyPrecision is how images' keys and values are kept for decode steps. They are
// activations, which int8 would need scales for; bfloat16 is half of what float32 has to read.
func (r *Runtime) keyPrecision() op.Precision {
	if cpu, ok := r.device.(*exec.CPU); ok && cpu.Precision() != exec.FP32 {
		return exec.BF16
	}
	return exec.FP32
}

// Image is an encoded image.
type Image struct {
	Latent   []float32   // [E], before L2 normalisation
	Features []float32   // [E]
	Keys     [][]float32 // per decoder layer, [N·2D]
}

// PixelCount is the number of floats of one image's pixels, [3, H, W].
func (r *Runtime) PixelCount() int {
	size := r.Model.Config.Vision.ImageSize
	return 3 * size.Height * size.Width
}

// EncodeImages encodes normalised pixels, [3, H, W] each. With keys, what
// the decoder needs of the images is returned too.
func (r *Runtime) EncodeImages(ctx context.Context, pixels [][]float32, withKeys bool) ([]Image, error) {
	if err := r.lock(ctx); err != nil {
		return nil, err
	}
	defer r.unlock()
	w := features
	if withKeys {
		w = keys
	}
	var list []Image
	err := r.eachBatch(ctx, pixels, w, func(p *imageProgram, first, batch int) {
		for i := range batch {
			img := Image{Latent: item(p.Floats(p.graph.Latent), i, batch), Features: item(p.Floats(p.graph.Features), i, batch)}
			for _, k := range p.keys {
				img.Keys = append(img.Keys, item(p.Floats(k), i, batch))
			}
			list = append(list, img)
		}
	})
	return list, err
}

// eachBatch runs images through the tower and calls use after each batch, of which
// pixels[first] is the first image.
func (r *Runtime) eachBatch(ctx context.Context, pixels [][]float32, w want, use func(p *imageProgram, first, batch int)) error {
	if err := r.settle(ctx); err != nil {
		return err
	}
	for first, batch := 0, 0; first < len(pixels); first += batch {
		rest := pixels[first:]
		batch = min(maxImageBatch, 1<<(bitLen(len(rest))-1)) // 8, 4, 2 or 1: few programs to keep
		p, err := r.imageProgram(batch, w)
		if err != nil {
			return err
		}
		in, n := op.Floats(p.graph.Pixels.Value()), r.PixelCount()
		for i, x := range rest[:batch] {
			if len(x) != n {
				return fmt.Errorf("image: want %d numbers, got %d", n, len(x))
			}
			copy(in[i*n:], x)
		}
		if err := p.Run(ctx); err != nil {
			return err
		}
		use(p, first, batch)
	}
	return nil
}

func bitLen(n int) int {
	bits := 0
	for ; n > 0; n >>= 1 {
		bits++
	}
	return bits
}

// item copies item i out of a batch.
func item(data []float32, i, batch int) []float32 {
	n := len(data) / batch
	return append([]float32(nil), data[i*n:(i+1)*n]...)
}

type textSize struct{ length, rows int }

// textProgram encodes one text.
type textProgram struct {
	graph *model.TextGraph
	*exec.Program
}

// EncodeTexts encodes texts of equal length; each result is the feature
// before and after L2 normalisation, [E].
func (r *Runtime) EncodeTexts(ctx context.Context, ids [][]int32) (latents, features [][]float32, err error) {
	if err := r.lock(ctx); err != nil {
		return nil, nil, err
	}
	defer r.unlock()
	for _, text := range ids {
		size := textSize{length: len(text)}
		p := r.texts[size]
		if p == nil {
			g, err := r.Model.TextGraph(1, len(text))
			if err != nil {
				return nil, nil, err
			}
			program, err := exec.Compile(r.device, g.Latent, g.Features)
			if err != nil {
				return nil, nil, err
			}
			p = &textProgram{g, program}
			r.texts[size] = p
		}
		copy(op.Ints(p.graph.IDs.Value()), text)
		if err := p.Run(ctx); err != nil {
			return nil, nil, err
		}
		latents = append(latents, item(p.Floats(p.graph.Latent), 0, 1))
		features = append(features, item(p.Floats(p.graph.Features), 0, 1))
	}
	return latents, features, nil
}

// scoreProgram computes the logits of one text under one image.
type scoreProgram struct {
	graph *model.TextGraph
	keys  []*tensor.Dense
	*exec.Program
}

// Score computes the text's features [E] and the logits [rows, V] of its first
// tokens under an image that was encoded with keys. The logits are only valid
// until the next call of use returns; row t is about token t+1.
func (r *Runtime) Score(ctx context.Context, img Image, ids []int32, rows int, use func(features, logits []float32) error) error {
	if err := r.lock(ctx); err != nil {
		return err
	}
	defer r.unlock()
	size := textSize{len(ids), rows}
	p := r.scores[size]
	if p == nil {
		var err error
		if p, err = r.newScoreProgram(size); err != nil {
			return err
		}
		r.scores[size] = p
	}
	for i, k := range img.Keys {
		copy(op.Floats(p.keys[i]), k)
	}
	copy(op.Ints(p.graph.IDs.Value()), ids)
	if err := p.Run(ctx); err != nil {
		return err
	}
	return use(p.Floats(p.graph.Features), p.Floats(p.graph.Logits))
}

func (r *Runtime) newScoreProgram(size textSize) (*scoreProgram, error) {
	p := &scoreProgram{keys: r.Model.NewKeys(1)}
	var err error
	if p.graph, err = r.Model.ScoreGraph(1, size.length, size.rows, p.keys); err != nil {
		return nil, err
	}
	p.Program, err = exec.Compile(r.device, p.graph.Features, p.graph.Logits)
	return p, err
}

// Costs counts what the programs of one image, one text of full length and one
// row of a decode step take.
func (r *Runtime) Costs() (image, text, step op.Cost, err error) {
	programs, err := r.compileAll()
	if err != nil {
		return
	}
	if len(programs) > 2 {
		step = programs[2].Cost()
	}
	return programs[0].Cost(), programs[1].Cost(), step, nil
}

// Recomputed counts what one caption of n ids takes without caches, with every
// beam on its own: the image tower once a beam, and at each step the whole text
// through both towers and the image tokens through the cross-attention's
// projections. This is how OpenCLIP's release works.
func (r *Runtime) Recomputed(ids, beams int) (total op.Cost, err error) {
	img, err := r.Model.ImageGraph(1)
	if err != nil {
		return total, err
	}
	cost := func(outputs ...*G.Node) (c op.Cost) {
		if err == nil {
			var p *exec.Program
			if p, err = exec.Compile(r.device, outputs...); err == nil {
				c = p.Cost()
			}
		}
		return c
	}
	tower, withKeys := cost(img.Features, img.Tokens), cost(append([]*G.Node{img.Features, img.Tokens}, img.Keys...)...)
	total = tower
	for n := 1; n < ids; n++ {
		g, graphErr := r.Model.ScoreGraph(1, n, n, r.Model.NewKeys(1))
		if graphErr != nil {
			return total, graphErr
		}
		total = total.Plus(cost(g.Logits)).Plus(op.Cost{Flops: withKeys.Flops - tower.Flops, Bytes: withKeys.Bytes - tower.Bytes})
	}
	total.Flops, total.Bytes = total.Flops*int64(beams), total.Bytes*int64(beams)
	return total, err
}

// CompileAll binds every weight of the model to the device, in the precision
// that it will have.
func (r *Runtime) CompileAll(ctx context.Context) error {
	if err := r.lock(ctx); err != nil {
		return err
	}
	defer r.unlock()
	if err := r.settle(ctx); err != nil {
		return err
	}
	_, err := r.compileAll()
	return err
}

// compileAll compiles programs for one image, one text and one row.
func (r *Runtime) compileAll() ([]*exec.Program, error) {
	image, err := r.Model.ImageGraph(1)
	if err != nil {
		return nil, err
	}
	text, err := r.Model.TextGraph(1, r.Model.Config.Text.ContextLength)
	if err != nil {
		return nil, err
	}
	graphs := [][]*G.Node{append([]*G.Node{image.Features}, image.Keys...), {text.Features}}
	if !r.Model.Config.Text.NoCausalMask {
		step, err := r.Model.StepGraph(1, r.Model.NewState(1, 1, r.keyPrecision()))
		if err != nil {
			return nil, err
		}
		graphs = append(graphs, []*G.Node{step.Logits})
	}
	var list []*exec.Program
	for _, outputs := range graphs {
		p, err := exec.Compile(r.device, outputs...)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}
