// Package train trains a CoCa: the compiled training step, its losses and the
// gradient of every tensor.
package train
