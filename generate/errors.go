package generate

import "fmt"

// OptionError reports an option that OpenCLIP refuses or the search cannot serve.
type OptionError struct {
	Option string // OpenCLIP's name of it, such as "num_beams"
	Want   string // what is allowed
	Got    string // what was given
}

func (e *OptionError) Error() string {
	return fmt.Sprintf("generate: %s: want %s, got %s", e.Option, e.Want, e.Got)
}

func wrong(option, want string, got any) *OptionError {
	return &OptionError{Option: option, Want: want, Got: fmt.Sprint(got)}
}

// LogitError reports a logit with which no search can go on: NaN, +Inf, or a row
// in which all are -Inf.
type LogitError struct {
	Image int     // index of the image
	Step  int     // number of ids in the history that the logits follow
	Token int     // index of the logit; -1 if no logit of the row is finite
	Value float32 // the logit
}

func (e *LogitError) Error() string {
	if e.Token < 0 {
		return fmt.Sprintf("generate: image %d, step %d: want a finite logit, got none", e.Image, e.Step)
	}
	return fmt.Sprintf("generate: image %d, step %d: want logits that are numbers, got %v for token %d",
		e.Image, e.Step, e.Value, e.Token)
}

// ModelError reports an answer of a Model that breaks its contract.
type ModelError struct {
	What      string // "vocabulary size", "rows" or "logits of a row"
	Want, Got int
}

func (e *ModelError) Error() string {
	return fmt.Sprintf("generate: model: %s: want %d, got %d", e.What, e.Want, e.Got)
}
