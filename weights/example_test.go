package weights_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/seed-e0874532/coca/weights"
)

func ExampleOpen() {
	f, err := weights.Open("../testdata/golden/weights/nested.pt")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	fmt.Println(f.Kind())
	for _, info := range f.Tensors() {
		fmt.Println(info.Name, info.DType, info.Shape)
	}
	t, err := f.Tensor("logit_scale")
	if err != nil {
		log.Fatal(err)
	}
	v, err := t.Float32()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(v)
	_, err = f.Tensor("visual.proj")
	fmt.Println(err)
	// Output:
	// torch zip
	// linear.weight F32 [4 3]
	// transposed F32 [4 3]
	// logit_scale F32 []
	// [2.65625]
	// weights: ../testdata/golden/weights/nested.pt: tensor "visual.proj": no such tensor in the file
}

// A pickle can name any function of Python; only tensors and plain values get past Open.
func ExampleOpen_hostile() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "model.bin")
	if err := os.WriteFile(path, []byte("\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R."), 0o644); err != nil {
		log.Fatal(err)
	}
	_, err = weights.Open(path)
	var unsupported *weights.UnsupportedError
	if errors.As(err, &unsupported) {
		fmt.Println(unsupported.Got)
	}
	// Output: "os.system"
}

func ExampleFile_Guard() {
	f, err := weights.Open("../testdata/golden/weights/plain.safetensors")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	t, err := f.Tensor("linear.weight")
	if err != nil {
		log.Fatal(err)
	}
	view, err := t.Float32()
	if err != nil {
		log.Fatal(err)
	}
	var sum float32
	err = f.Guard(func() error { // if the file were truncated now, err would say so
		for _, x := range view {
			sum += x
		}
		return nil
	})
	fmt.Printf("%.4f %v\n", sum, err)
	// Output: 0.3598 <nil>
}

// The optimizer state of a training checkpoint.
func ExampleFile_Value() {
	f, err := weights.Open("../testdata/golden/weights/training.pt")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	root := f.Value().(*weights.Dict)
	epoch, _ := root.Get("epoch")
	optimizer, _ := root.Get("optimizer")
	state, _ := optimizer.(*weights.Dict).Get("state")
	second, _ := state.(*weights.Dict).Get(1) // parameters are numbered
	average, _ := second.(*weights.Dict).Get("exp_avg")
	fmt.Println("epoch", epoch, "average", average.(weights.Tensor).Shape)
	// Output: epoch 2 average [4]
}

func ExampleSanitize() {
	renames, err := weights.Sanitize([]string{"module.logit_scale", "module.text.attn_mask", "module.visual.proj"})
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range renames {
		fmt.Printf("%q -> %q\n", r.From, r.To)
	}
	// Output:
	// "module.logit_scale" -> "logit_scale"
	// "module.text.attn_mask" -> ""
	// "module.visual.proj" -> "visual.proj"
}

func ExampleWriteSafetensors() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	item, err := weights.Float32Item("bias", []int{3}, []float32{1, 0.1, -2}, weights.BF16)
	if err != nil {
		log.Fatal(err)
	}
	path := filepath.Join(dir, "model.safetensors")
	err = weights.WriteSafetensors(context.Background(), path, []weights.Item{item}, weights.WriteOptions{Metadata: map[string]string{"format": "pt"}})
	if err != nil {
		log.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", b[8:len(b)-6])
	// Output: {"__metadata__":{"format":"pt"},"bias":{"dtype":"BF16","shape":[3],"data_offsets":[0,6]}}
}

func ExampleConvert() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	dst := filepath.Join(dir, "model.safetensors")
	err = weights.Convert(context.Background(), "../testdata/golden/weights/module.pt", dst, weights.ConvertOptions{Precision: weights.BF16})
	if err != nil {
		log.Fatal(err)
	}
	f, err := weights.Open(dst)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	for _, info := range f.Tensors() {
		fmt.Println(info.Name, info.DType, info.Shape)
	}
	// Output:
	// linear.weight BF16 [4 3]
	// logit_scale BF16 []
	// transposed BF16 [4 3]
}

func ExampleOpenModelDir() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{"model.safetensors", "open_clip_pytorch_model.bin", weights.ConfigName} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("{}"), 0o644); err != nil {
			log.Fatal(err)
		}
	}
	m, err := weights.OpenModelDir(dir)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(filepath.Base(m.Weights), m.Others, string(m.Config))
	// Output: open_clip_pytorch_model.bin [model.safetensors] {}
}

// A checkpoint for torch.load: the tensors stream from the slices when their turn comes.
func ExampleWriteTorch() {
	dir, err := os.MkdirTemp("", "weights")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	bias, err := weights.Float32Item("bias", []int{2}, []float32{1, 2}, weights.F32)
	if err != nil {
		log.Fatal(err)
	}
	state, root := &weights.Dict{Ordered: true}, new(weights.Dict)
	if err := errors.Join(state.Set("bias", bias), root.Set("epoch", 1), root.Set("state_dict", state)); err != nil {
		log.Fatal(err)
	}
	path := filepath.Join(dir, "epoch_1.pt")
	if err := weights.WriteTorch(context.Background(), path, root, nil); err != nil {
		log.Fatal(err)
	}
	f, err := weights.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	for _, t := range f.Tensors() {
		fmt.Println(f.Kind(), t.Name, t.DType, t.Shape)
	}
	// Output: torch zip bias F32 [2]
}

func ExampleOpenTorchCheckpoint() {
	c, f, err := weights.OpenTorchCheckpoint("../testdata/golden/train/epoch_1.pt")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	fmt.Println(c.Epoch, "epoch,", len(c.StateDict), "tensors")
	for _, g := range c.Optimizer.Groups {
		fmt.Println(len(g.Params), "parameters, weight decay", g.WeightDecay)
	}
	fmt.Println(c.Optimizer.States[0].Step, "steps")
	// Output:
	// 1 epoch, 80 tensors
	// 53 parameters, weight decay 0
	// 27 parameters, weight decay 0.2
	// 10 steps
}
