package data

import (
	"fmt"
	"iter"

	"github.com/seed-e0874532/coca/preprocess"
)

// Synthetic is OpenCLIP's set for trying out speed: black pictures of the
// model's size and one caption.
type Synthetic struct {
	Samples       int // 0 stands for 100
	Width, Height int
}

// Len is the number of samples.
func (s Synthetic) Len() int {
	if s.Samples == 0 {
		return 100
	}
	return max(s.Samples, 0)
}

// Records gives the samples.
func (s Synthetic) Records(int) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if s.Width < 1 || s.Height < 1 || s.Width > 1<<14 || s.Height > 1<<14 {
			yield(Record{}, &Error{"synthetic", "size", "sides from 1 to 16384", fmt.Sprintf("%d×%d", s.Width, s.Height)})
			return
		}
		black := &preprocess.Image{Mode: preprocess.ModeRGB, Width: s.Width, Height: s.Height, Pix: make([]byte, 3*s.Width*s.Height)}
		for i := range s.Len() {
			if !yield(Record{Name: fmt.Sprint("synthetic ", i), Caption: "Dummy caption", Picture: black}, nil) {
				return
			}
		}
	}
}
