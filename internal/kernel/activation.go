package kernel

import "math"

// Activation is the element-wise function at the end of a linear map.
type Activation uint8

const (
	None      Activation = iota
	GELU                 // x·Φ(x) with the exact normal distribution, ½x(1+erf(x/√2))
	QuickGELU            // x·σ(1.702x)
)

func (a Activation) String() string { return [...]string{"none", "gelu", "quickgelu"}[a] }

// Activate applies a to src and stores the result in dst, which may be src.
func Activate(p *Pool, dst, src []float32, a Activation) {
	f := p.frame()
	f.elements = elementsTask{dst: dst[:len(src)], src: src, act: a}
	p.Run((len(src)+elementChunk-1)/elementChunk, &f.elements)
	p.release(f)
}

// Add stores a+b in dst, which may be either of them.
func Add(p *Pool, dst, a, b []float32) {
	f := p.frame()
	f.elements = elementsTask{dst: dst[:len(a)], src: a, add: b[:len(a)]}
	p.Run((len(a)+elementChunk-1)/elementChunk, &f.elements)
	p.release(f)
}

const elementChunk = 1 << 14 // elements in one piece of work

// elementsTask stores act(src) + add in dst.
type elementsTask struct {
	dst, src, add []float32
	act           Activation
}

func (t *elementsTask) Do(_, i int) {
	from, to := i*elementChunk, min((i+1)*elementChunk, len(t.src))
	var add []float32
	if t.add != nil {
		add = t.add[from:to]
	}
	inner.epilogue(1, to-from, t.dst[from:to], 0, t.src[from:to], 0, nil, nil, add, 0, t.act)
}

// apply is the activation of one value.
func (a Activation) apply(x float32) float32 {
	switch a {
	case GELU:
		return geluGeneric(x)
	case QuickGELU:
		return quickGELUGeneric(x)
	}
	return x
}

// geluGeneric keeps its relative accuracy in the left tail by using erfc:
// 1+erf(t) = erfc(-t).
func geluGeneric(x float32) float32 {
	if math.IsInf(float64(x), -1) {
		return 0
	}
	return float32(0.5 * float64(x) * math.Erfc(-float64(x)/math.Sqrt2))
}

func quickGELUGeneric(x float32) float32 {
	if math.IsInf(float64(x), -1) {
		return 0
	}
	return float32(float64(x) / (1 + math.Exp(-1.702*float64(x))))
}

// Exp stores e^src in dst, which may be src.
func Exp(dst, src []float32) { inner.exp(dst[:len(src)], src) }

func expGeneric(dst, src []float32) {
	for i, x := range src {
		dst[i] = float32(math.Exp(float64(x)))
	}
}

// Softmax stores the softmax of each row of x [rows, width] in dst, which may be
// x. A row that is -Inf throughout becomes NaN.
func Softmax(p *Pool, dst, x []float32, rows, width int) {
	f := p.frame()
	f.softmax = softmaxTask{dst[:rows*width], x[:rows*width], width}
	p.Run(rows, &f.softmax)
	p.release(f)
}

type softmaxTask struct {
	dst, x []float32
	width  int
}

func (t *softmaxTask) Do(_, i int) {
	inner.softmax(t.dst[i*t.width:][:t.width], t.x[i*t.width:][:t.width], 1)
}

func softmaxGeneric(dst, x []float32, scale float32) {
	top := float32(math.Inf(-1))
	for _, v := range x {
		top = max(top, v)
	}
	var sum float64
	for i, v := range x {
		e := float32(math.Exp(float64(scale) * (float64(v) - float64(top))))
		dst[i] = e
		sum += float64(e)
	}
	for i := range x {
		dst[i] = float32(float64(dst[i]) / sum)
	}
}

func softmaxColumnsGeneric(n int, x []float32, scale float32, inverse []float32) {
	for j := range panelWidth {
		top := float32(math.Inf(-1))
		for i := range n {
			top = max(top, x[i*panelWidth+j])
		}
		var sum float64
		for i := range n {
			v := &x[i*panelWidth+j]
			*v = float32(math.Exp(float64(scale) * (float64(*v) - float64(top))))
			sum += float64(*v)
		}
		inverse[j] = float32(1 / sum)
	}
}
