package model

import (
	"embed"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
)

// Config is the model_cfg of an OpenCLIP CoCa. Fields that OpenCLIP reads but
// that change nothing in a CoCa at inference (the decoder's mlp_ratio,
// dim_head, n_queries, …) are ignored, as are unknown keys.
type Config struct {
	EmbedDim      int          `json:"embed_dim"`
	QuickGELU     bool         `json:"quick_gelu,omitempty"`
	InitLogitBias *float64     `json:"init_logit_bias,omitempty"`
	PadID         int          `json:"pad_id,omitempty"` // of generation
	Vision        VisionConfig `json:"vision_cfg"`
	Text          TextConfig   `json:"text_cfg"`
	Decoder       TextConfig   `json:"multimodal_cfg"`
}

// VisionConfig is OpenCLIP's vision_cfg.
type VisionConfig struct {
	ImageSize         Size        `json:"image_size"`
	PatchSize         Size        `json:"patch_size"`
	Width             int         `json:"width"`
	Layers            Count       `json:"layers"`
	HeadWidth         int         `json:"head_width"`
	MLPRatio          float64     `json:"mlp_ratio"`
	LSInitValue       *float64    `json:"ls_init_value,omitempty"`
	PatchDropout      float64     `json:"patch_dropout,omitempty"` // of training: see DropPatches
	AttentionalPool   Pooler      `json:"attentional_pool"`
	AttnPoolerQueries int         `json:"attn_pooler_queries"`
	AttnPoolerHeads   int         `json:"attn_pooler_heads"`
	NoLNPre           bool        `json:"no_ln_pre,omitempty"`
	PosEmbedType      string      `json:"pos_embed_type,omitempty"`
	FinalLNAfterPool  bool        `json:"final_ln_after_pool,omitempty"`
	PoolType          string      `json:"pool_type"`
	OutputTokens      bool        `json:"output_tokens"`
	NormKwargs        *NormKwargs `json:"norm_kwargs,omitempty"`
	TimmModelName     string      `json:"timm_model_name,omitempty"`
	unsupported
}

// TextConfig is OpenCLIP's text_cfg, and the part of it that its
// multimodal_cfg reads.
type TextConfig struct {
	ContextLength   int         `json:"context_length"`
	VocabSize       int         `json:"vocab_size"`
	Width           int         `json:"width"`
	Heads           int         `json:"heads"`
	Layers          Count       `json:"layers"`
	MLPRatio        float64     `json:"mlp_ratio"`
	LSInitValue     *float64    `json:"ls_init_value,omitempty"`
	EmbedCLS        bool        `json:"embed_cls"`
	PadID           int         `json:"pad_id"`
	EOSID           int         `json:"eos_id"`
	NoCausalMask    bool        `json:"no_causal_mask,omitempty"`
	PoolType        string      `json:"pool_type"`
	ProjBias        bool        `json:"proj_bias,omitempty"`
	ProjType        string      `json:"proj_type,omitempty"`
	OutputTokens    bool        `json:"output_tokens"`
	NormKwargs      *NormKwargs `json:"norm_kwargs,omitempty"`
	HFModelName     string      `json:"hf_model_name,omitempty"`
	HFTokenizerName string      `json:"hf_tokenizer_name,omitempty"`
	TokenizerKwargs struct {
		Clean string `json:"clean,omitempty"`
	} `json:"tokenizer_kwargs,omitzero"`
	unsupported
}

// NormKwargs changes the ε of a tower's layer norms.
type NormKwargs struct {
	Eps *float64 `json:"eps,omitempty"`
}

// unsupported are switches of OpenCLIP's towers that no CoCa uses; a model that sets one is refused.
type unsupported struct {
	QKNorm           bool           `json:"qk_norm,omitempty"`
	ScaledCosineAttn bool           `json:"scaled_cosine_attn,omitempty"`
	ScaleHeads       bool           `json:"scale_heads,omitempty"`
	ScaleAttnInner   bool           `json:"scale_attn_inner,omitempty"`
	ScaleAttn        bool           `json:"scale_attn,omitempty"`
	ScaleFC          bool           `json:"scale_fc,omitempty"`
	BlockType        string         `json:"block_type,omitempty"`
	ActKwargs        map[string]any `json:"act_kwargs,omitempty"`
}

// set names the first switch that is on.
func (u unsupported) set() string {
	for _, s := range []struct {
		name string
		on   bool
	}{
		{"qk_norm", u.QKNorm}, {"scaled_cosine_attn", u.ScaledCosineAttn}, {"scale_heads", u.ScaleHeads},
		{"scale_attn_inner", u.ScaleAttnInner}, {"scale_attn", u.ScaleAttn}, {"scale_fc", u.ScaleFC},
		{"block_type", u.BlockType != "" && u.BlockType != "default"}, {"act_kwargs", len(u.ActKwargs) > 0},
	} {
		if s.on {
			return s.name
		}
	}
	return ""
}

// Size is a height and a width in pixels; in JSON one number or a pair.
type Size struct{ Height, Width int }

// UnmarshalJSON implements json.Unmarshaler.
func (s *Size) UnmarshalJSON(data []byte) error {
	var one int
	if json.Unmarshal(data, &one) == nil {
		*s = Size{one, one}
		return nil
	}
	var pair []int
	if err := json.Unmarshal(data, &pair); err != nil || len(pair) != 2 {
		return fmt.Errorf("size: want a whole number or two, got %s", data)
	}
	*s = Size{pair[0], pair[1]}
	return nil
}

// MarshalJSON implements json.Marshaler.
func (s Size) MarshalJSON() ([]byte, error) {
	if s.Height == s.Width {
		return json.Marshal(s.Height)
	}
	return json.Marshal([2]int{s.Height, s.Width})
}

// Count is a number of layers. A list of four, as a ResNet has, reads as −1.
type Count int

// UnmarshalJSON implements json.Unmarshaler.
func (c *Count) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return fmt.Errorf("number of layers: want a whole number, got null")
	}
	var list []int
	if json.Unmarshal(data, &list) == nil && list != nil {
		*c = -1
		return nil
	}
	return json.Unmarshal(data, (*int)(c))
}

// Pooler is the kind of attentional pooler: "" (none), "true" (queries whose
// first one is the image feature), "parallel" or "cascade" (a second pooler
// makes the image feature).
type Pooler string

// Kinds of pooler.
const (
	NoPooler Pooler = ""
	OnePool  Pooler = "true"
	Parallel Pooler = "parallel"
	Cascade  Pooler = "cascade"
)

// UnmarshalJSON implements json.Unmarshaler.
func (p *Pooler) UnmarshalJSON(data []byte) error {
	switch string(data) {
	case "false", "null":
		*p = NoPooler
		return nil
	case "true":
		*p = OnePool
		return nil
	}
	return json.Unmarshal(data, (*string)(p))
}

// MarshalJSON implements json.Marshaler.
func (p Pooler) MarshalJSON() ([]byte, error) {
	switch p {
	case NoPooler:
		return []byte("false"), nil
	case OnePool:
		return []byte("true"), nil
	}
	return json.Marshal(string(p))
}

// A ConfigError says which key of a config does not fit.
type ConfigError struct {
	Key  string // dotted, as vision_cfg.width
	Want string
	Got  string
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("model config: %s: want %s, got %s", e.Key, e.Want, e.Got)
}

// ParseConfig reads a model_cfg: the object itself, or an object that holds it
// under "model_cfg", as open_clip_config.json does. It fills in OpenCLIP's
// defaults and refuses what OpenCLIP cannot build or run, and what this
// package lacks.
func ParseConfig(data []byte) (Config, error) {
	var outer struct {
		Model json.RawMessage `json:"model_cfg"`
	}
	if err := json.Unmarshal(data, &outer); err != nil {
		return Config{}, &ConfigError{"file", "a JSON object", err.Error()}
	}
	if outer.Model != nil {
		data = outer.Model
	}
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil {
		return Config{}, &ConfigError{"model_cfg", "a JSON object", err.Error()}
	}
	for _, key := range []string{"embed_dim", "vision_cfg", "text_cfg", "multimodal_cfg"} {
		if v, ok := parts[key]; !ok || string(v) == "null" {
			return Config{}, &ConfigError{key, "a value (a CoCa has " + key + ")", "none"}
		}
	}
	c := defaults()
	if err := json.Unmarshal(data, &c); err != nil {
		return Config{}, &ConfigError{"model_cfg", "values of the types that OpenCLIP has", err.Error()}
	}
	return c, c.Validate()
}

// defaults are those of OpenCLIP's config classes.
func defaults() Config {
	text := TextConfig{
		ContextLength: 77, VocabSize: 49408, Width: 512, Heads: 8, Layers: 12, MLPRatio: 4,
		EOSID: 2, PoolType: "argmax", ProjType: "linear",
	}
	return Config{
		Vision: VisionConfig{
			ImageSize: Size{224, 224}, PatchSize: Size{16, 16}, Width: 768, Layers: 12, HeadWidth: 64, MLPRatio: 4,
			AttnPoolerQueries: 256, AttnPoolerHeads: 8, PosEmbedType: "learnable", PoolType: "tok",
		},
		Text: text, Decoder: text,
	}
}

//go:embed configs/*.json
var configs embed.FS

// Names lists the built-in architectures.
func Names() []string {
	entries, err := configs.ReadDir("configs")
	if err != nil {
		return nil // cannot happen: the folder is embedded
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".json"))
	}
	sort.Strings(names)
	return names
}

// IsNamed reports whether a name is that of a built-in architecture. Upper and
// lower case, "-" and "_" are not told apart.
func IsNamed(name string) bool { return canonical(name) != "" }

func canonical(name string) string {
	fold := func(s string) string { return strings.ReplaceAll(strings.ToLower(s), "-", "_") }
	for _, known := range Names() {
		if fold(known) == fold(name) {
			return known
		}
	}
	return ""
}

// Named is the config of a built-in architecture; see [IsNamed].
func Named(name string) (Config, error) {
	known := canonical(name)
	if known == "" {
		return Config{}, &ConfigError{"architecture", "one of " + strings.Join(Names(), ", "), fmt.Sprintf("%q", name)}
	}
	data, err := configs.ReadFile("configs/" + known + ".json")
	if err != nil {
		return Config{}, err
	}
	return ParseConfig(data)
}
