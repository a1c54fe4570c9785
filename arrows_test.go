package coca_test

import (
	"os/exec"

	"strings"
	"testing"
)

// allowed are the packages of this module that each package may import: arrows
// point down. A pattern that ends in /... stands for all below.
var allowed = map[string][]string{
	"internal/kernel":         {},
	"nn/op":                   {"internal/kernel"},
	"nn":                      {"nn/op", "internal/kernel"},
	"nn/exec":                 {"nn/op", "internal/kernel"},
	"model":                   {"nn", "nn/op", "internal/kernel"},
	"generate":                {},
	"tokenizer":               {},
	"internal/atomicfile":     {},
	"weights":                 {"internal/atomicfile"},
	"weights/hub":             {"weights/hub/..."},
	"weights/hub/hubtest":     {},
	"preprocess":              {"preprocess/jpeg"},
	"preprocess/jpeg":         {},
	"internal/formula":        {"nn"},
	"internal/infer":          {"model", "nn/exec", "nn/op"},
	"internal/golden":         {"generate", "model", "nn/exec", "nn/op", "weights"},
	"internal/draw":           {"nn/op"},
	"defaultmodel":            {},
	"train":                   {"internal/kernel", "model", "nn", "nn/exec", "nn/op", "preprocess", "tokenizer", "train/data", "train/record", "weights"},
	"train/data":              {"preprocess"},
	"train/record":            {"internal/atomicfile"},
	".":                       {"generate", "internal/infer", "internal/kernel", "model", "nn", "nn/exec", "nn/op", "preprocess", "tokenizer", "weights", "weights/hub"},
	"cmd/coca":                {".", "defaultmodel", "generate", "internal/...", "model", "nn/exec", "tokenizer", "train", "train/data", "train/record", "weights", "weights/hub"},
	"tokenizer/internal/...":  {"tokenizer/..."},
	"preprocess/internal/...": {"preprocess/..."},
}

const modulePath = "github.com/seed-e0874532/coca"

// TestArrowsPointDown holds the imports of every package to the list above.
func TestArrowsPointDown(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Skipf("go list: %v", err) // the go command is not there
	}
	short := func(p string) string {
		if p == modulePath {
			return "."
		}
		return strings.TrimPrefix(p, modulePath+"/")
	}
	packages := 0
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		fields := strings.Fields(line)
		from := short(fields[0])
		may, known := find(from)
		if !known {
			t.Errorf("package %s is not in the list of allowed imports: decide what it may import", from)
			continue
		}
		packages++
		for _, to := range fields[1:] {
			if to != modulePath && !strings.HasPrefix(to, modulePath+"/") {
				continue
			}
			if !matches(may, short(to)) {
				t.Errorf("package %s imports %s, which it may not", from, short(to))
			}
		}
	}
	if packages < 15 {
		t.Errorf("looked at %d packages, want at least 15", packages)
	}
}

func find(name string) ([]string, bool) {
	if may, ok := allowed[name]; ok {
		return may, true
	}
	for pattern, may := range allowed {
		if matches([]string{pattern}, name) {
			return may, true
		}
	}
	return nil, false
}

func matches(patterns []string, name string) bool {
	for _, p := range patterns {
		if p == name {
			return true
		}
		if dir, ok := strings.CutSuffix(p, "/..."); ok && (name == dir || strings.HasPrefix(name, dir+"/")) {
			return true
		}
	}
	return false
}
