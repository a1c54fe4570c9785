package data

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// pandasCase is a file and what pandas makes of it: two columns as text, or an error.
type pandasCase struct {
	Name, Sep, Image, Caption string
	File                      string
	Bytes                     []byte // a file that is not UTF-8
	Images, Captions          []string
	Error                     string
}

// UnmarshalJSON reads bytes as a list of numbers.
func (c *pandasCase) UnmarshalJSON(data []byte) error {
	type plain pandasCase
	var list struct {
		*plain
		Bytes []int
	}
	list.plain = (*plain)(c)
	err := json.Unmarshal(data, &list)
	for _, b := range list.Bytes {
		c.File += string([]byte{byte(b)})
	}
	return err
}

func readPandasGolden(t *testing.T) (g struct {
	Cases  []pandasCase
	Blocks []struct {
		Columns        int
		File, Captions [][2]any // runs of equal captions
	}
}) {
	t.Helper()
	data, err := os.ReadFile("../../testdata/golden/train/csv/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// TestReadCSVEqualsPandas: what pandas.read_csv reads, we read, word for word; what it refuses, we refuse.
func TestReadCSVEqualsPandas(t *testing.T) {
	g := readPandasGolden(t)
	if len(g.Cases) < 700 {
		t.Fatalf("%d cases", len(g.Cases))
	}
	for _, c := range g.Cases {
		csv, err := ReadCSV(strings.NewReader(c.File), "x.csv", CSVOptions{Separator: c.Sep, ImageKey: c.Image, CaptionKey: c.Caption})
		switch {
		case c.Error != "":
			var e *Error
			if !errors.As(err, &e) {
				t.Errorf("%s: %q: got %v, want an error as pandas' %s", c.Name, c.File, err, c.Error)
			}
		case err != nil:
			t.Errorf("%s: %q: %v, want %q, %q", c.Name, c.File, err, c.Images, c.Captions)
		case !slices.Equal(csv.images, c.Images) || !slices.Equal(csv.caption, c.Captions):
			t.Errorf("%s: %q: got %q, %q, want %q, %q", c.Name, c.File, csv.images, csv.caption, c.Images, c.Captions)
		}
	}
}

// TestLongCSVEqualsPandas, which decides block by block what a column holds.
func TestLongCSVEqualsPandas(t *testing.T) {
	for _, c := range readPandasGolden(t).Blocks {
		var file strings.Builder
		file.WriteString(strings.Join([]string{"filepath", "title", "x", "y", "z"}[:c.Columns], "\t") + "\n")
		for _, run := range c.File {
			file.WriteString(strings.Repeat("f\t"+run[1].(string)+strings.Repeat("\tt", c.Columns-2)+"\n", int(run[0].(float64))))
		}
		csv, err := ReadCSV(strings.NewReader(file.String()), "x.csv", CSVOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var runs [][2]any
		for _, s := range csv.caption {
			if n := len(runs); n > 0 && runs[n-1][1] == s {
				runs[n-1][0] = runs[n-1][0].(float64) + 1
			} else {
				runs = append(runs, [2]any{1., s})
			}
		}
		if !reflect.DeepEqual(runs, c.Captions) {
			t.Errorf("%d columns, %v: got %v, want %v", c.Columns, c.File, runs, c.Captions)
		}
	}
}

func BenchmarkReadCSV(b *testing.B) {
	file := "filepath\ttitle\n" + strings.Repeat("train2014/COCO_train2014_000000057870.jpg\tA restaurant has modern wooden tables and chairs.\n", 100000)
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		if _, err := ReadCSV(strings.NewReader(file), "x.csv", CSVOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
