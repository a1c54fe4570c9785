package data

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-e0874532/coca/preprocess"
)

type member struct{ name, content string }

// shard writes a tar file.
func shard(t testing.TB, name string, zip bool, members ...member) {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		w.WriteHeader(&tar.Header{Name: m.name, Mode: 0o600, Size: int64(len(m.content))})
		w.Write([]byte(m.content))
	}
	w.Close()
	if zip {
		var z bytes.Buffer
		g := gzip.NewWriter(&z)
		g.Write(b.Bytes())
		g.Close()
		b = z
	}
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// read lists an epoch: "caption=picture" of a record, "!name" of an error.
func read(t testing.TB, pattern string, o WebDatasetOptions, epoch int) (list []string) {
	t.Helper()
	w, err := OpenWebDataset(pattern, o)
	if err != nil {
		t.Fatal(err)
	}
	for r, err := range w.Records(epoch) {
		var bad *SampleError
		switch {
		case errors.As(err, &bad):
			list = append(list, "!"+filepath.Base(bad.Name))
		case err != nil:
			t.Fatal(err)
		default:
			list = append(list, r.Caption+"="+string(r.Bytes))
			if !r.RGB {
				t.Error("a record is not to be converted first")
			}
		}
	}
	return list
}

func TestWebDataset(t *testing.T) {
	dir := t.TempDir()
	shard(t, dir+"/a0.tar", false,
		member{"x/1.txt", "one"}, member{"x/1.jpg", "J"}, member{"x/1.json", "{}"},
		member{"x/2.png", "P"}, member{"x/2.JPG", "J2"}, member{"x/2.webp", "W"}, member{"x/2.txt", "two"}, // jpg is preferred
		member{"x/3.txt", "no picture"},
		member{"x/4.jpg", "no caption"},
		member{"readme", "no extension"}, member{".hidden.txt", "no key"},
		member{"y.z/5.seg.png", "another extension"}, member{"y.z/5.txt", "five"}, member{"y.z/5.jpeg", "J5"},
		member{"6.txt", "first"}, member{"6.png", "F"}, member{"6.txt", "second"}, member{"6.png", "S"}, // a key comes again
		member{"7.txt", "\xff"}, member{"7.png", "P"},
		member{"8.txt", "eight"}, member{"8.png", strings.Repeat("large", 100)},
		member{"9.txt", strings.Repeat("c", maxCaption+1)}, member{"9.png", "P"},
		member{"10.txt", ""}, member{"10.webp", "W"})
	shard(t, dir+"/a1.tar", true, member{"1.txt", "zipped"}, member{"1.png", "Z"})
	shard(t, dir+"/a2.tar", false, member{"1.txt", "whole"}, member{"1.png", "W"}, member{"2.txt", "torn"}, member{"2.png", strings.Repeat("x", 2000)})
	if err := os.Truncate(dir+"/a2.tar", 4*512+2*512+100); err != nil {
		t.Fatal(err)
	}
	want := []string{"one=J", "two=J2", "five=J5", "first=F", "second=S", "!a0.tar:7", "!a0.tar:8", "!a0.tar:9", "=W", "zipped=Z", "whole=W", "!a2.tar"}
	if got := read(t, dir+"/a{0..2}.tar", WebDatasetOptions{MaxBytes: 400}, 0); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWebDatasetEpochs(t *testing.T) {
	dir := t.TempDir()
	for s := range 4 {
		var members []member
		for i := range 10 {
			members = append(members, member{fmt.Sprint(i, ".txt"), fmt.Sprint(s, i)}, member{fmt.Sprint(i, ".png"), "p"})
		}
		shard(t, fmt.Sprintf("%s/%02d.tar", dir, s), false, members...)
	}
	pattern := dir + "/{00..03}.tar"
	plain := read(t, pattern, WebDatasetOptions{}, 0)
	if len(plain) != 40 || !slices.IsSorted(plain) {
		t.Fatalf("in order: %v", plain)
	}
	for name, o := range map[string]WebDatasetOptions{"large": {}, "small": {Buffer: 5}, "bytes": {BufferBytes: 30}} {
		o.Shuffle, o.Seed = true, 1
		first := read(t, pattern, o, 0)
		if !slices.Equal(first, read(t, pattern, o, 0)) {
			t.Errorf("%s: the same epoch gives another order", name)
		}
		if slices.Equal(first, read(t, pattern, o, 1)) || slices.IsSorted(first) {
			t.Errorf("%s: no new order", name)
		}
		slices.Sort(first)
		if !slices.Equal(first, plain) {
			t.Errorf("%s: an epoch is not made of all samples: %v", name, first)
		}
	}
	if n := len(read(t, pattern, WebDatasetOptions{Samples: 100, Shuffle: true}, 0)); n != 100 {
		t.Errorf("an epoch of 100 has %d", n)
	}
	if got := read(t, pattern, WebDatasetOptions{Samples: 7}, 0); !slices.Equal(got, plain[:7]) {
		t.Errorf("an epoch of 7: %v", got)
	}
	shard(t, dir+"/empty.tar", false)
	if got := read(t, dir+"/empty.tar", WebDatasetOptions{Samples: 7}, 0); len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

// TestLoaderReadsShards: pictures of a shard are decoded, what is no picture is
// skipped by its name.
func TestLoaderReadsShards(t *testing.T) {
	dir := t.TempDir()
	file, err := os.ReadFile(pictureFiles(t, 1)[0].(Record).Path)
	if err != nil {
		t.Fatal(err)
	}
	shard(t, dir+"/s.tar", false, member{"1.txt", "one"}, member{"1.png", string(file)}, member{"2.txt", "two"}, member{"2.png", "no picture"},
		member{"3.txt", "three"}, member{"3.png", string(file)})
	w, err := OpenWebDataset(dir+"/s.tar", WebDatasetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	o := options(2)
	o.Transform.Crop = nil
	var skipped []string
	o.Skipped = func(e *SampleError) { skipped = append(skipped, e.Name) }
	batches := all(t, w, 0, o)
	if len(batches) != 1 || !slices.Equal(batches[0].Captions, []string{"one", "three"}) || !slices.Equal(skipped, []string{dir + "/s.tar:2"}) {
		t.Fatalf("%d batches, skipped %v", len(batches), skipped)
	}
	img, err := preprocess.DecodeBytes(file, preprocess.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want, err := o.Transform.Model.Apply(img)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(want); !slices.Equal(batches[0].Pixels[:n], want) || !slices.Equal(batches[0].Pixels[n:], want) {
		t.Error("other pixels than those of the inference transform")
	}
}

func TestOpenWebDatasetRefuses(t *testing.T) {
	dir := t.TempDir()
	for _, p := range []string{dir + "/none.tar", dir, "pipe:cat x", "https://x/y.tar", "{0..2000000}.tar", "{0..1000}{0..1000}{0..1000}"} {
		if _, err := OpenWebDataset(p, WebDatasetOptions{}); err == nil {
			t.Errorf("%s: no error", p)
		}
	}
}

func TestShards(t *testing.T) {
	for pattern, want := range map[string][]string{
		"a.tar":                 {"a.tar"},
		"{08..11}.tar":          {"08.tar", "09.tar", "10.tar", "11.tar"},
		"{9..11}":               {"9", "10", "11"},
		"{2..0}":                {"2", "1", "0"},
		"x{a,b}{0..1}::y":       {"xa0", "xa1", "xb0", "xb1", "y"},
		"{x}{1..}{-1..2}{a.tar": {"{x}{1..}{-1..2}{a.tar"},
	} {
		if got, err := Shards(pattern); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v, want %q", pattern, got, err, want)
		}
	}
}

func FuzzShard(f *testing.F) {
	dir := f.TempDir()
	shard(f, dir+"/x.tar", false, member{"1.txt", "one"}, member{"1.png", "P"})
	seed, err := os.ReadFile(dir + "/x.tar")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, file []byte) {
		samples("x.tar", tar.NewReader(bytes.NewReader(file)), 1000, func(r Record, err error) bool {
			if err == nil && len(r.Bytes) > 1000 {
				t.Errorf("a picture of %d bytes", len(r.Bytes))
			}
			return true
		})
	})
}

func ExampleOpenWebDataset() {
	_, err := OpenWebDataset("pipe:cat shard.tar", WebDatasetOptions{})
	fmt.Println(err)
	// Output: pipe:cat shard.tar: shard: want a file, found pipe:cat shard.tar
}
