package main

import "strings"

// Facts are what a caption states.
type Facts struct {
	Mentions []Mention // in the order of the words
	Relation string    // between the first two: "left", "above", or "" for none stated
}

// A Mention is a concept with the number that the caption gives it.
type Mention struct {
	Concept int
	Number  int
}

// phrases are the nouns, singular and plural, as lists of words.
var phrases = func() map[string]Mention {
	m := map[string]Mention{}
	for i, c := range Concepts {
		m[strings.Join(wordsOf(c.Plural), " ")] = Mention{i, 2}
		m[strings.Join(wordsOf(c.Noun), " ")] = Mention{i, 1} // fish and deer: the number tells
	}
	return m
}()

// longestPhrase is the number of words of the longest noun.
var longestPhrase = func() (n int) {
	for p := range phrases {
		n = max(n, strings.Count(p, " ")+1)
	}
	return n
}()

// FactsOf reads a caption as Caption writes them. The longest noun counts: "christmas tree" names no tree.
func FactsOf(caption string) (f Facts) {
	words := wordsOf(caption)
	for i := 0; i < len(words); {
		found := 0
		for n := min(longestPhrase, len(words)-i); n > 0; n-- {
			m, ok := phrases[strings.Join(words[i:i+n], " ")]
			if !ok {
				continue
			}
			for k := max(0, i-2); k < i; k++ { // "two big cats"
				for number, word := range numbers {
					if number > 1 && words[k] == word {
						m.Number = number
					}
				}
			}
			f.Mentions = append(f.Mentions, m)
			found = n
			break
		}
		i += max(found, 1)
	}
	text := " " + strings.Join(words, " ") + " "
	switch {
	case len(f.Mentions) < 2:
	case strings.Contains(text, " to the left of "):
		f.Relation = "left"
	case strings.Contains(text, " above "):
		f.Relation = "above"
	}
	return f
}

// numberOf is how many of a concept a caption states.
func (f Facts) numberOf(concept int) (n int) {
	for _, m := range f.Mentions {
		if m.Concept == concept {
			n += m.Number
		}
	}
	return n
}
