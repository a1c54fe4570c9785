package main

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed concepts.tsv
var conceptTable string

// Concept is a thing that scenes show.
type Concept struct {
	Code     string // code point of the emoji, in lower-case hexadecimal digits
	Noun     string // CLDR's short English name, or the natural noun for it
	Plural   string
	Chinese  string // CLDR's short Chinese name
	Category string
	Coloured bool // the noun names a colour, so that the picture must keep it
}

// Concepts are all concepts in the table's order, which numbers them.
var Concepts = parseConcepts(conceptTable)

func parseConcepts(table string) (list []Concept) {
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 6 {
			panic(fmt.Sprintf("concepts.tsv: want 6 fields, found %q", line))
		}
		list = append(list, Concept{f[0], f[1], f[2], f[3], f[4], f[5] == "color"})
	}
	return list
}

// Article is the noun with its indefinite article.
func (c Concept) Article() string { return withArticle(c.Noun) }

func withArticle(noun string) string {
	if strings.HasPrefix(noun, "uni") || !strings.ContainsRune("aeiou", rune(noun[0])) && !strings.HasPrefix(noun, "hour") {
		return "a " + noun
	}
	return "an " + noun
}

var numbers = []string{"no", "one", "two", "three", "four"}

// Counted is n of the concept in words: "a cat", "three cats".
func (c Concept) Counted(n int) string {
	if n == 1 {
		return c.Article()
	}
	return numbers[n] + " " + c.Plural
}
