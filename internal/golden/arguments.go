package golden

import (
	"encoding/json"
	"fmt"

	"github.com/seed-e0874532/coca/generate"
)

// Arguments applies keyword arguments of OpenCLIP's generate, a JSON object, to
// the options of a search. An argument that this package does not know is an
// error.
func Arguments(o *generate.Options, object json.RawMessage) error {
	if len(object) == 0 {
		return nil
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(object, &all); err != nil {
		return fmt.Errorf("generation: want an object, got %w", err)
	}
	targets := map[string]any{
		"num_beams": &o.NumBeams, "num_beam_groups": &o.NumBeamGroups, "seq_len": &o.SeqLen, "min_seq_len": &o.MinSeqLen,
		"max_seq_len": &o.MaxSeqLen, "top_k": &o.TopK, "top_p": &o.TopP, "temperature": &o.Temperature,
		"repetition_penalty": &o.RepetitionPenalty, "fixed_output_length": &o.FixedOutputLength,
		"sot_token_id": &o.SOT, "eos_token_id": &o.EOT, "pad_token_id": &o.Pad,
	}
	for name, value := range all {
		if name == "generation_type" {
			var kind string
			if err := json.Unmarshal(value, &kind); err != nil {
				return fmt.Errorf("generation: %s: want a name, got %s", name, value)
			}
			t, err := generate.ParseType(kind)
			if err != nil {
				return err
			}
			o.Type = t
			continue
		}
		target, ok := targets[name]
		if !ok {
			return fmt.Errorf("generation: want arguments of OpenCLIP's generate, got %q", name)
		}
		if err := json.Unmarshal(value, target); err != nil {
			return fmt.Errorf("generation: %s: %w", name, err)
		}
	}
	return nil
}
