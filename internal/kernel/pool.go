package kernel

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// A Task is work that can be cut into independent pieces. Do computes piece i;
// worker, in [0, Threads()), tells which of the pool's threads runs it and may
// select private scratch memory. Two calls with the same worker never overlap
// within one Run.
type Task interface {
	Do(worker, i int)
}

// Pool is a fixed set of threads that kernels split their work over. Idle
// workers spin for a moment, so that a chain of short kernels starts without
// delay, and then park. The nil *Pool is valid and runs everything on the
// caller's goroutine.
//
// A Pool may be used by several goroutines at once; their Runs take turns.
type Pool struct {
	threads int
	turn    sync.Mutex // held for the whole of a Run
	workers []*worker

	// The job on offer. task and n are written before state opens a new
	// generation and read only by workers that have joined that generation.
	task   Task
	groups int           // of pieces
	next   []group       // one for each thread; the first groups are in use
	state  atomic.Uint64 // generation<<32 | open<<31 | workers inside
	_      [64]byte
	failed atomic.Pointer[PanicError]
	closed atomic.Bool
	caller atomic.Int32 // the processor that the caller of Run was on

	waiting atomic.Bool   // the caller is blocked until the last worker leaves,
	done    chan struct{} // which then sends here

	frames frameList
	slab   slab // of panels
	ahead  ahead
}

const stateOpen = 1 << 31

// group is a run of pieces that are handed out one after another.
type group struct {
	at, end atomic.Int64
	_       [64 - 16]byte // no other group in this cache line
}

type worker struct {
	asleep    atomic.Bool
	wake      chan struct{}
	processor atomic.Int32 // where it was when it last looked
	looked    time.Time    // when that was; zero: since then it has slept
	_         [64]byte     // no other worker in this cache line
}

// PanicError is what Run panics with when a task panicked on any thread. It is
// an error so that a caller can recover it and return it; when the cause was an
// error too, such as the fault of a mapped file that shrank, errors.As sees it.
type PanicError struct {
	Value any    // what the task panicked with
	Stack []byte // the stack of the thread that panicked
}

func (e *PanicError) Error() string { return fmt.Sprintf("kernel: task failed: %v", e.Value) }

// Unwrap returns the cause when it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// NewPool returns a pool of the given number of threads, the caller of Run
// counted as one of them; fewer than one means as many as there are processors.
func NewPool(threads int) *Pool {
	if threads < 1 {
		threads = runtime.GOMAXPROCS(0)
	}
	p := &Pool{threads: threads, next: make([]group, threads), done: make(chan struct{}, 1)}
	for id := 1; id < threads; id++ {
		w := &worker{wake: make(chan struct{}, 1)}
		p.workers = append(p.workers, w)
		go p.serve(w, id)
	}
	return p
}

// Threads is the number of pieces that can be worked on at the same time.
func (p *Pool) Threads() int {
	if p == nil {
		return 1
	}
	return p.threads
}

// Close ends the workers. The pool must not be used afterwards.
func (p *Pool) Close() {
	if p == nil {
		return
	}
	p.turn.Lock()
	defer p.turn.Unlock()
	if p.closed.Swap(true) {
		return
	}
	for _, w := range p.workers {
		w.rouse()
	}
}

// Run calls t.Do(worker, i) once for every i in [0, n) and returns when all
// are done. Pieces are handed out one at a time, in order, to whichever thread
// is free. If a piece panics, the remaining ones are skipped and Run panics
// with a *PanicError; so does a memory fault inside a piece.
func (p *Pool) Run(n int, t Task) { p.RunGroups(n, 1, t) }

// RunGroups is Run for pieces in groups of equal size, n·g/groups to n·(g+1)/groups: a
// thread takes those of one group, always the same one, before it helps with others. Where
// a kernel's groups are the rows that the kernel before it has left in a thread's caches, less has
// to move from one processor's caches to another's. groups is at most Threads().
func (p *Pool) RunGroups(n, groups int, t Task) {
	if n <= 0 {
		return
	}
	if p == nil || p.threads == 1 || n == 1 {
		if e := runSerially(n, t); e != nil {
			panic(e)
		}
		return
	}
	p.turn.Lock()
	defer p.turn.Unlock()
	p.task, p.groups = t, groups
	for g := range groups {
		p.next[g].at.Store(int64(g * n / groups))
		p.next[g].end.Store(int64((g + 1) * n / groups))
	}
	p.failed.Store(nil)
	p.caller.Store(processor())
	generation := p.state.Load()>>32 + 1
	p.state.Store(generation<<32 | stateOpen)
	for _, w := range p.workers[:min(len(p.workers), n-1)] {
		w.rouse()
	}
	p.work(0)
	for { // close the job: a worker that has not joined yet need not be waited for
		s := p.state.Load()
		if p.state.CompareAndSwap(s, s&^stateOpen) {
			break
		}
	}
	p.wait()
	p.task = nil
	if e := p.failed.Load(); e != nil {
		panic(e)
	}
}

// wait returns when no worker is inside the job any more. It spins for a moment
// and then blocks: a worker that takes long may need this very processor.
func (p *Pool) wait() {
	for range patience {
		if uint32(p.state.Load()) == 0 {
			return
		}
		p.ahead.fetch()
	}
	p.waiting.Store(true)
	if uint32(p.state.Load()) == 0 && p.waiting.CompareAndSwap(true, false) {
		return
	}
	<-p.done
}

// leave ends a worker's part in the job.
func (p *Pool) leave() {
	if uint32(p.state.Add(^uint64(0))) == 0 && p.waiting.CompareAndSwap(true, false) {
		p.done <- struct{}{}
	}
}

// patience is how many loads of an unchanged word a thread spins for before it
// parks, some tens of microseconds.
const patience = 1 << 14

// work takes pieces until none is left, first those of the thread's own group.
func (p *Pool) work(id int) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if v := recover(); v != nil {
			p.failed.CompareAndSwap(nil, newPanicError(v))
			for g := range p.groups {
				p.next[g].end.Store(0)
			}
		}
	}()
	home := id * p.groups / p.threads
	for g := range p.groups {
		next := &p.next[(home+g)%p.groups]
		for i := next.at.Add(1) - 1; i < next.end.Load(); i = next.at.Add(1) - 1 {
			p.task.Do(id, int(i))
		}
	}
}

func runSerially(n int, t Task) (err *PanicError) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if v := recover(); v != nil {
			err = newPanicError(v)
		}
	}()
	for i := range n {
		t.Do(0, i)
	}
	return nil
}

func newPanicError(v any) *PanicError {
	if e, ok := v.(*PanicError); ok {
		return e
	}
	return &PanicError{Value: v, Stack: debug.Stack()}
}

// serve is the life of a worker: join every job that opens, park when none does.
func (p *Pool) serve(w *worker, id int) {
	seen := uint64(0)
	for idle := 0; !p.closed.Load(); {
		s := p.state.Load()
		if s&stateOpen != 0 && s>>32 != seen {
			if p.state.CompareAndSwap(s, s+1) {
				seen = s >> 32
				p.spread(w)
				p.work(id)
				p.leave()
				idle = 0
			}
			continue
		}
		if idle++; idle < patience {
			p.ahead.fetch()
			if idle%1024 == 0 {
				runtime.Gosched()
			}
			continue
		}
		idle = 0
		w.asleep.Store(true)
		if s := p.state.Load(); (s&stateOpen != 0 && s>>32 != seen) || p.closed.Load() {
			w.asleep.Store(false)
			continue
		}
		<-w.wake
		w.looked = time.Time{}
	}
}

// spread moves a worker that finds itself on the processor of the caller or of a
// worker before it. A system that wakes a thread while every processor has
// something to do, be it a program of little importance, may put it on the very
// one that the caller runs on; there it would stay until the load is balanced,
// which takes longer than a tower does, and both would run at half speed.
func (p *Pool) spread(w *worker) {
	now := time.Now()
	if now.Sub(w.looked) < lookInterval {
		return
	}
	w.looked = now
	here := processor()
	w.processor.Store(here)
	if here >= 0 && p.takenBefore(w, here) {
		leaveProcessors(func(cpu int) bool { return p.takenBefore(w, int32(cpu)) })
		w.processor.Store(processor())
	}
}

// lookInterval is the least time between two looks of a worker that does not sleep.
const lookInterval = time.Millisecond

// takenBefore tells whether the caller or a worker before w was last on a processor.
func (p *Pool) takenBefore(w *worker, cpu int32) bool {
	if p.caller.Load() == cpu {
		return true
	}
	for _, other := range p.workers {
		if other == w {
			break
		}
		if other.processor.Load() == cpu {
			return true
		}
	}
	return false
}

// rouse wakes a parked worker; it costs one load if the worker is awake.
func (w *worker) rouse() {
	if w.asleep.Load() && w.asleep.CompareAndSwap(true, false) {
		select {
		case w.wake <- struct{}{}:
		default: // a token left from a race is waiting already
		}
	}
}
