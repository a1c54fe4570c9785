package main

import (
	"context"
	"fmt"

	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed-e0874532/coca"
)

// imageFlags say which images and how much they may cost.
type imageFlags struct {
	recursive bool
	maxPixels int64
}

func (f *imageFlags) add(c *cobra.Command, folders bool) {
	if folders {
		c.Flags().BoolVarP(&f.recursive, "recursive", "r", false, "of a folder, also the images below it")
	}
	c.Flags().Int64Var(&f.maxPixels, "max-pixels", 0, "largest image in pixels (0: Pillow's limit, negative: none)")
}

// imageExtensions are the files of a folder that count as its images.
var imageExtensions = []string{".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff", ".pbm", ".pgm", ".ppm", ".pnm"}

// expand lists the images that the arguments name. A folder stands for its
// images in the order of their names.
func (f *imageFlags) expand(args []string) (paths []string, err error) {
	for _, arg := range args {
		info, err := os.Stat(arg)
		if arg == "-" || err != nil || !info.IsDir() {
			paths = append(paths, arg) // that it cannot be read shows when it is its turn
			continue
		}
		err = filepath.WalkDir(arg, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil && path == arg:
				return err
			case err != nil:
				return nil // a folder below that cannot be read is skipped like a file that is no image
			case d.IsDir() && path != arg && !f.recursive:
				return fs.SkipDir
			case !d.IsDir() && slices.Contains(imageExtensions, strings.ToLower(filepath.Ext(path))):
				paths = append(paths, path)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// read decodes one image; "-" is standard input.
func (f *imageFlags) read(a *app, path string) (*coca.Image, error) {
	limits := coca.Limits{MaxPixels: f.maxPixels}
	if path == "-" {
		return coca.DecodeImageLimits(a.in, limits)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, plain(err)
	}
	defer file.Close()
	return coca.DecodeImageLimits(file, limits)
}

// plain takes the path off an error of the file system: it is printed before.
func plain(err error) error {
	if p, ok := err.(*fs.PathError); ok {
		return p.Err
	}
	return err
}

// prepared is an image ready for the model, or why it is not.
type prepared struct {
	path   string
	pixels []float32
	err    error
}

// prepare decodes and preprocesses images on several goroutines, a few ahead
// of the consumer, and delivers them in order. It stops when ctx is done.
func (f *imageFlags) prepare(ctx context.Context, a *app, m *coca.Spec, paths []string) <-chan prepared {
	ahead := runtime.GOMAXPROCS(0)
	slots := make(chan chan prepared, ahead)
	out := make(chan prepared)
	work := func(path string) (p prepared) {
		p.path = path
		defer func() { // a defect in one decoder must not take the other images with it
			if r := recover(); r != nil {
				p.err = fmt.Errorf("defect while decoding: %v", r)
			}
		}()
		img, err := f.read(a, path)
		if err != nil {
			p.err = err
			return p
		}
		p.pixels, p.err = m.Preprocess(img)
		return p
	}
	go func() {
		defer close(slots)
		for _, path := range paths {
			one := make(chan prepared, 1)
			select {
			case slots <- one:
				go func() { one <- work(path) }()
			case <-ctx.Done():
				return
			}
		}
	}()
	go func() {
		defer close(out)
		for one := range slots {
			select {
			case out <- <-one:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// batches groups prepared images, n at a time. The next batch is prepared while
// the consumer works on one.
func batches(in <-chan prepared, n int) <-chan []prepared {
	out := make(chan []prepared)
	go func() {
		defer close(out)
		for first := range in {
			list := []prepared{first}
			for len(list) < n {
				p, ok := <-in
				if !ok {
					break
				}
				list = append(list, p)
			}
			out <- list
		}
	}()
	return out
}

// ready are the pixels of the images that could be prepared.
func ready(list []prepared) (pixels [][]float32) {
	for _, p := range list {
		if p.err == nil {
			pixels = append(pixels, p.pixels)
		}
	}
	return pixels
}
