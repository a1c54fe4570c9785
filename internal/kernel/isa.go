package kernel

import (
	"fmt"
	"os"
	"strings"
)

// level is an instruction set that kernels are written for. Levels of one
// architecture are cumulative: each includes those before it.
type level uint8

const (
	levelGeneric level = iota
	levelAVX2
	levelAVXVNNI
	levelAVX512
	levelAVX512VNNI
	levelAVX512BF16
	levelNEON
)

var levelNames = [...]string{"generic", "avx2", "avxvnni", "avx512", "avx512vnni", "avx512bf16", "neon"}

func (l level) String() string { return levelNames[l] }

// ISAError reports an instruction set that was asked for and cannot be used.
type ISAError struct {
	Want string   // the name asked for
	Have []string // the names that this machine can run
}

func (e *ISAError) Error() string {
	return fmt.Sprintf("COCA_ISA: want instruction set %q, this machine has %s", e.Want, strings.Join(e.Have, ", "))
}

// active is the level in use and inner its loops. They are set once when the
// program starts; only tests change them, to run on every level.
var (
	active, activeErr = chooseLevel(os.Getenv("COCA_ISA"))
	inner             = opsOf[active]
)

func chooseLevel(name string) (level, error) {
	have := availableLevels()
	if name == "" {
		return have[len(have)-1], nil
	}
	e := &ISAError{Want: name}
	for _, l := range have {
		if l.String() == name {
			return l, nil
		}
		e.Have = append(e.Have, l.String())
	}
	return levelGeneric, e
}

// ISA names the instruction set that the kernels use: the best that the
// processor has, or the one named by the environment variable COCA_ISA
// (generic, avx2, avxvnni, avx512, avx512vnni, avx512bf16 or neon).
func ISA() string { return active.String() }

// CheckISA returns an *ISAError if COCA_ISA names an instruction set that this
// machine lacks. The kernels then run the generic code.
func CheckISA() error { return activeErr }
