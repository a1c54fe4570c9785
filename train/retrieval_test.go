package train_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/seed-e0874532/coca/internal/kernel"
	"github.com/seed-e0874532/coca/train"
)

// TestRetrievalEqualsOpenCLIP: every number of get_clip_metrics, to the last digit.
func TestRetrievalEqualsOpenCLIP(t *testing.T) {
	var golden struct {
		Cases []struct {
			Name          string
			N, Dim        int
			Images, Texts []*float32
			Metrics       train.RetrievalMetrics
		}
	}
	readGolden(t, "retrieval.json", &golden)
	if len(golden.Cases) != 9 {
		t.Fatalf("%d cases", len(golden.Cases))
	}
	numbers := func(v []*float32) (out []float32) {
		for _, x := range v {
			if x == nil {
				out = append(out, float32(math.NaN()))
			} else {
				out = append(out, *x)
			}
		}
		return out
	}
	for _, c := range golden.Cases {
		if got := train.Retrieval(numbers(c.Images), numbers(c.Texts), c.N, c.Dim, nil); got != c.Metrics {
			t.Errorf("%s: got %+v, want %+v", c.Name, got, c.Metrics)
		}
	}
}

// TestRetrievalNames: the keys are those that OpenCLIP writes, in its order.
func TestRetrievalNames(t *testing.T) {
	var golden struct {
		Cases []struct{ Metrics json.RawMessage }
	}
	readGolden(t, "retrieval.json", &golden)
	ours, err := json.Marshal(train.RetrievalMetrics{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := keys(t, ours), keys(t, golden.Cases[0].Metrics); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// keys lists the keys of a flat object in their order.
func keys(t *testing.T, object []byte) (list []string) {
	t.Helper()
	for d := json.NewDecoder(bytes.NewReader(object)); ; {
		token, err := d.Token()
		if err != nil {
			return list
		}
		if s, ok := token.(string); ok {
			list = append(list, s)
		}
	}
}

// TestRetrievalInBlocks compares several blocks, of whole and torn size, on two threads, with
// ranks counted one by one. Ties are everywhere.
func TestRetrievalInBlocks(t *testing.T) {
	pool := kernel.NewPool(2)
	defer pool.Close()
	const dim = 3
	for _, n := range []int{513, 1024, 1301} {
		r := rand.New(rand.NewPCG(uint64(n), 1))
		images, texts := make([]float32, n*dim), make([]float32, n*dim)
		for i := range images {
			images[i], texts[i] = float32(r.IntN(41)-20), float32(r.IntN(41)-20)
		}
		score := func(i, j int) (s float32) {
			for k := range dim {
				s += images[i*dim+k] * texts[j*dim+k]
			}
			return s
		}
		var ranks [2][]float64
		for i := range n {
			counts := [2]float64{1, 1}
			own := score(i, i)
			for j := range n {
				for side, s := range [2]float32{score(i, j), score(j, i)} {
					if s > own || s == own && j < i {
						counts[side]++
					}
				}
			}
			ranks[0], ranks[1] = append(ranks[0], counts[0]), append(ranks[1], counts[1])
		}
		mean := func(v []float64) (m float64) {
			for _, x := range v {
				m += x
			}
			return m / float64(n)
		}
		got := train.Retrieval(images, texts, n, dim, pool)
		if math.Abs(got.ImageMeanRank-mean(ranks[0])) > 1e-9 || math.Abs(got.TextMeanRank-mean(ranks[1])) > 1e-9 {
			t.Errorf("%d: mean ranks %v, %v, want %v, %v", n, got.ImageMeanRank, got.TextMeanRank, mean(ranks[0]), mean(ranks[1]))
		}
		if serial := train.Retrieval(images, texts, n, dim, nil); serial != got {
			t.Errorf("%d: one thread gives %+v, two %+v", n, serial, got)
		}
	}
}

// TestRetrievalTiesOfDuplicates: the same picture and caption many times over, as in captions that
// share a picture, give equal scores wherever they lie, whatever their sums round to.
func TestRetrievalTiesOfDuplicates(t *testing.T) {
	const n, dim = 1100, 96
	r := rand.New(rand.NewPCG(3, 3))
	one := make([]float32, dim)
	for i := range one {
		one[i] = float32(r.NormFloat64())
	}
	all := slices.Repeat(one, n)
	got := train.Retrieval(all, all, n, dim, nil)
	if want := float64(n+1) / 2; got.ImageMeanRank != want || got.TextMeanRank != want || got.ImageR1 != 1./n {
		t.Errorf("%+v, want mean ranks %v", got, want)
	}
	if got := train.Retrieval(nil, nil, 0, 5, nil); got != (train.RetrievalMetrics{}) {
		t.Errorf("of nothing: %+v", got)
	}
}

func BenchmarkRetrieval(b *testing.B) {
	pool := kernel.NewPool(2)
	defer pool.Close()
	const n, dim = 8192, 512
	r := rand.New(rand.NewPCG(1, 1))
	images, texts := make([]float32, n*dim), make([]float32, n*dim)
	for i := range images {
		images[i], texts[i] = float32(r.NormFloat64()), float32(r.NormFloat64())
	}
	for b.Loop() {
		train.Retrieval(images, texts, n, dim, pool)
	}
	b.ReportMetric(float64(n*n)*float64(b.N)/b.Elapsed().Seconds(), "scores/s")
}

func ExampleRetrieval() {
	images := []float32{1, 0, 0, 1} // two features of two values
	texts := []float32{1, 0.2, 0.1, 1}
	m := train.Retrieval(images, texts, 2, 2, nil)
	fmt.Println(m.ImageR1, m.TextMeanRank)
	// Output: 1 1
}
