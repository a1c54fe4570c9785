package coca

import (
	"fmt"

	"github.com/seed-e0874532/coca/internal/infer"
	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/preprocess"
	"github.com/seed-e0874532/coca/tokenizer"
	"github.com/seed-e0874532/coca/weights"
)

// Version is the semantic version of this module.
const Version = "0.1.0"

// Profiles are the releases of OpenCLIP whose behaviour is reproduced.
const Profiles = "open_clip 3.3.0 with transformers 4.55.4 (3.3), open_clip main with transformers 5 (main); Pillow 13.0.0"

// Name is the name under which the model was loaded.
func (m *Model) Name() string { return m.name }

// Config is the model's architecture.
func (m *Model) Config() model.Config { return m.cfg }

// About is what the model folder says about itself, "" if nothing.
func (m *Model) About() string { return m.about }

// Tensors describes the weights as they are stored.
func (m *Model) Tensors() []weights.Info { return m.file.Tensors() }

// Tokenizer is the model's tokenizer; an error if it has none that can be used.
func (m *Model) Tokenizer() (*tokenizer.Tokenizer, error) { return m.tok, m.tokErr }

// Preprocessing says how images are prepared.
func (m *Model) Preprocessing() preprocess.Config { return m.pre }

// Preprocess makes an image into what the model sees: [3, H, W], normalised.
func (m *Model) Preprocess(img *Image) ([]float32, error) { return m.pre.Apply(img) }

// Runtime gives access to the compiled programs, for the tools of this module.
func (m *Model) Runtime() *infer.Runtime { return m.run }

// Device names what the model runs on.
func (m *Model) Device() string { return m.run.Device().Name() }

// String names the model and its size.
func (m *Model) String() string {
	n := 0
	for _, t := range m.file.Tensors() {
		n += t.Elems()
	}
	return fmt.Sprintf("%s: %d parameters on %s", m.name, n, m.Device())
}
