package train

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"time"
)

// LogName is the log in the folder of a run: one JSON object a line.
const LogName = "train.jsonl"

// Record is one line of the log. Losses are weighted, as OpenCLIP logs them; rate
// and scale are those that the step used.
type Record struct {
	Step        int     `json:"step"`  // from 0, over all epochs
	Epoch       int     `json:"epoch"` // from 0
	Loss        float64 `json:"loss"`
	Contrastive float64 `json:"contrastive_loss"`
	Caption     float64 `json:"caption_loss"`
	LR          float64 `json:"lr"`
	LogitScale  float64 `json:"logit_scale"`
	Rate        float64 `json:"samples_per_second"`
	DataTime    float64 `json:"data_time"`  // seconds a step waited for its batch
	BatchTime   float64 `json:"batch_time"` // seconds of a step

	// For the progress line.
	Batch, Batches int           `json:"-"` // of the epoch: done and all
	Left           time.Duration `json:"-"` // of the whole run, about
}

// openLines opens a log of JSON lines to append to it. From the first line on that
// does not hold, it takes back what it says: that will be done again.
func openLines(path string, holds func(line []byte) bool) (*os.File, error) {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	keep := 0
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if !holds(lines.Bytes()) {
			break
		}
		keep += len(lines.Bytes()) + 1
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(int64(min(keep, len(data)))); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// stepBefore holds for records of the log of steps before the given one.
func stepBefore(step int) func([]byte) bool {
	return func(line []byte) bool {
		var r struct {
			Step *int `json:"step"`
		}
		return json.Unmarshal(line, &r) == nil && r.Step != nil && *r.Step < step
	}
}

// epochTo holds for results up to an epoch.
func epochTo(epoch int) func([]byte) bool {
	return func(line []byte) bool {
		var r struct {
			Epoch *int `json:"epoch"`
		}
		return json.Unmarshal(line, &r) == nil && r.Epoch != nil && *r.Epoch <= epoch
	}
}
