package coca

import (
	"context"
	"fmt"

	"github.com/seed-e0874532/coca/model"
)

// WordMap tells where in an image the model looked when it chose a token.
type WordMap struct {
	ID         int32
	Piece      string
	Rows, Cols int
	Weights    []float32 // [Rows·Cols] over the patches, summing to at most 1
}

// WordMaps computes a map for each id of a caption after the first: the
// decoder's cross-attention when it chose the id, averaged over layers and
// heads, carried through the pooler's attention to the patches. The class
// token's share is left out. Pixels are those of [Model.Preprocess].
func (m *Model) WordMaps(ctx context.Context, pixels []float32, ids []int32) ([]WordMap, error) {
	if len(ids) < 2 {
		return nil, fmt.Errorf("word maps: want at least 2 ids, got %d", len(ids))
	}
	if m.cfg.Vision.AttentionalPool == model.Cascade {
		return nil, fmt.Errorf("word maps: want a model with one pooler or none, got a cascade")
	}
	var cross, pool []float32
	err := m.guard(func() (err error) {
		cross, pool, err = m.run.CrossAttention(ctx, pixels, ids[:len(ids)-1])
		return err
	})
	if err != nil {
		return nil, err
	}
	rows, cols := m.cfg.Vision.Grid()
	tokens := m.cfg.Vision.Tokens()
	skipped := m.cfg.Vision.AttnPoolerQueries - tokens // queries that are no image tokens
	var maps []WordMap
	for t, id := range ids[1:] {
		w := WordMap{ID: id, Rows: rows, Cols: cols, Weights: make([]float32, rows*cols)}
		if m.tok != nil {
			w.Piece = m.tok.Piece(id)
		}
		look := cross[t*tokens:][:tokens]
		if pool == nil {
			copy(w.Weights, look)
		} else {
			for q, share := range look {
				patches := pool[(skipped+q)*(rows*cols+1)+1:][:rows*cols] // without the class token
				for i, p := range patches {
					w.Weights[i] += share * p
				}
			}
		}
		maps = append(maps, w)
	}
	return maps, nil
}
