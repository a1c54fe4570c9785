package model

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"testing"

	"github.com/seed-e0874532/coca/internal/formula"
	"github.com/seed-e0874532/coca/nn"
	"github.com/seed-e0874532/coca/weights"
)

const goldens = "../testdata/golden/small/"

// tolerated are configurations that OpenCLIP refuses and we accept on purpose.
var tolerated = map[string]string{
	"latent_dim":         "an unknown key",
	"unknown_vision_key": "an unknown key",
	"unknown_top_key":    "an unknown key",
	"no_cls_short":       "OpenCLIP does not cut its causal mask to a short row; ours has no mask to cut",
	"no_cls_generate":    "the same",
}

// TestRefused holds our refusals against OpenCLIP's.
func TestRefused(t *testing.T) {
	data, err := os.ReadFile(goldens + "refused.json")
	if err != nil {
		t.Fatal(err)
	}
	var g struct {
		Refused []struct {
			Name, About string
			Config      json.RawMessage
		}
	}
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Refused) < 20 {
		t.Fatalf("want at least 20 configurations, got %d", len(g.Refused))
	}
	for _, c := range g.Refused {
		_, err := ParseConfig(c.Config)
		var refusal *ConfigError
		if reason, ok := tolerated[c.Name]; ok {
			if err != nil {
				t.Errorf("%s (%s): want it tolerated (%s), got %v", c.Name, c.About, reason, err)
			}
		} else if !errors.As(err, &refusal) || refusal.Key == "" || refusal.Want == "" || refusal.Got == "" {
			t.Errorf("%s (%s): want a ConfigError that says key, want and got, got %v", c.Name, c.About, err)
		}
	}
}

// TestPositions compares resized tables of positions with OpenCLIP's.
func TestPositions(t *testing.T) {
	data, err := os.ReadFile(goldens + "positions.json")
	if err != nil {
		t.Fatal(err)
	}
	var g struct {
		Tensors string
		Cases   []struct {
			Kind, DType, Name, Tensor, Error string
			From, To, Grid                   []int
		}
	}
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	file, err := weights.Open(goldens + g.Tensors)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	compared := 0
	for _, c := range g.Cases {
		if c.Error != "" || c.From[0] == c.To[0] {
			continue // the reference lacks that type, or loads the table as it is
		}
		stored, err := file.Tensor(c.Tensor)
		if err != nil {
			t.Fatal(err)
		}
		want, err := stored.Float32()
		if err != nil {
			t.Fatal(err)
		}
		round := weights.Rounding(weights.DType(c.DType))
		from := formula.Weight(c.Name, c.From)
		for i, v := range from {
			from[i] = round(v)
		}
		adapt := resizePositions(c.To[0])
		if c.Kind == "visual" {
			adapt = resizeGrid(c.Grid[0], c.Grid[1])
		}
		got, ok := adapt(nn.Found{Data: from, Shape: c.From, Want: c.To, Round: round})
		if !ok || len(got) != len(want) {
			t.Errorf("%v: got %d values, want %d", c, len(got), len(want))
			continue
		}
		// Float32 sums of up to 16·16 weights in another order than torch's, and
		// places between rows rounded to float32 (2e-6 at row 30); a
		// half-precision table may round the other way.
		tolerance := 4e-6
		switch c.DType {
		case "F16":
			tolerance = 1.0 / (1 << 10)
		case "BF16":
			tolerance = 1.0 / (1 << 7)
		}
		for i, v := range got {
			if !(math.Abs(float64(v)-float64(want[i])) <= tolerance) {
				t.Errorf("%s %s %v → %v: value %d: got %v, want %v", c.Kind, c.DType, c.From, c.To, i, v, want[i])
				break
			}
		}
		compared++
	}
	if compared < 20 {
		t.Errorf("compared %d tables, want at least 20", compared)
	}
}

// TestTensors counts the tensors and parameters of the built-in architectures.
func TestTensors(t *testing.T) {
	for name, want := range map[string][2]int{
		"coca_ViT-B-32": {629, 253_560_065},
		"coca_ViT-L-14": {773, 638_450_177},
		"coca_base":     {618, 440_337_409},
	} {
		cfg, err := Named(name)
		if err != nil {
			t.Fatal(err)
		}
		tensors, parameters := Tensors(cfg), 0
		for _, x := range tensors {
			n := 1
			for _, d := range x.Shape {
				n *= d
			}
			parameters += n
		}
		if len(tensors) != want[0] || parameters != want[1] {
			t.Errorf("%s: got %d tensors, %d parameters, want %d, %d", name, len(tensors), parameters, want[0], want[1])
		}
	}
	var refusal *ConfigError
	if _, err := Named("coca_roberta-ViT-B-32"); !errors.As(err, &refusal) || refusal.Key != "text_cfg.hf_model_name" {
		t.Errorf("coca_roberta: got %v, want a refusal that says why", err)
	}
}

// TestHostileConfigs must neither panic nor build anything large.
func TestHostileConfigs(t *testing.T) {
	const vision, text, decoder = `"vision_cfg":{"output_tokens":true}`, `"text_cfg":{"output_tokens":true}`, `"multimodal_cfg":{}`
	for _, data := range []string{
		``, `null`, `[]`, `{}`, `{"embed_dim": 1}`, `{"model_cfg": 5}`,
		`{"embed_dim":"a",` + vision + `,` + text + `,` + decoder + `}`,
		`{"embed_dim":1e99,` + vision + `,` + text + `,` + decoder + `}`,
		`{"embed_dim":-1,` + vision + `,` + text + `,` + decoder + `}`,
		`{"embed_dim":512,"vision_cfg":null,` + text + `,` + decoder + `}`,
		`{"embed_dim":512,"vision_cfg":{"layers":1000000000},` + text + `,` + decoder + `}`,
		`{"embed_dim":512,"vision_cfg":{"layers":[3,4,6,3]},` + text + `,` + decoder + `}`,
		`{"embed_dim":512,"vision_cfg":{"image_size":[1,2,3]},` + text + `,` + decoder + `}`,
		`{"embed_dim":512,"vision_cfg":{"image_size":10000,"patch_size":1,"output_tokens":true},` + text + `,` + decoder + `}`,
		`{"embed_dim":512,"vision_cfg":{"mlp_ratio":1e308},` + text + `,` + decoder + `}`,
		`{"embed_dim":512,"vision_cfg":{"head_width":0},` + text + `,` + decoder + `}`,
		`{"embed_dim":512,` + vision + `,"text_cfg":{"heads":0},` + decoder + `}`,
		`{"embed_dim":512,` + vision + `,"text_cfg":{"vocab_size":99999999999},` + decoder + `}`,
		`{"embed_dim":512,"vision_cfg":{"qk_norm":true},` + text + `,` + decoder + `}`,
		`{"embed_dim":512,"vision_cfg":{"timm_model_name":"resnet50"},` + text + `,` + decoder + `}`,
	} {
		var refusal *ConfigError
		if _, err := ParseConfig([]byte(data)); !errors.As(err, &refusal) {
			t.Errorf("%s: got %v, want a ConfigError", data, err)
		}
	}
}

// FuzzConfig feeds configs to the parser; what it accepts must be listable.
func FuzzConfig(f *testing.F) {
	for _, name := range Names() {
		data, err := configs.ReadFile("configs/" + name + ".json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, err := ParseConfig(data)
		if err == nil && cfg.Vision.Layers+cfg.Text.Layers+cfg.Decoder.Layers < 100 {
			Tensors(cfg)
		}
	})
}
