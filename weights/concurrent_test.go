package weights

import (
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// TestConcurrentUse reads all tensors of a compressed archive from several goroutines; the race
// detector watches the shared unpacked member.
func TestConcurrentUse(t *testing.T) {
	f, err := Open(filepath.Join(goldenDir, "deflated.pt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := make(map[string][]byte)
	for _, info := range f.Tensors() {
		x, _ := f.Tensor(info.Name)
		if want[info.Name], err = x.Bytes(); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, info := range f.Tensors() {
				x, err := f.Tensor(info.Name)
				if err != nil {
					t.Error(err)
					return
				}
				err = f.Guard(func() error {
					b, err := x.Bytes()
					if !slices.Equal(b, want[info.Name]) {
						t.Errorf("%q changed", info.Name)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
