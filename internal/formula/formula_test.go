package formula

import "testing"

// The values are those of the Python definition, as published with it.
func TestUnit(t *testing.T) {
	if got, want := hash("visual.proj"), uint64(0x379d870311ac6766); got != want {
		t.Errorf("hash(visual.proj) = %x, want %x", got, want)
	}
	for name, want := range map[string][4]int{
		"visual.proj": {69427, -7964122, 5026198, -177925},
		"image.0":     {-7687483, 7152029, 4569613, -7797713},
	} {
		for i, w := range want {
			if got := Unit(name, uint64(i)) * (1 << 23); got != float32(w) {
				t.Errorf("unit %d of %s = %v·2^-23, want %d", i, name, got, w)
			}
		}
	}
}
