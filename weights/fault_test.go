package weights

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
)

// mapped writes a file of one F32 tensor "x" of n elements, all 1, and one F16 tensor "h", and opens
// it. It returns a function that shortens the file.
func mapped(t *testing.T, n int) (*File, func(size int64)) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not let a mapped file shrink")
	}
	data := make([]float32, n)
	for i := range data {
		data[i] = 1
	}
	x, err1 := Float32Item("x", []int{n}, data, F32)
	h, err2 := Float32Item("h", []int{n}, data, F16)
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := errorsOf(err1, err2, WriteSafetensors(t.Context(), path, []Item{x, h}, WriteOptions{})); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, func(size int64) {
		if err := os.Truncate(path, size); err != nil {
			t.Error(err)
		}
	}
}

func sum(v []float32) (s float64) {
	for _, x := range v {
		s += float64(x)
	}
	return s
}

func view(t *testing.T, f *File) []float32 {
	t.Helper()
	x, err := f.Tensor("x")
	if err != nil {
		t.Fatal(err)
	}
	v, err := x.Float32()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func wantFault(t *testing.T, err error, touched bool) {
	t.Helper()
	var fault *FaultError
	if !errors.As(err, &fault) {
		t.Fatalf("error %v of type %T, want a FaultError", err, err)
	}
	if fault.Path == "" || fault.Now >= fault.Size || touched != (fault.Err != nil) {
		t.Errorf("FaultError %+v", fault)
	}
}

const pages = 64 // of 1024 elements each

func TestGuardShrunkWhileRunning(t *testing.T) {
	f, shrink := mapped(t, pages<<10)
	v := view(t, f)
	if err := f.Guard(func() error {
		if s := sum(v); s != pages<<10 {
			t.Errorf("sum %v", s)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	before := debug.SetPanicOnFault(false)
	debug.SetPanicOnFault(before)
	err := f.Guard(func() error {
		shrink(8192)
		t.Errorf("read %v from pages that are gone", sum(v))
		return nil
	})
	wantFault(t, err, true)
	if after := debug.SetPanicOnFault(before); after != before {
		t.Errorf("Guard left SetPanicOnFault at %v", after)
	}
	// The package's own readers, and whoever guards from now on, are told before they touch anything.
	h, _ := f.Tensor("h")
	_, err = h.Float32()
	wantFault(t, err, false)
	wantFault(t, f.Check(), false)
	wantFault(t, f.Guard(func() error { t.Error("fn ran on a file that is too short"); return nil }), false)
}

// TestGuardCopy faults inside the runtime's own memory move.
func TestGuardCopy(t *testing.T) {
	f, shrink := mapped(t, pages<<10)
	x, _ := f.Tensor("x")
	b, err := x.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	to := make([]byte, len(b))
	err = f.Guard(func() error {
		shrink(4096)
		copy(to, b)
		return nil
	})
	wantFault(t, err, true)
}

// TestGuardShrunkWithinPage loses the end of one page: nothing faults, zeros are read.
func TestGuardShrunkWithinPage(t *testing.T) {
	f, shrink := mapped(t, pages<<10)
	v := view(t, f)
	err := f.Guard(func() error {
		shrink(f.Size() - 100)
		runtime.KeepAlive(sum(v))
		return nil
	})
	wantFault(t, err, false)
}

// TestGuardWorkerPool follows the package documentation: faults on other goroutines.
func TestGuardWorkerPool(t *testing.T) {
	f, shrink := mapped(t, pages<<10)
	v := view(t, f)
	tasks, failed := make(chan func()), make(chan any, pages)
	done := make(chan struct{})
	for range 2 {
		go func() {
			debug.SetPanicOnFault(true)
			for task := range tasks {
				func() {
					defer func() {
						if v := recover(); v != nil {
							failed <- v
						}
					}()
					task()
				}()
			}
			done <- struct{}{}
		}()
	}
	err := f.Guard(func() error {
		shrink(4096)
		for i := range pages {
			tasks <- func() { runtime.KeepAlive(sum(v[i<<10 : (i+1)<<10])) }
		}
		close(tasks)
		<-done
		<-done
		select {
		case v := <-failed:
			panic(v)
		default:
			return nil
		}
	})
	wantFault(t, err, true)
}

func TestGuardPassesOthers(t *testing.T) {
	f, _ := mapped(t, 16)
	boom := errors.New("boom")
	if err := f.Guard(func() error { return boom }); !errors.Is(err, boom) {
		t.Errorf("error %v, want boom", err)
	}
	for _, want := range []any{"a panic", boom} {
		func() {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("recovered %v, want %v", got, want)
				}
			}()
			f.Guard(func() error { panic(want) })
			t.Error("the panic was swallowed")
		}()
	}
	// A fault elsewhere is a defect of the program, not of the file.
	func() {
		defer func() {
			if _, ok := recover().(runtime.Error); !ok {
				t.Error("want the runtime's own error")
			}
		}()
		var p *int
		f.Guard(func() error { *p = 1; return nil })
	}()
}

func TestConvertShrunk(t *testing.T) {
	f, shrink := mapped(t, 1<<20)
	dst := filepath.Join(t.TempDir(), "y.safetensors")
	err := Convert(t.Context(), f.Path(), dst, ConvertOptions{Progress: func(int64, int64) { shrink(4096) }})
	var fault *FaultError
	if !errors.As(err, &fault) {
		t.Errorf("error %v, want a FaultError", err)
	}
	if _, err := os.Stat(dst); !os.IsNotExist(err) {
		t.Errorf("the target exists: %v", err)
	}
}

func TestClose(t *testing.T) {
	f, _ := mapped(t, 16)
	x, _ := f.Tensor("x")
	if err := errorsOf(f.Close(), f.Close()); err != nil {
		t.Error(err)
	}
	if _, err := x.Float32(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v, want os.ErrClosed", err)
	}
	if _, err := x.Bytes(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v, want os.ErrClosed", err)
	}
	if _, err := (Tensor{}).Bytes(); !typed(err) {
		t.Errorf("zero Tensor: %v", err)
	}
}

// TestFloat32IsView checks that an aligned F32 tensor is not copied, and that releasing its pages
// does not change what is read.
func TestFloat32IsView(t *testing.T) {
	f, _ := mapped(t, pages<<10)
	x, _ := f.Tensor("x")
	if n := testing.AllocsPerRun(10, func() { x.Float32() }); n > 8 {
		t.Errorf("%v allocations for a view", n)
	}
	v, w := view(t, f), view(t, f)
	if &v[0] != &w[0] {
		t.Error("two calls gave two copies")
	}
	if err := x.Release(); err != nil {
		t.Error(err)
	}
	if s := sum(v); s != pages<<10 {
		t.Errorf("sum %v after Release", s)
	}
	if _, err := f.Tensor("y"); !typed(err) {
		t.Errorf("missing tensor: %v", err)
	}
}
