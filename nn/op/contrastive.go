package op

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// ContrastiveLoss is CLIP's loss of B pairs, a scalar: with z = e^scale·image·textᵀ,
// weight/2 times the mean cross-entropy of the rows of z plus that of its columns,
// where row i and column i should choose i.
//
//	image, text [B, E], normalised
//	scale       [1], the logarithm of the temperature's inverse
type ContrastiveLoss struct {
	core
	Weight float64
}

// ContrastiveLoss applies the operator [ContrastiveLoss].
func (b *Builder) ContrastiveLoss(image, text, scale *G.Node, weight float64) *G.Node {
	if !b.usable("ContrastiveLoss", image, text, scale) {
		return nil
	}
	o := &ContrastiveLoss{b.core("ContrastiveLoss", fmt.Sprint(weight), 0, image, text, scale), weight}
	return b.apply(o, image, text, scale)
}

// InferShape implements gorgonia.Op.
func (o *ContrastiveLoss) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	return tensor.ScalarShape(), contrastiveShapes(o.kind, s)
}

func contrastiveShapes(kind string, s []tensor.Shape) error {
	switch {
	case len(s[0]) != 2:
		return &ShapeError{kind, "image", "[B, E]", s[0]}
	case !s[1].Eq(s[0]):
		return &ShapeError{kind, "text", fmt.Sprint(s[0]), s[1]}
	case volume(s[2]) != 1:
		return &ShapeError{kind, "scale", "[1]", s[2]}
	}
	return nil
}

// Do implements gorgonia.Op.
func (o *ContrastiveLoss) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *ContrastiveLoss) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	z, n := similarities(in), in[0].Shape()[0]
	return setScalar(y, o.Weight*Contrast(z, z, make([]float64, 2*n), n)), nil
}

// similarities is z, [B, B], for images, texts and scale.
func similarities(in []G.Value) []float32 {
	n, d := in[0].Shape()[0], in[0].Shape()[1]
	z, scale := make([]float32, n*n), math.Exp(float64(Floats(in[2])[0]))
	for i := range n {
		for j := range n {
			z[i*n+j] = float32(scale * dot(Floats(in[0])[i*d:][:d], Floats(in[1])[j*d:]))
		}
	}
	return z
}

// Contrast returns ½(CE(z) + CE(zᵀ)) of z [n, n] and stores its gradient in dz,
// which may be z: with p the softmax of the rows and q that of the columns,
// (p + q − 2·1)/2n. It needs room for 2n sums.
func Contrast(dz, z []float32, sums []float64, n int) (loss float64) {
	rows, columns := sums[:n], sums[n:2*n]
	for i := range n {
		rows[i] = logSumExp(z[i*n:], n, 1)
		columns[i] = logSumExp(z[i:], n, n)
		loss += (rows[i] + columns[i] - 2*float64(z[i*n+i])) / float64(2*n)
	}
	for i := range n {
		for j := range n {
			v := float64(z[i*n+j])
			g := math.Exp(v-rows[i]) + math.Exp(v-columns[j])
			if i == j {
				g -= 2
			}
			dz[i*n+j] = float32(g / float64(2*n))
		}
	}
	return loss
}

// logSumExp is log Σ e^v over n values that are step apart.
func logSumExp(z []float32, n, step int) float64 {
	largest, sum := math.Inf(-1), 0.0
	for i := range n {
		largest = max(largest, float64(z[i*step]))
	}
	for i := range n {
		sum += math.Exp(float64(z[i*step]) - largest)
	}
	return largest + math.Log(sum)
}

// Cost implements Operator.
func (o *ContrastiveLoss) Cost(_ tensor.Shape, in []tensor.Shape) Cost {
	return Cost{Flops: 2 * int64(volume(in[0])) * int64(in[0][0]), Bytes: moved(in[0], in[1])}
}

// DiffWRT implements gorgonia.SDOp.
func (o *ContrastiveLoss) DiffWRT(n int) []bool { return all(n) }

// SymDiff implements gorgonia.SDOp. The three gradients are computed from the
// features anew: B·B similarities are nothing beside one layer of the towers.
func (o *ContrastiveLoss) SymDiff(in G.Nodes, _, grad *G.Node) (G.Nodes, error) {
	b := o.b
	operands := append(append([]*G.Node{}, in...), grad)
	var gradients []*G.Node
	for i, name := range []string{"image", "text", "scale"} {
		if !b.usable("ContrastiveLossGrad", operands...) {
			return nil, b.err
		}
		g := &ContrastiveLossGrad{b.core("ContrastiveLossGrad", name, in[i].Dims(), operands...), o.Weight, i}
		gradients = append(gradients, b.apply(g, operands...))
	}
	return o.done(gradients...)
}

// ContrastiveLossGrad is the gradient of one operand of a [ContrastiveLoss].
// With dz of [Contrast], dimage = e^scale·dz·text, dtext = e^scale·dzᵀ·image and
// dscale = Σ dz ⊙ z, each times weight and dy.
type ContrastiveLossGrad struct {
	core
	Weight float64
	Of     int // 0 image, 1 text, 2 scale
}

// InferShape implements gorgonia.Op.
func (o *ContrastiveLossGrad) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := shapes(ds)
	if err != nil {
		return nil, err
	}
	return s[o.Of].Clone(), contrastiveShapes(o.kind, s)
}

// Do implements gorgonia.Op.
func (o *ContrastiveLossGrad) Do(in ...G.Value) (G.Value, error) { return do(o, in) }

// UsePreallocDo implements gorgonia.UsePreallocDoer.
func (o *ContrastiveLossGrad) UsePreallocDo(y G.Value, in ...G.Value) (G.Value, error) {
	n, d := in[0].Shape()[0], in[0].Shape()[1]
	z, dz := similarities(in), make([]float32, n*n)
	Contrast(dz, z, make([]float64, 2*n), n)
	weight := o.Weight * float64(Floats(in[3])[0])
	dst := Floats(y)
	if o.Of == 2 {
		sum := 0.0
		for i, g := range dz {
			sum += float64(g) * float64(z[i])
		}
		dst[0] = float32(sum * weight)
		return y, nil
	}
	weight *= math.Exp(float64(Floats(in[2])[0]))
	other, row, column := Floats(in[1-o.Of]), n, 1
	if o.Of == 1 {
		row, column = 1, n
	}
	for i := range n {
		for c := range d {
			sum := 0.0
			for j := range n {
				sum += float64(dz[i*row+j*column]) * float64(other[j*d+c])
			}
			dst[i*d+c] = float32(sum * weight)
		}
	}
	return y, nil
}

// Cost implements Operator.
func (o *ContrastiveLossGrad) Cost(_ tensor.Shape, in []tensor.Shape) Cost {
	return Cost{Flops: 4 * int64(volume(in[0])) * int64(in[0][0]), Bytes: moved(in[0], in[1], in[0])}
}
