package train

import (
	"time"

	"github.com/seed-e0874532/coca/train/record"
)

// Record is a line of the log, and how far the run is.
type Record struct {
	record.Step

	Batch, Batches int           // of the epoch: done and all
	Left           time.Duration // of the whole run, about
}
