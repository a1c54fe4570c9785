package op

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// CaptionLoss is the weighted cross-entropy of predicted tokens,
//
//	weight · mean over all (b, t) with ids[b, t+1] ≠ ignore of −log softmax(logits[b, t])[ids[b, t+1]] + z·(log Σ exp logits[b, t])²
//
// logits [B, S, V], ids [B, L] int32 with L > S; a scalar. If every target is
// ignored it is NaN, as in PyTorch. For a batch that is part of a larger one, others [1]
// holds the number of the other parts' targets: the losses of the parts then add up to the
// mean over all.
//
// With z > 0, the z-loss of PaLM (arXiv:2204.02311, §5), the logits learn to be
// log-probabilities: a search may then add them up as they are.
type CaptionLoss struct {
	core
	Weight, Z float64
	Ignore    int32
}

// CaptionLoss applies the operator [CaptionLoss]; others may be nil.
func (b *Builder) CaptionLoss(logits, ids, others *G.Node, weight, z float64, ignore int32) *G.Node {
	operands := []*G.Node{logits, ids}
	if others != nil {
		operands = append(operands, others)
	}
	if !b.usable("CaptionLoss", operands...) {
		return nil
	}
	return b.apply(&CaptionLoss{b.core("CaptionLoss", fmt.Sprint(weight, z), 0, operands...), weight, z, ignore}, operands...)
}

// InferShape implements gorgonia.Op.
func (o *CaptionLoss) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	return tensor.ScalarShape(), captionShapes(o.kind, s)
}

func captionShapes(kind string, s []tensor.Shape) error {
	if len(s[0]) != 3 {
		return &ShapeError{kind, "logits", "[B, S, V]", s[0]}
	}
	if ids := s[1]; len(ids) != 2 || ids[0] != s[0][0] || ids[1] <= s[0][1] {
		return &ShapeError{kind, "ids", fmt.Sprintf("[%d, >%d]", s[0][0], s[0][1]), ids}
	}
	if len(s) > 2 && volume(s[2]) != 1 {
		return &ShapeError{kind, "others", "[1]", s[2]}
	}
	return nil
}

// Mean is the part of n targets, of which the sum is given, in the mean over them and others.
func (o *CaptionLoss) Mean(sum float64, n int, others []float32) float64 {
	return o.Weight * sum / o.count(n, others)
}

// Scale is by what the gradient of a target's −log softmax is multiplied.
func (o *CaptionLoss) Scale(dy float32, n int, others []float32) float64 {
	return float64(dy) * o.Weight / o.count(n, others)
}

func (o *CaptionLoss) count(n int, others []float32) float64 {
	if len(others) == 1 {
		return float64(n) + float64(others[0])
	}
	return float64(n)
}

// Targets stores in targets, [B·S], what each row of logits should predict, −1
// where that is ignored, and returns how many are not. An id outside the vocabulary is an error.
func (o *CaptionLoss) Targets(targets, ids []int32, logits tensor.Shape) (n int, err error) {
	rows, length := logits[1], len(ids)/logits[0]
	for i := range targets {
		id := ids[i/rows*length+i%rows+1]
		if id < 0 || int(id) >= logits[2] {
			return 0, fmt.Errorf("CaptionLoss: id of text %d: want 0 to %d, got %d", i/rows, logits[2]-1, id)
		}
		targets[i] = id
		if id == o.Ignore {
			targets[i] = -1
			continue
		}
		n++
	}
	return n, nil
}

// Do implements gorgonia.Op.
func (o *CaptionLoss) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *CaptionLoss) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	s, logits := in[0].Shape(), Floats(in[0])
	targets := make([]int32, s[0]*s[1])
	n, err := o.Targets(targets, Ints(in[1]), s)
	if err != nil {
		return nil, err
	}
	sum, p := 0.0, make([]float64, s[2])
	for i, target := range targets {
		if target >= 0 {
			logZ := logSoftmax(p, logits[i*s[2]:])
			sum += o.Z*logZ*logZ - p[target]
		}
	}
	return setScalar(y, o.Mean(sum, n, othersOf(in[2:]))), nil
}

func othersOf(in []G.Value) []float32 {
	if len(in) == 0 {
		return nil
	}
	return Floats(in[0])
}

// logSoftmax stores the logarithm of the softmax of as many scores in dst and returns
// log Σ exp of the scores.
func logSoftmax(dst []float64, scores []float32) (logZ float64) {
	largest, sum := math.Inf(-1), 0.0
	for _, v := range scores[:len(dst)] {
		largest = max(largest, float64(v))
	}
	for _, v := range scores[:len(dst)] {
		sum += math.Exp(float64(v) - largest)
	}
	for i, v := range scores[:len(dst)] {
		dst[i] = float64(v) - largest - math.Log(sum)
	}
	return largest + math.Log(sum)
}

// Cost implements Operator.
func (o *CaptionLoss) Cost(_ tensor.Shape, in []tensor.Shape) Cost {
	return Cost{Flops: 3 * int64(volume(in[0])), Bytes: moved(in[0])}
}

// DiffWRT implements gorgonia.SDOp.
func (o *CaptionLoss) DiffWRT(n int) []bool { return firstOnly(n) }

// SymDiff implements gorgonia.SDOp.
func (o *CaptionLoss) SymDiff(in G.Nodes, _, grad *G.Node) (G.Nodes, error) {
	b := o.b
	operands := append([]*G.Node{in[0], in[1], grad}, in[2:]...)
	if !b.usable("CaptionLossGrad", operands...) {
		return nil, b.err
	}
	gradients := make([]*G.Node, len(in))
	gradients[0] = b.apply(&CaptionLossGrad{b.core("CaptionLossGrad", o.attrs, 3, operands...), o}, operands...)
	return o.done(gradients...)
}

// CaptionLossGrad is the gradient of a [CaptionLoss]'s logits, [B, S, V]:
// dy·weight/n·((1 + 2z·log Σ exp)·softmax − one-hot) in the rows that count, 0 in the ignored ones; n is
// the loss's number of targets, the others included.
// A kernel may compute it in place: softmax and logits then never exist side by side.
type CaptionLossGrad struct {
	core
	Loss *CaptionLoss
}

// InferShape implements gorgonia.Op.
func (o *CaptionLossGrad) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	return s[0].Clone(), captionShapes(o.kind, append(s[:2:2], s[3:]...))
}

// Do implements gorgonia.Op.
func (o *CaptionLossGrad) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *CaptionLossGrad) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	s, logits, dst := in[0].Shape(), Floats(in[0]), Floats(y)
	targets := make([]int32, s[0]*s[1])
	n, err := o.Loss.Targets(targets, Ints(in[1]), s)
	if err != nil {
		return nil, err
	}
	scale, p := o.Loss.Scale(Floats(in[2])[0], n, othersOf(in[3:])), make([]float64, s[2])
	for i, target := range targets {
		row := dst[i*s[2]:][:s[2]]
		if target < 0 {
			clear(row)
			continue
		}
		factor := 1 + 2*o.Loss.Z*logSoftmax(p, logits[i*s[2]:])
		for j, v := range p {
			g := factor * math.Exp(v)
			if j == int(target) {
				g--
			}
			row[j] = float32(scale * g)
		}
	}
	return y, nil
}

// Cost implements Operator.
func (o *CaptionLossGrad) Cost(out tensor.Shape, in []tensor.Shape) Cost {
	return Cost{Flops: 5 * int64(volume(out)), Bytes: moved(out, in[0])}
}
