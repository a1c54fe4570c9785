package record

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Step is the record of one optimizer step. Losses are weighted, as OpenCLIP logs
// them; rate and scale are those that the step used.
type Step struct {
	Step             int     `json:"step"`  // from 0, over all epochs
	Epoch            int     `json:"epoch"` // from 0
	Loss             float64 `json:"loss"`
	Contrastive      float64 `json:"contrastive_loss"`
	Caption          float64 `json:"caption_loss"`
	LR               float64 `json:"lr"`
	LogitScale       float64 `json:"logit_scale"` // its exponential
	SamplesPerSecond float64 `json:"samples_per_second"`
	DataTime         float64 `json:"data_time"`  // seconds that a step waited for its batch
	BatchTime        float64 `json:"batch_time"` // seconds of a step
}

// scalars are the numbers of a step as open_clip_train names them for TensorBoard, but
// for its prefix train/. (One process is one "gpu".)
func (s Step) scalars() []Scalar {
	return []Scalar{
		{"data_time", s.DataTime}, {"batch_time", s.BatchTime},
		{"samples_per_second", s.SamplesPerSecond}, {"samples_per_second_per_gpu", s.SamplesPerSecond},
		{"scale", s.LogitScale}, {"lr", s.LR},
		{"contrastive_loss", s.Contrastive}, {"caption_loss", s.Caption}, {"loss", s.Loss},
	}
}

// numbers lists the numbers at the top of v's JSON object, in their order.
func numbers(v any) ([]Scalar, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var list []Scalar
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("record: want an object, found %.20s", data)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value any
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		if number, ok := value.(float64); ok {
			list = append(list, Scalar{key.(string), number})
		}
	}
	return list, nil
}
