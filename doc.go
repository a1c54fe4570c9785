// Package coca captions images with CoCa, the contrastive captioner of
// OpenCLIP, in pure Go: no Python, no ONNX, no cgo.
//
//	m, err := coca.Load(ctx, "path/to/model-folder")
//	if err != nil { … }
//	defer m.Close()
//	img, err := coca.DecodeImage(file)
//	caption, err := m.Caption(ctx, img)
//	fmt.Println(caption.Text)
//
// Load reads OpenCLIP's own weights (safetensors, or torch's .bin and .pt)
// and gives OpenCLIP's captions, id for id, and its embeddings. Image files,
// whatever their format, become the same pixels as in Python with Pillow and
// torchvision; texts become the same ids.
//
// A Model is safe for concurrent use. Computations take turns, since each uses
// all threads; images are decoded and prepared outside of that.
package coca
