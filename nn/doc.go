// Package nn holds the layers of a transformer. A layer is a struct of weights
// with one Forward that builds its part of an expression graph; its
// constructor names every tensor and the shape that it wants, in the order of
// OpenCLIP's state dict.
//
// Shape comments use B batch, T tokens, d width, R rows of a decode step, N
// image tokens.
package nn
