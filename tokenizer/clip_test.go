package tokenizer

import (
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestVocabulary compares the symbols and merges with digests of the
// reference's: its decoder's symbols by id, and the lines of its merges file,
// each list joined by line feeds.
func TestVocabulary(t *testing.T) {
	tok := CLIP()
	if got := tok.VocabSize(); got != 49408 {
		t.Fatalf("VocabSize() = %d, want 49408", got)
	}
	merges := make([]string, clipMergeCount)
	count := 0
	for _, s := range tok.merges.slots {
		if s.key != 0 {
			left, right := int32((s.key-1)>>32), int32(uint32(s.key-1))
			merges[s.rank] = tok.Piece(left) + " " + tok.Piece(right)
			count++
		}
	}
	if count != clipMergeCount {
		t.Errorf("%d merges, want %d", count, clipMergeCount)
	}
	for name, test := range map[string]struct {
		lines []string
		want  string
	}{
		"symbols": {tok.pieces, "2e6dac1ffa773a206f069084495615909303f921e22845ed422125216976babc"},
		"merges":  {merges, "f61f2adf497e6f5357c347aeb4646fabe82f341e946de5bdec5d2858e41bef4a"},
	} {
		sum := sha256.Sum256([]byte(strings.Join(test.lines, "\n")))
		if got := hex.EncodeToString(sum[:]); got != test.want {
			t.Errorf("SHA-256 of the %s is %s, want %s", name, got, test.want)
		}
	}
}

// TestMergeOrder checks what merge relies on: a merge needs symbols that only
// merges of lower ranks yield.
func TestMergeOrder(t *testing.T) {
	for _, s := range CLIP().merges.slots {
		if s.key == 0 {
			continue
		}
		left, right := int32((s.key-1)>>32), int32(uint32(s.key-1))
		if newest := 512 + s.rank; left >= newest || right >= newest || s.id != newest {
			t.Errorf("merge %d of %d and %d to %d", s.rank, left, right, s.id)
		}
	}
}

// mergeAll is byte-pair encoding as SimpleTokenizer does it: all occurrences
// of the best pair at once.
func mergeAll(t *mergeTable, symbols []int32) []int32 {
	for {
		best, bestID := int32(noRank), int32(0)
		var pair [2]int32
		for i := 1; i < len(symbols); i++ {
			if rank, id := t.find(symbols[i-1], symbols[i]); rank < best {
				best, bestID, pair = rank, id, [2]int32{symbols[i-1], symbols[i]}
			}
		}
		if best == noRank {
			return symbols
		}
		var out []int32
		for i := 0; i < len(symbols); i++ {
			if i+1 < len(symbols) && [2]int32(symbols[i:i+2]) == pair {
				out = append(out, bestID)
				i++
			} else {
				out = append(out, symbols[i])
			}
		}
		symbols = out
	}
}

func TestMerge(t *testing.T) {
	tok := CLIP()
	r := rand.New(rand.NewPCG(1, 2))
	alphabets := []string{"a", "ab", "aelnorst", "abcdefghijklmnopqrstuvwxyz", "!?.,-", "áéß日本"}
	for range 4000 {
		alphabet := alphabets[r.IntN(len(alphabets))]
		word := make([]byte, 1+r.IntN(3*maxScan))
		for i := range word {
			word[i] = alphabet[r.IntN(len(alphabet))]
		}
		symbols := make([]int32, len(word))
		for i, b := range word {
			symbols[i] = tok.inner[b]
		}
		symbols[len(word)-1] = tok.last[word[len(word)-1]]
		want := mergeAll(tok.merges, slices.Clone(symbols))
		if got := tok.merges.mergeLong(slices.Clone(symbols)); !slices.Equal(got, want) {
			t.Fatalf("mergeLong of %q gives %v, want %v", word, got, want)
		}
		if got := tok.merges.merge(symbols); !slices.Equal(got, want) {
			t.Fatalf("merge of %q gives %v, want %v", word, got, want)
		}
	}
}

// TestHostileText encodes texts of a megabyte that would take an encoder of
// quadratic time hours.
func TestHostileText(t *testing.T) {
	size := 1 << 20
	if testing.Short() {
		size = 1 << 16
	}
	texts := map[string]string{
		"one word":           strings.Repeat("a", size),
		"one word, merging":  strings.Repeat("ing", size/3),
		"punctuation":        strings.Repeat("!", size),
		"nested entities":    "&" + strings.Repeat("amp;", size/4) + "lt;",
		"nested references":  strings.Repeat("&#38;", 1) + strings.Repeat("#38;", size/4),
		"open references":    strings.Repeat("&", size),
		"long reference":     "&#" + strings.Repeat("9", size) + ";",
		"long name":          "&" + strings.Repeat("x", size) + ";",
		"escapes":            strings.Repeat("\x1b[", size/2),
		"open escape":        "\x1b[" + strings.Repeat("1;", size/2),
		"combining marks":    "a" + strings.Repeat("\u0316\u0301", size/4),
		"marks, reversed":    "a" + strings.Repeat("\u0301", size/4) + strings.Repeat("\u0316", size/4),
		"sigmas":             strings.Repeat("Σ", size/2),
		"sigmas and marks":   strings.Repeat("Σ....", size/6),
		"ignorable":          strings.Repeat(".", size/2) + "Σ" + strings.Repeat(".", size/2),
		"spaces":             strings.Repeat(" \u3000", size/4),
		"invalid UTF-8":      strings.Repeat("\xff\xc3", size/2),
		"special strings":    strings.Repeat("<start_of_text", size/14),
		"mojibake":           strings.Repeat("Ã©", size/4),
		"deep mojibake":      strings.Repeat("ÃƒÂƒÃ‚Â©", size/16),
		"broken mojibake":    strings.Repeat("â€™ ł 本 ", size/12),
		"C1 controls":        strings.Repeat("\u0081\u0085", size/4),
		"lines with accents": strings.Repeat("é\n", size/3),
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			ids := CLIP().EncodeFixed(text, 76)
			if len(ids) != 76 || ids[0] != clipSOT {
				t.Errorf("%d ids that begin with %d", len(ids), ids[0])
			}
			if d := time.Since(start); d > 20*time.Second {
				t.Errorf("took %v", d)
			}
			t.Log(time.Since(start))
		})
	}
}

func TestEncodeFixed(t *testing.T) {
	tok := CLIP()
	tests := []struct {
		context int
		want    []int32
	}{
		{-1, nil},
		{0, nil},
		{1, []int32{49407}},
		{2, []int32{49406, 49407}},
		{3, []int32{49406, 320, 49407}},
		{4, []int32{49406, 320, 2368, 49407}},
		{6, []int32{49406, 320, 2368, 49407, 0, 0}},
	}
	for _, test := range tests {
		if got := tok.EncodeFixed("a cat", test.context); !slices.Equal(got, test.want) {
			t.Errorf("EncodeFixed(%d) = %v, want %v", test.context, got, test.want)
		}
	}
}

func TestDecode(t *testing.T) {
	tests := []struct {
		ids     []int32
		decoded string
		caption string
	}{
		{nil, "", ""},
		{[]int32{49406, 320, 2368, 525, 320, 9063, 269, 49407, 0, 0}, "<start_of_text>a cat on a mat . <end_of_text>!!", "a cat on a mat ."},
		{[]int32{320, 0, 256}, "a !! ", "a !!"}, // id 0 is "!"
		{[]int32{-1, 320, 49408, 1 << 30}, "a ", "a"},
		{[]int32{127, 383}, "\uFFFD\uFFFD ", "\uFFFD\uFFFD"},
	}
	for _, test := range tests {
		if got := CLIP().Decode(test.ids); got != test.decoded {
			t.Errorf("Decode(%v) = %q, want %q", test.ids, got, test.decoded)
		}
		if got := CLIP().Caption(test.ids); got != test.caption {
			t.Errorf("Caption(%v) = %q, want %q", test.ids, got, test.caption)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	want := CLIP().Encode("naïve café &amp; Σ “quotes” cafÃ©")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if got := CLIP().Encode("naïve café &amp; Σ “quotes” cafÃ©"); !slices.Equal(got, want) {
					t.Errorf("got %v, want %v", got, want)
				}
			}
		})
	}
	wg.Wait()
}
