package data

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestReadCSV shows the rules; TestReadCSVEqualsPandas holds them to pandas itself.
func TestReadCSV(t *testing.T) {
	type want [][2]string
	for name, c := range map[string]struct {
		file    string
		options CSVOptions
		want    want
	}{
		"plain":            {"filepath\ttitle\na.png\ta cat\nb.png\ttwo, dogs\n", CSVOptions{}, want{{"a.png", "a cat"}, {"b.png", "two, dogs"}}},
		"keys and comma":   {"title,id,image\na cat,1,a.png\n", CSVOptions{Separator: ",", ImageKey: "image", CaptionKey: "title"}, want{{"a.png", "a cat"}}},
		"CRLF, CR, no end": {"filepath\ttitle\r\na\tx\rb\ty", CSVOptions{}, want{{"a", "x"}, {"b", "y"}}},
		"byte order mark":  {"\ufefffilepath\ttitle\na\tx\n", CSVOptions{}, want{{"a", "x"}}},
		"blank lines":      {"\n \nfilepath\ttitle\n\n  \na\tx\n\n", CSVOptions{}, want{{"a", "x"}}},
		"quotes": {"filepath\ttitle\na\t\"x\ty\nz\"\nb\t\"say \"\"hi\"\"\"\nc\tit \"is\"\nd\t\"x\"y\"z\n", CSVOptions{},
			want{{"a", "x\ty\nz"}, {"b", `say "hi"`}, {"c", `it "is"`}, {"d", `xy"z`}}},
		"missing": {"filepath\ttitle\na\t\nb\tNA\nc\tnull\nd\tNone\ne\t\"N/A\"\nf\n\t x\n", CSVOptions{},
			want{{"a", "nan"}, {"b", "nan"}, {"c", "nan"}, {"d", "nan"}, {"e", "nan"}, {"f", "nan"}, {"nan", " x"}}},
		"integers":       {"filepath\ttitle\na\t007\nb\t +5 \nc\t-0\n", CSVOptions{}, want{{"a", "7"}, {"b", "5"}, {"c", "0"}}},
		"with a gap":     {"filepath\ttitle\na\t5\nb\t\n", CSVOptions{}, want{{"a", "5.0"}, {"b", "nan"}}},
		"floats":         {"filepath\ttitle\na\t1.50\nb\t1e20\nc\t.00001\nd\tinf\ne\t3\n", CSVOptions{}, want{{"a", "1.5"}, {"b", "1e+20"}, {"c", "1e-05"}, {"d", "inf"}, {"e", "3.0"}}},
		"numbers, text":  {"filepath\ttitle\n007\t007\n008\ta\n", CSVOptions{}, want{{"7", "007"}, {"8", "a"}}},
		"not numbers":    {"filepath\ttitle\na\t0x1p3\nb\t1_0\n", CSVOptions{}, want{{"a", "0x1p3"}, {"b", "1_0"}}},
		"unsigned":       {"filepath\ttitle\na\t018446744073709551615\nb\t1\n", CSVOptions{}, want{{"a", "18446744073709551615"}, {"b", "1"}}},
		"beyond 64 bits": {"filepath\ttitle\na\t018446744073709551616\nb\t1\n", CSVOptions{}, want{{"a", "018446744073709551616"}, {"b", "1"}}},
		"truth":          {"filepath\ttitle\na\ttrue\nb\tFALSE\n", CSVOptions{}, want{{"a", "True"}, {"b", "False"}}},
		"truth and gap":  {"filepath\ttitle\na\ttrue\nb\t\n", CSVOptions{}, want{{"a", "True"}, {"b", "nan"}}},
		"row labels":     {"filepath\ttitle\n1\ta\tx\n2\tb\ty\n", CSVOptions{}, want{{"a", "x"}, {"b", "y"}}},
		"same column":    {"filepath\na\nb\n", CSVOptions{CaptionKey: "filepath"}, want{{"a", "a"}, {"b", "b"}}},
		"none":           {"filepath\ttitle\n", CSVOptions{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			csv, err := ReadCSV(strings.NewReader(c.file), "x.csv", c.options)
			if err != nil {
				t.Fatal(err)
			}
			if csv.Len() != len(c.want) {
				t.Fatalf("%d rows, want %d", csv.Len(), len(c.want))
			}
			i := 0
			for r, err := range csv.Records(0) {
				if err != nil {
					t.Fatal(err)
				}
				if got := [2]string{r.Path, r.Caption}; got != c.want[i] {
					t.Errorf("row %d: %q, want %q", i, got, c.want[i])
				}
				i++
			}
		})
	}
}

func TestReadCSVRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		file    string
		options CSVOptions
	}{
		"empty":          {"", CSVOptions{}},
		"no image key":   {"image\ttitle\n", CSVOptions{}},
		"no caption key": {"filepath,title\n", CSVOptions{}},
		"open quote":     {"filepath\ttitle\na\t\"x\n", CSVOptions{}},
		"long row":       {"filepath\ttitle\na\tx\nb\ty\tz\n", CSVOptions{}},
		"not UTF-8":      {"filepath\ttitle\na\t\xff\n", CSVOptions{}},
		"two separators": {"filepath\ttitle\n", CSVOptions{Separator: "||"}},
		"long field":     {"filepath\ttitle\na\t" + strings.Repeat("x", maxField+1), CSVOptions{}},
		"many fields":    {strings.Repeat("\t", maxFields+1), CSVOptions{}},
	} {
		var e *Error
		if _, err := ReadCSV(strings.NewReader(c.file), "x.csv", c.options); !errors.As(err, &e) || e.Name != "x.csv" {
			t.Errorf("%s: got %v, want an Error", name, err)
		}
	}
}

func TestCSVShuffles(t *testing.T) {
	var file strings.Builder
	file.WriteString("filepath\ttitle\n")
	for i := range 50 {
		fmt.Fprintf(&file, "f%d\tt\n", i)
	}
	order := func(seed uint64, epoch int) (paths []string) {
		c, err := ReadCSV(strings.NewReader(file.String()), "", CSVOptions{Shuffle: true, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		for r := range c.Records(epoch) {
			paths = append(paths, r.Path)
		}
		return paths
	}
	first := order(1, 0)
	if !slices.Equal(first, order(1, 0)) {
		t.Error("the same seed and epoch give another order")
	}
	if slices.Equal(first, order(1, 1)) || slices.Equal(first, order(2, 0)) {
		t.Error("another epoch or seed gives the same order")
	}
	slices.Sort(first)
	if first = slices.Compact(first); len(first) != 50 {
		t.Errorf("an epoch has %d different rows, want 50", len(first))
	}
}

func FuzzReadCSV(f *testing.F) {
	f.Add("filepath\ttitle\na\t\"x\"\n")
	f.Add("filepath\ttitle\r\n1\t2.5\r\n\"")
	f.Fuzz(func(t *testing.T, file string) {
		c, err := ReadCSV(strings.NewReader(file), "x", CSVOptions{})
		if err == nil && len(c.images) != len(c.caption) {
			t.Errorf("%d images, %d captions", len(c.images), len(c.caption))
		}
	})
}

func ExampleReadCSV() {
	c, err := ReadCSV(strings.NewReader("filepath\ttitle\ncat.png\ta cat on a mat\n"), "train.csv", CSVOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for r := range c.Records(0) {
		fmt.Println(r.Path, r.Caption)
	}
	// Output: cat.png a cat on a mat
}
