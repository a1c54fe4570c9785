package preprocess

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
)

// Interpolation names the filter of a resize.
type Interpolation string

// The interpolations of OpenCLIP's preprocess_cfg. Random is a matter of
// training; OpenCLIP's inference transform reads it as bicubic.
const (
	Bicubic  Interpolation = "bicubic"
	Bilinear Interpolation = "bilinear"
	Random   Interpolation = "random"
)

// ResizeMode says how a picture is brought to the size of the model's input.
type ResizeMode string

// The resize modes of OpenCLIP's preprocess_cfg.
const (
	// Shortest scales so that the shorter side fits and crops the longer one
	// at the centre. With a target that is not square it always is bicubic, as
	// in OpenCLIP.
	Shortest ResizeMode = "shortest"
	// Longest scales so that the longer side fits and pads the shorter one.
	Longest ResizeMode = "longest"
	// Squash scales both sides to the target and ignores the aspect ratio.
	Squash ResizeMode = "squash"
)

// The mean and standard deviation of the RGB channels of OpenAI's CLIP data,
// for samples in 0…1.
var (
	openAIMean = [3]float64{0.48145466, 0.4578275, 0.40821073}
	openAIStd  = [3]float64{0.26862954, 0.26130258, 0.27577711}
)

// maxSize bounds each side of the model's input.
const maxSize = 1 << 14

// Config is OpenCLIP's preprocess_cfg.
type Config struct {
	// Height and Width are the size of the model's input in pixels.
	Height, Width int
	// Mean and Std normalise each channel of samples in 0…1:
	// (sample − Mean) / Std, all in float32.
	Mean, Std     [3]float64
	Interpolation Interpolation
	ResizeMode    ResizeMode
	// FillColor pads in mode Longest: a sample value for every channel, alpha
	// included, or a palette index. Values beyond the range of a sample are
	// clipped.
	FillColor int
}

// DefaultConfig returns the configuration that OpenCLIP uses when a model
// names none: size×size, OpenAI's mean and standard deviation, bicubic,
// shortest.
func DefaultConfig(size int) Config {
	return Config{
		Height: size, Width: size, Mean: openAIMean, Std: openAIStd,
		Interpolation: Bicubic, ResizeMode: Shortest,
	}
}

// Validate returns a [ConfigError] for the first field that cannot be used.
func (c Config) Validate() error {
	if c.Height < 1 || c.Width < 1 || c.Height > maxSize || c.Width > maxSize {
		return &ConfigError{"size", fmt.Sprintf("1 to %d pixels a side", maxSize), fmt.Sprintf("%d×%d", c.Height, c.Width)}
	}
	for i := range 3 {
		if v := float32(c.Mean[i]); math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return &ConfigError{"mean", "finite float32 numbers", fmt.Sprint(c.Mean[i])}
		}
		if v := float32(c.Std[i]); !(v != 0) || math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return &ConfigError{"std", "finite float32 numbers other than 0", fmt.Sprint(c.Std[i])}
		}
	}
	switch c.Interpolation {
	case Bicubic, Bilinear, Random:
	default:
		return &ConfigError{"interpolation", "bicubic, bilinear or random", quoted(string(c.Interpolation))}
	}
	switch c.ResizeMode {
	case Shortest, Longest, Squash:
	default:
		return &ConfigError{"resize_mode", "shortest, longest or squash", quoted(string(c.ResizeMode))}
	}
	if int(int32(c.FillColor)) != c.FillColor {
		return &ConfigError{"fill_color", "a 32-bit integer", fmt.Sprint(c.FillColor)}
	}
	return nil
}

// UnmarshalJSON overlays the fields of a preprocess_cfg object on c, as
// OpenCLIP merges one over its defaults: unknown keys are ignored and null
// leaves a field as it is. Start from [DefaultConfig]. The size may be one
// number or [height, width], mean and std one number or a list of one or three.
// An error is a [ConfigError] and leaves c unchanged.
func (c *Config) UnmarshalJSON(data []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return &ConfigError{"object", "a JSON object", err.Error()}
	}
	next := *c
	for _, f := range []struct {
		name string
		set  func(name string, v json.RawMessage) error
	}{
		{"size", next.setSize},
		{"mode", setMode},
		{"mean", func(name string, v json.RawMessage) error { return setTriple(name, v, &next.Mean, openAIMean) }},
		{"std", func(name string, v json.RawMessage) error { return setTriple(name, v, &next.Std, openAIStd) }},
		{"interpolation", func(name string, v json.RawMessage) error {
			return setString(name, v, (*string)(&next.Interpolation), string(Bicubic))
		}},
		{"resize_mode", func(name string, v json.RawMessage) error {
			return setString(name, v, (*string)(&next.ResizeMode), string(Shortest))
		}},
		{"fill_color", func(name string, v json.RawMessage) error {
			return setInt(name, v, &next.FillColor)
		}},
	} {
		v, ok := fields[f.name]
		if !ok || bytes.Equal(v, []byte("null")) {
			continue
		}
		if err := f.set(f.name, v); err != nil {
			return err
		}
	}
	if err := next.Validate(); err != nil {
		return err
	}
	*c = next
	return nil
}

// MarshalJSON writes c as a preprocess_cfg object with all of OpenCLIP's keys.
func (c Config) MarshalJSON() ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	var size any = c.Height
	if c.Height != c.Width {
		size = [2]int{c.Height, c.Width}
	}
	return json.Marshal(struct {
		Size          any           `json:"size"`
		Mode          string        `json:"mode"`
		Mean          [3]float64    `json:"mean"`
		Std           [3]float64    `json:"std"`
		Interpolation Interpolation `json:"interpolation"`
		ResizeMode    ResizeMode    `json:"resize_mode"`
		FillColor     int           `json:"fill_color"`
	}{size, "RGB", c.Mean, c.Std, c.Interpolation, c.ResizeMode, c.FillColor})
}

// ParseConfig reads a preprocess_cfg JSON object over DefaultConfig(size).
func ParseConfig(data []byte, size int) (Config, error) {
	c := DefaultConfig(size)
	err := c.UnmarshalJSON(data)
	return c, err
}

func (c *Config) setSize(name string, v json.RawMessage) error {
	var one int
	if json.Unmarshal(v, &one) == nil {
		c.Height, c.Width = one, one
		return nil
	}
	var two []int
	if json.Unmarshal(v, &two) != nil || len(two) != 2 {
		return &ConfigError{name, "an integer or [height, width]", excerpt(v)}
	}
	c.Height, c.Width = two[0], two[1]
	return nil
}

func setMode(name string, v json.RawMessage) error {
	var mode string
	if json.Unmarshal(v, &mode) != nil || mode != "RGB" {
		return &ConfigError{name, `"RGB"`, excerpt(v)}
	}
	return nil
}

// setTriple reads one number or a list of one or three. OpenCLIP takes a zero
// and an empty list for "not given".
func setTriple(name string, v json.RawMessage, dst *[3]float64, fallback [3]float64) error {
	var one float64
	list := []float64{}
	if json.Unmarshal(v, &one) == nil {
		list = append(list, one)
		if one == 0 {
			list = nil
		}
	} else if json.Unmarshal(v, &list) != nil {
		return &ConfigError{name, "a number or a list of three numbers", excerpt(v)}
	}
	switch len(list) {
	case 0:
		*dst = fallback
	case 1:
		*dst = [3]float64{list[0], list[0], list[0]}
	case 3:
		copy(dst[:], list)
	default:
		return &ConfigError{name, "a number or a list of three numbers", excerpt(v)}
	}
	return nil
}

// setString reads a string; OpenCLIP takes an empty one for "not given".
func setString(name string, v json.RawMessage, dst *string, fallback string) error {
	var s string
	if json.Unmarshal(v, &s) != nil {
		return &ConfigError{name, "a string", excerpt(v)}
	}
	if s == "" {
		s = fallback
	}
	*dst = s
	return nil
}

func setInt(name string, v json.RawMessage, dst *int) error {
	var i int
	if json.Unmarshal(v, &i) != nil {
		return &ConfigError{name, "an integer", excerpt(v)}
	}
	*dst = i
	return nil
}

func quoted(s string) string { return fmt.Sprintf("%.40q", s) }

// excerpt shortens a JSON value for an error message.
func excerpt(v []byte) string {
	if len(v) > 40 {
		return string(v[:40]) + "…"
	}
	return string(v)
}
