package kernel

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func init() {
	if benchThreads == 1 {
		now = func() time.Duration {
			var t unix.Timespec
			_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t)
			return time.Duration(t.Nano())
		}
	}
}

// readOnly returns a copy of s that ends right before a page that cannot be
// read, in memory that cannot be written: reading past the end and writing
// anywhere both fault.
func readOnly[T any](t *testing.T, s []T) []T {
	t.Helper()
	if len(s) == 0 {
		return s
	}
	page := os.Getpagesize()
	size := len(s) * int(unsafe.Sizeof(s[0]))
	pages := (size + page - 1) / page * page
	memory, err := syscall.Mmap(-1, 0, pages+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(memory); err != nil {
			t.Error(err)
		}
	})
	protected := unsafe.Slice((*T)(unsafe.Pointer(&memory[pages-size])), len(s))
	copy(protected, s)
	for _, part := range []struct {
		memory []byte
		access int
	}{{memory[:pages], syscall.PROT_READ}, {memory[pages:], syscall.PROT_NONE}} {
		if err := syscall.Mprotect(part.memory, part.access); err != nil {
			t.Fatal(err)
		}
	}
	return protected
}

// Operands are only read, and never beyond their end.
func TestOperandsAreOnlyRead(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := newRand(1)
		for _, rows := range []int{1, 2, 3, 6, 7, 13, 14, 15, 16, 17, 20} {
			for _, size := range []struct{ out, in int }{{1, 1}, {33, 7}, {37, 21}, {64, 64}, {530, 18}} {
				x := readOnly(t, normal(r, rows*size.in))
				w := readOnly(t, normal(r, size.out*size.in))
				bias, residual := readOnly(t, normal(r, size.out)), readOnly(t, normal(r, rows*size.out))
				dst := make([]float32, rows*size.out)
				for _, order := range []Order{OutIn, InOut} {
					for _, precision := range []Precision{F32, BF16, Int8} {
						m := NewMatrixPrecision(w, size.out, size.in, order, precision)
						e := Epilogue{Bias: bias, Scale: bias, Residual: residual, Act: GELU}
						m.Linear(nil, dst, x, rows, e)
						panels := *m.Panels(nil)
						panels.Words = readOnly(t, panels.Words)
						panels.Scale, panels.Correction = readOnly(t, panels.Scale), readOnly(t, panels.Correction)
						packed, err := NewMatrixPanels(panels)
						if err != nil {
							t.Fatal(err)
						}
						packed.Linear(nil, dst, x, rows, e)
					}
				}
				LayerNorm(nil, dst, residual, rows, size.out, bias, bias, 1e-5)
				Normalize(nil, dst, residual, rows, size.out)
				Softmax(nil, dst, residual, rows, size.out)
				Activate(nil, dst, residual, QuickGELU)
				Add(nil, dst, residual, residual)
				Exp(dst, residual)
				TopK(residual, 1, make([]int32, 1))
				narrow := make([]uint16, len(residual))
				F32ToBF16(narrow, residual)
				BF16ToF32(dst, readOnly(t, narrow))
				F16ToF32(dst, readOnly(t, narrow))
			}
		}
		for i, c := range attentionCases {
			if c.tk > 300 {
				continue
			}
			a, dst := c.make(uint64(i))
			d := c.heads * c.headDim
			if c.fused { // the last row of V ends the tensor
				qkv := readOnly(t, a.Q)
				a.Q, a.K, a.V = qkv, qkv[d:], qkv[2*d:]
			} else {
				a.Q, a.K, a.V = readOnly(t, a.Q), readOnly(t, a.K), readOnly(t, a.V)
			}
			a.Run(nil)
			dst.check(t, c.String())
		}
		const image = 3 * 10 * 11
		Patches(nil, make([]float32, image), readOnly(t, normal(r, image)), 1, 3, 10, 11, 3)
		Embed(nil, make([]float32, 3*7), readOnly(t, []int32{4, 0, 4}), readOnly(t, normal(r, 5*7)), 7)
	})
}

// A mapped file that shrinks while a kernel reads it is an error that the caller
// of the kernel can recover, whichever thread met it.
func TestShrunkFileIsAnError(t *testing.T) {
	const out, in = 256, 1024
	pool := NewPool(3)
	defer pool.Close()
	eachISA(t, func(t *testing.T) {
		for _, p := range []*Pool{nil, pool} {
			for _, rows := range []int{1, 20} { // from the file, and packing it
				for _, order := range []Order{OutIn, InOut} {
					path := filepath.Join(t.TempDir(), "weight")
					if err := os.WriteFile(path, make([]byte, 4*out*in), 0o666); err != nil {
						t.Fatal(err)
					}
					f, err := os.OpenFile(path, os.O_RDWR, 0)
					if err != nil {
						t.Fatal(err)
					}
					memory, err := syscall.Mmap(int(f.Fd()), 0, 4*out*in, syscall.PROT_READ, syscall.MAP_SHARED)
					if err != nil {
						t.Fatal(err)
					}
					m := NewMatrix(unsafe.Slice((*float32)(unsafe.Pointer(&memory[0])), out*in), out, in, order)
					if err := f.Truncate(4096); err != nil {
						t.Fatal(err)
					}
					err = func() (err error) {
						defer func() { err, _ = recover().(error) }()
						m.Linear(p, make([]float32, rows*out), make([]float32, rows*in), rows, Epilogue{})
						return nil
					}()
					var failed *PanicError
					var cause runtime.Error
					if !errors.As(err, &failed) || !errors.As(err, &cause) {
						t.Errorf("%s: got %v, want a *PanicError that carries a runtime.Error", fmt.Sprint(p.Threads(), rows, order), err)
					}
					if err := errors.Join(syscall.Munmap(memory), f.Close()); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		// And the pool goes on.
		m := NewMatrix(make([]float32, 32*32), 32, 32, OutIn)
		m.Linear(pool, make([]float32, 32*40), make([]float32, 32*40), 40, Epilogue{})
	})
}
