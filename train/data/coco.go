package data

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// COCOToCSV reads a file of captions in COCO's form from r and writes the table that OpenCLIP's README makes of
// one: columns filepath and title with a tab between them, a row for each caption, in the order of the images and, of each
// image, of its annotations. Images without captions, and captions without an image, give no rows. The name is for
// messages; root is a folder to put before the names of files, or "". It returns the number of rows.
//
// Fields with a tab, a quote or an end of line are quoted as pandas.to_csv quotes them. A carriage return counts as an
// end of line, too (not so in the csv module of Python before 3.13, whose file would then not be read back as it was).
//
// The file is read piece by piece; what is kept are names and captions.
func COCOToCSV(w io.Writer, r io.Reader, name, root string) (rows int, err error) {
	c := &coco{name: name}
	if err := c.read(r); err != nil {
		return 0, err
	}
	out := bufio.NewWriter(w)
	out.WriteString("filepath\ttitle\n") // an error comes back from Flush
	for _, key := range c.order {
		path := csvField(join(root, c.files[key]))
		for _, caption := range c.captions[key] {
			out.WriteString(path)
			out.WriteByte('\t')
			out.WriteString(csvField(caption))
			out.WriteByte('\n')
			rows++
		}
	}
	return rows, out.Flush()
}

// join is Python's os.path.join: it cleans nothing.
func join(root, name string) string {
	if root == "" || filepath.IsAbs(name) {
		return name
	}
	if os.IsPathSeparator(root[len(root)-1]) {
		return root + name
	}
	return root + string(filepath.Separator) + name
}

func csvField(s string) string {
	if !strings.ContainsAny(s, "\t\"\r\n") {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

// coco is what of a file is kept. Images go by their ids as JSON writes them, which are numbers or strings.
type coco struct {
	name     string
	order    []string
	files    map[string]string
	captions map[string][]string
}

func (c *coco) read(r io.Reader) error {
	d := json.NewDecoder(&utf8Reader{r: r})
	if t, err := d.Token(); err != nil {
		return c.bad("file", "a JSON object with images and annotations", err)
	} else if t != json.Delim('{') {
		return c.bad("file", "a JSON object with images and annotations", fmt.Errorf("%v", t))
	}
	for d.More() {
		key, err := d.Token()
		if err == nil {
			switch key {
			case "images":
				c.order, c.files = nil, map[string]string{}
				err = c.list(d, "images", c.image)
			case "annotations":
				c.captions = map[string][]string{}
				err = c.list(d, "annotations", c.annotation)
			default:
				err = skip(d)
			}
		}
		if err != nil {
			return c.wrap(fmt.Sprint(key), err)
		}
	}
	if _, err := d.Token(); err != nil {
		return c.bad("file", "a whole JSON object", err)
	}
	if c.files == nil {
		return c.bad("images", "a list", fmt.Errorf("none"))
	}
	if c.captions == nil {
		return c.bad("annotations", "a list", fmt.Errorf("none"))
	}
	return nil
}

// wrap leaves errors that say what they are about, and names the thing in others.
func (c *coco) wrap(thing string, err error) error {
	if e, ok := err.(*Error); ok {
		return e
	}
	return c.bad(thing, "JSON", err)
}

func (c *coco) bad(thing, want string, found error) error {
	if found == io.EOF || found == io.ErrUnexpectedEOF {
		found = fmt.Errorf("the end of the file")
	}
	return &Error{c.name, thing, want, found.Error()}
}

// list reads the objects of a list, one at a time.
func (c *coco) list(d *json.Decoder, name string, add func(thing string, object map[string]json.RawMessage) error) error {
	if t, err := d.Token(); err != nil {
		return err
	} else if t != json.Delim('[') {
		return c.bad(name, "a list", fmt.Errorf("%v", t))
	}
	for i := 0; d.More(); i++ {
		thing := fmt.Sprintf("%s[%d]", name, i)
		var object map[string]json.RawMessage
		if err := d.Decode(&object); err != nil {
			return c.bad(thing, "an object", err)
		}
		if object == nil {
			return c.bad(thing, "an object", fmt.Errorf("null"))
		}
		if err := add(thing, object); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

func (c *coco) image(thing string, object map[string]json.RawMessage) error {
	id, err := c.id(thing, object, "id")
	if err != nil {
		return err
	}
	file, err := c.text(thing, object, "file_name")
	if err != nil {
		return err
	}
	if _, again := c.files[id]; !again {
		c.order = append(c.order, id)
	}
	c.files[id] = file
	return nil
}

func (c *coco) annotation(thing string, object map[string]json.RawMessage) error {
	id, err := c.id(thing, object, "image_id")
	if err != nil {
		return err
	}
	caption, err := c.text(thing, object, "caption")
	if err != nil {
		return err
	}
	c.captions[id] = append(c.captions[id], caption)
	return nil
}

// id is a number or a string as it stands in the file.
func (c *coco) id(thing string, object map[string]json.RawMessage, key string) (string, error) {
	v := object[key]
	if len(v) == 0 || !(v[0] == '"' || v[0] == '-' || v[0] >= '0' && v[0] <= '9') {
		return "", c.bad(thing+": "+key, "a number or a string", found(v))
	}
	return string(v), nil
}

func (c *coco) text(thing string, object map[string]json.RawMessage, key string) (string, error) {
	v := object[key]
	var s *string
	if json.Unmarshal(v, &s) != nil || s == nil {
		return "", c.bad(thing+": "+key, "a string", found(v))
	}
	if strings.ContainsRune(*s, utf8.RuneError) && !bytes.ContainsRune(v, utf8.RuneError) && !bytes.Contains(bytes.ToLower(v), []byte(`\ufffd`)) {
		return "", c.bad(thing+": "+key, "Unicode text", fmt.Errorf("half a surrogate pair in %s", found(v)))
	}
	return *s, nil
}

// found shows a value in a message.
func found(v json.RawMessage) error {
	switch {
	case v == nil:
		return fmt.Errorf("none")
	case len(v) > 60:
		return fmt.Errorf("%s…", v[:60])
	}
	return fmt.Errorf("%s", v)
}

// skip passes over a value without keeping it.
func skip(d *json.Decoder) error {
	for depth := 0; ; {
		t, err := d.Token()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// utf8Reader fails at bytes that are not UTF-8, which package json would replace.
type utf8Reader struct {
	r    io.Reader
	rest [utf8.UTFMax]byte // of a rune that the last read cut
	n    int
}

func (u *utf8Reader) Read(p []byte) (int, error) {
	if len(p) < 2*utf8.UTFMax {
		return 0, io.ErrShortBuffer
	}
	n := copy(p, u.rest[:u.n])
	k, err := u.r.Read(p[n:])
	if n += k; err == nil {
		// What may be the begin of a rune waits for the next read.
		end := n
		for i := 1; i < utf8.UTFMax && i <= n; i++ {
			if c := p[n-i]; utf8.RuneStart(c) {
				if !utf8.FullRune(p[n-i : n]) {
					end = n - i
				}
				break
			}
		}
		u.n = copy(u.rest[:], p[end:n])
		n = end
	} else {
		u.n = 0
	}
	if !utf8.Valid(p[:n]) {
		return 0, fmt.Errorf("bytes that are not UTF-8")
	}
	return n, err
}
