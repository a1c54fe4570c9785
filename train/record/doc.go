// Package record keeps the records of a training run in its folder.
//
//   - [Log] is a file of JSON lines, one for each step or validation.
//   - [Events] are the same numbers for TensorBoard, under open_clip_train's names.
//   - [Curve] is a picture of the losses.
//   - [Run] keeps all three.
//
// A run that was killed goes on from its last checkpoint, and does again what came after it.
// So whatever is opened here first takes back what it holds of that; each step is
// recorded once, as if nothing had happened.
package record

import "fmt"

// An Error says what of a file cannot be used.
type Error struct {
	Path        string
	Part        string // such as "line 3"
	Want, Found string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s: want %s, found %s", e.Path, e.Part, e.Want, e.Found)
}
