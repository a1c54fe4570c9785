package train

import (
	"math"
	"slices"

	"github.com/seed-e0874532/coca/internal/kernel"
)

// RetrievalMetrics say how well images find their texts and texts their images, under the
// names that open_clip_train logs.
type RetrievalMetrics struct {
	ImageMeanRank   float64 `json:"image_to_text_mean_rank"`   // the best is 1
	ImageMedianRank float64 `json:"image_to_text_median_rank"` // rounded down
	ImageR1         float64 `json:"image_to_text_R@1"`         // part of the images whose text has rank 1
	ImageR5         float64 `json:"image_to_text_R@5"`         // … at most 5
	ImageR10        float64 `json:"image_to_text_R@10"`
	TextMeanRank    float64 `json:"text_to_image_mean_rank"`
	TextMedianRank  float64 `json:"text_to_image_median_rank"`
	TextR1          float64 `json:"text_to_image_R@1"`
	TextR5          float64 `json:"text_to_image_R@5"`
	TextR10         float64 `json:"text_to_image_R@10"`
}

// retrievalBlock is how many images and texts are compared at a time: their scores,
// 1 MB, stay in a second-level cache.
const retrievalBlock = 512

// Retrieval compares every image with every text by the product of their features, both [n, dim], and
// ranks for each the one partner that belongs to it. Of equal scores the one with the lower index
// comes first (OpenCLIP 3.3 does so up to 16 pairs, and beyond leaves their order to chance); scores that are not
// numbers come before all others, as PyTorch sorts them. The scores are computed in
// blocks: beside the features, memory grows with n, not with n².
func Retrieval(images, texts []float32, n, dim int, pool *kernel.Pool) RetrievalMetrics {
	if n < 1 || dim < 1 {
		return RetrievalMetrics{}
	}
	r := retrieval{pool: pool, images: images[:n*dim], texts: texts[:n*dim], n: n, dim: dim,
		own: make([]float32, n), scores: make([]float32, retrievalBlock*retrievalBlock), imageRank: make([]int32, n)}
	for range pool.Threads() {
		r.textRank = append(r.textRank, make([]int32, n))
	}
	r.finite = !slices.ContainsFunc(r.images, notFinite) && !slices.ContainsFunc(r.texts, notFinite)
	for t0 := 0; t0 < n; t0 += retrievalBlock { // each pair's own score, from the same products as all others
		m := r.column(t0)
		r.multiply(m, t0, t0)
		for i := range m.Out() {
			r.own[t0+i] = r.scores[i*m.Out()+i]
		}
	}
	for t0 := 0; t0 < n; t0 += retrievalBlock {
		m := r.column(t0)
		for i0 := 0; i0 < n; i0 += retrievalBlock {
			rows := r.multiply(m, i0, t0)
			pool.Run((rows+rowsPerPiece-1)/rowsPerPiece, &rankTask{&r, i0, t0, rows, m.Out()})
		}
	}
	total := r.textRank[0]
	for _, part := range r.textRank[1:] {
		for i, c := range part {
			total[i] += c
		}
	}
	var m RetrievalMetrics
	m.ImageMeanRank, m.ImageMedianRank, m.ImageR1, m.ImageR5, m.ImageR10 = summary(r.imageRank)
	m.TextMeanRank, m.TextMedianRank, m.TextR1, m.TextR5, m.TextR10 = summary(total)
	return m
}

func notFinite(x float32) bool { return !(math.Abs(float64(x)) <= math.MaxFloat32) }

type retrieval struct {
	pool          *kernel.Pool
	images, texts []float32
	n, dim        int
	finite        bool

	own    []float32 // the score of each pair
	scores []float32 // of a block of images and one of texts

	imageRank []int32   // how many texts come before the right one
	textRank  [][]int32 // the same of images, as each thread counted
}

// column lays out the block of texts from t0 on for products. Packed always: the sum of a product is then
// the same wherever in the block its row and column lie, so that equal pairs have equal scores.
func (r *retrieval) column(t0 int) *kernel.Matrix {
	cols := min(retrievalBlock, r.n-t0)
	m := kernel.NewMatrix(r.texts[t0*r.dim:][:cols*r.dim], cols, r.dim, kernel.OutIn)
	m.Pack(r.pool)
	return m
}

// multiply computes the scores of a block, [rows, cols].
func (r *retrieval) multiply(m *kernel.Matrix, i0, t0 int) (rows int) {
	rows = min(retrievalBlock, r.n-i0)
	scores := r.scores[:rows*m.Out()]
	m.Linear(r.pool, scores, r.images[i0*r.dim:][:rows*r.dim], rows, kernel.Epilogue{})
	if !r.finite {
		for i, s := range scores {
			if s != s {
				scores[i] = float32(math.Inf(1))
			}
		}
	}
	return rows
}

const rowsPerPiece = 32

// rankTask compares the scores of a block with those of the right partners.
type rankTask struct {
	*retrieval
	i0, t0, rows, cols int
}

func (t *rankTask) Do(worker, piece int) {
	own, rank := t.own[t.t0:][:t.cols], t.textRank[worker][t.t0:][:t.cols]
	for i := piece * rowsPerPiece; i < min((piece+1)*rowsPerPiece, t.rows); i++ {
		row := t.scores[i*t.cols:][:t.cols]
		// Texts before the image's own win a tie for the image; the image wins it for texts behind.
		at := min(max(t.i0+i-t.t0, 0), t.cols)
		mine, count := t.own[t.i0+i], int32(0)
		for j, s := range row[:at] {
			count += one(s >= mine)
			rank[j] += one(s > own[j])
		}
		if t.t0+at == t.i0+i && at < t.cols { // the pair itself
			at++
		}
		row, own, rank := row[at:], own[at:], rank[at:]
		for j, s := range row {
			count += one(s > mine)
			rank[j] += one(s >= own[j])
		}
		t.imageRank[t.i0+i] += count
	}
}

func one(b bool) int32 {
	if b {
		return 1
	}
	return 0
}

// summary takes ranks from 0 on.
func summary(ranks []int32) (mean, median, r1, r5, r10 float64) {
	n := float64(len(ranks))
	sum := 0.0
	within := func(k int32) float64 {
		count := 0
		for _, r := range ranks {
			if r < k {
				count++
			}
		}
		return float64(count) / n
	}
	for _, r := range ranks {
		sum += float64(r)
	}
	sorted := slices.Sorted(slices.Values(ranks))
	middle := float64(sorted[(len(sorted)-1)/2]) + float64(sorted[len(sorted)/2])
	return sum/n + 1, math.Floor(middle/2) + 1, within(1), within(5), within(10)
}
