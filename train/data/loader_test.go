package data

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/seed-e0874532/coca/preprocess"
)

const side = 8

// records is a source for tests; a nil record is a fatal error.
type records []any

func (s records) Len() int { return len(s) }

func (s records) Records(int) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for _, x := range s {
			r, _ := x.(Record)
			err, _ := x.(error)
			if !yield(r, err) {
				return
			}
		}
	}
}

// pictureFiles writes n different pictures; the third is cut short.
func pictureFiles(t testing.TB, n int) (s records) {
	t.Helper()
	dir := t.TempDir()
	for i := range n {
		name := filepath.Join(dir, fmt.Sprintf("%d.png", i))
		img := image.NewNRGBA(image.Rect(0, 0, 20+i, 30))
		for y := range 30 {
			for x := range 20 + i {
				img.Set(x, y, color.NRGBA{uint8(x * 9), uint8(y * 7), uint8(i * 20), 255})
			}
		}
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(f, img); err != nil {
			t.Fatal(err)
		}
		if i == 2 {
			f.Truncate(60)
		}
		f.Close()
		s = append(s, Record{Name: name, Path: name, Caption: fmt.Sprint("caption ", i)})
	}
	return s
}

func options(batch int) Options {
	crop := Crop{Scale: [2]float64{0.3, 1}, Ratio: DefaultCrop.Ratio}
	return Options{Batch: batch, Transform: Transform{Model: preprocess.DefaultConfig(side), Crop: &crop}, Workers: 2, Seed: 3}
}

// all reads an epoch to its end.
func all(t testing.TB, s Source, epoch int, o Options) (batches []*Batch) {
	t.Helper()
	l, err := Load(context.Background(), s, epoch, o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for {
		b, err := l.Next()
		if err == io.EOF {
			if _, err := l.Next(); err != io.EOF {
				t.Errorf("after the end: %v", err)
			}
			return batches
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Pixels) != len(b.Captions)*3*side*side || len(b.Names) != len(b.Captions) {
			t.Errorf("a batch of %d captions has %d pixels and %d names", len(b.Captions), len(b.Pixels), len(b.Names))
		}
		batches = append(batches, b)
	}
}

func TestLoaderSkipsAndNames(t *testing.T) {
	s := pictureFiles(t, 9)
	s[5] = Record{Name: "nowhere", Path: filepath.Join(t.TempDir(), "nowhere.png")}
	s = append(s, &SampleError{"torn", io.ErrUnexpectedEOF})
	o := options(3)
	var skipped []string
	o.Skipped = func(e *SampleError) { skipped = append(skipped, e.Name) }
	batches := all(t, s, 0, o)
	if len(batches) != 2 { // of 7 good ones
		t.Fatalf("%d batches, want 2", len(batches))
	}
	got := slices.Concat(batches[0].Captions, batches[1].Captions)
	if want := []string{"caption 0", "caption 1", "caption 3", "caption 4", "caption 6", "caption 7"}; !slices.Equal(got, want) {
		t.Errorf("captions %v, want %v", got, want)
	}
	if want := []string{s[2].(Record).Name, "nowhere", "torn"}; !slices.Equal(skipped, want) {
		t.Errorf("skipped %v, want %v", skipped, want)
	}
	if batches[0].Records != 4 || batches[1].Records != 8 {
		t.Errorf("batches end at records %d and %d, want 4 and 8", batches[0].Records, batches[1].Records)
	}
	o.Partial = true
	if batches = all(t, s, 0, o); len(batches) != 3 || !slices.Equal(batches[2].Captions, []string{"caption 8"}) {
		t.Errorf("partial: %d batches, want 3, the last with caption 8", len(batches))
	}
}

// TestLoaderIsDeterministic: neither the number of workers nor a resumption
// in the middle changes what comes, and another epoch or seed does.
func TestLoaderIsDeterministic(t *testing.T) {
	s := pictureFiles(t, 12)
	o := options(2)
	want := all(t, s, 1, o)
	o.Workers, o.Ahead = 5, 1
	got := all(t, s, 1, o)
	o.From = want[1].Records
	resumed := all(t, s, 1, o)
	if len(got) != len(want) || len(resumed) != len(want)-2 {
		t.Fatalf("%d and %d batches, want %d and %d", len(got), len(resumed), len(want), len(want)-2)
	}
	for i := range want {
		if !slices.Equal(got[i].Pixels, want[i].Pixels) {
			t.Errorf("batch %d: other pixels with other workers", i)
		}
		if i >= 2 && (!slices.Equal(resumed[i-2].Pixels, want[i].Pixels) || resumed[i-2].Records != want[i].Records) {
			t.Errorf("batch %d: other pixels when resumed", i)
		}
	}
	o = options(2)
	if slices.Equal(all(t, s, 2, o)[0].Pixels, want[0].Pixels) {
		t.Error("another epoch has the same crops")
	}
	o.Seed++
	if slices.Equal(all(t, s, 1, o)[0].Pixels, want[0].Pixels) {
		t.Error("another seed has the same crops")
	}
}

// TestLoaderRecycles: what is given back is used again, and what is not stays as it is.
func TestLoaderRecycles(t *testing.T) {
	s := pictureFiles(t, 13)
	want := all(t, s, 0, options(2))
	l, err := Load(context.Background(), s, 0, options(2))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var kept, before *Batch
	for i, w := range want {
		b, err := l.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(b.Pixels, w.Pixels) {
			t.Errorf("batch %d has other pixels", i)
		}
		if i == 0 {
			kept = b
			continue
		}
		if before != nil && &b.Pixels[0] != &before.Pixels[0] {
			t.Errorf("batch %d has memory of its own", i)
		}
		before = &Batch{Pixels: b.Pixels}
		l.Recycle(b)
		l.Recycle(b) // has nothing any more
	}
	if !slices.Equal(kept.Pixels, want[0].Pixels) {
		t.Error("a batch that was kept has changed")
	}
}

// TestLoaderStops in the middle of an epoch, by Close and by the context; see TestMain.
func TestLoaderStops(t *testing.T) {
	s := Synthetic{Samples: 1 << 40, Width: 9, Height: 9}
	for range 20 {
		ctx, cancel := context.WithCancel(context.Background())
		l, err := Load(ctx, s, 0, options(2))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Next(); err != nil {
			t.Fatal(err)
		}
		cancel()
		if _, err := l.Next(); !errors.Is(err, context.Canceled) {
			t.Errorf("after the context's end: %v", err)
		}
		l.Close()
		l, err = Load(context.Background(), s, 0, options(2))
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		l.Close()
		if _, err := l.Next(); !errors.Is(err, context.Canceled) {
			t.Errorf("after Close: %v", err)
		}
	}
}

func TestLoaderPassesErrorsOn(t *testing.T) {
	broken := errors.New("broken")
	l, err := Load(context.Background(), append(pictureFiles(t, 2), broken), 0, options(2))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Next(); err != nil {
		t.Errorf("first batch: %v", err)
	}
	if _, err := l.Next(); !errors.Is(err, broken) {
		t.Errorf("second batch: %v, want %v", err, broken)
	}
	bad := options(0)
	var e *Error
	if _, err := Load(context.Background(), Synthetic{}, 0, bad); !errors.As(err, &e) {
		t.Errorf("batch 0: %v", err)
	}
	bad = options(1)
	bad.Transform.Crop = &Crop{Scale: [2]float64{0.5, 2}, Ratio: DefaultCrop.Ratio}
	if _, err := Load(context.Background(), Synthetic{}, 0, bad); !errors.As(err, &e) {
		t.Errorf("scale 2: %v", err)
	}
}

func ExampleLoad() {
	crop := DefaultCrop
	loader, err := Load(context.Background(), Synthetic{Samples: 5, Width: 224, Height: 224}, 0, Options{
		Batch: 2, Transform: Transform{Model: preprocess.DefaultConfig(224), Crop: &crop}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer loader.Close()
	for {
		batch, err := loader.Next()
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(len(batch.Captions), len(batch.Pixels))
	}
	// Output:
	// 2 301056
	// 2 301056
	// EOF
}
