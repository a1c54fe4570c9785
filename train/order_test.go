package train_test

import (
	"testing"

	"github.com/seed-e0874532/coca/model"
	"github.com/seed-e0874532/coca/train"
)

// TestGroupsHaveOpenCLIPsOrder holds names and order of both groups to those of the built-in models,
// so that the numbers in an optimizer's state mean the same tensors.
func TestGroupsHaveOpenCLIPsOrder(t *testing.T) {
	var golden struct {
		Models map[string][2][]string
	}
	readGolden(t, "order.json", &golden)
	if len(golden.Models) != 2 {
		t.Fatalf("got %d models", len(golden.Models))
	}
	for name, want := range golden.Models {
		cfg, err := model.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		var groups [2][]string
		for _, info := range model.Tensors(cfg) {
			group := 0
			if train.Decayed(&train.Parameter{Name: info.Name, Shape: info.Shape}) {
				group = 1
			}
			groups[group] = append(groups[group], info.Name)
		}
		for g := range groups {
			if len(groups[g]) != len(want[g]) {
				t.Errorf("%s: group %d has %d tensors, want %d", name, g, len(groups[g]), len(want[g]))
				continue
			}
			for i := range groups[g] {
				if groups[g][i] != want[g][i] {
					t.Errorf("%s: group %d, number %d is %s, want %s", name, g, i, groups[g][i], want[g][i])
					break
				}
			}
		}
	}
}
