package data

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-e0874532/coca/preprocess"
)

// Augment is what OpenCLIP's augmentation config makes of pictures in training.
type Augment struct {
	Crop   Crop
	Jitter *Jitter // nil: colours stay
	Grey   float64 // the probability that a picture becomes grey

	// Unused are the keys that were given and change nothing, in their order.
	Unused []string
}

// augmentKeys are those of OpenCLIP's AugmentationCfg.
var augmentKeys = []string{"scale", "ratio", "color_jitter", "re_prob", "re_count", "use_timm", "color_jitter_prob", "gray_scale_prob"}

// ParseAugCfg reads the values of open_clip_train's flag --aug-cfg: "key=value", the value as Python writes
// it. Of a key that comes again the last value counts.
//
// scale is the range of a crop's area, (0.9, 1.0) if it is not given. color_jitter takes four numbers, or ranges, for
// brightness, contrast, saturation and hue, and acts only with color_jitter_prob, its probability;
// gray_scale_prob makes pictures grey. As in OpenCLIP, ratio, re_prob and re_count act only with use_timm, which
// hands the whole transform to the library timm; it is refused, for it is not part of this program.
func ParseAugCfg(values []string) (Augment, error) {
	a := Augment{Crop: DefaultCrop}
	var order []string
	given := map[string]any{}
	for _, s := range values {
		key, text, ok := strings.Cut(s, "=")
		if !ok || strings.Contains(text, "=") {
			return a, &Error{"aug-cfg", "item", "key=value", fmt.Sprintf("%.80q", s)}
		}
		if !slices.Contains(augmentKeys, key) {
			return a, &Error{"aug-cfg", "key", "one of " + strings.Join(augmentKeys, ", "), fmt.Sprintf("%.80q", key)}
		}
		value, err := pythonLiteral(text)
		if err != nil {
			return a, &Error{"aug-cfg", key, "a value as Python writes it, such as 0.5 or (0.9, 1.0)", fmt.Sprintf("%.80q", text)}
		}
		if _, again := given[key]; !again {
			order = append(order, key)
		}
		given[key] = value
	}
	if v := given["use_timm"]; truth(v) {
		return a, &Error{"aug-cfg", "use_timm", "False: the transforms of the Python library timm are not part of this program; " +
			"scale, color_jitter with color_jitter_prob, and gray_scale_prob act without it", fmt.Sprint(v)}
	}
	if v, ok := given["scale"]; ok {
		if a.Crop.Scale, ok = pair(v); !ok {
			return a, &Error{"aug-cfg", "scale", "a range such as (0.9, 1.0)", fmt.Sprint(v)}
		}
		if err := a.Crop.Validate(); err != nil {
			return a, err
		}
	}
	if err := a.setJitter(given["color_jitter"], given["color_jitter_prob"]); err != nil {
		return a, err
	}
	if v := given["gray_scale_prob"]; truth(v) {
		p, ok := v.(float64)
		if !ok || !(p >= 0 && p <= 1) {
			return a, &Error{"aug-cfg", "gray_scale_prob", "0 to 1", fmt.Sprint(v)}
		}
		a.Grey = p
	}
	for _, key := range order {
		acts := key == "scale" || key == "use_timm" || key == "gray_scale_prob" || key == "color_jitter_prob" || key == "color_jitter" && a.Jitter != nil
		if !acts && given[key] != nil {
			a.Unused = append(a.Unused, key)
		}
	}
	return a, nil
}

// setJitter reads color_jitter if its probability is there.
func (a *Augment) setJitter(strengths, probability any) error {
	if !truth(probability) {
		return nil
	}
	p, ok := probability.(float64)
	if !ok {
		return &Error{"aug-cfg", "color_jitter_prob", "0 to 1", fmt.Sprint(probability)}
	}
	list, ok := strengths.([]any)
	if !ok || len(list) != 4 {
		return &Error{"aug-cfg", "color_jitter", "four numbers or ranges (brightness, contrast, saturation, hue) with color_jitter_prob", fmt.Sprint(strengths)}
	}
	j := Jitter{Probability: p}
	for i, into := range []*[2]float64{&j.Brightness, &j.Contrast, &j.Saturation, &j.Hue} {
		centre := [4]float64{1, 1, 1, 0}[i]
		n, number := list[i].(float64)
		switch {
		case number && n >= 0:
			*into = [2]float64{centre - n, centre + n}
			if i != hue {
				into[0] = max(into[0], 0)
			}
		case number:
			return &Error{"aug-cfg", "color_jitter: " + adjustments[i], "a number from 0, or a range", fmt.Sprint(n)}
		default:
			if *into, ok = pair(list[i]); !ok {
				return &Error{"aug-cfg", "color_jitter: " + adjustments[i], "a number from 0, or a range", fmt.Sprint(list[i])}
			}
		}
	}
	a.Jitter = &j
	return j.Validate()
}

func pair(v any) (p [2]float64, ok bool) {
	list, ok := v.([]any)
	if !ok || len(list) != 2 {
		return p, false
	}
	for i := range p {
		if p[i], ok = list[i].(float64); !ok {
			return p, false
		}
	}
	return p, true
}

// Transform is that of training for a model. (Whatever the model's interpolation is, OpenCLIP
// resizes in training by bicubic interpolation, and its resize mode plays no part.)
func (a Augment) Transform(model preprocess.Config) Transform {
	model.Interpolation = preprocess.Bicubic
	return Transform{Model: model, Crop: &a.Crop, Jitter: a.Jitter, Grey: a.Grey}
}

// Override changes what a model's config says of its pictures, as open_clip_train's flags --image-mean,
// --image-std, --image-interpolation and --image-resize-mode do. What is empty stays.
type Override struct {
	Mean, Std     []float64 // one number, or one for each channel
	Interpolation string
	ResizeMode    string
}

// Apply returns the changed config.
func (o Override) Apply(c preprocess.Config) (preprocess.Config, error) {
	for _, v := range []struct {
		name string
		from []float64
		to   *[3]float64
	}{{"image-mean", o.Mean, &c.Mean}, {"image-std", o.Std, &c.Std}} {
		switch len(v.from) {
		case 0:
		case 1:
			*v.to = [3]float64{v.from[0], v.from[0], v.from[0]}
		case 3:
			copy(v.to[:], v.from)
		default:
			return c, &Error{v.name, "numbers", "1 or 3", fmt.Sprint(len(v.from))}
		}
	}
	if o.Interpolation != "" {
		c.Interpolation = preprocess.Interpolation(o.Interpolation)
	}
	if o.ResizeMode != "" {
		c.ResizeMode = preprocess.ResizeMode(o.ResizeMode)
	}
	return c, c.Validate()
}
