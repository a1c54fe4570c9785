package hub_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/seed-e0874532/coca/weights/hub"
	"github.com/seed-e0874532/coca/weights/hub/hubtest"
)

// fakeHub stands for the real one in these examples.
func fakeHub() *hubtest.Hub {
	h := hubtest.New()
	h.Add("org/captioner", "main", map[string][]byte{
		"open_clip_config.json":       []byte(`{"model_cfg": {"embed_dim": 512}}`),
		"open_clip_model.safetensors": make([]byte, 300_000),
		"tokenizer.json":              []byte(`{}`),
	})
	return h
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A model by name, with the cache, the mirror and the token of the environment.
func ExampleFromEnv() {
	h := fakeHub()
	defer h.Close()
	dir := must(os.MkdirTemp("", "hub"))
	defer os.RemoveAll(dir)
	os.Setenv("HF_HOME", dir)
	os.Setenv("HF_ENDPOINT", h.URL)
	defer os.Unsetenv("HF_HOME")
	defer os.Unsetenv("HF_ENDPOINT")

	c := must(hub.New(must(hub.FromEnv())))
	m := must(c.Pull(context.Background(), "hf-hub:org/captioner"))
	fmt.Println(m.Repo)
	fmt.Println(filepath.Base(m.Config))
	fmt.Println(filepath.Base(m.Weights))
	// Output:
	// org/captioner
	// open_clip_config.json
	// open_clip_model.safetensors
}

// Offline, a model comes from the cache, and one that is not there is an error
// that says so.
func ExampleClient_Pull_offline() {
	h := fakeHub()
	defer h.Close()
	cfg := hub.Config{CacheDir: must(os.MkdirTemp("", "hub")), Endpoint: h.URL}
	defer os.RemoveAll(cfg.CacheDir)
	ctx := context.Background()
	m := must(must(hub.New(cfg)).Pull(ctx, "org/captioner"))

	cfg.Offline = true
	offline := must(hub.New(cfg))
	again := must(offline.Pull(ctx, "org/captioner@"+m.Commit))
	fmt.Println(again == m)
	_, err := offline.Pull(ctx, "org/other")
	fmt.Println(errors.Is(err, hub.ErrNotCached))
	// Output:
	// true
	// true
}

// One file, with progress.
func ExampleClient_File() {
	h := fakeHub()
	defer h.Close()
	cfg := hub.Config{CacheDir: must(os.MkdirTemp("", "hub")), Endpoint: h.URL}
	defer os.RemoveAll(cfg.CacheDir)
	cfg.Observer = hub.ObserverFunc(func(p hub.Progress) {
		if p.Finished {
			fmt.Printf("%s: %d of %d bytes\n", p.File, p.Done, p.Total)
		}
	})
	c := must(hub.New(cfg))
	path := must(c.File(context.Background(), "org/captioner", "main", "open_clip_model.safetensors"))
	fmt.Println(must(os.Stat(path)).Size())

	_, err := c.File(context.Background(), "org/captioner", "main", "pytorch_model.bin")
	fmt.Println(errors.Is(err, hub.ErrEntryNotFound))
	// Output:
	// open_clip_model.safetensors: 300000 of 300000 bytes
	// 300000
	// true
}

func ExampleClient_List() {
	h := fakeHub()
	defer h.Close()
	c := must(hub.New(hub.Config{CacheDir: "unused", Endpoint: h.URL}))
	files, _, err := c.List(context.Background(), "org/captioner", "")
	fmt.Println(files, err)
	// Output: [open_clip_config.json open_clip_model.safetensors tokenizer.json] <nil>
}

func ExampleClient_Metadata() {
	h := fakeHub()
	defer h.Close()
	c := must(hub.New(hub.Config{CacheDir: "unused", Endpoint: h.URL}))
	md := must(c.Metadata(context.Background(), "org/captioner", "main", "tokenizer.json"))
	fmt.Println(md.Size, md.ETag)
	// Output: 2 9e26dfeeb6e641a33dae4961196235bdb965b21b
}

func ExamplePretrained() {
	repo, ok := hub.Pretrained("coca_ViT-L-14", "mscoco_finetuned_laion2B-s13B-b90k")
	fmt.Println(repo, ok)
	// Output: laion/mscoco_finetuned_CoCa-ViT-L-14-laion2B-s13B-b90k true
}

func ExampleTags() {
	for _, t := range hub.Tags() {
		fmt.Println(t.Name())
	}
	// Output:
	// coca_ViT-B-32:laion2b_s13b_b90k
	// coca_ViT-B-32:mscoco_finetuned_laion2b_s13b_b90k
	// coca_ViT-L-14:laion2b_s13b_b90k
	// coca_ViT-L-14:mscoco_finetuned_laion2b_s13b_b90k
}
