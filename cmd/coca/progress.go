package main

import (
	"io"
	"path/filepath"

	"github.com/schollz/progressbar/v3"

	"github.com/seed-e0874532/coca/weights/hub"
)

// newBar shows progress on a terminal; elsewhere it is nil, which every method accepts.
func newBar(w io.Writer, total int64, what string, bytes bool) *bar {
	if !onTerminal(w) {
		return nil
	}
	opts := []progressbar.Option{
		progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what), progressbar.OptionClearOnFinish(),
		progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(1e8),
	}
	if bytes {
		opts = append(opts, progressbar.OptionShowBytes(true))
	}
	return &bar{progressbar.NewOptions64(total, opts...)}
}

type bar struct{ *progressbar.ProgressBar }

// The bar is decoration: that it cannot be drawn is no error of the command.

func (b *bar) set(done int64) {
	if b != nil {
		_ = b.Set64(done)
	}
}

func (b *bar) add(n int) {
	if b != nil {
		_ = b.Add(n)
	}
}

func (b *bar) clear() {
	if b != nil {
		_ = b.Clear()
	}
}

func (b *bar) finish() {
	if b != nil {
		_ = b.Finish()
	}
}

// downloads shows one bar per file of a pull.
type downloads struct {
	w    io.Writer
	file string
	bar  *bar
}

func newDownloads(w io.Writer) *downloads {
	if !onTerminal(w) {
		return nil
	}
	return &downloads{w: w}
}

// Progress implements hub.Observer.
func (d *downloads) Progress(p hub.Progress) {
	if p.File != d.file {
		d.close()
		d.file, d.bar = p.File, newBar(d.w, p.Total, filepath.Base(p.File), true)
	}
	d.bar.set(p.Done)
}

func (d *downloads) close() {
	if d != nil {
		d.bar.finish()
	}
}
