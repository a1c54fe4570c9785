package data

import (
	"fmt"
	"strconv"
	"strings"
)

const maxShards = 1 << 20

// Shards expands a name of shards as OpenCLIP does: braces with a range of
// numbers, {00000..00012}, or with a list, {train,extra}, and :: between names.
func Shards(pattern string) ([]string, error) {
	var all []string
	for _, p := range strings.Split(pattern, "::") {
		names, err := braces(pattern, p, maxShards-len(all))
		if err != nil {
			return nil, err
		}
		all = append(all, names...)
	}
	return all, nil
}

// braces expands the first pair of braces and then, in each result, the rest.
// Braces that are neither a range nor a list stay as they are.
func braces(pattern, p string, limit int) ([]string, error) {
	from := strings.IndexByte(p, '{')
	if from < 0 {
		return []string{p}, nil
	}
	length := strings.IndexByte(p[from:], '}')
	if length < 0 {
		return []string{p}, nil
	}
	head, body, tail := p[:from], p[from+1:from+length], p[from+length+1:]
	tails, err := braces(pattern, tail, limit)
	if err != nil {
		return nil, err
	}
	items, err := alternatives(pattern, body, limit)
	if err != nil {
		return nil, err
	}
	if len(items)*len(tails) > limit {
		return nil, &Error{pattern, "shards", fmt.Sprintf("at most %d", maxShards), "more"}
	}
	var names []string
	for _, item := range items {
		for _, tail := range tails {
			names = append(names, head+item+tail)
		}
	}
	return names, nil
}

func alternatives(pattern, body string, limit int) ([]string, error) {
	if list := strings.Split(body, ","); len(list) > 1 {
		return list, nil
	}
	first, last, found := strings.Cut(body, "..")
	a, err1 := strconv.ParseUint(first, 10, 31)
	b, err2 := strconv.ParseUint(last, 10, 31)
	if !found || err1 != nil || err2 != nil {
		return []string{"{" + body + "}"}, nil
	}
	if n := max(a, b) - min(a, b) + 1; n > uint64(max(limit, 0)) {
		return nil, &Error{pattern, "shards", fmt.Sprintf("at most %d", maxShards), fmt.Sprint(n)}
	}
	width := 0 // numbers have leading zeros if one of the bounds has
	if len(first) > 1 && first[0] == '0' || len(last) > 1 && last[0] == '0' {
		width = max(len(first), len(last))
	}
	var items []string
	for i := a; ; {
		items = append(items, fmt.Sprintf("%0*d", width, i))
		if i == b {
			return items, nil
		}
		if i < b {
			i++
		} else {
			i--
		}
	}
}
