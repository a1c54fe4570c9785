package kernel

import "testing"

func TestPeakSpeed(t *testing.T) {
	for _, l := range availableLevels() {
		for _, precision := range []Precision{F32, BF16, Int8} {
			got := PeakSpeed(l.String(), precision, 1)
			if l == levelGeneric {
				if got != 0 {
					t.Errorf("generic: got %v operations a second, want 0: it has no such loop", got)
				}
				continue
			}
			// What one core of any processor does lies between; a loop that ends early does not.
			if got < 1e8 || got > 2e13 {
				t.Errorf("%v, %v: %v operations a second", l, precision, got)
			}
			if precision != F32 && got < 0.5*PeakSpeed(l.String(), F32, 1) {
				t.Errorf("%v: the peak of %v is below that of f32", l, precision)
			}
		}
	}
	for _, isa := range []string{"neon", "avx2"} {
		if _, err := chooseLevel(isa); err != nil && PeakSpeed(isa, F32, 1) != 0 {
			t.Errorf("a peak of %s, which this machine lacks", isa)
		}
	}
}

func TestReadSpeed(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 256 MB many times")
	}
	if got := ReadSpeed(1); got < 1e7 || got > 1e13 {
		t.Errorf("%v bytes a second", got)
	}
}
