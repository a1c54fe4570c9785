package generate

import (
	"fmt"
	"math"
	"strings"
)

// Type is the kind of search.
type Type int

// The kinds of search that OpenCLIP knows, by its names.
const (
	BeamSearch Type = iota // "beam_search"
	TopK                   // "top_k": sample from the k largest logits
	TopP                   // "top_p": sample from the smallest set of that mass
)

var typeNames = []string{"beam_search", "top_k", "top_p"}

// String returns OpenCLIP's name of t.
func (t Type) String() string { return nameOf(typeNames, int(t), "Type") }

// ParseType returns the Type of OpenCLIP's name for it.
func ParseType(name string) (Type, error) {
	i, err := parseName("generation_type", typeNames, name)
	return Type(i), err
}

// Profile names the release whose behaviour is reproduced.
type Profile int

// The reproduced releases.
const (
	OpenCLIP33 Profile = iota // "3.3": open_clip 3.3.0 with transformers 4.55.4
	Main                      // "main": open_clip 4.2.0.dev0 with transformers 5
)

var profileNames = []string{"3.3", "main"}

// String returns "3.3" or "main".
func (p Profile) String() string { return nameOf(profileNames, int(p), "Profile") }

// ParseProfile returns the Profile named "3.3" or "main".
func ParseProfile(name string) (Profile, error) {
	i, err := parseName("profile", profileNames, name)
	return Profile(i), err
}

func nameOf(names []string, i int, kind string) string {
	if i >= 0 && i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("%s(%d)", kind, i)
}

func parseName(option string, names []string, name string) (int, error) {
	for i, n := range names {
		if n == name {
			return i, nil
		}
	}
	return 0, &OptionError{Option: option, Want: strings.Join(names, " or "), Got: name}
}

// Bounds on options whose cost in memory OpenCLIP leaves to the caller.
const (
	MaxBeams    = 1024 // of Options.NumBeams
	MaxCaptions = 1024 // of Options.NumCaptions
)

// Options are the parameters of a search, by OpenCLIP's names. The zero value is
// not useful; start from [DefaultOptions].
type Options struct {
	Profile Profile
	Type    Type

	// NumBeams is the number of live hypotheses of a beam search, over all its
	// NumBeamGroups groups. Main has no groups and ignores NumBeamGroups.
	NumBeams, NumBeamGroups int

	// SeqLen is the largest length of a caption, SOT and prompt included.
	SeqLen int
	// MinSeqLen forbids EOT while the length, SOT and prompt included, is below it.
	// Main takes a negative one for 0.
	MinSeqLen int
	// MaxSeqLen is the number of last ids that the model sees when sampling with
	// OpenCLIP33; 0 means all.
	MaxSeqLen int

	// Temperature divides logits before the softmax of a sampling search.
	Temperature float64
	// TopK is the number of candidates of a TopK search; equals of the last one are
	// candidates too. Main takes 0 for all.
	TopK int
	// TopP is the probability mass of the candidates of a TopP search. Main, which
	// takes more than 1 for 1, draws them from the 50 greatest.
	TopP float64

	// RepetitionPenalty makes ids less likely that occur already: positive
	// values are divided by it, negative ones multiplied. 1 has no effect.
	RepetitionPenalty float64

	// FixedOutputLength pads Caption.IDs to SeqLen.
	FixedOutputLength bool

	// NumCaptions is the largest number of distinct captions to return per
	// image. A beam search returns up to that many of the hypotheses that it
	// holds in the end. A sampling search draws NumCaptions samples, of which
	// equal ones are returned once; sample 0 is the one that NumCaptions 1 gives.
	NumCaptions int

	// Seed selects the random numbers of a sampling search. Sample i of every
	// image draws from a stream of its own, PCG(Seed, i), the same for each
	// image, so that a caption depends on neither its batch nor NumCaptions.
	Seed uint64

	// SOT begins a caption, EOT ends it, Pad fills it up. A sampled Pad ends a
	// caption of OpenCLIP33 too.
	SOT, EOT, Pad int32

	// ContextLength is the largest number of ids that the model can see (76).
	ContextLength int

	// Prompt is the start of every caption, SOT included, without EOT and
	// padding. Empty means SOT alone. Beam search of OpenCLIP33 ignores it, as
	// OpenCLIP does.
	Prompt []int32

	// Observe, if not nil, is called after each step of the model.
	Observe func(Progress)
}

// Progress tells how far a search has come.
type Progress struct {
	Length   int // ids in each live history
	Rows     int // rows that the model computed in this step
	Finished int // images whose captions are complete
	Images   int
}

// DefaultOptions returns the defaults of OpenCLIP's generate for CLIP's
// vocabulary and a context of 76 tokens.
func DefaultOptions(p Profile) Options {
	return Options{
		Profile:           p,
		Type:              BeamSearch,
		NumBeams:          6,
		NumBeamGroups:     3,
		SeqLen:            30,
		MinSeqLen:         5,
		MaxSeqLen:         77,
		Temperature:       1,
		TopK:              1,
		TopP:              0.1,
		RepetitionPenalty: 1,
		NumCaptions:       1,
		SOT:               49406,
		EOT:               49407,
		Pad:               0,
		ContextLength:     76,
	}
}

// Validate reports the first option, as an *OptionError, that OpenCLIP refuses
// or that the search cannot serve. Options without effect on the chosen type and
// profile are not looked at.
func (o Options) Validate() error {
	for _, check := range []func() *OptionError{o.validateNames, o.validateLengths, o.validateTokens, o.validateSearch} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (o Options) validateNames() *OptionError {
	if o.Type < BeamSearch || o.Type > TopP {
		return wrong("generation_type", strings.Join(typeNames, " or "), o.Type)
	}
	if o.Profile < OpenCLIP33 || o.Profile > Main {
		return wrong("profile", strings.Join(profileNames, " or "), o.Profile)
	}
	return nil
}

func (o Options) validateLengths() *OptionError {
	switch {
	case o.ContextLength < 1:
		return wrong("context_length", "at least 1", o.ContextLength)
	case o.MinSeqLen < 0 && o.Profile == OpenCLIP33:
		return wrong("min_seq_len", "at least 0", o.MinSeqLen)
	case o.SeqLen <= o.MinSeqLen:
		return wrong("seq_len", fmt.Sprintf("more than min_seq_len (%d)", o.MinSeqLen), o.SeqLen)
	case o.SeqLen > o.ContextLength+1:
		return wrong("seq_len", fmt.Sprintf("at most the context length + 1 (%d)", o.ContextLength+1), o.SeqLen)
	case o.SeqLen < 2 && (o.Type == BeamSearch || o.Profile == Main):
		return wrong("seq_len", "at least 2", o.SeqLen)
	}
	if o.Profile == OpenCLIP33 && o.Type != BeamSearch {
		if o.MaxSeqLen < 0 {
			return wrong("max_seq_len", "at least 0", o.MaxSeqLen)
		}
		if n := o.window(len(o.Prompt)); n > o.ContextLength {
			return wrong("prompt", fmt.Sprintf("at most the context length (%d) ids", o.ContextLength), n)
		}
	}
	if o.Profile == Main && len(o.Prompt) >= o.SeqLen {
		return wrong("prompt", fmt.Sprintf("fewer than seq_len (%d) ids", o.SeqLen), len(o.Prompt))
	}
	return nil
}

func (o Options) validateTokens() *OptionError {
	for _, t := range []struct {
		name string
		id   int32
	}{{"sot_token_id", o.SOT}, {"eos_token_id", o.EOT}, {"pad_token_id", o.Pad}} {
		if t.id < 0 {
			return wrong(t.name, "at least 0", t.id)
		}
	}
	for i, id := range o.start() {
		if id < 0 {
			return wrong("prompt", "ids of at least 0", fmt.Sprintf("%d at position %d", id, i))
		}
	}
	return nil
}

func (o Options) validateSearch() *OptionError {
	if p := o.RepetitionPenalty; !(p > 0) || float32(p) == 0 || math.IsInf(float64(float32(p)), 0) {
		return wrong("repetition_penalty", "a positive float32", p)
	}
	if o.NumCaptions < 1 || o.NumCaptions > MaxCaptions {
		return wrong("num_captions", fmt.Sprintf("1 to %d", MaxCaptions), o.NumCaptions)
	}
	switch o.Type {
	case BeamSearch:
		return o.validateBeams()
	case TopK:
		least := 1
		if o.Profile == Main {
			least = 0 // no limit
		}
		if o.TopK < least {
			return wrong("top_k", fmt.Sprintf("at least %d", least), o.TopK)
		}
	case TopP:
		if !(o.TopP >= 0) || o.TopP > 1 && o.Profile == OpenCLIP33 {
			return wrong("top_p", "0 to 1", o.TopP)
		}
	}
	if !(o.Temperature > 0) || math.IsInf(o.Temperature, 0) {
		return wrong("temperature", "a positive finite number", o.Temperature)
	}
	return nil
}

func (o Options) validateBeams() *OptionError {
	least := 2 // OpenCLIP 3.3.0: one beam should be a greedy search
	if o.Profile == Main {
		least = 1
	}
	if o.NumBeams < least || o.NumBeams > MaxBeams {
		return wrong("num_beams", fmt.Sprintf("%d to %d", least, MaxBeams), o.NumBeams)
	}
	if g := o.NumBeamGroups; o.Profile == OpenCLIP33 && (g < 1 || o.NumBeams%g != 0) {
		return wrong("num_beam_groups", fmt.Sprintf("a divisor of num_beams (%d)", o.NumBeams), g)
	}
	return nil
}

// validateVocab checks the ids that the search feeds against the model.
func (o Options) validateVocab(vocab int) error {
	want := fmt.Sprintf("an id below the model's vocabulary size (%d)", vocab)
	for _, t := range []struct {
		name string
		id   int32
	}{{"sot_token_id", o.SOT}, {"eos_token_id", o.EOT}, {"pad_token_id", o.Pad}} {
		if int(t.id) >= vocab {
			return wrong(t.name, want, t.id)
		}
	}
	for i, id := range o.start() {
		if int(id) >= vocab {
			return wrong("prompt", want, fmt.Sprintf("%d at position %d", id, i))
		}
	}
	return nil
}

// window is the number of ids that the model sees of a history of length n.
func (o Options) window(n int) int {
	if o.Profile == OpenCLIP33 && o.MaxSeqLen > 0 {
		return min(n, o.MaxSeqLen)
	}
	return n
}

// start returns the ids that each history begins with.
func (o Options) start() []int32 {
	ignored := o.Profile == OpenCLIP33 && o.Type == BeamSearch
	if len(o.Prompt) == 0 || ignored {
		return []int32{o.SOT}
	}
	return o.Prompt
}
