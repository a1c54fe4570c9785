package preprocess

import "fmt"

// A FormatError reports an image file that is damaged, cut short, or not an
// image at all.
type FormatError struct {
	Format string // "PNG", "GIF", ...; "image" when no format was recognised
	Thing  string // the part of the file that is wrong: "IHDR width", "strip 3"
	Want   string // what the format demands there
	Found  string // what stands there
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("%s: %s: want %s, found %s", e.Format, e.Thing, e.Want, e.Found)
}

// An UnsupportedError reports a file that is well formed as far as it was
// read, but uses a variant of its format that this package does not decode.
type UnsupportedError struct {
	Format  string // as in FormatError
	Feature string // "compression", "header size", ...
	Found   string // the value that is not supported
	Want    string // what is supported
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("%s: unsupported %s: want %s, found %s", e.Format, e.Feature, e.Want, e.Found)
}

// A LimitError reports an input that would need more than a limit allows.
type LimitError struct {
	Thing string // "pixels", "input bytes", ...
	Limit int64
	Found int64 // the smallest amount known to be needed
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("image: too many %s: want at most %d, found %d", e.Thing, e.Limit, e.Found)
}

// A ConfigError reports a preprocessing configuration that cannot be used.
type ConfigError struct {
	Field string // the JSON name of the field
	Want  string
	Found string
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("preprocess_cfg: %s: want %s, found %s", e.Field, e.Want, e.Found)
}

// formatErr builds a FormatError; found is rendered with fmt.Sprint.
func formatErr(format, thing, want string, found any) error {
	return &FormatError{Format: format, Thing: thing, Want: want, Found: fmt.Sprint(found)}
}

// truncated is the FormatError of a file that ends too early.
func truncated(format, thing string, want, found int) error {
	return &FormatError{
		Format: format, Thing: thing,
		Want:  fmt.Sprintf("%d bytes", want),
		Found: fmt.Sprintf("%d bytes and the end of the data", found),
	}
}
