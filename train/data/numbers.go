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

// reprint replaces the cells of a column by what Python's str gives for the
// values that pandas reads: integers, floating-point numbers, truth values or strings, whichever
// first fits all of the column.
func reprint(cells []string) {
	for _, convert := range []func([]string) ([]string, bool){integers, floats, booleans} {
		if out, ok := convert(cells); ok {
			copy(cells, out)
			return
		}
	}
	for i, c := range cells {
		if missing[c] {
			cells[i] = "nan"
		}
	}
}

// integers succeeds if there is no gap and all values fit into 64 bits, with
// a sign or without.
func integers(cells []string) ([]string, bool) {
	out := make([]string, len(cells))
	negative, large := false, false
	for i, c := range cells {
		c = strings.Trim(c, spaces)
		if !decimal(c) {
			return nil, false
		}
		if v, err := strconv.ParseInt(c, 10, 64); err == nil {
			negative = negative || v < 0
			out[i] = strconv.FormatInt(v, 10)
			continue
		}
		v, err := strconv.ParseUint(strings.TrimPrefix(c, "+"), 10, 64)
		if err != nil {
			return nil, false
		}
		large = true
		out[i] = strconv.FormatUint(v, 10)
	}
	return out, !(negative && large)
}

const spaces = " \t\n\v\f\r"

func decimal(c string) bool {
	c = strings.TrimLeft(c, "+-")
	return c != "" && strings.Trim(c, "0123456789") == ""
}

// floats succeeds if all values are numbers or missing. Integers beyond 64
// bits do not count: a column of integers with such a one stays text.
func floats(cells []string) ([]string, bool) {
	out := make([]string, len(cells))
	whole := true // all are integers without a gap
	beyond := false
	for i, c := range cells {
		if missing[c] {
			out[i], whole = "nan", false
			continue
		}
		c = strings.Trim(c, spaces)
		if decimal(c) {
			_, signed := strconv.ParseInt(c, 10, 64)
			beyond = beyond || signed != nil
		} else {
			whole = false
		}
		v, ok := float(c)
		if !ok {
			return nil, false
		}
		out[i] = pythonFloat(v)
	}
	return out, !(whole && beyond)
}

func float(c string) (float64, bool) {
	switch strings.ToLower(strings.TrimLeft(c, "+-")) {
	case "inf", "infinity":
		if strings.HasPrefix(c, "-") {
			return math.Inf(-1), true
		}
		return math.Inf(1), true
	}
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

// booleans succeeds if every value is true or false in one of three spellings
// each, or missing, and not all are missing.
func booleans(cells []string) ([]string, bool) {
	out := make([]string, len(cells))
	for i, c := range cells {
		switch {
		case c == "True" || c == "TRUE" || c == "true":
			out[i] = "True"
		case c == "False" || c == "FALSE" || c == "false":
			out[i] = "False"
		case missing[c]:
			out[i] = "nan"
		default:
			return nil, false
		}
	}
	return out, true
}
