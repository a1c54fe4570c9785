package formula

import "strings"

// Outliers is a [Source] whose visual tower has outliers as trained vision
// transformers have them: the norms before each block's maps multiply eight fixed channels by
// 64, and two channels of the residual stream stand far above all others in every
// token. testdata/reference/formula.py has the same definition.
type Outliers struct{ Source }

// Float32 implements nn.Source.
func (s Outliers) Float32(name string) ([]float32, error) {
	data, err := s.Source.Float32(name)
	if err != nil || !strings.HasPrefix(name, "visual.") {
		return data, err
	}
	width := len(data)
	switch {
	case strings.HasSuffix(name, ".ln_1.weight"), strings.HasSuffix(name, ".ln_2.weight"):
		for _, c := range LargeNorms(width) {
			data[c] *= 64
		}
	case name == "visual.ln_pre.bias":
		up, down := LargeResiduals(width)
		data[up] += residual
		data[down] -= residual
	}
	return data, nil
}

// residual is what the two large channels of the residual stream start from,
// where others have a variance of about one.
const residual = 128

// LargeNorms are the channels that norms multiply by 64, in a tower of a width.
func LargeNorms(width int) (channels [8]int) {
	for i := range channels {
		channels[i] = width * (2*i + 1) / 16
	}
	return channels
}

// LargeResiduals are the channels of the residual stream that are large, one
// of each sign.
func LargeResiduals(width int) (up, down int) { return width / 3, 2 * width / 3 }
