package train_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/seed-e0874532/coca/train"
)

func TestSchedulesEqualOpenCLIP(t *testing.T) {
	var golden struct {
		Cases []struct {
			Kind                    train.ScheduleKind
			LR, Power, End          float64
			Warmup, Total, Cooldown int
			Rates                   []float64
		}
	}
	readGolden(t, "schedules.json", &golden)
	kinds := map[train.ScheduleKind]int{}
	for i, c := range golden.Cases {
		s := train.Schedule{Kind: c.Kind, LR: c.LR, Warmup: c.Warmup, Total: c.Total, Cooldown: c.Cooldown, Power: c.Power, EndLR: c.End}
		if err := s.Validate(); err != nil {
			t.Error(err)
		}
		if len(c.Rates) != c.Total {
			t.Errorf("case %d: %d rates, want %d", i, len(c.Rates), c.Total)
		}
		for step, want := range c.Rates {
			if got := s.Rate(step); math.Abs(got-want) > 1e-15*c.LR {
				t.Errorf("case %d, %s: rate of step %d is %v, want %v", i, c.Kind, step, got, want)
			}
		}
		kinds[c.Kind]++
	}
	if len(kinds) != 3 {
		t.Errorf("the golden has the kinds %v, want three", kinds)
	}
}

func TestScheduleRefuses(t *testing.T) {
	good := train.Schedule{Kind: train.Cosine, LR: 1, Total: 10}
	for name, change := range map[string]func(*train.Schedule){
		"lr-scheduler": func(s *train.Schedule) { s.Kind = "step" },
		"lr":           func(s *train.Schedule) { s.LR = math.NaN() },
		"warmup":       func(s *train.Schedule) { s.Warmup = -1 },
	} {
		s := good
		change(&s)
		var e *train.ConfigError
		if err := s.Validate(); !errors.As(err, &e) || e.Field != name {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for _, kind := range []train.ScheduleKind{train.Const, train.ConstCooldown, train.Cosine} {
		s := train.Schedule{Kind: kind, LR: 1, Total: 10, Warmup: 20, Cooldown: 30, Power: 0.5}
		for step := range 60 {
			if r := s.Rate(step); !(r >= 0 && r <= 1) {
				t.Errorf("%s: rate of step %d is %v", kind, step, r)
			}
		}
	}
}

func ExampleSchedule() {
	s := train.Schedule{Kind: train.Cosine, LR: 1e-3, Warmup: 2, Total: 6}
	for step := range 6 {
		fmt.Printf("%.6f ", s.Rate(step))
	}
	// Output: 0.000500 0.001000 0.001000 0.000854 0.000500 0.000146
}
