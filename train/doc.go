// Package train trains a CoCa: the compiled training step with its losses and the
// gradient of every tensor, what turns gradients into a better model, and the loop around
// them.
//
//   - [Parameters] are the tensors to train, in one slab of values and one of
//     gradients. The model reads the first in place, a [Step] writes the second.
//   - [Clipper] bounds the norm of the gradients.
//   - [AdamW] and [Muon] change the values; [Schedule] gives their rate.
//   - [Trainer] is a run: it reads batches ahead, steps, logs, validates, and writes
//     checkpoints, from which it goes on as if nothing had happened.
//
// Names, groups, order and defaults are OpenCLIP's, so that its optimizer's state
// and ours mean the same. Package data reads what is trained on.
package train
