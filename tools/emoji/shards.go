package main

import (
	"archive/tar"
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/seed-e0874532/coca/internal/atomicfile"
)

// A Set is a data set: which scenes, how many, and of which size.
type Set struct {
	Name    string
	Seed    uint64
	Samples int
	Side    int // in pixels
	Alone   bool
	Heldout Heldout
	Styles  func(Style) bool
}

func seen(s Style) bool   { return !s.Heldout }
func unseen(s Style) bool { return s.Heldout }

// Truth is what a scene's record says about it, for evaluation.
type Truth struct {
	Kind    Kind   `json:"kind"`
	Objects []int  `json:"objects"` // numbers of concepts in reading order
	Caption string `json:"caption"`
}

// shardSize is the number of scenes in a tar file.
const shardSize = 10000

// write makes the shards of a set in a folder, NAME-00000.tar and so on: for each
// scene its picture (.jpg), its caption (.txt) and its Truth (.json). Scene i
// depends on the seed and i alone. Shards that are there already stay.
func (s Set) write(ctx context.Context, art *Artwork, folder string, threads int, progress io.Writer) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	shards := (s.Samples + shardSize - 1) / shardSize
	for i := range shards {
		name := filepath.Join(folder, fmt.Sprintf("%s-%05d.tar", s.Name, i))
		if _, err := os.Stat(name); err == nil {
			continue
		}
		began := time.Now()
		n := min(shardSize, s.Samples-i*shardSize)
		if err := s.shard(ctx, art, name, i*shardSize, n, threads); err != nil {
			return err
		}
		fmt.Fprintf(progress, "%s: shard %d of %d, %.0f scenes/s\n", s.Name, i+1, shards, float64(n)/time.Since(began).Seconds())
	}
	return nil
}

// drawn is one scene with its words.
type drawn struct {
	jpeg    []byte
	caption string
	truth   []byte
}

func (s Set) sample(h *Hand, i int) (drawn, error) {
	r := rand.New(rand.NewPCG(s.Seed, uint64(i)))
	var scene Scene
	if s.Alone {
		scene = alone(r)
	} else {
		scene = composed(r, s.Heldout)
	}
	t := Truth{Kind: scene.Kind}
	for _, o := range scene.Objects {
		t.Objects = append(t.Objects, o.Concept)
	}
	if s.Alone {
		t.Caption = Concepts[t.Objects[0]].Article()
	} else {
		t.Caption = Caption(r, scene)
	}
	data, err := json.Marshal(t)
	return drawn{h.Draw(r, scene), t.Caption, data}, err
}

func (s Set) shard(ctx context.Context, art *Artwork, name string, first, n, threads int) (err error) {
	f, err := atomicfile.Create(name)
	if err != nil {
		return err
	}
	defer f.Abandon()
	w := bufio.NewWriterSize(f, 1<<20)
	out := tar.NewWriter(w)
	type job struct {
		i    int
		done chan result
	}
	jobs, order := make(chan job, threads), make(chan chan result, 4*threads)
	for range threads {
		go func() {
			h := newHand(art, s.Side)
			for j := range jobs {
				one, err := s.sample(h, j.i)
				j.done <- result{one, err}
			}
		}()
	}
	go func() {
		defer close(jobs)
		defer close(order)
		for i := range n {
			done := make(chan result, 1)
			select {
			case order <- done:
				jobs <- job{first + i, done}
			case <-ctx.Done():
				return
			}
		}
	}()
	i := first
	for done := range order {
		r := <-done
		if r.err != nil {
			err = r.err
		}
		key := fmt.Sprintf("%08d", i)
		for _, file := range []struct {
			ending string
			data   []byte
		}{{".jpg", r.jpeg}, {".json", r.truth}, {".txt", []byte(r.caption)}} {
			if err == nil {
				err = add(out, key+file.ending, file.data)
			}
		}
		i++
	}
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Commit()
}

type result struct {
	drawn
	err error
}

func add(out *tar.Writer, name string, data []byte) error {
	if err := out.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)), Format: tar.FormatUSTAR}); err != nil {
		return err
	}
	_, err := out.Write(data)
	return err
}
