package train

import (
	"context"
	"encoding/json"
	"path/filepath"

	"github.com/seed-e0874532/coca/weights"
)

// write writes the trainer's state into a folder.
func (t *Trainer) write(dir string) error {
	files, err := t.base.sidecars()
	if err != nil {
		return err
	}
	if files[positionName], err = json.MarshalIndent(t.position, "", "  "); err != nil {
		return err
	}
	for _, name := range sortedNames(files) {
		if err := writeFile(filepath.Join(dir, name), files[name]); err != nil {
			return err
		}
	}
	var items []weights.Item
	for _, info := range t.tensors {
		values, err := t.values.Float32(info.Name)
		if err != nil {
			return err
		}
		item, err := weights.Float32Item(info.Name, info.Shape, values, weights.F32)
		if err != nil {
			return err
		}
		items = append(items, item)
	}
	// A checkpoint is finished even if the run is to stop: that is what it is for.
	ctx := context.Background()
	if err := weights.WriteSafetensors(ctx, filepath.Join(dir, weightsName), items, weights.WriteOptions{Metadata: map[string]string{"format": "pt"}}); err != nil {
		return err
	}
	if items, err = t.optimizer.items(); err != nil {
		return err
	}
	return weights.WriteSafetensors(ctx, filepath.Join(dir, optimizerName), items, weights.WriteOptions{})
}

// exportTorch writes an epoch's checkpoint in the form of open_clip_train.
func (t *Trainer) exportTorch(epoch int) error {
	adamw, _ := t.optimizer.(*AdamW) // PyTorch's AdamW could not take up the state of another
	path := filepath.Join(string(t.folder), epochName(epoch)+".pt")
	err := WriteTorchCheckpoint(context.Background(), path, TorchCheckpoint{
		Epoch: epoch, Name: filepath.Base(t.options.Dir), Tensors: t.tensors, Values: t.values, Optimizer: adamw, LR: t.rate,
	})
	if err == nil && t.options.Saved != nil {
		t.options.Saved(path)
	}
	return err
}
