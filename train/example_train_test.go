package train_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/seed-e0874532/coca/train"
	"github.com/seed-e0874532/coca/train/data"
)

// Fine-tune a model on a table of pictures and captions.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "run")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	table := filepath.Join(dir, "pairs.csv")
	rows := "filepath\ttitle\n" +
		"../testdata/images/blue_star.png\ta blue star\n" +
		"../testdata/images/orange_square.png\tan orange square\n"
	if err := os.WriteFile(table, []byte(rows), 0o644); err != nil {
		log.Fatal(err)
	}

	base, err := train.OpenBase("../testdata/models/plain") // architecture, tokenizer and weights
	if err != nil {
		log.Fatal(err)
	}
	o := train.Defaults(base.Name)
	o.Dir = filepath.Join(dir, "logs", "mine")
	o.Data = train.DataOptions{Path: table, Augment: data.Augment{Crop: data.DefaultCrop}}
	o.Batch, o.Epochs, o.LR, o.Warmup = 2, 2, 1e-5, 0
	o.Saved = func(path string) { fmt.Println(filepath.Base(path)) }
	t, err := train.New(base, "", o)
	if err != nil {
		log.Fatal(err)
	}
	defer t.Close()
	if err := t.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
	fmt.Println(t.Position().Step, "steps")
	// Output:
	// epoch_1
	// epoch_2
	// 2 steps
}
