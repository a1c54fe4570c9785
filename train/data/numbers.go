package data

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// missing are the cells that pandas takes for no value.
var missing = map[string]bool{
	"": true, "#N/A": true, "#N/A N/A": true, "#NA": true, "-1.#IND": true, "-1.#QNAN": true, "-NaN": true, "-nan": true, "1.#IND": true,
	"1.#QNAN": true, "<NA>": true, "N/A": true, "NA": true, "NULL": true, "NaN": true, "None": true, "n/a": true, "nan": true, "null": true,
}

// A kind is what pandas takes a column for.
type kind int

const (
	text kind = iota
	integer
	unsigned
	number
	truthValue
)

// reprint replaces the cells of a column by what Python's str gives for the values that pandas
// reads. pandas decides for each block of rows what it holds; integers become
// floating-point numbers if another block has such, but text leaves other blocks as they are.
func reprint(cells []string, block int) {
	var kinds []kind
	for i := 0; i < len(cells); i += block {
		kinds = append(kinds, reprintBlock(cells[i:min(i+block, len(cells))]))
	}
	mixed := false
	for _, k := range kinds {
		if k == text || k == truthValue {
			return
		}
		mixed = mixed || k != kinds[0]
	}
	for i, k := range kinds {
		if mixed && k != number {
			floats(cells[i*block : min((i+1)*block, len(cells))])
		}
	}
}

// reprintBlock takes a block for integers, floating-point numbers, truth values or text,
// whichever first fits all of it.
func reprintBlock(cells []string) kind {
	out, k := integers(cells)
	switch k {
	case integer, unsigned:
		copy(cells, out)
		return k
	case text:
	default:
		if floats(cells) {
			return number
		}
		if booleans(cells) {
			return truthValue
		}
	}
	if out == nil {
		for i, c := range cells {
			if missing[c] {
				cells[i] = "nan"
			}
		}
	}
	return text
}

// integers is what pandas finds on its way from above: integers of 64 bits, with a sign or
// without; text, where it meets one beyond them before anything else; or something to be looked at again. Of text that holds an
// unsigned integer and a gap or a negative one, gaps stay what they are: out is then not nil.
func integers(cells []string) (out []string, k kind) {
	out, gap := make([]string, len(cells)), false
	for i, c := range cells {
		if missing[c] {
			gap = true
			continue
		}
		if c = strings.Trim(c, spaces); !decimal(c) {
			return nil, number
		}
		v, err := strconv.ParseInt(c, 10, 64)
		if err != nil {
			return unsignedIntegers(cells)
		}
		out[i] = strconv.FormatInt(v, 10)
	}
	if gap {
		return nil, number
	}
	return out, integer
}

// unsignedIntegers looks from the begin, for the block has an integer that needs no sign.
func unsignedIntegers(cells []string) (out []string, k kind) {
	out = make([]string, len(cells))
	negative, gap, large := false, false, false
	for i, c := range cells {
		if missing[c] {
			gap = true
			continue
		}
		c = strings.Trim(c, spaces)
		if strings.HasPrefix(c, "-") {
			negative = true
			continue
		}
		if !decimal(c) {
			return nil, number
		}
		v, err := strconv.ParseUint(strings.TrimPrefix(c, "+"), 10, 64)
		if err != nil {
			return nil, text
		}
		large = large || v > math.MaxInt64
		out[i] = strconv.FormatUint(v, 10)
	}
	switch {
	case large && (gap || negative):
		return cells, text
	case negative || gap:
		return nil, text
	}
	return out, unsigned
}

const spaces = " \t\n\v\f\r"

func decimal(c string) bool {
	if c != "" && (c[0] == '+' || c[0] == '-') {
		c = c[1:]
	}
	return c != "" && strings.Trim(c, "0123456789") == ""
}

// floats reprints cells that all are numbers or missing, and leaves others alone.
func floats(cells []string) bool {
	out := make([]string, len(cells))
	for i, c := range cells {
		if missing[c] {
			out[i] = "nan"
			continue
		}
		v, ok := float(c)
		if !ok {
			return false
		}
		out[i] = pythonFloat(v)
	}
	copy(cells, out)
	return true
}

// float reads a number, around which spaces may stand, or an infinity, around which they
// may not.
func float(c string) (float64, bool) {
	switch strings.ToLower(strings.TrimLeft(c, "+-")) {
	case "inf", "infinity":
		if strings.HasPrefix(c, "-") {
			return math.Inf(-1), true
		}
		return math.Inf(1), true
	}
	c = strings.Trim(c, spaces)
	// Not Go's hexadecimal numbers, underscores and spellings of NaN.
	if c == "" || strings.Trim(c, "0123456789+-.eE") != "" {
		return 0, false
	}
	v, err := strconv.ParseFloat(c, 64)
	return v, err == nil || errors.Is(err, strconv.ErrRange)
}

// pythonFloat is Python's repr of a float: the shortest digits that read back
// the same, with an exponent from 1e16 on and below 1e-4.
func pythonFloat(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "inf"
	case math.IsInf(v, -1):
		return "-inf"
	case v != 0 && (math.Abs(v) < 1e-4 || math.Abs(v) >= 1e16):
		return strconv.FormatFloat(v, 'e', -1, 64)
	}
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// booleans reprints cells that all are true or false, in any case, or missing, but not all
// missing.
func booleans(cells []string) bool {
	out := make([]string, len(cells))
	for i, c := range cells {
		switch {
		case strings.EqualFold(c, "true"):
			out[i] = "True"
		case strings.EqualFold(c, "false"):
			out[i] = "False"
		case missing[c]:
			out[i] = "nan"
		default:
			return false
		}
	}
	copy(cells, out)
	return true
}
