package data

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

var errLiteral = errors.New("no Python literal")

// pythonLiteral reads what Python's ast.literal_eval reads of numbers, strings, None, True and False, tuples and
// lists: float64 (also for integers), string, nil, bool and []any. A bare word is a string, as
// open_clip_train takes it.
func pythonLiteral(text string) (any, error) {
	if len(text) > 1000 {
		return nil, errLiteral
	}
	l := literal{rest: strings.Trim(text, " \t")}
	v, err := l.items("")
	if err != nil || l.rest != "" {
		return nil, errLiteral
	}
	return v, nil
}

// literal is a text that is read from its begin.
type literal struct {
	rest  string
	depth int
}

func (l *literal) skip() { l.rest = strings.TrimLeft(l.rest, " \t") }

// items reads values up to the closing bracket, or to the end if there is none. One value without a comma
// stands for itself, but in square brackets.
func (l *literal) items(closing string) (any, error) {
	list, comma := []any{}, false
	for {
		l.skip()
		if strings.HasPrefix(l.rest, closing) && (closing != "" || l.rest == "") {
			l.rest = l.rest[len(closing):]
			switch {
			case len(list) == 0 && closing == "":
				return nil, errLiteral
			case len(list) == 1 && !comma && closing != "]":
				return list[0], nil
			}
			return list, nil
		}
		if len(list) > 0 && !comma {
			return nil, errLiteral
		}
		v, err := l.value()
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		l.skip()
		l.rest, comma = strings.CutPrefix(l.rest, ",")
	}
}

func (l *literal) value() (any, error) {
	if l.rest == "" {
		return nil, errLiteral
	}
	switch c := l.rest[0]; c {
	case '(', '[':
		if l.depth++; l.depth > 20 {
			return nil, errLiteral
		}
		l.rest = l.rest[1:]
		v, err := l.items(map[byte]string{'(': ")", '[': "]"}[c])
		l.depth--
		return v, err
	case '\'', '"':
		text, rest, ok := strings.Cut(l.rest[1:], string(c))
		if !ok || strings.Contains(text, `\`) {
			return nil, errLiteral
		}
		l.rest = rest
		return text, nil
	}
	end := strings.IndexAny(l.rest, ",()[]'\" \t")
	if end < 0 {
		end = len(l.rest)
	}
	word := l.rest[:end]
	l.rest = l.rest[end:]
	switch word {
	case "None":
		return nil, nil
	case "True", "False":
		return word == "True", nil
	}
	if v, ok := pythonNumber(word); ok {
		return v, nil
	}
	if word != "" && l.depth == 0 && strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.") == "" {
		return word, nil
	}
	return nil, errLiteral
}

// pythonNumber reads a decimal integer or a floating-point number.
func pythonNumber(word string) (float64, bool) {
	digits := strings.TrimLeft(word, "+-")
	if digits == "" || strings.Trim(digits, "0123456789.eE+-_") != "" || !strings.ContainsAny(digits, "0123456789") {
		return 0, false
	}
	sign := 1.0
	if strings.Count(word[:len(word)-len(digits)], "-")%2 == 1 {
		sign = -1
	}
	// Underscores stand between digits.
	for i := range len(digits) {
		if digits[i] == '_' && (i == 0 || i == len(digits)-1 || !digit(digits[i-1]) || !digit(digits[i+1])) {
			return 0, false
		}
	}
	digits = strings.ReplaceAll(digits, "_", "")
	if len(digits) > 1 && digits[0] == '0' && !strings.ContainsAny(digits, ".eE") && strings.Trim(digits, "0") != "" {
		return 0, false // Python takes no leading zeros
	}
	v, err := strconv.ParseFloat(digits, 64)
	return sign * v, err == nil || math.IsInf(v, 0)
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// truth is Python's.
func truth(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case float64:
		return v != 0
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	}
	return true
}
