// Package generate searches for captions: it turns a model that answers "which
// token comes next?" into sequences of token ids.
//
// It reproduces the generate method of OpenCLIP's CoCa, of release 3.3.0
// ([OpenCLIP33]) and of the development branch ([Main]), including the
// decisions that no textbook would make. Release 3.3.0 adds up raw logits in
// its beam search, where the development branch adds up log-probabilities; that
// and the length that scores are divided by give the two profiles different
// captions from the same model.
//
// The package knows nothing of tensors, images or text. A search sees a [Model]
// of three methods, and histories that grow by one token at a time, which is
// what a model with key/value caches can do cheaply. Where the reference repeats
// work that must come out the same (the groups of a beam search, the beams of
// the first step, samples that have not parted yet), one row is computed.
//
// All searches are deterministic functions of the model's logits, the options
// and the seed, and the captions of an image do not depend on the other images
// of its batch.
package generate
