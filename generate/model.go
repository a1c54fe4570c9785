package generate

import "context"

// Model is what a search needs of a captioner: histories that grow by one token.
//
// A model keeps a batch of rows. Every row belongs to an image and has a history
// of token ids. Methods are called by one goroutine at a time.
type Model interface {
	// VocabSize is the number of logits of a row.
	VocabSize() int

	// Start drops all histories and begins one empty history per element of
	// images; row i describes image images[i].
	Start(ctx context.Context, images []int) error

	// Step makes row i from the history of row parents[i], with tokens[i]
	// appended, and returns the logits that follow: raw, float32, VocabSize of
	// them for each row. len(parents) == len(tokens) is the new number of rows.
	// It may shrink when images finish, or grow, and several rows may have the
	// same parent. All rows have histories of equal length.
	//
	// The slices belong to the model until the next call; the search does not
	// modify them. The search keeps parents and tokens, which the model must
	// neither modify nor use after it returns.
	Step(ctx context.Context, parents []int, tokens []int32) ([][]float32, error)
}

// Normalizer is a Model that knows what [LogSumExp] of its logits is: a search asks it, and
// does not compute it. With a large vocabulary that takes a share of a step.
type Normalizer interface {
	Model

	// LogSumExp returns log Σ exp of the logits of a row of the last Step; NaN if one
	// is NaN or +Inf or all are -Inf.
	LogSumExp(row int) float64
}

// Caption is one generated sequence.
type Caption struct {
	// IDs is the row that OpenCLIP returns for this image alone: the start (SOT
	// or the prompt), the generated ids, and EOT where the caption ended by it.
	// There is no trailing padding unless Options.FixedOutputLength asks for it.
	// A generated id equal to the pad id is no padding and never stripped.
	IDs []int32

	// Score is what the search ranks by. Beam search of OpenCLIP33: the sum of
	// processed raw logits over the length; of Main: the sum of processed
	// log-probabilities over the generated length. Sampling: LogProb.
	Score float64

	// LogProb is the sum of TokenLogProbs.
	LogProb float64

	// TokenLogProbs has the log-softmax of the unprocessed logits (no
	// temperature, penalty or blocked EOT) for each id after the first: prompt
	// and final EOT included, padding excluded. TokenLogProbs[i] is that of
	// IDs[i+1].
	TokenLogProbs []float64
}
