// Package defaultmodel embeds a small CoCa, so that a program captions images
// without any download. Import it only where that is wanted: it adds the
// model's size to the binary.
//
//	m, err := coca.Open(defaultmodel.FS, defaultmodel.Name)
//
// What it was trained on and what it cannot do stands in the model's README.md,
// which [coca.Spec.About] returns.
package defaultmodel

import (
	"embed"
	"io/fs"
)

// Name is the model's name.
const Name = "scenes"

//go:embed scenes
var files embed.FS

// FS is the model folder.
var FS = sub()

func sub() fs.FS {
	dir, err := fs.Sub(files, Name)
	if err != nil {
		panic(err) // cannot happen: the name is a constant that exists
	}
	return dir
}
