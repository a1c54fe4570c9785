package weights

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// ConfigName is the name of the configuration in a model folder.
const ConfigName = "open_clip_config.json"

// maxConfig bounds the bytes of a configuration; those of OpenCLIP have less than 2 kB.
const maxConfig = 1 << 20

// weightNames is OpenCLIP's order of preference among the weights files of a folder.
var weightNames = [...]string{
	"open_clip_model.safetensors", "open_clip_pytorch_model.safetensors",
	"open_clip_pytorch_model.bin", "open_clip_pytorch_model.pth",
	"model.safetensors", "pytorch_model.bin", "pytorch_model.pth", "model.pth",
}

// weightSuffixes are what a weights file may end with. OpenCLIP does not look for ".pt".
var weightSuffixes = [...]string{".safetensors", ".bin", ".pth", ".pt"}

// ModelDir is a checked model folder.
type ModelDir struct {
	Dir     string
	Weights string   // path of the chosen weights file, not opened yet
	Others  []string // names of further weights files that were not chosen
	Config  []byte   // content of open_clip_config.json, not parsed
}

// ModelDirError reports a folder that lacks its weights or its configuration.
type ModelDirError struct {
	Dir    string
	What   string   // "weights file" or "configuration"
	Looked []string // names and patterns that were looked for
}

func (e *ModelDirError) Error() string {
	return fmt.Sprintf("weights: %s: no %s: want one of %s", e.Dir, e.What, strings.Join(e.Looked, ", "))
}

// OpenModelDir finds the weights and the configuration of a model folder by OpenCLIP's rules
// (preferred names first, then any weights file, safetensors first). A folder without
// either is a [ModelDirError]: OpenCLIP would go on with random weights. Weights split over
// several files are an [UnsupportedError].
func OpenModelDir(dir string) (*ModelDir, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("weights: model folder: %w", err)
	}
	var found []string // names of weights files, in name order
	index := ""
	for _, e := range entries {
		name := e.Name()
		if strings.HasSuffix(name, ".safetensors.index.json") || strings.HasSuffix(name, ".bin.index.json") {
			index = name
		}
		if !slices.Contains(weightSuffixes[:], filepath.Ext(name)) {
			continue
		}
		// A cache's folder holds links, so ask for what a name leads to.
		if st, err := os.Stat(filepath.Join(dir, name)); err == nil && st.Mode().IsRegular() {
			found = append(found, name)
		}
	}
	m := &ModelDir{Dir: dir}
	chosen, err := chooseWeights(dir, found, index)
	if err != nil {
		return nil, err
	}
	m.Weights = filepath.Join(dir, chosen)
	for _, name := range found {
		if name != chosen {
			m.Others = append(m.Others, name)
		}
	}
	if m.Config, err = readConfig(dir); err != nil {
		return nil, err
	}
	return m, nil
}

var shardName = regexp.MustCompile(`-[0-9]{5}-of-[0-9]{5}\.`)

func chooseWeights(dir string, found []string, index string) (string, error) {
	for _, name := range weightNames {
		if slices.Contains(found, name) {
			return name, nil
		}
	}
	if index != "" {
		return "", &UnsupportedError{Path: dir, What: "sharded checkpoint", Got: index}
	}
	// As OpenCLIP sorts them: by name, safetensors before the rest; ".pt" last.
	group := func(name string) int {
		switch filepath.Ext(name) {
		case ".safetensors":
			return 0
		case ".pt":
			return 2
		}
		return 1
	}
	rest := slices.Clone(found)
	slices.SortStableFunc(rest, func(a, b string) int { return group(a) - group(b) })
	if len(rest) > 0 {
		if shardName.MatchString(rest[0]) {
			return "", &UnsupportedError{Path: dir, What: "sharded checkpoint", Got: rest[0]}
		}
		return rest[0], nil
	}
	looked := slices.Clone(weightNames[:])
	for _, s := range weightSuffixes {
		looked = append(looked, "*"+s)
	}
	return "", &ModelDirError{Dir: dir, What: "weights file", Looked: looked}
}

// readConfig reads the configuration, which must be a regular file of sensible size.
func readConfig(dir string) ([]byte, error) {
	path := filepath.Join(dir, ConfigName)
	st, err := os.Stat(path)
	if os.IsNotExist(err) {
		return nil, &ModelDirError{Dir: dir, What: "configuration", Looked: []string{ConfigName}}
	}
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	if !st.Mode().IsRegular() {
		return nil, &FormatError{Path: path, What: "configuration", Want: "a regular file", Got: kindOf(st.Mode())}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, fmt.Errorf("weights: %s: %w", path, err)
	}
	if len(b) > maxConfig {
		return nil, &LimitError{Path: path, What: "size of the configuration", Limit: maxConfig, Got: uint64(max(st.Size(), maxConfig+1))}
	}
	return b, nil
}
