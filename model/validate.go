package model

import (
	"fmt"
	"math"

	"github.com/seed-e0874532/coca/nn"
)

// Limits of what a config may ask for: far above any real model, low enough
// that sizes multiply without overflow and a hostile file cannot make us
// build a graph without end.
const (
	maxWidth  = 1 << 16
	maxLayers = 1 << 10
	maxTokens = 1 << 16
	maxVocab  = 1 << 24
	maxPixels = 1 << 14 // a side
)

// Validate refuses configs that OpenCLIP cannot build or run and those that
// this package does not support.
func (c Config) Validate() error {
	v, t := c.Vision, c.Text
	if v.TimmModelName != "" {
		return &ConfigError{"vision_cfg.timm_model_name", "none (only OpenCLIP's own vision transformer is supported)", v.TimmModelName}
	}
	if t.HFModelName != "" {
		return &ConfigError{
			"text_cfg.hf_model_name",
			"none (a Hugging Face text tower is not supported: RoBERTa reads both ways, so a caption's tokens would be seen before they are predicted, and its ids exceed the decoder's vocabulary; no weights were ever published)",
			t.HFModelName,
		}
	}
	for _, s := range []struct {
		key string
		u   unsupported
	}{{"vision_cfg.", v.unsupported}, {"text_cfg.", t.unsupported}} {
		if name := s.u.set(); name != "" {
			return &ConfigError{s.key + name, "not set (no CoCa uses it)", "set"}
		}
	}
	if err := c.checkRanges(); err != nil {
		return err
	}
	if err := c.checkVision(); err != nil {
		return err
	}
	return c.checkText()
}

// checkRanges refuses sizes that are not positive or absurdly large.
func (c Config) checkRanges() error {
	v, t, d := c.Vision, c.Text, c.Decoder
	if v.Layers < 0 {
		return &ConfigError{"vision_cfg.layers", "one number (a ResNet is no tower of a CoCa)", "a list"}
	}
	for _, s := range []struct {
		key      string
		got      int
		min, max int
	}{
		{"embed_dim", c.EmbedDim, 1, maxWidth},
		{"vision_cfg.image_size", v.ImageSize.Height, 1, maxPixels}, {"vision_cfg.image_size", v.ImageSize.Width, 1, maxPixels},
		{"vision_cfg.patch_size", v.PatchSize.Height, 1, maxPixels},
		{"vision_cfg.width", v.Width, 1, maxWidth}, {"vision_cfg.layers", int(v.Layers), 0, maxLayers},
		{"vision_cfg.head_width", v.HeadWidth, 1, v.Width},
		{"text_cfg.context_length", t.ContextLength, 2, maxTokens}, {"text_cfg.vocab_size", t.VocabSize, 1, maxVocab},
		{"text_cfg.width", t.Width, 1, maxWidth}, {"text_cfg.heads", t.Heads, 1, t.Width}, {"text_cfg.layers", int(t.Layers), 0, maxLayers},
		{"text_cfg.pad_id", t.PadID, 0, maxVocab}, {"text_cfg.eos_id", t.EOSID, 0, maxVocab}, {"pad_id", c.PadID, 0, t.VocabSize - 1},
		{"multimodal_cfg.context_length", d.ContextLength, 1, maxTokens}, {"multimodal_cfg.width", d.Width, 1, maxWidth},
		{"multimodal_cfg.heads", d.Heads, 1, d.Width}, {"multimodal_cfg.layers", int(d.Layers), 0, maxLayers},
		{"vision_cfg.attn_pooler_queries", v.AttnPoolerQueries, 1, maxTokens}, {"vision_cfg.attn_pooler_heads", v.AttnPoolerHeads, 1, maxWidth},
	} {
		if s.got < s.min || s.got > s.max {
			return &ConfigError{s.key, fmt.Sprintf("%d to %d", s.min, s.max), fmt.Sprint(s.got)}
		}
	}
	for _, s := range []struct {
		key   string
		ratio float64
		width int
	}{{"vision_cfg.mlp_ratio", v.MLPRatio, v.Width}, {"text_cfg.mlp_ratio", t.MLPRatio, t.Width}} {
		if n := float64(s.width) * s.ratio; !(n >= 1 && n <= 8*maxWidth) {
			return &ConfigError{s.key, "a ratio that gives a positive width", fmt.Sprint(s.ratio)}
		}
	}
	return nil
}

func (c Config) checkVision() error {
	v := c.Vision
	if _, err := v.keptTokens(v.PatchDropout); err != nil {
		return err
	}
	if v.PatchSize.Height != v.PatchSize.Width {
		return &ConfigError{"vision_cfg.patch_size", "a square", fmt.Sprint(v.PatchSize)}
	}
	if rows, cols := v.Grid(); rows == 0 || cols == 0 || rows*cols > maxTokens {
		return &ConfigError{"vision_cfg.image_size", fmt.Sprintf("at least a patch of %d pixels and at most %d patches", v.PatchSize.Height, maxTokens), fmt.Sprint(v.ImageSize)}
	}
	if v.Width%v.Heads() != 0 {
		return &ConfigError{"vision_cfg.width", fmt.Sprintf("a multiple of its %d heads (width divided by head_width)", v.Heads()), fmt.Sprint(v.Width)}
	}
	if v.PosEmbedType != "" && v.PosEmbedType != "learnable" && v.PosEmbedType != "sin_cos_2d" {
		return &ConfigError{"vision_cfg.pos_embed_type", "learnable or sin_cos_2d", v.PosEmbedType}
	}
	if v.PoolType != "tok" && v.PoolType != "avg" {
		return &ConfigError{"vision_cfg.pool_type", "tok or avg (the image feature must be one vector)", v.PoolType}
	}
	if !v.OutputTokens {
		return &ConfigError{"vision_cfg.output_tokens", "true (the decoder reads the image tokens)", "false"}
	}
	if v.AttentionalPool != NoPooler && c.EmbedDim%v.AttnPoolerHeads != 0 {
		return &ConfigError{"vision_cfg.attn_pooler_heads", fmt.Sprintf("a divisor of embed_dim %d", c.EmbedDim), fmt.Sprint(v.AttnPoolerHeads)}
	}
	tokens, tokenWidth := v.Tokens(), v.Width
	switch v.AttentionalPool {
	case NoPooler:
	case OnePool:
		tokenWidth = c.EmbedDim
	case Parallel, Cascade:
		tokenWidth = c.EmbedDim
		if v.Width != c.EmbedDim {
			return &ConfigError{"vision_cfg.width", fmt.Sprintf("embed_dim %d (a %s pooler normalises tokens of that width)", c.EmbedDim, v.AttentionalPool), fmt.Sprint(v.Width)}
		}
	default:
		return &ConfigError{"vision_cfg.attentional_pool", "false, true, parallel or cascade", string(v.AttentionalPool)}
	}
	if tokens == 0 {
		return &ConfigError{"vision_cfg.attn_pooler_queries", "at least 2 (the first one becomes the image feature)", fmt.Sprint(v.AttnPoolerQueries)}
	}
	if tokenWidth != c.Decoder.Width {
		return &ConfigError{"multimodal_cfg.width", fmt.Sprintf("the width of the image tokens, %d", tokenWidth), fmt.Sprint(c.Decoder.Width)}
	}
	return nil
}

func (c Config) checkText() error {
	t, d := c.Text, c.Decoder
	if t.Width%t.Heads != 0 {
		return &ConfigError{"text_cfg.heads", fmt.Sprintf("a divisor of width %d", t.Width), fmt.Sprint(t.Heads)}
	}
	if d.Width%d.Heads != 0 {
		return &ConfigError{"multimodal_cfg.heads", fmt.Sprintf("a divisor of width %d", d.Width), fmt.Sprint(d.Heads)}
	}
	if t.Width != d.Width {
		return &ConfigError{"multimodal_cfg.width", fmt.Sprintf("text_cfg.width %d", t.Width), fmt.Sprint(d.Width)}
	}
	if !t.OutputTokens {
		return &ConfigError{"text_cfg.output_tokens", "true (the decoder reads the text tokens)", "false"}
	}
	if d.ContextLength < t.ContextLength-1 {
		return &ConfigError{"multimodal_cfg.context_length", fmt.Sprintf("at least %d (one less than the text's)", t.ContextLength-1), fmt.Sprint(d.ContextLength)}
	}
	switch t.PoolType {
	case "argmax", "first", "last", "eos":
	case "none":
		if !t.EmbedCLS { // a class token overrides the pool type
			return &ConfigError{"text_cfg.pool_type", "argmax, first, last or eos (the text feature must be one vector)", t.PoolType}
		}
	default:
		return &ConfigError{"text_cfg.pool_type", "argmax, first, last, eos or none", t.PoolType}
	}
	if t.ProjType != "linear" && t.ProjType != "none" {
		return &ConfigError{"text_cfg.proj_type", "linear or none", t.ProjType}
	}
	return nil
}

// Heads is the number of attention heads of the vision tower.
func (v VisionConfig) Heads() int { return v.Width / v.HeadWidth }

// Grid is the number of patches down and across; pixels beyond the last whole
// patch are not used.
func (v VisionConfig) Grid() (rows, cols int) {
	return v.ImageSize.Height / v.PatchSize.Height, v.ImageSize.Width / v.PatchSize.Width
}

// Tokens is the number of image tokens that the decoder sees.
func (v VisionConfig) Tokens() int {
	rows, cols := v.Grid()
	switch v.AttentionalPool {
	case OnePool:
		return v.AttnPoolerQueries - 1 // the first one becomes the image feature
	case Parallel, Cascade:
		return v.AttnPoolerQueries
	}
	return rows * cols
}

// MaxTokens is the number of ids of one text that generation can feed.
func (c Config) MaxTokens() int { return min(c.Text.ContextLength, c.Decoder.ContextLength) }

// eps is the ε of a tower's layer norms.
func (k *NormKwargs) eps() float32 {
	if k == nil || k.Eps == nil || math.IsNaN(*k.Eps) || *k.Eps < 0 {
		return nn.DefaultEps
	}
	return float32(*k.Eps)
}
