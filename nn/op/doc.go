// Package op holds the fused operators that the model's graphs are made of.
//
// A transformer layer is a handful of coarse operators (a linear map with
// its bias, activation and residual; a layer normalisation; an attention),
// not a hundred elementwise ones. Each operator is a [gorgonia.Op]: it
// knows its shape rule, what it costs, and how to compute itself readably
// (Do), which makes it run on Gorgonia's own machines and makes it the
// oracle for the kernels that package exec binds in its place.
//
// Operators are applied through a [Builder], which keeps the first error,
// gives every operator instance a hash of its own and refuses a node that
// Gorgonia has merged with an earlier one.
//
// Shapes are written with these letters: B batch, T tokens, d channels,
// H heads, R rows of a decode step. Everything is float32, row-major,
// unless an operand says otherwise.
package op
