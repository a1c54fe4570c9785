package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestReportOfCaptions(t *testing.T) {
	cat, dog, owl := concept(t, "cat"), concept(t, "dog"), concept(t, "owl")
	hit, miss := Share{1, 1}, Share{0, 1}
	for _, test := range []struct {
		truth   Truth
		caption string
		want    Report
	}{
		{Truth{Single, []int{cat}, "a cat"}, "a cat", Report{Recall: hit, Singles: hit, Facts: hit, Exact: hit}},
		{Truth{Single, []int{cat}, "a cat"}, "a cat and a dog", Report{Recall: hit, Singles: hit, Facts: miss, Exact: miss}},
		{Truth{Single, []int{cat}, "a cat"}, "", Report{Recall: miss, Singles: miss, Facts: miss, Exact: miss}},
		{Truth{Count, []int{cat, cat, cat}, "three cats"}, "three cats", Report{Recall: hit, Facts: hit, Exact: hit, Count: hit, Number: hit}},
		{Truth{Count, []int{cat, cat, cat}, "three cats"}, "two cats", Report{Recall: hit, Facts: miss, Exact: miss, Count: miss, Number: miss}},
		{Truth{Count, []int{cat, cat, cat}, "three cats"}, "three dogs", Report{Recall: miss, Facts: miss, Exact: miss, Count: miss, Number: hit}},
		{Truth{Beside, []int{cat, dog}, "a cat and a dog"}, "a cat to the left of a dog",
			Report{Recall: Share{2, 2}, Pairs: Share{2, 2}, Facts: hit, Exact: miss, Order: hit, Relation: hit}},
		{Truth{Beside, []int{cat, dog}, "a cat and a dog"}, "a dog to the left of a cat",
			Report{Recall: Share{2, 2}, Pairs: Share{2, 2}, Facts: hit, Exact: miss, Order: miss, Relation: miss}},
		{Truth{Beside, []int{cat, dog}, "a cat and a dog"}, "a cat above a dog",
			Report{Recall: Share{2, 2}, Pairs: Share{2, 2}, Facts: hit, Exact: miss, Order: hit, Relation: miss}},
		{Truth{Above, []int{cat, dog}, "a cat above a dog"}, "a cat and an owl",
			Report{Recall: Share{1, 2}, Pairs: Share{1, 2}, Facts: miss, Exact: miss}},
		{Truth{Mixed, []int{cat, cat, dog}, "two cats and a dog"}, "two cats and a dog", Report{Recall: Share{2, 2}, Facts: hit, Exact: hit}},
		{Truth{Row, []int{cat, dog, owl}, "a cat, a dog and an owl"}, "a cat , a dog and an owl", Report{Recall: Share{3, 3}, Facts: hit, Exact: hit}},
	} {
		var got Report
		got.caption(test.truth, test.caption)
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%v, %q:\ngot  %+v\nwant %+v", test.truth, test.caption, got, test.want)
		}
	}
}

func TestRankOf(t *testing.T) {
	list := [][]float32{{1, 0}, {0.8, 0.6}, {0, 1}, {0, 1}}
	for _, test := range []struct {
		x           []float32
		index, want int
	}{{[]float32{1, 0}, 0, 0}, {[]float32{1, 0}, 1, 1}, {[]float32{0.6, 0.8}, 1, 0}, {[]float32{0, 1}, 2, 1}, {[]float32{0, 0}, 0, 3}} {
		if got := rankOf(test.x, list, test.index); got != test.want {
			t.Errorf("%v among them is number %d, want %d", test.x, got, test.want)
		}
	}
}

func TestReportsAreWritten(t *testing.T) {
	reports := []Report{{Set: "combos", Scenes: 4, Recall: Share{3, 4}}, {Set: "style", Scenes: 2}}
	table := markdown(reports)
	for _, want := range []string{"| measure | combos (4 scenes) | style (2 scenes) |", "| object recall | 75.0 % (3 of 4) | 0.0 % (0 of 0) |"} {
		if !strings.Contains(table, want+"\n") {
			t.Errorf("want %q in\n%s", want, table)
		}
	}
	text, err := json.Marshal(reports[0])
	if err != nil || !strings.Contains(string(text), `"object_recall":{"percent":75.00,"hits":3,"of":4}`) {
		t.Errorf("%s (%v)", text, err)
	}
}
