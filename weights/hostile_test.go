package weights

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// hostile is a bad model file: the error must be of type want and say all of says.
type hostile struct {
	name string
	data []byte
	want any // pointer to a pointer of the error's type
	says []string
}

var (
	formatError      = new(*FormatError)
	unsupportedError = new(*UnsupportedError)
	limitError       = new(*LimitError)
)

const (
	mostTime   = 2 * time.Second
	mostMemory = 64 << 20
)

// hostileFiles are all bad files.
func hostileFiles(t testing.TB) []hostile {
	all := hostileSafetensors()
	all = append(all, hostileZips(t)...)
	all = append(all, hostilePickles(t)...)
	all = append(all, hostileTensors(t)...)
	all = append(all, hostileValues(t)...)
	all = append(all, hostileCheckpoints(t)...)
	return append(all, hostileLegacy()...)
}

// use opens a file and reads everything in it.
func use(path string) error {
	f, err := Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if f.Value() != nil {
		if _, err := f.Checkpoint(); err != nil {
			return err
		}
	}
	for _, info := range f.Tensors() {
		x, err := f.Tensor(info.Name)
		if err != nil {
			return err
		}
		if _, err := x.Bytes(); err != nil {
			return err
		}
		_, err = x.Float32()
		var unsupported *UnsupportedError
		if err != nil && !errors.As(err, &unsupported) {
			return err
		}
	}
	return nil
}

// TestHostileFiles opens every bad file: a typed error that names the file and the thing, in time,
// and without allocating 64 MB even if all garbage is counted.
func TestHostileFiles(t *testing.T) {
	all := hostileFiles(t)
	if len(all) < 200 {
		t.Errorf("only %d bad files", len(all))
	}
	names := make(map[string]bool)
	var slowest time.Duration
	var largest uint64
	for _, h := range all {
		if names[h.name] {
			t.Errorf("two cases named %q", h.name)
		}
		names[h.name] = true
		path := writeFile(t, h.data)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		err := use(path)
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		used := after.TotalAlloc - before.TotalAlloc
		slowest, largest = max(slowest, took), max(largest, used)
		if err == nil {
			t.Errorf("%s: no error", h.name)
			continue
		}
		if !errors.As(err, h.want) {
			t.Errorf("%s: error of type %T, want %T: %v", h.name, err, h.want, err)
		}
		for _, s := range append(h.says, path) {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%s: error does not say %q: %v", h.name, s, err)
			}
		}
		if len(err.Error()) > 700 || strings.ContainsAny(err.Error(), "\n\x00") || !utf8.ValidString(err.Error()) {
			t.Errorf("%s: not a readable line: %.900q", h.name, err)
		}
		if took > mostTime && !raceEnabled {
			t.Errorf("%s took %v", h.name, took)
		}
		if used > mostMemory && !raceEnabled {
			t.Errorf("%s allocated %d MB", h.name, used>>20)
		}
	}
	t.Logf("%d files; the slowest took %v, the hungriest allocated %.1f MB in all", len(all), slowest, float64(largest)/(1<<20))
}

// TestHostilePeakMemory runs every bad file in a process of its own kind and reads the peak of
// resident memory from the system, mapping included.
func TestHostilePeakMemory(t *testing.T) {
	if runtime.GOOS != "linux" || testing.Short() || raceEnabled {
		t.Skip("reads /proc/self/status")
	}
	if path := os.Getenv("COCA_HOSTILE_FILE"); path != "" {
		debug.FreeOSMemory()
		before := peakMemory(t)
		use(path)
		fmt.Printf("peak %d\n", peakMemory(t)-before)
		return
	}
	largest, name := 0, ""
	for _, h := range hostileFiles(t) {
		if len(h.data) < 1<<14 && h.want != any(limitError) {
			continue // the others are watched by TestHostileFiles
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestHostilePeakMemory$")
		cmd.Env = append(os.Environ(), "COCA_HOSTILE_FILE="+writeFile(t, h.data))
		out, err := cmd.CombinedOutput()
		_, rest, ok := strings.Cut(string(out), "peak ")
		if err != nil || !ok {
			t.Fatalf("%s: %v: %s", h.name, err, out)
		}
		number, _, _ := strings.Cut(rest, "\n")
		n, err := strconv.Atoi(number)
		if err != nil {
			t.Fatal(err)
		}
		if n > mostMemory {
			t.Errorf("%s: peak of %d MB above the baseline", h.name, n>>20)
		}
		if n > largest {
			largest, name = n, h.name
		}
	}
	t.Logf("highest peak above the baseline: %.1f MB (%s)", float64(largest)/(1<<20), name)
}

// peakMemory is the process's highest resident memory so far, in bytes.
func peakMemory(t *testing.T) int {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(b), "VmHWM:")
	fields := strings.Fields(rest)
	if !ok || len(fields) == 0 {
		t.Fatal("no VmHWM")
	}
	kb, err := strconv.Atoi(fields[0])
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}

// TestBuiltFilesAreGood opens what the bad files are variations of.
func TestBuiltFilesAreGood(t *testing.T) {
	storage := append(binary.LittleEndian.AppendUint64(nil, 4), make([]byte, 16)...)
	binary.LittleEndian.PutUint32(storage[16:], math.Float32bits(1.5)) // element 2
	part := one(tensorSpec{shape: []int64{2}, view: func(a *asm) { a.op(opMark).str("v").int(2).int(2).op(opTuple) }})
	python2 := pickle(func(a *asm) { // strings as bytes, a dictionary as a list of pairs
		a.global("collections", "OrderedDict").op(opEmptyList, opEmptyList).sized(opShortBinString, 1, "w").op(opAppend)
		a.tensor(tensorSpec{}).op(opAppend, opAppend, opTuple1, opReduce)
	})
	for name, data := range map[string][]byte{
		"zip":         torchZip(t, one(tensorSpec{})),
		"deflated":    zipFile(t, member{name: "m/data.pkl", data: one(tensorSpec{})}, member{"m/data/0", deflate(t, 16), func(h *zip.FileHeader) { h.Method, h.UncompressedSize64 = zip.Deflate, 16 }}),
		"python 2":    torchZip(t, python2),
		"cuda":        torchZip(t, bytes.ReplaceAll(one(tensorSpec{}), []byte("torch\nFloat"), []byte("torch.cuda\nFloat"))),
		"legacy":      legacyFile(legacyParts{}),
		"legacy view": legacyFile(legacyParts{object: part, data: storage}),
		"safetensors": safetensorsFile(`{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}`, 16),
	} {
		f, err := Open(writeFile(t, data))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		w, err := f.Tensor("w")
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		v, err := w.Float32()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		want := []float32{0, 0, 0, 0}
		if name == "legacy view" {
			want = []float32{1.5, 0}
		}
		if !slices.Equal(v, want) {
			t.Errorf("%s: %v, want %v", name, v, want)
		}
		f.Close()
	}
}

// TestOpenNoFile opens what is no regular file.
func TestOpenNoFile(t *testing.T) {
	if _, err := Open(t.TempDir()); !isFormat(err) || !strings.Contains(err.Error(), "folder") {
		t.Errorf("folder: %v", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none.bin")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if runtime.GOOS == "linux" {
		if _, err := Open("/dev/zero"); !isFormat(err) || !strings.Contains(err.Error(), "device") {
			t.Errorf("device: %v", err)
		}
	}
}

// TestOpenHugeSparse opens a file of 3 GB that claims a header of 2 GB.
func TestOpenHugeSparse(t *testing.T) {
	path := writeFile(t, []byte{0, 0, 0, 0x80, 0, 0, 0, 0, '{'})
	if err := os.Truncate(path, 3<<30); err != nil {
		t.Skip(err)
	}
	start := time.Now()
	var limit *LimitError
	if err := use(path); !errors.As(err, &limit) {
		t.Errorf("error %v, want a LimitError", err)
	}
	if took := time.Since(start); took > mostTime {
		t.Errorf("took %v", took)
	}
}
