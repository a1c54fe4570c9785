package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/seed-e0874532/coca/preprocess"
)

// Options say how a [Loader] makes batches.
type Options struct {
	Batch     int
	Transform Transform
	Limits    preprocess.Limits // of pictures
	Workers   int               // goroutines that decode; 0: as many as processors
	Seed      uint64            // of crops

	// Ahead is the number of samples that may be decoded before they are
	// asked for; 0: two batches. Each takes the memory of its pixels.
	Ahead int

	// Partial keeps the last batch of an epoch though it is not full, as
	// validation wants it.
	Partial bool

	// From is the number of records at the epoch's begin that are passed
	// over unread: [Batch.Records] of the batch after which to go on.
	From int

	// Skipped, if not nil, is called for each sample that is skipped, in
	// order, from the goroutine that calls Next.
	Skipped func(*SampleError)
}

// Batch is what one training step reads.
type Batch struct {
	Pixels   []float32 // [samples, 3, height, width]
	Captions []string
	Names    []string

	// Records is the number of records of the epoch up to and with this
	// batch, skipped ones counted.
	Records int
}

// Loader gives the batches of one epoch. Its methods are for one goroutine.
type Loader struct {
	options Options
	size    int // of one sample's pixels
	cancel  context.CancelFunc
	done    sync.WaitGroup

	queue   chan *item  // in the epoch's order
	pixels  sync.Pool   // of *[]float32
	spare   [][]float32 // of batches that were recycled
	ctx     context.Context
	records int
	skipped int
	err     error
}

// item is a record on its way. ready is closed when the rest is there.
type item struct {
	record Record
	index  int
	pixels *[]float32
	err    error
	ready  chan struct{}
}

// Load starts to read an epoch. The loader stops when ctx ends; Close must be
// called in any case.
func Load(ctx context.Context, s Source, epoch int, o Options) (*Loader, error) {
	if err := o.Transform.Validate(); err != nil {
		return nil, err
	}
	for name, n := range map[string]int{"batch-size": o.Batch - 1, "workers": o.Workers, "samples ahead": o.Ahead, "records to pass over": o.From} {
		if n < 0 {
			return nil, &Error{name, "number", "0 or more, and 1 or more for a batch", fmt.Sprint(n)}
		}
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Ahead == 0 {
		o.Ahead = 2 * o.Batch
	}
	l := &Loader{options: o, size: 3 * o.Transform.Model.Width * o.Transform.Model.Height, records: o.From}
	l.pixels.New = func() any { p := make([]float32, l.size); return &p }
	l.ctx, l.cancel = context.WithCancel(ctx)
	l.queue = make(chan *item, o.Ahead)
	work := make(chan *item)
	l.done.Go(func() { l.feed(s, epoch, work) })
	for range o.Workers {
		l.done.Go(func() { l.decode(epoch, work) })
	}
	return l, nil
}

// feed puts records in the queue, which keeps their order and bounds how far
// ahead they are read, and hands them out.
func (l *Loader) feed(s Source, epoch int, work chan<- *item) {
	defer close(work)
	defer close(l.queue)
	index := 0
	put := func(i *item) bool {
		select {
		case l.queue <- i:
			return true
		case <-l.ctx.Done():
			return false
		}
	}
	for r, err := range s.Records(epoch) {
		if l.ctx.Err() != nil {
			return
		}
		var bad *SampleError
		if err == nil || errors.As(err, &bad) {
			index++
			if index <= l.options.From {
				continue
			}
		}
		i := &item{record: r, index: index - 1, err: err, ready: make(chan struct{})}
		if err != nil {
			close(i.ready)
			if !put(i) || bad == nil {
				return
			}
			continue
		}
		if !put(i) {
			return
		}
		select {
		case work <- i:
		case <-l.ctx.Done():
			return
		}
	}
}

func (l *Loader) decode(epoch int, work <-chan *item) {
	for i := range work {
		if l.ctx.Err() != nil {
			return
		}
		i.pixels = l.pixels.Get().(*[]float32)
		if err := l.read(epoch, i); err != nil {
			i.err = &SampleError{i.record.Name, err}
		}
		i.record.Bytes, i.record.Picture = nil, nil
		close(i.ready)
	}
}

func (l *Loader) read(epoch int, i *item) (err error) {
	r, img := i.record, i.record.Picture
	switch {
	case img != nil:
	case r.Bytes != nil:
		img, err = preprocess.DecodeBytes(r.Bytes, l.options.Limits)
	default:
		img, err = preprocess.DecodeFile(r.Path, l.options.Limits)
	}
	if err != nil {
		return err
	}
	if r.RGB {
		if img, err = rgb(img); err != nil {
			return err
		}
	}
	return l.options.Transform.ApplyTo(*i.pixels, img, source(l.options.Seed, forCrop, epoch, i.index))
}

// Next gives the next batch, [io.EOF] at the epoch's end, the context's error
// if that ended, or the source's.
func (l *Loader) Next() (*Batch, error) {
	if l.err != nil {
		return nil, l.err
	}
	b := &Batch{}
	for len(b.Captions) < l.options.Batch {
		i, err := l.next()
		if err == io.EOF && len(b.Captions) > 0 && l.options.Partial {
			l.err = io.EOF
			break
		}
		if err != nil {
			l.err = err
			return nil, err
		}
		var bad *SampleError
		if errors.As(i.err, &bad) {
			l.records++
			l.skipped++
			if l.options.Skipped != nil {
				l.options.Skipped(bad)
			}
		} else if i.err != nil {
			l.err = i.err
			return nil, i.err
		} else {
			l.records++
			if b.Pixels == nil {
				b.Pixels = l.buffer()
			}
			b.Pixels = append(b.Pixels, *i.pixels...)
			b.Captions, b.Names = append(b.Captions, i.record.Caption), append(b.Names, i.record.Name)
		}
		if i.pixels != nil {
			l.pixels.Put(i.pixels)
		}
	}
	b.Records = l.records
	return b, nil
}

// buffer is an empty one for a batch.
func (l *Loader) buffer() []float32 {
	n := len(l.spare)
	if n == 0 {
		return make([]float32, 0, l.options.Batch*l.size)
	}
	last := l.spare[n-1]
	l.spare = l.spare[:n-1]
	return last
}

// Recycle takes back a batch of this loader that is no longer needed, so that a later one may
// use its memory. It need not be called.
func (l *Loader) Recycle(b *Batch) {
	if cap(b.Pixels) == l.options.Batch*l.size && cap(b.Pixels) > 0 {
		l.spare = append(l.spare, b.Pixels[:0])
	}
	b.Pixels = nil
}

// next waits for the next record.
func (l *Loader) next() (*item, error) {
	if err := l.ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case i, more := <-l.queue:
		if !more {
			// The queue also ends because the context did.
			if err := l.ctx.Err(); err != nil {
				return nil, err
			}
			return nil, io.EOF
		}
		select {
		case <-i.ready:
			return i, nil
		case <-l.ctx.Done():
		}
	case <-l.ctx.Done():
	}
	return nil, l.ctx.Err()
}

// Skipped is the number of samples skipped so far.
func (l *Loader) Skipped() int { return l.skipped }

// Close stops all goroutines of the loader and waits for them.
func (l *Loader) Close() {
	l.cancel()
	l.done.Wait()
	if l.err == nil {
		l.err = context.Canceled
	}
}
