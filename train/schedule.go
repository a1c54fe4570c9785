package train

import (
	"fmt"
	"math"
)

// Schedule gives the learning rate of each step of the optimizer, counted from
// 0 over the whole run, as open_clip_train.scheduler computes it.
type Schedule struct {
	Kind   ScheduleKind
	LR     float64 // the base rate
	Warmup int     // steps in which the rate rises evenly to LR
	Total  int     // steps of the run

	// Of [ConstCooldown] only: the steps at the end in which the rate falls to
	// EndLR along a polynomial of degree Power, a straight line for 1.
	Cooldown int
	Power    float64
	EndLR    float64
}

// ScheduleKind names the course of the learning rate after the warm-up.
type ScheduleKind string

// The kinds of --lr-scheduler.
const (
	Const         ScheduleKind = "const"          // stays
	ConstCooldown ScheduleKind = "const-cooldown" // stays, and falls at the end
	Cosine        ScheduleKind = "cosine"         // falls along half a cosine to 0
)

// Validate returns a [ConfigError] for the first field that cannot be used.
func (s Schedule) Validate() error {
	for _, f := range []struct {
		name, want string
		ok         bool
		found      any
	}{
		{"lr-scheduler", "const, const-cooldown or cosine", s.Kind == Const || s.Kind == ConstCooldown || s.Kind == Cosine, s.Kind},
		{"lr", "a number from 0", s.LR >= 0 && !math.IsInf(s.LR, 0), s.LR},
		{"warmup", "a number of steps from 0", s.Warmup >= 0, s.Warmup},
		{"steps of the run", "a number from 0", s.Total >= 0, s.Total},
		{"cooldown", "a number of steps from 0", s.Cooldown >= 0, s.Cooldown},
		{"lr-cooldown-power", "a number from 0", s.Power >= 0 && !math.IsInf(s.Power, 0), s.Power},
		{"lr-cooldown-end", "a number from 0", s.EndLR >= 0 && !math.IsInf(s.EndLR, 0), s.EndLR},
	} {
		if !f.ok {
			return &ConfigError{f.name, f.want, fmt.Sprint(f.found)}
		}
	}
	return nil
}

// Rate is the learning rate of a step. Steps from Total on go on along the
// formula of a warm-up or a constant, and else have the last rate of all.
func (s Schedule) Rate(step int) float64 {
	if step < s.Warmup {
		return s.LR * float64(step+1) / float64(s.Warmup)
	}
	switch s.Kind {
	case Cosine:
		if step >= s.Total {
			return 0
		}
		e, es := float64(step-s.Warmup), float64(s.Total-s.Warmup)
		return 0.5 * (1 + math.Cos(math.Pi*e/es)) * s.LR
	case ConstCooldown:
		start := s.Total - s.Cooldown
		if step < start {
			return s.LR
		}
		if step >= s.Total {
			return s.EndLR
		}
		decay := math.Pow(1-float64(step-start)/float64(s.Total-start), s.Power)
		return decay*(s.LR-s.EndLR) + s.EndLR
	}
	return s.LR
}
