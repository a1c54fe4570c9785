package kernel

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

type countTask struct {
	seen []atomic.Int32
	busy []atomic.Int32
	bad  atomic.Int32
}

func (c *countTask) Do(worker, i int) {
	if c.busy[worker].Add(1) != 1 {
		c.bad.Add(1)
	}
	c.seen[i].Add(1)
	c.busy[worker].Add(-1)
}

func TestPoolRunsEveryPieceOnce(t *testing.T) {
	for _, threads := range []int{1, 2, 3, 8} {
		p := NewPool(threads)
		for round := range 300 {
			n := round % 70
			c := &countTask{seen: make([]atomic.Int32, n), busy: make([]atomic.Int32, threads)}
			p.Run(n, c)
			for i := range c.seen {
				if got := c.seen[i].Load(); got != 1 {
					t.Fatalf("%d threads, n=%d: piece %d ran %d times, want once", threads, n, i, got)
				}
			}
			if c.bad.Load() != 0 {
				t.Fatalf("%d threads: two pieces ran at once as the same worker", threads)
			}
			if round%100 == 99 {
				time.Sleep(2 * time.Millisecond) // let the workers park
			}
		}
		p.Close()
	}
}

func TestPoolSharedByCallers(t *testing.T) {
	p := NewPool(3)
	defer p.Close()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				c := &countTask{seen: make([]atomic.Int32, 9), busy: make([]atomic.Int32, 3)}
				p.Run(len(c.seen), c)
				for i := range c.seen {
					if c.seen[i].Load() != 1 {
						t.Errorf("piece %d ran %d times, want once", i, c.seen[i].Load())
					}
				}
			}
		})
	}
	wg.Wait()
}

type failTask struct{ err error }

func (f failTask) Do(_, i int) {
	if i == 5 {
		panic(f.err)
	}
}

func TestPoolCarriesPanic(t *testing.T) {
	cause := errors.New("the cause")
	serve := NewPool(2)
	defer serve.Close()
	for name, p := range map[string]*Pool{"nil": nil, "two": serve} {
		err := func() (err error) {
			defer func() { err, _ = recover().(error) }()
			p.Run(20, failTask{cause})
			return nil
		}()
		var pe *PanicError
		if !errors.As(err, &pe) || !errors.Is(err, cause) || len(pe.Stack) == 0 {
			t.Errorf("%s: Run panicked with %v, want a *PanicError that carries %v and a stack", name, err, cause)
		}
		c := &countTask{seen: make([]atomic.Int32, 20), busy: make([]atomic.Int32, 2)}
		p.Run(20, c) // and the pool lives on
		if c.seen[19].Load() != 1 {
			t.Errorf("%s: the pool does not work after a panic", name)
		}
	}
}

func TestPoolCloseEndsWorkers(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, pause := range []time.Duration{0, 5 * time.Millisecond} { // spinning and parked
		p := NewPool(4)
		p.Run(8, &countTask{seen: make([]atomic.Int32, 8), busy: make([]atomic.Int32, 4)})
		time.Sleep(pause)
		p.Close()
		p.Close()
	}
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, want %d", runtime.NumGoroutine(), before)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestPoolRunDoesNotAllocate(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	c := &countTask{seen: make([]atomic.Int32, 8), busy: make([]atomic.Int32, 2)}
	if n := testing.AllocsPerRun(100, func() { p.Run(8, c) }); n != 0 {
		t.Errorf("Run allocates %v times, want 0", n)
	}
}

func BenchmarkPoolRun(b *testing.B) {
	p := NewPool(2)
	defer p.Close()
	c := &countTask{seen: make([]atomic.Int32, 2), busy: make([]atomic.Int32, 2)}
	for b.Loop() {
		p.Run(2, c)
	}
}
