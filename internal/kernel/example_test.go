package kernel_test

import (
	"fmt"

	"github.com/seed-e0874532/coca/internal/kernel"
)

// A linear layer with bias and residual over two rows.
func ExampleMatrix_Linear() {
	pool := kernel.NewPool(2)
	defer pool.Close()
	weight := kernel.NewMatrix([]float32{
		1, 0, 0,
		0, 2, 1,
	}, 2, 3, kernel.OutIn)
	x := []float32{
		1, 2, 3,
		4, 5, 6,
	}
	y := []float32{10, 10, 20, 20} // the residual, replaced by the result
	weight.Linear(pool, y, x, 2, kernel.Epilogue{Bias: []float32{0, 1}, Residual: y})
	fmt.Println(y)
	// Output: [11 18 24 37]
}

// Causal self-attention over a fused tensor: row i holds q, k and v of token i.
func ExampleAttention() {
	const tokens, heads, headDim = 2, 1, 2
	const d = heads * headDim
	qkv := []float32{
		1, 0 /**/, 1, 0 /**/, 3, 4,
		0, 0 /**/, 5, 5 /**/, 5, 6,
	}
	out := make([]float32, tokens*d)
	attention := kernel.Attention{
		Batch: 1, Heads: heads, HeadDim: headDim, TQ: tokens, TK: tokens,
		Q: qkv, K: qkv[d:], V: qkv[2*d:], QRow: 3 * d, KRow: 3 * d, VRow: 3 * d,
		Causal: true, Dst: out,
	}
	attention.Run(nil)
	fmt.Println(out) // the second query is zero and weighs both keys alike
	// Output: [3 4 4 5]
}

func ExampleTopK() {
	best := make([]int32, 3)
	kernel.TopK([]float32{1, 7, 7, 3}, 3, best)
	fmt.Println(best)
	// Output: [1 2 3]
}
