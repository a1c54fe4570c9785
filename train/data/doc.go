// Package data reads pairs of a picture and a caption and makes batches of
// them for training, as open_clip_train does: from a CSV file, from WebDataset
// tar shards, or synthetic ones.
//
// A [Source] gives the records of an epoch in their order, which depends on the seed and the
// epoch alone. A [Loader] decodes and augments records on several goroutines, ahead of
// the one who takes the batches; what it delivers does not depend on their
// number. A record that cannot be read is skipped, counted and named, and the others move up.
package data

import (
	"fmt"
	"iter"
	"math/rand/v2"

	"github.com/seed-e0874532/coca/preprocess"
)

// Record is one pair, its picture not yet decoded.
type Record struct {
	Name    string // for messages: a path, or shard and key
	Caption string

	Path    string            // of the picture's file; or
	Bytes   []byte            // the file itself; or
	Picture *preprocess.Image // the picture

	// RGB makes the loader convert the picture before it crops and
	// resizes, as OpenCLIP does with WebDataset. For a CSV, it converts
	// afterwards, which gives palettes and alpha other pixels.
	RGB bool
}

// Source gives the records of a training set. Its methods may be called by
// several goroutines.
type Source interface {
	// Len is the number of records of an epoch, or -1 if only reading tells.
	Len() int

	// Records gives the records of an epoch, in its order. A [SampleError]
	// stands for one that is skipped; any other error ends the epoch.
	Records(epoch int) iter.Seq2[Record, error]
}

// SampleError says why a sample was skipped.
type SampleError struct {
	Name string
	Err  error
}

func (e *SampleError) Error() string { return fmt.Sprintf("%s: %v", e.Name, e.Err) }

// Unwrap returns the cause.
func (e *SampleError) Unwrap() error { return e.Err }

// Error reports data, or an option for reading it, that cannot be used at all.
type Error struct {
	Name  string // of the file or option
	Thing string
	Want  string
	Found string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s: want %s, found %s", e.Name, e.Thing, e.Want, e.Found)
}

// The purposes that random numbers are drawn for, so that none sees another's.
const (
	forOrder = iota + 1
	forShards
	forSamples
	forCrop
)

// source is the stream of random numbers for a purpose at a place of the run:
// the same for the same numbers, however many goroutines there are.
func source(seed uint64, purpose, epoch, record int) *rand.Rand {
	mix := uint64(purpose)<<56 ^ uint64(epoch)<<36 ^ uint64(record)
	return rand.New(rand.NewPCG(seed, mix*0x9e3779b97f4a7c15+1))
}
