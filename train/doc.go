// Package train trains a CoCa: the compiled training step with its losses and the
// gradient of every tensor, and what turns gradients into a better model.
//
//   - [Parameters] are the tensors to train, in one slab of values and one of
//     gradients. The model reads the first in place, a [Step] writes the second.
//   - [Clipper] bounds the norm of the gradients.
//   - [AdamW] and [Muon] change the values; [Schedule] gives their rate.
//
// Names, groups, order and defaults are OpenCLIP's, so that its optimizer's state
// and ours mean the same. Package data reads what is trained on.
package train
