package data

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"strings"
)

// WebDatasetOptions say how to read tar shards. The zero value reads all of
// them once, in order.
type WebDatasetOptions struct {
	// Samples is the number of records of an epoch. Shards that hold fewer
	// are read again, those that hold more are not read to their end. 0 means what the shards hold.
	Samples int

	Shuffle bool   // the order of shards, and of the samples in a buffer
	Seed    uint64 // of both orders

	// Buffer is the number of samples in the buffer to shuffle (0: OpenCLIP's
	// 5,000), BufferBytes the size of their files that it holds at most (0: 256 MB).
	Buffer      int
	BufferBytes int64

	// MaxBytes is the largest picture file; a sample with a larger one is
	// skipped. 0 means 64 MB.
	MaxBytes int64
}

const maxCaption = 1 << 20

// WebDataset reads samples from tar files. The members of a sample follow one
// another and share a name up to the first dot of its last element; a sample has a txt and
// one of jpg, png, jpeg or webp, in this order of preference.
type WebDataset struct {
	shards  []string
	options WebDatasetOptions
}

// OpenWebDataset looks for every shard of a pattern (see [Shards]) on the
// file system. A shard that is found later to be damaged loses its rest.
func OpenWebDataset(pattern string, o WebDatasetOptions) (*WebDataset, error) {
	shards, err := Shards(pattern)
	if err != nil {
		return nil, err
	}
	for _, s := range shards {
		if strings.HasPrefix(s, "pipe:") || strings.Contains(s, "://") {
			return nil, &Error{pattern, "shard", "a file", s}
		}
		if info, err := os.Stat(s); err != nil {
			return nil, err
		} else if info.IsDir() {
			return nil, &Error{pattern, "shard", "a file", "the folder " + s}
		}
	}
	if o.Samples < 0 || o.Buffer < 0 || o.BufferBytes < 0 || o.MaxBytes < 0 {
		return nil, &Error{pattern, "options", "numbers from 0", fmt.Sprintf("%+v", o)}
	}
	if o.Buffer == 0 {
		o.Buffer = 5000
	}
	if o.BufferBytes == 0 {
		o.BufferBytes = 256 << 20
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 64 << 20
	}
	return &WebDataset{shards, o}, nil
}

// Len is the number of records of an epoch if the options say it, else -1.
func (w *WebDataset) Len() int {
	if w.options.Samples > 0 {
		return w.options.Samples
	}
	return -1
}

// Records reads an epoch. What cannot be read is a [SampleError]: a sample, or
// what follows in a damaged shard. Samples that lack a picture or a caption
// are left out silently, as in OpenCLIP.
func (w *WebDataset) Records(epoch int) iter.Seq2[Record, error] {
	records := w.passes(epoch)
	if w.options.Shuffle {
		records = w.shuffle(records, source(w.options.Seed, forSamples, epoch, 0))
	}
	return func(yield func(Record, error) bool) {
		n := 0
		for r, err := range records {
			if !yield(r, err) {
				return
			}
			if err == nil {
				n++
			}
			if n == w.options.Samples && n > 0 {
				return
			}
		}
	}
}

// passes reads the shards over and over if the epoch asks for it, but not once
// more after a pass that found nothing.
func (w *WebDataset) passes(epoch int) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for pass := 0; ; pass++ {
			n := 0
			order := make([]int, len(w.shards))
			for i := range order {
				order[i] = i
			}
			if w.options.Shuffle {
				order = source(w.options.Seed, forShards, epoch, pass).Perm(len(order))
			}
			for _, i := range order {
				for r, err := range readShard(w.shards[i], w.options.MaxBytes) {
					if !yield(r, err) {
						return
					}
					if err == nil {
						n++
					}
				}
			}
			if w.options.Samples == 0 || n == 0 {
				return
			}
		}
	}
}

// shuffle keeps a buffer, gives a random one of its samples for each new one,
// and empties it at the end. Errors pass at once.
//
// The first sample comes when the buffer is full. (In OpenCLIP each worker has a buffer of its own, begins when it
// holds 1,000 samples and reads two for each that it gives until it holds 5,000: an epoch begins earlier, and less
// mixed.) So samples of one shard meet those of others only as far as the buffer reaches: with shards of 10,000
// samples, mostly those of the same shard and the next. Data that is sorted should be shuffled when shards are made.
func (w *WebDataset) shuffle(in iter.Seq2[Record, error], random *rand.Rand) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		var buffer []Record
		var bytes int64
		give := func() bool {
			i, last := random.IntN(len(buffer)), len(buffer)-1
			r := buffer[i]
			buffer[i], buffer[last] = buffer[last], Record{}
			buffer = buffer[:last]
			bytes -= int64(len(r.Bytes) + len(r.Caption))
			return yield(r, nil)
		}
		for r, err := range in {
			if err != nil {
				if !yield(Record{}, err) {
					return
				}
				continue
			}
			buffer = append(buffer, r)
			bytes += int64(len(r.Bytes) + len(r.Caption))
			for len(buffer) > 0 && (len(buffer) >= w.options.Buffer || bytes > w.options.BufferBytes) {
				if !give() {
					return
				}
			}
		}
		for len(buffer) > 0 {
			if !give() {
				return
			}
		}
	}
}
