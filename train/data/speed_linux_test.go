package data

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/seed-e0874532/coca/preprocess"
)

// photo is a JPEG file of side×side pixels with the texture of a photograph: about 5 KB at 96 pixels.
func photo(t testing.TB, side, seed int) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, side, side))
	noise := uint32(seed)*2654435761 + 1
	for y := range side {
		for x := range side {
			noise = noise*1664525 + 1013904223
			v := 110 + 60*math.Sin(float64(x*(seed%7+1))/9) + 40*math.Cos(float64(y*(seed%5+1))/13) + float64(noise>>28)
			img.Set(x, y, color.RGBA{uint8(v), uint8(255 - v), uint8(v/2 + float64(x)/2), 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 90}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// bigShard writes a shard of n samples.
func bigShard(t testing.TB, n, side int) string {
	t.Helper()
	var photos [][]byte
	for seed := range 64 {
		photos = append(photos, photo(t, side, seed))
	}
	name := filepath.Join(t.TempDir(), "00000.tar")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	buffered := bufio.NewWriter(f)
	w := tar.NewWriter(buffered)
	for i := range n {
		caption, picture := fmt.Appendf(nil, "sample %d", i), photos[i%len(photos)]
		for _, m := range []struct {
			ext  string
			data []byte
		}{{"txt", caption}, {"jpg", picture}, {"json", []byte(`{"key": "000000000"}`)}} {
			if err := w.WriteHeader(&tar.Header{Name: fmt.Sprintf("%09d.%s", i, m.ext), Mode: 0o644, Size: int64(len(m.data))}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(m.data); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(w.Close(), buffered.Flush()); err != nil {
		t.Fatal(err)
	}
	return name
}

// cpuTime is the processor time that this process has used.
func cpuTime(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkWebDataset reads shards of 10,000 samples as training does: shuffle, decode, crop, resize, normalise, on
// one worker. Beside the time of the clock it tells the processor's, which others' load does not change much.
func BenchmarkWebDataset(b *testing.B) {
	for _, size := range []struct{ picture, model int }{{96, 96}, {256, 224}} {
		b.Run(fmt.Sprintf("%d to %d", size.picture, size.model), func(b *testing.B) {
			w, err := OpenWebDataset(bigShard(b, 10000, size.picture), WebDatasetOptions{Shuffle: true, Samples: b.N + 8192})
			if err != nil {
				b.Fatal(err)
			}
			crop := DefaultCrop
			l, err := Load(context.Background(), w, 0, Options{Batch: 64, Workers: 1, Transform: Transform{Model: preprocess.DefaultConfig(size.model), Crop: &crop}})
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			if _, err := l.Next(); err != nil { // the buffer is full now
				b.Fatal(err)
			}
			b.ReportAllocs()
			n, began := 0, cpuTime(b)
			for b.ResetTimer(); n < b.N; n += 64 {
				batch, err := l.Next()
				if err != nil {
					b.Fatal(err) // io.EOF: the epoch is too short
				}
				l.Recycle(batch)
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "samples/s")
			b.ReportMetric(float64((cpuTime(b)-began).Microseconds())/float64(n), "cpu-µs/sample")
		})
	}
}
