package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// A checkpoint is a model folder that every command can load, and beside the model
// the optimizer's memory and the position in the run.
const (
	positionName  = "training.json"
	optimizerName = "optimizer.safetensors"
	latestName    = "epoch_latest"
	previousName  = "epoch_latest.previous"
	scrapPrefix   = ".scrap-" // folders that are being written or removed
)

// Position is how far a run has come. It, the options and the values are all that
// the rest of the run depends on.
type Position struct {
	Epoch   int `json:"epoch"`   // complete ones
	Batches int `json:"batches"` // steps of the epoch under way
	Records int `json:"records"` // of the epoch under way that its batches took, broken ones included
	Step    int `json:"step"`    // of the optimizer, over all

	Optimizer string `json:"optimizer"`
	Seed      uint64 `json:"seed"`
	Batch     int    `json:"batch_size"`
	Accum     int    `json:"accum_freq"`
}

// after tells which of two positions is further on.
func (p Position) after(q Position) bool {
	if p.Epoch != q.Epoch {
		return p.Epoch > q.Epoch
	}
	return p.Batches > q.Batches
}

// checkpoints is the folder LOGS/NAME/checkpoints.
type checkpoints string

func epochName(n int) string { return fmt.Sprintf("epoch_%d", n) }

// clean removes what a killed run left half done, and gives a checkpoint that
// was about to be replaced its name back.
func (c checkpoints) clean() error {
	entries, err := os.ReadDir(string(c))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	previous, latest := filepath.Join(string(c), previousName), filepath.Join(string(c), latestName)
	if _, err := os.Stat(previous); err == nil {
		if _, err := os.Stat(latest); errors.Is(err, fs.ErrNotExist) {
			if err := os.Rename(previous, latest); err != nil {
				return err
			}
		} else if err := c.remove(previousName); err != nil {
			return err
		}
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), scrapPrefix) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(string(c), e.Name())))
		}
	}
	return err
}

// latest finds the checkpoint that is furthest on, "" if there is none.
func (c checkpoints) latest() (string, error) {
	entries, err := os.ReadDir(string(c))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	best, furthest := "", Position{}
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		dir := filepath.Join(string(c), e.Name())
		p, err := readPosition(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue // some other folder
		} else if err != nil {
			return "", err
		}
		if best == "" || p.after(furthest) {
			best, furthest = dir, p
		}
	}
	return best, nil
}

func readPosition(dir string) (p Position, err error) {
	data, err := readSmall(filepath.Join(dir, positionName))
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return p, fmt.Errorf("%s: %w", filepath.Join(dir, positionName), err)
	}
	if p.Epoch < 0 || p.Batches < 0 || p.Records < 0 || p.Step < 0 {
		return p, &ConfigError{filepath.Join(dir, positionName), "numbers from 0", fmt.Sprintf("%+v", p)}
	}
	return p, nil
}

// save writes a checkpoint. It has its name only once it is whole and on the
// disk; one of that name that was there before stays until then.
func (c checkpoints) save(name string, write func(dir string) error) (err error) {
	if err := os.MkdirAll(string(c), 0o777); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(string(c), scrapPrefix)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	if err := write(dir); err != nil {
		return err
	}
	syncDir(dir)
	path, old := filepath.Join(string(c), name), filepath.Join(string(c), previousName)
	if err := c.remove(previousName); err != nil {
		return err
	}
	// A folder cannot take the place of another in one go. Between these two steps
	// the old one can be found under its other name.
	if err := os.Rename(path, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(dir, path); err != nil {
		return err
	}
	syncDir(string(c))
	return c.remove(previousName)
}

// remove removes a checkpoint, if there is one of that name, such that no half of it keeps the name.
func (c checkpoints) remove(name string) error {
	if _, err := os.Lstat(filepath.Join(string(c), name)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	scrap, err := os.MkdirTemp(string(c), scrapPrefix)
	if err != nil {
		return err
	}
	err = os.Rename(filepath.Join(string(c), name), filepath.Join(scrap, name))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, os.RemoveAll(scrap))
}

// syncDir makes the names in a folder durable, where the system can do that.
func syncDir(dir string) {
	if runtime.GOOS == "windows" {
		return
	}
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync() // some file systems cannot
		d.Close()
	}
}

// writeFile writes a small file through to the disk.
func writeFile(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
