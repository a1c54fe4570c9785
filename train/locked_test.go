package train

import (
	"testing"

	"github.com/seed-e0874532/coca/model"
)

// TestComputedPositionsStay: OpenCLIP gives sin_cos_2d positions no gradient.
func TestComputedPositionsStay(t *testing.T) {
	cfg, err := model.Named("coca_ViT-B-32")
	if err != nil {
		t.Fatal(err)
	}
	count := func(kind string) int {
		c := cfg
		c.Vision.PosEmbedType = kind
		list, err := Options{}.trained(model.Tensors(c), c)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	if learnable, computed := count("learnable"), count("sin_cos_2d"); computed != learnable-1 {
		t.Errorf("%d tensors are trained with computed positions, want %d", computed, learnable-1)
	}
}
