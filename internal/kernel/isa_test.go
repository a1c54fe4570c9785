package kernel

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestChooseLevel(t *testing.T) {
	have := availableLevels()
	if l, err := chooseLevel(""); err != nil || l != have[len(have)-1] {
		t.Errorf(`chooseLevel("") = %v, %v, want the best, %v`, l, err, have[len(have)-1])
	}
	for _, name := range append(levelNames[:], "sse9", "AVX2") {
		l, err := chooseLevel(name)
		i := slices.IndexFunc(have, func(l level) bool { return l.String() == name })
		if i >= 0 {
			if err != nil || l != have[i] {
				t.Errorf("chooseLevel(%q) = %v, %v", name, l, err)
			}
			continue
		}
		var refused *ISAError
		if !errors.As(err, &refused) || refused.Want != name || len(refused.Have) != len(have) || l != levelGeneric {
			t.Errorf("chooseLevel(%q) = %v, %v, want generic and an *ISAError", name, l, err)
		} else if !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "generic") {
			t.Errorf("%q does not name what was wanted and what there is", err)
		}
	}
}

func TestEveryLevelHasItsLoops(t *testing.T) {
	for _, l := range availableLevels() {
		if opsOf[l] == nil {
			t.Errorf("%v: no inner loops", l)
		}
	}
	if ISA() != active.String() || CheckISA() != activeErr {
		t.Error("ISA and CheckISA do not report what is in use")
	}
}

// Several goroutines may use a Matrix before it is packed.
func TestMatrixIsSafeForConcurrentUse(t *testing.T) {
	const rows, out, in = 20, 64, 48
	x, w := normal(newRand(1), rows*in), normal(newRand(2), out*in)
	want := make([]float32, rows*out)
	NewMatrix(w, out, in, OutIn).Linear(nil, want, x, rows, Epilogue{})
	pool := NewPool(2)
	defer pool.Close()
	m := NewMatrix(w, out, in, OutIn)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			p := pool
			if i%2 == 0 {
				p = nil
			}
			n := rows
			if i%3 == 0 {
				n = 4
			}
			dst := make([]float32, n*out)
			m.Linear(p, dst, x, n, Epilogue{})
			for i, v := range dst {
				if d := v - want[i]; d > 1e-4 || d < -1e-4 {
					t.Errorf("[%d] = %v, want %v", i, v, want[i])
					return
				}
			}
		})
	}
	wg.Wait()
}
