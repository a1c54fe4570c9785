package tokenizer

import (
	"slices"
	"testing"
)

// TestVectors checks ids that OpenCLIP 3.3.0 gives for well-known cases.
func TestVectors(t *testing.T) {
	tests := []struct {
		text string
		want []int32
	}{
		{"", nil},
		{"a photo of a cat", []int32{320, 1125, 539, 320, 2368}},
		{"a diagram", []int32{320, 22697}},
		{"Hello, World!", []int32{3306, 267, 1002, 256}},
		{"it's 2024 & you're 100% right", []int32{585, 568, 273, 271, 273, 275, 261, 592, 982, 272, 271, 271, 260, 1155}},
		{"an orange and white cat on top of a turtle .", []int32{550, 4287, 537, 1579, 2368, 525, 1253, 539, 320, 10912, 269}},
		{"naïve café", []int32{1097, 35689, 563, 15304}},
		{"日本語", []int32{39121, 44353, 34002, 508}},
		{"emoji 😀 ok", []int32{16327, 7334, 2481}},
		{"don't", []int32{847, 713}},
		{"I'LL", []int32{328, 1342}},
		{"!?", []int32{6004}},
		{"!&", []int32{0, 261}},
		{"a cat <|endoftext|>", []int32{320, 2368, 27, 347, 40786, 4160, 91, 285}},
		{"_under_score_", []int32{318, 1798, 318, 4431, 318}},
		{"AT&amp;T", []int32{536, 261, 339}},
		{"ﬁsh &amp; chips", []int32{2759, 261, 8855}},
		{"“Hello” — it’s", []int32{257, 3306, 257, 2005, 585, 568}},
		{"Ｆｕｌｌ　ｗｉｄｔｈ", []int32{1476, 23571}},
		{"İstanbul", []int32{328, 16384, 11231}},
		{"ΑΣ", []int32{138, 109, 139, 480}},
		{"ß ẞ", []int32{127, 509, 127, 509}},
		{"rock'n'roll", []int32{2172, 262, 333, 262, 3341}},
		{"$5.99!!!", []int32{259, 276, 269, 280, 280, 995}},
		{"a\u00ADb", []int32{320, 22618, 321}},
		{"<start_of_text> a <END_OF_TEXT>", []int32{49406, 320, 49407}},
	}
	for _, test := range tests {
		if got := CLIP().Encode(test.text); !slices.Equal(got, test.want) {
			t.Errorf("Encode(%q) = %v, want %v", test.text, got, test.want)
		}
	}
}
