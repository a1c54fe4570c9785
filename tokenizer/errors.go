package tokenizer

import "fmt"

// A FileError says what is wrong with a tokenizer file.
type FileError struct {
	File  string // name inside the model folder
	Field string // where in the file, as a.b[3]; "" for the file itself
	Want  string // what was wanted
	Found string // what was found
	Err   error  // the cause, if there is one
}

func (e *FileError) Error() string {
	where := e.File
	if e.Field != "" {
		where += ": " + e.Field
	}
	text := fmt.Sprintf("tokenizer: %s: want %s, found %s", where, e.Want, e.Found)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *FileError) Unwrap() error { return e.Err }

// An UnsupportedError names a component of a tokenizer file that this package
// does not implement.
type UnsupportedError struct {
	File      string // name inside the model folder
	Component string // such as "model" or "pre_tokenizer"
	Found     string // its type or setting
	Want      string // what is supported
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("tokenizer: %s: unsupported %s: want %s, found %s", e.File, e.Component, e.Want, e.Found)
}

// quote shows a string of a file in an error, shortened if it is long.
func quote(s string) string {
	const limit = 60
	if len(s) > limit {
		return fmt.Sprintf("%q… (%d bytes)", s[:limit], len(s))
	}
	return fmt.Sprintf("%q", s)
}
