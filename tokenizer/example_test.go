package tokenizer_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing/fstest"

	"github.com/seed-e0874532/coca/tokenizer"
)

func ExampleTokenizer_Encode() {
	tok := tokenizer.CLIP()
	for _, id := range tok.Encode("Hello, World!") {
		fmt.Println(id, tok.Piece(id))
	}
	// Output:
	// 3306 hello</w>
	// 267 ,</w>
	// 1002 world</w>
	// 256 !</w>
}

func ExampleTokenizer_EncodeFixed() {
	tok := tokenizer.CLIP()
	fmt.Println(tok.EncodeFixed("a photo of a cat", 10))
	fmt.Println(tok.EncodeFixed("a photo of a cat", 5))
	// Output:
	// [49406 320 1125 539 320 2368 49407 0 0 0]
	// [49406 320 1125 539 49407]
}

func ExampleTokenizer_Caption() {
	tok := tokenizer.CLIP()
	ids := tok.EncodeFixed("A cat on a mat.", 12)
	fmt.Printf("%q\n", tok.Decode(ids))
	fmt.Printf("%q\n", tok.Caption(ids))
	// Output:
	// "<start_of_text>a cat on a mat . <end_of_text>!!!!"
	// "a cat on a mat ."
}

func ExampleClean_Text() {
	const text = "  The cafÃ© &amp; the “ﬁsh”\n"
	fmt.Println(tokenizer.CleanWhitespace.Text(text))
	fmt.Println(tokenizer.CleanLower.Text(text))
	fmt.Println(tokenizer.CleanCanonicalize.Text(text))
	// Output:
	// The café & the "fish"
	// the café & the "fish"
	// the café the fish
}

func ExampleLoad() {
	tok, err := tokenizer.Load(os.DirFS("../testdata/golden/tokenizer/hf/roberta"))
	if err != nil {
		fmt.Println(err)
		return
	}
	ids := tok.EncodeFixed("a small cat", 10)
	fmt.Println(len(ids), ids[0] == tok.SOT(), ids[9] == tok.Pad())
	fmt.Println(tok.Caption(ids))
	// Output:
	// 10 true true
	// a small cat
}

func ExampleUnsupportedError() {
	folder := fstest.MapFS{"tokenizer.json": {Data: []byte(`{"model": {"type": "Unigram"}}`)}}
	_, err := tokenizer.Load(folder)
	var unsupported *tokenizer.UnsupportedError
	fmt.Println(errors.As(err, &unsupported), err)

	_, err = tokenizer.Load(fstest.MapFS{})
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	// Output:
	// true tokenizer: tokenizer.json: unsupported model: want "BPE", found "Unigram"
	// true
}
