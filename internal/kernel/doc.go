// Package kernel holds the numeric kernels of the model: products of
// activations and weights, layer norm, attention, activations and their
// helpers. A kernel knows only slices and sizes: it has no idea of graphs,
// layers or files.
//
// Every matrix is row-major float32 and every size is passed explicitly.
// Kernels split their work over a [Pool], allocate nothing once they have run
// with given sizes, and are deterministic: the result does not depend on the
// number of threads.
//
// Each kernel has a readable twin in plain Go whose name ends in Generic. It is
// the documentation of the assembly beside it, the fallback on machines without
// assembly, and the oracle of the tests. Which of them runs is decided once,
// from the features of the processor (see [ISA]).
//
// Sizes that do not fit the slices are a programmer's mistake and panic, like
// an index out of range; callers check shapes before they come here.
package kernel
