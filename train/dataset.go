package train

import (
	"fmt"
	"iter"
	"path/filepath"
	"strings"

	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/train/data"
)

// open opens the pairs to train on and tells the number of batches of an epoch.
func (o DataOptions) open(size model.Size, batch int, seed uint64) (data.Source, int, error) {
	kind, err := o.kind("train-data")
	if err != nil {
		return nil, 0, err
	}
	switch kind {
	case "csv":
		csv := o.CSV
		csv.Shuffle, csv.Seed = true, seed
		s, err := data.OpenCSV(o.Path, csv)
		if err != nil {
			return nil, 0, err
		}
		n := s.Len() / batch // what is left over is dropped
		if n == 0 {
			return nil, 0, &ConfigError{o.Path, fmt.Sprintf("at least one batch of %d rows", batch), fmt.Sprint(s.Len())}
		}
		return s, n, nil
	case "webdataset":
		if o.Samples < 1 {
			return nil, 0, &ConfigError{"train-num-samples", "the number of samples of an epoch of shards", fmt.Sprint(o.Samples)}
		}
		n := (o.Samples + batch - 1) / batch // full batches only, rounded up
		s, err := data.OpenWebDataset(o.Path, data.WebDatasetOptions{Shuffle: true, Seed: seed})
		return repeated{s, n * batch}, n, err
	}
	s := data.Synthetic{Samples: o.Samples, Width: size.Width, Height: size.Height}
	if s.Len() < batch {
		return nil, 0, &ConfigError{"train-num-samples", fmt.Sprintf("at least one batch of %d", batch), fmt.Sprint(s.Len())}
	}
	return s, s.Len() / batch, nil
}

// repeated reads shards over and over until an epoch is full, each time through in an
// order of its own, and no sample twice before all others were seen.
type repeated struct {
	data.Source
	samples int
}

// Len is the number of samples of an epoch.
func (r repeated) Len() int { return r.samples }

// maxPasses bounds how often an epoch reads the shards: the number of a pass and that of the
// epoch choose its order.
const maxPasses = 1 << 10

// Records gives an epoch, and as much again: some of its samples may turn out to be broken.
func (r repeated) Records(epoch int) iter.Seq2[data.Record, error] {
	return func(yield func(data.Record, error) bool) {
		n := 0
		for pass := range maxPasses {
			before := n
			for record, err := range r.Source.Records(epoch + pass*maxPasses) {
				if !yield(record, err) {
					return
				}
				if err == nil {
					n++
				}
				if n == 2*r.samples {
					return
				}
			}
			if n == before {
				return // there is nothing in them
			}
		}
	}
}

// openVal opens the pairs to validate on, each once and in their order.
func (o DataOptions) openVal(size model.Size) (data.Source, error) {
	kind, err := o.kind("val-data")
	if err != nil {
		return nil, err
	}
	switch kind {
	case "csv":
		return data.OpenCSV(o.Path, o.CSV)
	case "webdataset":
		return data.OpenWebDataset(o.Path, data.WebDatasetOptions{Samples: o.Samples})
	}
	return data.Synthetic{Samples: o.Samples, Width: size.Width, Height: size.Height}, nil
}

// kind resolves auto by the ending, as OpenCLIP does.
func (o DataOptions) kind(flag string) (string, error) {
	switch o.Kind {
	case "synthetic":
		return o.Kind, nil
	case "csv", "webdataset", "auto", "":
	default:
		return "", &ConfigError{"dataset-type", "csv, webdataset, synthetic or auto", fmt.Sprintf("%q", o.Kind)}
	}
	if o.Path == "" {
		return "", &ConfigError{flag, "a file or shards", "nothing"}
	}
	if o.Kind == "csv" || o.Kind == "webdataset" {
		return o.Kind, nil
	}
	switch ext := strings.ToLower(filepath.Ext(o.Path)); ext {
	case ".csv", ".tsv":
		return "csv", nil
	case ".tar":
		return "webdataset", nil
	default:
		return "", &ConfigError{"dataset-type", "csv or webdataset (the ending of the data does not tell)", fmt.Sprintf("%q", ext)}
	}
}
