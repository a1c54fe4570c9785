package weights

import (
	"errors"
	"reflect"
	"testing"
)

func TestSanitize(t *testing.T) {
	tests := []struct {
		name  string
		names []string
		want  []string // "" for dropped
	}{
		{"none", nil, nil},
		{"plain", []string{"logit_scale", "visual.proj", "text.cls_emb"}, []string{"logit_scale", "visual.proj", "text.cls_emb"}},
		{"module", []string{"module.logit_scale", "module.visual.proj"}, []string{"logit_scale", "visual.proj"}},
		{"compiled", []string{"_orig_mod.logit_scale"}, []string{"logit_scale"}},
		{"module in compiled", []string{"_orig_mod.module.a", "_orig_mod.module.b"}, []string{"a", "b"}},
		{"compiled in module", []string{"module._orig_mod.a", "module._orig_mod.b"}, []string{"a", "b"}},
		{"only the first decides", []string{"a", "module.b"}, []string{"a", "module.b"}},
		{"some without", []string{"module.a", "b"}, []string{"a", "b"}},
		{"within a name", []string{"a.module.b"}, []string{"a.module.b"}},
		{"nothing but a prefix", []string{"module."}, []string{"module."}},
		{"constants", []string{"text.attn_mask", "attn_mask", "text.transformer.embeddings.position_ids", "a"}, []string{"", "", "", "a"}},
		{"flat text", []string{"positional_embedding", "text_projection", "token_embedding.weight", "transformer.resblocks.0.ln_1.weight", "ln_final.bias", "cls_emb", "visual.proj", "logit_scale", "text_decoder.ln_final.bias"},
			[]string{"text.positional_embedding", "text.text_projection", "text.token_embedding.weight", "text.transformer.resblocks.0.ln_1.weight", "text.ln_final.bias", "text.cls_emb", "visual.proj", "logit_scale", "text_decoder.ln_final.bias"}},
		{"flat text in module", []string{"module.positional_embedding", "module.ln_final.bias"}, []string{"text.positional_embedding", "text.ln_final.bias"}},
		{"not flat without the mark", []string{"ln_final.bias"}, []string{"ln_final.bias"}},
	}
	for _, test := range tests {
		got, err := Sanitize(test.names)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		var to []string
		for i, r := range got {
			if r.From != test.names[i] {
				t.Errorf("%s: From %q, want %q", test.name, r.From, test.names[i])
			}
			to = append(to, r.To)
		}
		if !reflect.DeepEqual(to, test.want) {
			t.Errorf("%s: %q, want %q", test.name, to, test.want)
		}
	}
	for _, clash := range [][]string{{"module.a", "a"}, {"positional_embedding", "text.positional_embedding"}} {
		var format *FormatError
		if _, err := Sanitize(clash); !errors.As(err, &format) || format.Tensor == "" {
			t.Errorf("%q: error %v, want a FormatError that names the tensor", clash, err)
		}
	}
}
