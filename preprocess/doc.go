// Package preprocess turns image files into the numbers that a CoCa model
// reads, bit for bit as OpenCLIP 3.3.0 does on Pillow 13.0.0 and torchvision.
//
//	img, err := preprocess.DecodeFile("cat.jpg", preprocess.Limits{})
//	pixels, err := preprocess.DefaultConfig(224).Apply(img) // [3, 224, 224]
//
// [Decode] gives an [Image] in the mode, and with the samples, that Pillow gives
// the file; [Config.Apply] is OpenCLIP's inference transform. The transform
// resizes before it converts to RGB, so the mode matters: colours with alpha
// are resampled premultiplied, palette and 1-bit pictures with the nearest
// sample, 16-bit greys in floating point and then clipped, not scaled, to 255.
// Alpha is dropped, not composited. Orientation tags are ignored (but in TIFF,
// where Pillow applies them), as are colour profiles.
//
// # Formats
//
//   - PNG: every colour type and bit depth, interlaced or not. Of an animation,
//     the default picture.
//   - JPEG: see package jpeg below this one.
//   - WebP: lossy and lossless, with alpha. Of an animation, the first frame.
//   - GIF: the first frame.
//   - BMP: 1, 4, 8, 16, 24 and 32 bits a pixel, with the usual bit masks.
//   - TIFF: the first page; strips, tiles and separate planes; uncompressed,
//     LZW, deflate, PackBits, CCITT groups 3 (one-dimensional) and 4; bilevel,
//     grey (1, 2, 4, 8 and 16 bits), palette, RGB and CMYK (8 and 16), and alpha.
//   - PBM, PGM and PPM, plain and raw.
//
// What Pillow reads beyond that is an [UnsupportedError]:
//
//   - BMP with run-length coding, or with unusual bit masks;
//   - TIFF with JPEG, old JPEG, CCITT RLE, LZMA, Zstandard, WebP or other
//     compression; BigTIFF; YCbCr and Lab; floating-point, signed, 12-bit and
//     32-bit samples; a palette, or premultiplied grey, with alpha; separate
//     planes of 16 bits; the floating-point predictor;
//   - PFM and Pillow's private PNM kinds;
//   - lossless JPEG.
//
// # Limits
//
// Every size that a file declares is checked against [Limits] before memory of
// that size is taken. The default limit is Pillow's, above which Image.open
// fails. Decoding takes less than 8 bytes a declared pixel and 64 MB.
package preprocess
