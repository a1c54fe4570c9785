// Package tokenizer turns texts into the token ids that CoCa models read, and
// back.
//
// [CLIP] is OpenCLIP 3.3.0's SimpleTokenizer: the cleaning of a text, CLIP's
// byte-level byte-pair encoding with its embedded vocabulary of 49,408 symbols,
// and the fixed-length layout <start_of_text> … <end_of_text> with padding 0.
// [Load] reads the tokenizer files of a model folder, of the CLIP family or of
// the GPT-2 and RoBERTa family, and gives the ids of OpenCLIP's HFTokenizer
// (transformers 4.55.4).
//
// # Cleaning
//
// A text passes through all that ftfy 6.3.1 does by default (entities, repair
// of mojibake, C1 controls, ligatures, character width, quotes, line breaks,
// terminal escapes, control characters, form NFC), then twice through HTML
// unescaping; its white space is unified; and it is lower-cased (see [Clean]).
// Nothing of ftfy is left out but its joining of surrogates, which cannot occur
// in a Go string: a byte that is not UTF-8 counts as U+FFFD.
//
// Unicode versions differ between the parts of the reference: \p{L} and \p{N}
// follow the regex module, lower-casing and NFC follow Python 3.11, so each has
// its own generated tables, and Go's own Unicode tables are not used.
//
// Limits keep hostile texts from taking quadratic time. ftfy's steps are
// repeated until they change nothing, but 100 times at most; entities nested
// more than 20 deep are resolved at once; mojibake within mojibake is repaired
// 20 deep. Python itself raises an error for a numeric character reference of
// more than 4,300 digits, which here is U+FFFD like any other number beyond
// Unicode.
//
// # Safety
//
// Text that contains the special strings literally, such as "<end_of_text>",
// yields the special ids, as in the reference: a caller who does not trust a
// text should remove them. A Tokenizer is immutable and safe for concurrent
// use. Tokenizer files are untrusted input: what is wrong with them is a
// [FileError], and what this package does not implement an [UnsupportedError]
// that names the component.
package tokenizer

//go:generate python3 ../testdata/reference/tokenizer_tables.py
