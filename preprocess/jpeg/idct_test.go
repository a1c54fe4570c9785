package jpeg

import (
	"math/rand/v2"
	"testing"
)

// shapeOf describes a block as decodeBlock does.
func shapeOf(blk *block) (s shape) {
	s.sum = magnitude(blk[0])
	for k := 1; k < 64; k++ {
		z := zigzag[k]
		if blk[z] != 0 {
			s.columns |= columnBit[z]
			s.nonzero |= 1 << k
			s.sum += magnitude(blk[z])
		}
	}
	return s
}

// TestPlainTransforms checks that the fast transforms equal the exact one on
// everything they are used for, up to the bound.
func TestPlainTransforms(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	used := map[string]int{}
	for range 200000 {
		var blk block
		budget := 1 + r.IntN(plainSum-1)
		last := r.IntN(64)
		for k := r.IntN(last + 1); budget > 0; k = r.IntN(last + 1) {
			v := 1 + r.IntN(budget)
			if budget -= v; r.IntN(2) == 0 {
				v = -v
			}
			if z := zigzag[k]; blk[z] == 0 {
				blk[z] = int16(v)
			}
		}
		s := shapeOf(&blk)
		if s.sum > plainSum {
			t.Fatalf("sum %d of a block within %d", s.sum, plainSum)
		}
		switch {
		case s.nonzero == 0:
			used["DC"]++
		case s.nonzero < 1<<10:
			used["4x4"]++
		default:
			used["8x8"]++
		}
		var got, want [64]byte
		idct(got[:], 8, &blk, s)
		idctExact(want[:], 8, &blk, s.columns != 0)
		if got != want {
			t.Fatalf("block %v: got %v, want %v", blk, got, want)
		}
	}
	for _, name := range []string{"DC", "4x4", "8x8"} {
		if used[name] < 1000 {
			t.Errorf("%s transform used %d times only", name, used[name])
		}
	}
}

func BenchmarkIDCT(b *testing.B) {
	var blk block
	var dst [64]byte
	for name, last := range map[string]int{"DC": 0, "4x4": 9, "8x8": 63} {
		for k := range last + 1 {
			blk[zigzag[k]] = int16(60 - k)
		}
		s := shapeOf(&blk)
		b.Run(name, func(b *testing.B) {
			for range b.N {
				idct(dst[:], 8, &blk, s)
			}
		})
		b.Run(name+"-exact", func(b *testing.B) {
			for range b.N {
				idctExact(dst[:], 8, &blk, s.columns != 0)
			}
		})
		blk = block{}
	}
}
