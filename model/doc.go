// Package model is the architecture of CoCa, Contrastive Captioners (Yu et
// al. 2022, arXiv:2205.01917), as OpenCLIP builds it. Read it from top to
// bottom:
//
//	config.go   what can be configured, OpenCLIP's defaults, and what is refused
//	vision.go   pixels → image features and image tokens
//	text.go     ids → text features and text tokens
//	decoder.go  text tokens and image tokens → logits of the next token
//	coca.go     the three together: the graphs that programs are compiled from
//	weights.go  how checkpoints are adapted on load
//
// A layer exists once. The same definitions build the graph of a whole text
// and the graph of one decode step; only the way in which self-attention finds
// its keys differs.
package model
