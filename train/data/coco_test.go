package data

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

// TestCOCOEqualsReadme compares with what OpenCLIP's README does, pycocotools and pandas and all.
func TestCOCOEqualsReadme(t *testing.T) {
	data, err := os.ReadFile("../../testdata/golden/train/coco/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var g struct {
		Cases []struct{ Name, JSON, CSV string }
	}
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Cases) != 11 {
		t.Fatalf("%d cases", len(g.Cases))
	}
	for _, c := range g.Cases {
		// The one thing that we do as later versions of Python do.
		want := strings.Replace(c.CSV, "carriage\rreturn", "\"carriage\rreturn\"", 1)
		for _, r := range []io.Reader{strings.NewReader(c.JSON), iotest.HalfReader(strings.NewReader(c.JSON)), iotest.DataErrReader(strings.NewReader(c.JSON))} {
			var out strings.Builder
			if _, err := COCOToCSV(&out, r, "x.json", ""); err != nil || out.String() != want {
				t.Errorf("%s: got %q, %v, want %q", c.Name, out.String(), err, want)
			}
		}
		// And what is written is read again, but for what pandas takes for missing.
		csv, err := ReadCSV(strings.NewReader(want), "x.csv", CSVOptions{})
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
		} else if c.Name == "texts" && (csv.Len() != 26 || csv.caption[8] != "carriage\rreturn" || csv.caption[9] != "both\r\n" || csv.caption[20] != "a\"b\tc") {
			t.Errorf("%s: read back as %q", c.Name, csv.caption)
		}
	}
}

const small = `{"images":[{"id":1,"file_name":"a.jpg"},{"id":2,"file_name":"/b.jpg"}],"annotations":[{"image_id":2,"caption":"x"},{"image_id":1,"caption":"y"}]}`

func TestCOCORoot(t *testing.T) {
	root := filepath.Join("some", "..", "dir")
	for _, dir := range []string{"some/../dir", "some/../dir/"} {
		var out strings.Builder
		n, err := COCOToCSV(&out, strings.NewReader(small), "x.json", filepath.FromSlash(dir))
		want := filepath.FromSlash("some/../dir/a.jpg") + "\ty\n"
		if runtime.GOOS != "windows" {
			want += "/b.jpg\tx\n"
		}
		if err != nil || n != 2 || !strings.HasPrefix(out.String(), "filepath\ttitle\n"+want) {
			t.Errorf("%s (%s): got %q, %v, want %q", dir, root, out.String(), err, want)
		}
	}
}

func TestCOCOSaysWhatIsWrong(t *testing.T) {
	for file, want := range map[string]string{
		``: "file: want a JSON object with images and annotations, found the end", `[]`: "file: want a JSON object", `{`: "file: want a whole JSON object, found the end", `{}`: "images: want a list, found none",
		`{"images":[]}`: "annotations: want a list, found none", `{"images":{}}`: "images: want a list, found {", `{"images":[5]}`: "images[0]: want an object", `{"images":[null]}`: "images[0]: want an object",
		`{"images":[{"id":1,"file_name":"a"},{"id":2}]}`: "images[1]: file_name: want a string, found none", `{"images":[{"file_name":"a"}]}`: "images[0]: id: want a number or a string, found none",
		`{"images":[{"id":[1],"file_name":"a"}]}`:                "images[0]: id: want a number or a string, found [1]",
		`{"images":[],"annotations":[{"image_id":1}]}`:           "annotations[0]: caption: want a string, found none", // such as a file of boxes
		`{"images":[],"annotations":[{"image_id":1,"caption":5}`: "annotations[0]: caption: want a string, found 5",
		`{"annotations":[{"image_id":1,"caption":null}]}`:        "annotations[0]: caption: want a string, found null", `{"annotations":[{"image_id":1,"caption":"x"`: "annotations[0]: want an object, found the end",
		`{"annotations":[{"image_id":1,"caption":"\ud800"}]}`: "annotations[0]: caption: want Unicode text, found half a surrogate pair", "{\"images\":[{\"id\":1,\"file_name\":\"\xff\"}]}": "not UTF-8",
		`{"info":{"a":[1,`: "info: want JSON, found the end", `{"info" 5}`: "info: want JSON", "{\"info\":\"\xe2\x82": "not UTF-8",
	} {
		var e *Error
		_, err := COCOToCSV(io.Discard, strings.NewReader(file), "x.json", "")
		if !errors.As(err, &e) || e.Name != "x.json" || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want one that says %q", file, err, want)
		}
	}
	if _, err := COCOToCSV(io.Discard, iotest.ErrReader(io.ErrClosedPipe), "x.json", ""); err == nil {
		t.Error("an error of the reader is lost")
	}
	var text strings.Builder
	if _, err := COCOToCSV(&text, strings.NewReader(`{"images":[{"id":1,"file_name":"\ufffd�"}],"annotations":[]}`), "", ""); err != nil {
		t.Errorf("the replacement character itself: %v", err)
	}
}

// annotations is a file of n images with five captions each, made while it is read.
type annotations struct {
	n, i int
	rest []byte
}

func (a *annotations) Read(p []byte) (int, error) {
	for len(a.rest) == 0 {
		switch n := a.n; {
		case a.i == 0:
			a.rest = []byte(`{"info":{},"images":[`)
		case a.i <= n:
			a.rest = fmt.Appendf(nil, `{"license":5,"file_name":"COCO_train2014_%012d.jpg","coco_url":"http://images.cocodataset.org/train2014/COCO_train2014_%012d.jpg","height":480,"width":640,"date_captured":"2013-11-14 16:28:13","id":%d},`, a.i, a.i, a.i)
			if a.i == n {
				a.rest = append(a.rest[:len(a.rest)-1], `],"annotations":[`...)
			}
		case a.i <= 6*n:
			a.rest = fmt.Appendf(nil, `{"image_id":%d,"id":%d,"caption":"A restaurant has modern wooden tables and chairs."},`, a.i%n+1, a.i)
			if a.i == 6*n {
				a.rest = append(a.rest[:len(a.rest)-1], `]}`...)
			}
		default:
			return 0, io.EOF
		}
		a.i++
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

// TestCOCOMemory: a file of 100 MB takes no more than its captions and names do.
func TestCOCOMemory(t *testing.T) {
	images := 20000
	if os.Getenv("COCA_FULL") != "" {
		images = 125000 // 30 MB of images and 75 of annotations
	}
	var before, after runtime.MemStats
	c := &coco{name: "x"}
	runtime.GC()
	runtime.ReadMemStats(&before)
	if err := c.read(&annotations{n: images}); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	perCaption := float64(after.HeapAlloc-before.HeapAlloc) / float64(5*images)
	t.Logf("%d images: %.0f bytes a caption, %d MB from the system", images, perCaption, after.Sys>>20)
	if perCaption > 200 {
		t.Errorf("%.0f bytes are kept for each caption", perCaption)
	}
	runtime.KeepAlive(c)
}

func FuzzCOCO(f *testing.F) {
	f.Add([]byte(small))
	f.Fuzz(func(t *testing.T, file []byte) {
		var out strings.Builder
		if n, err := COCOToCSV(&out, strings.NewReader(string(file)), "x", ""); err == nil && n > 0 {
			if _, err := ReadCSV(strings.NewReader(out.String()), "x", CSVOptions{}); err != nil && !strings.Contains(err.Error(), "fields of at most") {
				t.Errorf("%q is not read back: %v", out.String(), err)
			}
		}
	})
}

func ExampleCOCOToCSV() {
	file := `{"images": [{"id": 7, "file_name": "cat.jpg"}], "annotations": [{"image_id": 7, "caption": "A cat on a mat."}]}`
	n, err := COCOToCSV(os.Stdout, strings.NewReader(file), "captions.json", "train2014")
	fmt.Println(n, err)
	// Output:
	// filepath	title
	// train2014/cat.jpg	A cat on a mat.
	// 1 <nil>
}
