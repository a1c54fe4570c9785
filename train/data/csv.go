package data

import (
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
	"unicode/utf8"
)

// CSVOptions say how to read a CSV file. The zero value stands for OpenCLIP's
// defaults: tabs, and the columns filepath and title.
type CSVOptions struct {
	Separator  string // one ASCII character
	ImageKey   string
	CaptionKey string

	Shuffle bool   // a new order in each epoch
	Seed    uint64 // of the order
}

// CSV is a table of picture files and captions.
type CSV struct {
	options         CSVOptions
	images, caption []string
}

// OpenCSV reads the table as pandas.read_csv does with its defaults, for that
// is what OpenCLIP calls; see [ReadCSV].
func OpenCSV(name string, o CSVOptions) (*CSV, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadCSV(f, name, o)
}

// ReadCSV reads a table from r; name is for messages.
//
// Double quotes group a field that begins with one; a doubled quote in it is a
// quote. Empty lines are skipped, short ones filled up, long ones an error. If the
// first line after the header has more fields than the header, the first ones are
// row labels. A name that comes again in the header has .1 and so on behind it, and a column
// without a name is "Unnamed: 0", by its number.
//
// A caption that is missing or reads NA, N/A, null, None or the like becomes "nan". A column of numbers only is
// printed anew, as Python prints them: 007 as 7, and 5 as 5.0 if another cell is empty. pandas decides
// that for blocks of rows, 262,144 of them in a table of two or three columns, and so do we: in a longer
// table, 007 becomes 7 even if text comes in another block. All this follows pandas 3.1.
func ReadCSV(r io.Reader, name string, o CSVOptions) (*CSV, error) {
	if o.Separator == "" {
		o.Separator = "\t"
	}
	if o.ImageKey == "" {
		o.ImageKey = "filepath"
	}
	if o.CaptionKey == "" {
		o.CaptionKey = "title"
	}
	if len(o.Separator) != 1 || o.Separator[0] >= utf8.RuneSelf || strings.Contains("\"\r\n", o.Separator) {
		return nil, &Error{name, "csv-separator", "one ASCII character, no quote and no end of line", fmt.Sprintf("%q", o.Separator)}
	}
	t := &table{name: name, in: newByteReader(r), separator: o.Separator[0]}
	header, err := t.row()
	if err == io.EOF {
		return nil, &Error{name, "header", "a line of column names", "an empty file"}
	} else if err != nil {
		return nil, err
	}
	names := uniqueNames(header)
	imageColumn, err := column(names, name, "csv-img-key", o.ImageKey)
	if err != nil {
		return nil, err
	}
	captionColumn, err := column(names, name, "csv-caption-key", o.CaptionKey)
	if err != nil {
		return nil, err
	}
	c := &CSV{options: o}
	width, labels := 0, 0
	for {
		row, err := t.row()
		if err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		if width == 0 {
			width = max(len(names), len(row))
			labels = width - len(names)
		}
		if len(row) > width {
			return nil, &Error{name, fmt.Sprintf("line %d", t.line), fmt.Sprintf("%d fields, as in the lines before", width), fmt.Sprint(len(row))}
		}
		cell := func(i int) string {
			if i < len(row) {
				return row[i]
			}
			return ""
		}
		c.images = append(c.images, cell(labels+imageColumn))
		c.caption = append(c.caption, cell(labels+captionColumn))
	}
	reprint(c.images, blockRows(width))
	if imageColumn != captionColumn {
		reprint(c.caption, blockRows(width))
	} else {
		c.caption = c.images
	}
	return c, nil
}

func column(names []string, file, option, key string) (int, error) {
	for i, n := range names {
		if n == key {
			return i, nil
		}
	}
	found := fmt.Sprintf("%q", names)
	if len(found) > 200 {
		found = found[:200] + "…"
	}
	return 0, &Error{file, "header", fmt.Sprintf("a column %q (%s)", key, option), found}
}

// uniqueNames gives the columns of a header names of their own.
func uniqueNames(header []string) []string {
	names, order := slices.Clone(header), []int(nil)
	var unnamed []int
	for i, n := range names {
		if n == "" {
			names[i] = fmt.Sprintf("Unnamed: %d", i)
			unnamed = append(unnamed, i)
		} else {
			order = append(order, i)
		}
	}
	taken, counts := map[string]bool{}, map[string]int{}
	for _, n := range names {
		taken[n] = true
	}
	for _, i := range append(order, unnamed...) {
		name := names[i]
		n := counts[name]
		for n > 0 {
			counts[names[i]] = n + 1
			if name = fmt.Sprintf("%s.%d", names[i], n); taken[name] {
				n++
			} else {
				n = counts[name]
			}
		}
		names[i], taken[name], counts[name] = name, true, n+1
	}
	return names
}

// blockRows is the number of rows in a block of a table that is so many fields wide.
func blockRows(width int) int {
	n := 1
	for 2*n < 1<<20/max(width, 1) {
		n *= 2
	}
	return n
}

// Len is the number of rows.
func (c *CSV) Len() int { return len(c.images) }

// Records gives the rows, in the file's order or in the epoch's own.
func (c *CSV) Records(epoch int) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		var order []int
		if c.options.Shuffle {
			order = source(c.options.Seed, forOrder, epoch, 0).Perm(len(c.images))
		}
		for i := range c.images {
			if order != nil {
				i = order[i]
			}
			if !yield(Record{Name: c.images[i], Path: c.images[i], Caption: c.caption[i]}, nil) {
				return
			}
		}
	}
}
